"""How near an instrument comes to notes that it did not learn, beside a sampler that has the same recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import soxr

from ...engine.arrays import FloatArray
from ...engine.bank.added import Place, instrument_file
from ...engine.instrument_files import InstrumentFile
from ...engine.names import representation_of
from ..measure.hearing import hearing_distance
from ..measure.recording import Recording
from ..validation.rendered import NoteRenderer
from .foundation import REPRESENTATION, Foundation

LONGEST_S: Final = 3.0
"""Of a note that is judged."""
MOST_JUDGED: Final = 12
WATCHED_S: Final = 2.0
"""Of a note that is watched while an instrument is fitted."""
VELOCITY_WEIGHT: Final = 0.02
"""Semitones that a step of velocity counts when a sampler chooses a recording: keys count more."""


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
        notes = "1 note" if len(self.notes) == 1 else f"{len(self.notes)} notes"
        if not self.are_unheard:
            return f"distance {self.distance:.4f} on {notes} that it learned from (0 is the same)"
        return (
            f"distance {self.distance:.4f} on {notes} that it did not hear (0 is the same); a sampler "
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
    found = []
    for one in spread(judged, MOST_JUDGED):
        audio = one.audio[: round(LONGEST_S * rate)]
        grown = player.play(one.pitch, one.velocity, one.hold_s, len(audio))
        nearest = nearest_recording(learned, one.pitch, one.velocity, instrument.facts.is_drums)
        rival = sampled(nearest, one.pitch, one.velocity, rate, len(audio))
        distances = (hearing_distance(audio, other, rate) for other in (grown, rival))
        found.append(Judged(one.pitch, one.velocity, *distances))
    return Judgement(tuple(found), are_unheard)


def mean_distance(foundation: Foundation, instrument: InstrumentFile, watched: Sequence[Recording]) -> float:
    """Return how far an instrument is from recordings in the mean, over the beginning of each."""
    rate = foundation.spec.sample_rate
    player = Player(foundation, instrument, rate)
    distances = []
    for one in watched:
        audio = one.audio[: round(WATCHED_S * rate)]
        distances.append(hearing_distance(audio, player.play(one.pitch, one.velocity, one.hold_s, len(audio)), rate))
    return float(np.mean(distances))


def spread(recordings: Sequence[Recording], most: int) -> list[Recording]:
    """Return up to `most` recordings, spread over keys and velocities."""
    ordered = sorted(recordings, key=lambda one: (one.pitch, one.velocity))
    return (
        [ordered[place] for place in np.unique(np.linspace(0, len(ordered) - 1, most).astype(int))] if ordered else []
    )


class Player:
    """Renders notes of an instrument through the engine, dry.

    Parameters
    ----------
    foundation : Foundation
    instrument : InstrumentFile
    sample_rate : of the output in Hz

    Attributes
    ----------
    renderer : what renders them
    instrument : what it renders
    """

    def __init__(self, foundation: Foundation, instrument: InstrumentFile, sample_rate: int) -> None:
        facts = instrument.facts
        place = {Place(facts.is_drums, None): facts.name}
        bank = foundation.bank.with_files([instrument_file(instrument)], place)
        growth = bank.growth_model(REPRESENTATION, provider="cpu")
        decoder = representation_of(REPRESENTATION).default_decoder
        self.renderer = NoteRenderer(bank, growth, decoder, sample_rate)
        self.instrument = replace(instrument_file(instrument).instrument, program=0)
        self._rate = sample_rate

    def play(self, key: int, velocity: int, hold_s: float, num_samples: int) -> FloatArray:
        """Return a note from its onset, float32 (num_samples,)."""
        return self.renderer.render(self.instrument, key, velocity, hold_s, num_samples)


def nearest_recording(recordings: Sequence[Recording], key: int, velocity: int, same_key: bool = False) -> Recording:
    """Return the recording that a sampler plays for a note; of a kit only one of its own key."""
    own = [one for one in recordings if one.pitch == key] if same_key else recordings
    return min(
        own or recordings,
        key=lambda one: (abs(one.pitch - key) + VELOCITY_WEIGHT * abs(one.velocity - velocity), one.pitch),
    )


def sampled(recording: Recording, key: int, velocity: int, sample_rate: int, num_samples: int) -> FloatArray:
    """Return what a sampler plays: a recording resampled to a key, scaled by velocity, float32 (num_samples,)."""
    ratio = 2.0 ** ((key - recording.pitch) / 12.0)
    moved = recording.audio
    if recording.pitched and ratio != 1.0:
        moved = soxr.resample(moved, sample_rate * ratio, sample_rate, quality="VHQ")
    moved = moved[:num_samples] * np.float32(velocity / recording.velocity)
    return np.pad(moved, (0, num_samples - len(moved))).astype(np.float32)
