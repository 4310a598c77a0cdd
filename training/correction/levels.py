"""Measuring how much louder keys shall sound: a bank's as those of a SoundFont, a further instrument's as the bank's.

Loudness is that of BS.1770 (K-weighted power) over a note held for 0.8 s and its release. Letters: N notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from ...engine.arrays import FloatArray
from ...engine.bank.instruments import BankInstrument, Levels
from ...engine.open import OpenSynth
from ...engine.output.loudness import k_weighting
from ...midi.files.writer import encode_midi_file
from ...midi.messages import ALL_SOUND_OFF, BANK_MSB, DRUM_CHANNEL, control_change, note_off, note_on, program_change
from ..sources.fluidsynth import RATE, play_song
from ..validation.rendered import NoteRenderer

HOLD, SPACING = round(0.8 * RATE), round(1.3 * RATE)
VELOCITY, SOFT_VELOCITY = 100, 60
SLOPE_KEYS: Final = 4
"""Keys of an instrument on which it is measured how loudness follows velocity, the same for all."""
MOST_KEYS: Final = 8
"""Recorded keys of a pitched instrument that are measured; levels of others lie between."""
MOST_SLOPE_DB: Final = 12.0
"""What is steeper is no law of velocity: the recordings of loud and soft notes are others."""
SILENT_DB: Final = -75.0
REFERENCES: Final = (0, 24, 48, 56, 73)
"""Programs, of five families, whose mean loudness further instruments get; of kits the first one."""
REFERENCE_KEYS: Final = 3
FURTHEST_DB: Final = 24.0
"""As much louder or softer than it is grown a further instrument shall sound at most."""

Note = tuple[int, int]
"""Key and velocity."""


@dataclass(frozen=True)
class Part:
    """What plays notes: a MIDI channel 0..15, a program, and the number of its variation."""

    channel: int
    program: int
    bank: int = 0


def measured_levels(ensemble: OpenSynth, instrument: BankInstrument, soundfont: Path) -> Levels:
    """Return the levels of an instrument with which its keys are as loud as those of the SoundFont.

    Parameters
    ----------
    ensemble : OpenSynth
        At `RATE`, without effects; what levels the instrument has there is taken into account.
    instrument : BankInstrument
        One of its own, not from a user's file.
    """
    keys = _keys_of(ensemble, instrument)
    if not keys:
        return Levels()
    if not instrument.is_drums:
        keys = spread(keys, MOST_KEYS)
    soft_keys = spread(keys, SLOPE_KEYS)
    notes = [*((key, VELOCITY) for key in keys), *((key, SOFT_VELOCITY) for key in soft_keys)]
    part = Part(DRUM_CHANNEL if instrument.is_drums else 0, instrument.program, instrument.bank)
    if not instrument.is_drums:
        ensemble.lock_instrument(instrument.name)
    there = loudness_of(play_song(encode_midi_file(_messages(notes, part), RATE), soundfont), len(notes))
    here = loudness_of(_played(ensemble, notes, part), len(notes))
    now = np.array([instrument.levels.at(key, velocity / 127) for key, velocity in notes])
    return fitted(notes, there - here + now, np.minimum(there, here - now) > SILENT_DB)


class Loudness(NamedTuple):
    """How loud instruments are in the mean, in dB, at `VELOCITY` and at `SOFT_VELOCITY`."""

    loud_db: float
    soft_db: float


def usual_loudness(renderer: NoteRenderer, instruments: Sequence[BankInstrument], are_drums: bool) -> Loudness | None:
    """Return how loud instruments of a bank, or its kits, are in the mean; None where it has none of `REFERENCES`.

    Parameters
    ----------
    renderer : NoteRenderer
        Of the bank, at `RATE`.
    instruments : its own
    """
    wanted = REFERENCES[:1] if are_drums else REFERENCES
    known = [one for one in instruments if one.is_drums == are_drums and not one.is_own and one.program in wanted]
    found = []
    for one in known:
        keys = spread(range(one.low, one.high + 1), REFERENCE_KEYS + 2)
        loudness = [_rendered(renderer, one, keys[1:-1] or keys, velocity) for velocity in (VELOCITY, SOFT_VELOCITY)]
        is_heard = np.min(loudness, 0) > SILENT_DB
        if is_heard.any():
            found.append(np.mean(loudness, 1, where=is_heard))
    return Loudness(*np.mean(found, 0).tolist()) if found else None


def levels_beside(usual: Loudness, renderer: NoteRenderer, instrument: BankInstrument, keys: Sequence[int]) -> Levels:
    """Return the levels with which a further instrument is as loud in the mean as others usually are.

    Its keys stay as loud beside each other as they are; where soft notes are louder than usual beside loud ones, they
    become softer.

    Parameters
    ----------
    renderer : NoteRenderer
        Of the instrument, at `RATE`; its levels there count as nothing.
    keys : recorded ones
    """
    keys = spread(keys, MOST_KEYS)
    soft_keys = spread(keys, SLOPE_KEYS)
    loud = _rendered(renderer, instrument, keys, VELOCITY)
    soft = _rendered(renderer, instrument, soft_keys, SOFT_VELOCITY)
    notes = [*((key, VELOCITY) for key in keys), *((key, SOFT_VELOCITY) for key in soft_keys)]
    now = np.array([instrument.levels.at(key, velocity / 127) for key, velocity in notes])
    heard = np.concatenate([loud, soft]) - now
    is_heard = heard > SILENT_DB
    if not is_heard[: len(keys)].any():
        return Levels()
    more_db = usual.loud_db - float(np.mean(heard[: len(keys)][is_heard[: len(keys)]]))
    as_loud = heard[[keys.index(key) for key in soft_keys]] - heard[len(keys) :]
    wanted = np.concatenate([np.zeros(len(keys)), usual.soft_db - usual.loud_db + as_loud])
    found = fitted(notes, np.clip(more_db, -FURTHEST_DB, FURTHEST_DB) + wanted, is_heard)
    return Levels((keys[0],), found.db[:1], found.slope_db)


def _rendered(
    renderer: NoteRenderer, instrument: BankInstrument, keys: Sequence[int], velocity: int
) -> NDArray[np.float64]:
    """Return the loudness of keys at a velocity in dB."""
    notes = [renderer.render(instrument, key, velocity, HOLD / RATE, SPACING) for key in keys]
    return loudness_of(np.concatenate(notes)[:, None], len(keys))


def fitted(notes: Sequence[Note], more_db: NDArray[np.float64], is_heard: NDArray[np.bool_]) -> Levels:
    """Return the levels that notes (N,) at two velocities ask for; none where nothing is heard."""
    octaves = np.log2(np.array([velocity for _, velocity in notes]) / 127)
    louder = {key: row for row, (key, velocity) in enumerate(notes) if velocity == VELOCITY and is_heard[row]}
    pairs = [
        (louder[key], row)
        for row, (key, velocity) in enumerate(notes)
        if velocity == SOFT_VELOCITY and is_heard[row] and key in louder
    ]
    if not louder:
        return Levels()
    slopes = [(more_db[loud] - more_db[soft]) / (octaves[loud] - octaves[soft]) for loud, soft in pairs]
    slope = float(np.clip(np.median(slopes), 0.0, MOST_SLOPE_DB)) if slopes else 0.0
    keys = sorted(louder)
    db = tuple(round(float(more_db[louder[key]] - slope * octaves[louder[key]]), 1) for key in keys)
    return Levels(tuple(keys), db, round(slope, 2))


def loudness_of(audio: FloatArray, count: int) -> NDArray[np.float64]:
    """Return the K-weighted power in dB of so many notes in a row, from audio (samples, 1 or 2)."""
    heard = np.zeros((count * SPACING, 2))
    heard[: len(audio)] = audio[: len(heard)]
    for numerator, denominator in k_weighting(RATE):
        heard = lfilter(numerator, denominator, heard, axis=0)
    power = (heard.reshape(count, SPACING, 2) ** 2).sum(axis=2).mean(axis=1)
    return np.asarray(10.0 * np.log10(power + 1e-20))


def spread(keys: Sequence[int], count: int) -> list[int]:
    """Return at most so many keys, from the first to the last."""
    return [keys[place] for place in np.unique(np.linspace(0, len(keys) - 1, count).round().astype(int))]


def _keys_of(ensemble: OpenSynth, instrument: BankInstrument) -> list[int]:
    """Return the recorded keys of an instrument, or the drums of a kit that are its own."""
    assert ensemble.book is not None and ensemble.growth is not None
    ensemble.book.load(instrument.name)
    motions = ensemble.growth.motions
    if not instrument.is_drums:
        return motions.recorded_keys(instrument.name)
    own = range(instrument.low, instrument.high + 1)
    return [key for key in own if motions.recorded_keys(f"{instrument.name}:{key}")]


def _messages(notes: Sequence[Note], part: Part, begin: int = 0) -> list[tuple[int, bytes]]:
    """Return messages that play notes one after the other, by frame."""
    messages = [(begin, control_change(part.channel, BANK_MSB, part.bank))]
    messages.append((begin, program_change(part.channel, part.program)))
    for index, (key, velocity) in enumerate(notes):
        at = begin + index * SPACING
        messages += [(at, note_on(part.channel, key, velocity)), (at + HOLD, note_off(part.channel, key))]
        messages.append((at + SPACING - 1, control_change(part.channel, ALL_SOUND_OFF, 0)))
    return messages


def _played(ensemble: OpenSynth, notes: Sequence[Note], part: Part) -> FloatArray:
    """Return what a synth makes of notes one after the other, float32 (N * SPACING, 2)."""
    synth = ensemble.synth
    for frame, data in _messages(notes, part, synth.frame):
        synth.send(data, frame)
    count = len(notes) * SPACING
    return synth.render(count)
