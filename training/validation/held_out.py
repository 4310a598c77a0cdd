"""The notes that banks are judged by: recordings that training never heard, and what a sampler makes of others."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import soxr

from ...engine.arrays import FloatArray
from ..config.instruments import InstrumentConfig
from ..config.run import DataConfig
from ..data.references import Reference, references
from ..measure.hearing import HEARING_RATE
from ..measure.recording import HELD_OUT_VELOCITY, Recording, is_held_out_key
from ..sources.soundfont import SoundFont

HOLD_S, TAIL_S = 1.5, 0.8
VELOCITIES = (64, 90)
SAMPLER = "sampler"
SAMPLER_SEMITONES = 3
RECORDED_BESIDE = 2  # semitones from a key never recorded to the recorded one that is heard beside it


def held_out_keys(instrument: InstrumentConfig) -> list[int]:
    """Keys that training never saw; every fourth, or four drums of a kit (whose held-out layer is the velocity)."""
    if instrument.pitched:
        return [key for key in range(instrument.low, instrument.high + 1) if is_held_out_key(key)]
    return list(range(instrument.low, instrument.high + 1, 8))


def reference_notes(instrument: InstrumentConfig, data: DataConfig, max_keys: int) -> Iterable[Reference]:
    """Yield held-out recordings at 48 kHz, each with the recording three semitones lower (for the sampler).

    Of pitched instruments both kinds are heard: keys never recorded, and beside each a recorded key in the velocity
    that was not, so that all of the keyboard is judged. Of folders and NSynth sets it is what they hold.
    """
    if data.source != "soundfont":
        yield from references(instrument, data, HEARING_RATE, max_keys)
        return
    font = SoundFont(data.soundfont, HEARING_RATE)
    keys = held_out_keys(instrument)
    chosen = [keys[i] for i in np.unique(np.linspace(0, len(keys) - 1, max_keys).astype(int))]
    for held_out in chosen:
        beside = held_out + RECORDED_BESIDE if held_out + RECORDED_BESIDE <= instrument.high else held_out - 1
        both = [(held_out, velocity) for velocity in VELOCITIES] + [(beside, HELD_OUT_VELOCITY)]
        for key, velocity in both if instrument.pitched else [(held_out, HELD_OUT_VELOCITY)]:
            audio = font.render(instrument.program, key, velocity, HOLD_S, TAIL_S, instrument.drum_keys)
            if np.abs(audio).max() < 1e-3:
                continue
            low = font.render(
                instrument.program, key - SAMPLER_SEMITONES, velocity, HOLD_S, TAIL_S, instrument.drum_keys
            )
            recording = Recording(audio, instrument.timbre_name(key), key, velocity, HOLD_S, instrument.pitched)
            is_new_key = instrument.pitched and is_held_out_key(key)
            yield Reference(recording, True, is_new_key, low, SAMPLER_SEMITONES)


def sampler(nearest: FloatArray, sample_rate: int, semitones: int = SAMPLER_SEMITONES) -> FloatArray:
    """Transpose another recording up by resampling, as a sampler does."""
    return soxr.resample(nearest, sample_rate * 2 ** (semitones / 12), sample_rate, quality="VHQ")
