"""How near an instrument comes to notes that it did not learn, beside a sampler that has the same recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...engine.instrument_files import InstrumentFile
from ..measure.hearing import hearing_distance
from ..measure.recording import Recording
from .foundation import Foundation
from .sound import Player, nearest_recording, sampled

LONGEST_S: Final = 3.0
"""Of a note that is judged."""
MOST_JUDGED: Final = 12


@dataclass(frozen=True)
class Judged:
    """A note that was judged.

    Attributes
    ----------
    key, velocity : of the note
    grown, sampler : `hearing_distance` from the recording
    """

    key: int
    velocity: int
    grown: float
    sampler: float


@dataclass(frozen=True)
class Judgement:
    """How near an instrument comes.

    Attributes
    ----------
    notes : what was judged
    are_unheard : whether the instrument did not learn them
    """

    notes: tuple[Judged, ...]
    are_unheard: bool

    @property
    def distance(self) -> float:
        """The mean distance of what is grown; 0 where nothing was judged."""
        return float(np.mean([one.grown for one in self.notes])) if self.notes else 0.0

    @property
    def sampler(self) -> float:
        """The mean distance of the sampler; 0 where nothing was judged."""
        return float(np.mean([one.sampler for one in self.notes])) if self.notes else 0.0

    @property
    def nearer(self) -> float:
        """The share of notes on which the instrument is nearer than the sampler."""
        return float(np.mean([one.grown < one.sampler for one in self.notes])) if self.notes else 0.0

    def as_figures(self) -> dict[str, float]:
        """Return what the instrument's file says of it."""
        if not self.notes:
            return {}
        kind = "unheard" if self.are_unheard else "heard"
        figures = {"notes": float(len(self.notes)), "distance": self.distance}
        if self.are_unheard:
            figures |= {"sampler": self.sampler, "nearer": self.nearer}
        return {f"{kind}_{name}": round(value, 5) for name, value in figures.items()}

    def __str__(self) -> str:
        """Say it in one line."""
        if not self.notes:
            return "nothing was judged"
        if not self.are_unheard:
            return f"distance {self.distance:.4f} on {len(self.notes)} notes that it learned from (0 is the same)"
        return (
            f"distance {self.distance:.4f} on {len(self.notes)} notes that it did not hear (0 is the same); a sampler "
            f"with the others {self.sampler:.4f}; nearer than the sampler on {self.nearer:.0%} of them"
        )


def judge(
    foundation: Foundation,
    instrument: InstrumentFile,
    judged: Sequence[Recording],
    learned: Sequence[Recording],
    are_unheard: bool,
) -> Judgement:
    """Render notes and compare them with their recordings, up to `MOST_JUDGED` of them, spread over the keyboard."""
    rate = foundation.spec.sample_rate
    player = Player(foundation, instrument, rate)
    ordered = sorted(judged, key=lambda one: (one.pitch, one.velocity))
    places = np.unique(np.linspace(0, len(ordered) - 1, MOST_JUDGED).astype(int)) if ordered else ()
    found = []
    for one in (ordered[place] for place in places):
        audio = one.audio[: round(LONGEST_S * rate)]
        grown = player.play(one.pitch, one.velocity, one.hold_s, len(audio))
        nearest = nearest_recording(learned, one.pitch, one.velocity, instrument.facts.is_drums)
        rival = sampled(nearest, one.pitch, one.velocity, rate, len(audio))
        distances = (hearing_distance(audio, other, rate) for other in (grown, rival))
        found.append(Judged(one.pitch, one.velocity, *distances))
    return Judgement(tuple(found), are_unheard)
