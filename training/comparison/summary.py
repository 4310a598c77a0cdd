"""What rows of measured notes say of a path, and what the design expected of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..validation.anchors import ANCHORS, opus_rate
from .costs import Costs
from .measures import Measures
from .notes import KINDS
from .page.player import NoteRow, Route
from .speed import Speed

ALL, SHARED = "all", "shared"
IN_TUNE_CENTS = {"in_tune": 10.0, "well_in_tune": 5.0}
"""Means that are shares of notes -> how far their pitches may be from the recordings'."""
RISE_MS = 2.0
JUDGE = "zimtohrli"
"""The measure by which paths are ranked."""
BUDGET_VOICES = 32
"""Voices that one core must play in real time for a path to be the default: the design's figure for dual."""
Means = dict[str, float]


@dataclass(frozen=True)
class PathResult:
    """One path, measured.

    Attributes
    ----------
    name : such as "dual+harmonic", or "sampler"
    route : None for the sampler and the anchors, which have neither models nor costs
    means : kind of held-out notes, "all" or "shared" (those that every path plays) -> instrument or "all" -> measure
        -> mean
    has_correction : whether the bank has per-key correction for the representation
    """

    name: str
    route: Route | None
    means: dict[str, dict[str, Means]]
    costs: Costs | None = None
    speed: Speed | None = None
    has_correction: bool = False

    @property
    def overall(self) -> Means:
        """Means over the notes that every path plays, over its own where there are none: what paths are ranked by."""
        return self.means.get(SHARED, self.means[ALL])[ALL]

    @property
    def score(self) -> float:
        """What the path is ranked by: less is better."""
        return self.overall[JUDGE]

    @property
    def by_instrument(self) -> dict[str, Means]:
        """Means over all notes of each instrument."""
        return {name: means for name, means in self.means[ALL].items() if name != ALL}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "means": self.means,
            "has_correction": self.has_correction,
            "costs": asdict(self.costs) if self.costs else None,
            "speed": asdict(self.speed) | {"voices": self.speed.voices} if self.speed else None,
        }


def mean_measures(rows: Sequence[NoteRow]) -> Means:
    """Return the mean of every measure over the notes that it says something of.

    Of the pitch: `cents`, the median distance from the recording's, `in_tune` and `well_in_tune`, the shares of notes
    within 10 and 5 cents, and `pitch_heard`, how many notes the tracker heard in both. Of attacks: `rise_ms`, the
    median distance, `rises_alike`, the share of notes within 2 ms, and `attacks`, how many there are.
    """
    means: Means = {}
    for name in Measures.names():
        values = np.array([getattr(row.measures, name) for row in rows])
        known = values[np.isfinite(values)]
        if name == "cents":
            means |= _median_and_shares(known, name, IN_TUNE_CENTS) | {"pitch_heard": len(known)}
        elif name == "rise_ms":
            means |= _median_and_shares(known, name, {"rises_alike": RISE_MS}) | {"attacks": len(known)}
        else:
            means[name] = float(known.mean()) if len(known) else float("nan")
    return means | {"notes": len(rows)}


def _median_and_shares(off: NDArray[np.float64], name: str, within: Mapping[str, float]) -> Means:
    """Return the median distance under `name`, and the shares of distances up to some bounds."""
    nothing = len(off) == 0
    shares = {share: float("nan") if nothing else float((np.abs(off) <= most).mean()) for share, most in within.items()}
    return {name: float("nan") if nothing else float(np.median(np.abs(off))), **shares}


def summarise(rows: Sequence[NoteRow]) -> dict[str, dict[str, dict[str, Means]]]:
    """Return path -> kind, "all" or "shared" -> instrument or "all" -> means; groups without a note are left out.

    Beside `mean_measures` there is `opus_kbps`: the rate at which Opus leaves the same notes as far from themselves.
    """
    shared = shared_notes(rows, {row.path for row in rows})
    through_codecs = {(row.path, row.note): row.measures.zimtohrli for row in rows if row.path in ANCHORS}
    groups: dict[tuple[str, str, str], list[NoteRow]] = {}
    for row in rows:
        for kind in (ALL, row.kind, *((SHARED,) if row.note in shared else ())):
            for instrument in (ALL, row.instrument):
                groups.setdefault((row.path, kind, instrument), []).append(row)
    table: dict[str, dict[str, dict[str, Means]]] = {}
    for (path, kind, instrument), group in groups.items():
        means = mean_measures(group)
        means["opus_kbps"] = math.nan if path in ANCHORS else _opus_rate(means[JUDGE], group, through_codecs)
        table.setdefault(path, {}).setdefault(kind, {})[instrument] = means
    ordered = (ALL, *KINDS, SHARED)
    return {path: {kind: kinds[kind] for kind in ordered if kind in kinds} for path, kinds in table.items()}


def _opus_rate(
    distance: float, group: Sequence[NoteRow], through_codecs: Mapping[tuple[str, tuple[str, int, int]], float]
) -> float:
    found = {name: [through_codecs.get((name, row.note), math.nan) for row in group] for name in ANCHORS}
    return opus_rate(distance, {name: float(np.mean(values)) for name, values in found.items()})


def shared_notes(rows: Iterable[NoteRow], paths: Collection[str]) -> set[tuple[str, int, int]]:
    """Return the notes that each of some paths plays; see `NoteRow.note`."""
    played: dict[str, set[tuple[str, int, int]]] = {path: set() for path in paths}
    for row in rows:
        if row.path in played:
            played[row.path].add(row.note)
    return set.intersection(*played.values()) if played else set()


def best(paths: Iterable[PathResult]) -> PathResult | None:
    """Return the path that is nearest to the recordings, as ears judge it; None of none."""
    return min(paths, key=lambda one: one.score, default=None)


def best_in_budget(paths: Iterable[PathResult]) -> PathResult | None:
    """Return the best path of which one core plays `BUDGET_VOICES` voices in real time."""
    return best(one for one in paths if one.speed is not None and one.speed.voices >= BUDGET_VOICES)


def frontier(paths: Iterable[PathResult], cost: Mapping[str, float]) -> list[PathResult]:
    """Return the paths that no cheaper one is as good as, the cheapest first; `cost` is by a path's name."""
    found: list[PathResult] = []
    for one in sorted((one for one in paths if one.name in cost), key=lambda one: (cost[one.name], one.name)):
        if not found or one.score < found[-1].score:
            found.append(one)
    return found
