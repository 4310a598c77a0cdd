"""What the design expected of one representation against another, and whether it came true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .page.player import NoteRow
from .summary import PathResult, best, mean_measures, shared_notes

HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "not measured"


@dataclass(frozen=True)
class Expectation:
    """One claim of the design.

    Attributes
    ----------
    better, base : representations; the best decoder of each stands for it
    quality : the quality that should improve, in words
    measure : of `Measures`; "training" is a cost
    expected : the share of the error that should go; of the training, how many times the base's it may take
    """

    better: str
    base: str
    quality: str
    measure: str
    expected: float

    @property
    def claim(self) -> str:
        """The claim in words."""
        if self.measure == TRAINING:
            return f"{self.better} trains at most {self.expected:g} times as long as {self.base}"
        return f"{self.better} against {self.base}: {self.quality} +{100 * self.expected:.0f} %"


@dataclass(frozen=True)
class Verdict:
    """A claim, what was measured, whether it holds, and why in a sentence."""

    claim: str
    expected: float
    measured: float | None
    verdict: str
    why: str


TRAINING: Final = "training"
EXPECTATIONS: Final = (
    Expectation("dual", "mel", "high frequencies", "high_db", 0.40),
    Expectation("dual", "mel", "phase", "phase", 0.20),
    Expectation("dual", "mel", "overall", "distance", 0.25),
    Expectation("latent", "dual", "phase", "phase", 0.50),
    Expectation("latent", "dual", "temporal structure", "envelope_db", 0.30),
    Expectation("latent", "dual", "overall", "distance", 0.35),
    Expectation("multi-scale", "dual", "overall", "distance", 0.15),
    Expectation("dual", "mel", "training", TRAINING, 1.5),
    Expectation("multi-scale", "mel", "training", TRAINING, 2.0),
    Expectation("latent", "mel", "training", TRAINING, 5.0),
)
UNITS: Final = {"high_db": " dB", "envelope_db": " dB", "phase": "", "distance": ""}
ERRORS: Final = {
    "high_db": "the log-spectral error above 4 kHz",
    "phase": "the incoherence (1 - phase coherence)",
    "distance": "the STFT distance",
    "envelope_db": "the envelope error",
}


def judge(paths: Sequence[PathResult], rows: Sequence[NoteRow]) -> list[Verdict]:
    """Hold every expectation against what was measured, on the notes that both sides play."""
    return [_judge(one, paths, rows) for one in EXPECTATIONS]


def _judge(one: Expectation, paths: Sequence[PathResult], rows: Sequence[NoteRow]) -> Verdict:
    champions = {name: _best_of(paths, name) for name in (one.base, one.better)}
    missing = [name for name, path in champions.items() if path is None]
    if missing:
        return Verdict(one.claim, one.expected, None, UNKNOWN, f"no path of {' or '.join(missing)} was compared")
    base, better = (champions[name] for name in (one.base, one.better))
    assert base is not None and better is not None
    if one.measure == TRAINING:
        return _training(one, base, better)
    return _quality(one, *((path.name, _error(rows, path.name, one, base, better)) for path in (base, better)))


def _best_of(paths: Sequence[PathResult], representation: str) -> PathResult | None:
    return best(one for one in paths if one.route is not None and one.route.representation == representation)


def _error(rows: Sequence[NoteRow], name: str, one: Expectation, *sides: PathResult) -> float:
    """Return a path's mean measure over the notes that both sides play, as an error: 0 at best."""
    shared = shared_notes(rows, [side.name for side in sides])
    means = mean_measures([row for row in rows if row.path == name and row.note in shared])
    return 1.0 - means[one.measure] if one.measure == "phase" else means[one.measure]


def _quality(one: Expectation, base: tuple[str, float], better: tuple[str, float]) -> Verdict:
    (base_name, before), (better_name, after) = base, better
    if not (before > 0.0 and math.isfinite(after)):
        return Verdict(one.claim, one.expected, None, UNKNOWN, f"{base_name} shows no error, or none was measured")
    gain = 1.0 - after / before
    unit = UNITS[one.measure]
    moved = f"{abs(100 * gain):.0f} % {'less' if gain >= 0.0 else 'more'}"
    values = f"{after:.3g}{unit} with {better_name} and {before:.3g}{unit} with {base_name}"
    points = 100 * (gain - one.expected)
    held = gain >= one.expected
    away = f"{abs(points):.0f} points {'above' if held else 'short of'} the {100 * one.expected:.0f} % expected"
    verdict = HOLDS if held else FAILS
    return Verdict(one.claim, one.expected, gain, verdict, f"{ERRORS[one.measure]} is {values}: {moved}, {away}")


def _training(one: Expectation, base: PathResult, better: PathResult) -> Verdict:
    assert base.costs is not None and better.costs is not None
    before, after = base.costs.training_s, better.costs.training_s
    if not (before > 0.0 and after > 0.0):
        return Verdict(one.claim, one.expected, None, UNKNOWN, "a model does not tell how long it was trained")
    times = after / before
    text = (
        f"{better.name} was trained for {after:.0f} s and {better.costs.iterations} iterations, "
        f"{base.name} for {before:.0f} s and {base.costs.iterations}: {times:.2g} times"
    )
    return Verdict(one.claim, one.expected, times, HOLDS if times <= one.expected else FAILS, text)
