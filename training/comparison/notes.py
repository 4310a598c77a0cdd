"""The held-out notes to compare on: keys that training never heard, and a velocity that it never heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...engine.arrays import FloatArray
from ..config.instruments import InstrumentConfig
from ..config.run import DataConfig
from ..data.references import references
from ..measure.hearing import HEARING_RATE
from ..measure.recording import HELD_OUT_VELOCITY, Recording, is_held_out_key
from ..sources.soundfont import SoundFont
from ..validation.held_out import HOLD_S, SAMPLER_SEMITONES, TAIL_S, held_out_keys

KEY, LAYER, HEARD = "key", "layer", "heard"
KINDS = (KEY, LAYER, HEARD)
"""Why a note is held out: its key was never recorded, or its key was but its velocity was not; or that it is not."""
RECORDED_VELOCITY = 64
AUDIBLE = 1e-3


@dataclass(frozen=True, eq=False)
class HeldOutNote:
    """A note to play.

    Attributes
    ----------
    recording : at `HEARING_RATE`
    lower : the recording from which the sampler makes the note, float32 (N,); None where there is none
    kind : one of `KINDS`
    instrument : of the preset
    semitones : from `lower` to the note
    """

    recording: Recording
    lower: FloatArray | None
    kind: str
    instrument: InstrumentConfig
    semitones: int = SAMPLER_SEMITONES


def held_out_notes(instrument: InstrumentConfig, data: DataConfig, num_keys: int) -> Iterator[HeldOutNote]:
    """Yield held-out notes of an instrument: `num_keys` keys never recorded, and as many at the held-out velocity.

    Of folders and NSynth sets it is what they hold, or what training heard where nothing is held out.
    """
    if data.source != "soundfont":
        for one in references(instrument, data, HEARING_RATE, num_keys):
            kind = (KEY if one.is_new_key else LAYER) if one.is_held_out else HEARD
            yield HeldOutNote(one.recording, one.nearest, kind, instrument, one.semitones)
        return
    font = SoundFont(data.soundfont, HEARING_RATE)
    for kind, key, velocity in _choose(instrument, num_keys):
        audio, lower = (
            font.render(instrument.program, at, velocity, HOLD_S, TAIL_S, instrument.drum_keys)
            for at in (key, key - SAMPLER_SEMITONES)
        )
        if np.abs(audio).max() >= AUDIBLE:
            recording = Recording(audio, instrument.timbre_name(key), key, velocity, HOLD_S, instrument.pitched)
            yield HeldOutNote(recording, lower, kind, instrument)


def _choose(instrument: InstrumentConfig, num_keys: int) -> Iterator[tuple[str, int, int]]:
    """Yield kind, key and velocity; keys of unpitched sounds are all recorded, so only their velocity is held out."""
    if not instrument.pitched:
        yield from ((LAYER, key, HELD_OUT_VELOCITY) for key in spread(held_out_keys(instrument), num_keys))
        return
    yield from ((KEY, key, RECORDED_VELOCITY) for key in spread(held_out_keys(instrument), num_keys))
    recorded = [key for key in range(instrument.low, instrument.high + 1) if not is_held_out_key(key)]
    yield from ((LAYER, key, HELD_OUT_VELOCITY) for key in spread(recorded, num_keys))


def spread(keys: list[int], count: int) -> list[int]:
    """Return up to `count` keys, from the lowest to the highest; one is the middle one."""
    if count == 1:
        return [keys[len(keys) // 2]]
    return [keys[i] for i in np.unique(np.linspace(0, len(keys) - 1, count).astype(int))]
