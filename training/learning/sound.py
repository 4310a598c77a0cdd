"""An instrument as it sounds, note by note, and what a sampler makes of the same recordings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from ...engine.arrays import FloatArray
from ...engine.bank.added import Place, instrument_file
from ...engine.instrument_files import InstrumentFile
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.names import representation_of
from ..config.instruments import InstrumentConfig
from ..measure.recording import Recording
from ..validation.rendered import NoteRenderer
from .foundation import REPRESENTATION, Foundation

VELOCITY_WEIGHT = 0.02
"""Semitones that a step of velocity counts when a sampler chooses a recording: keys count more."""


class Player:
    """Renders notes of an instrument through the engine, dry.

    Parameters
    ----------
    foundation : Foundation
    instrument : InstrumentFile
    sample_rate : of the output in Hz
    """

    def __init__(self, foundation: Foundation, instrument: InstrumentFile, sample_rate: int) -> None:
        facts = instrument.facts
        place = {Place(facts.is_drums, None): facts.name}
        bank = foundation.bank.with_files([instrument_file(instrument)], place)
        growth: OnnxGrowthModel = bank.growth_model(REPRESENTATION, provider="cpu")
        decoder = representation_of(REPRESENTATION).default_decoder
        self._renderer = NoteRenderer(bank, growth, decoder, sample_rate)
        self._config = InstrumentConfig(facts.name, 0, drum_keys=facts.is_drums)
        self._rate = sample_rate

    def play(self, key: int, velocity: int, hold_s: float, num_samples: int) -> FloatArray:
        """Return a note from its onset, float32 (num_samples,)."""
        return self._renderer.render(self._config, key, velocity, hold_s, num_samples)


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
