"""Varying a song by chance: other instruments of the same family, growth controls, and a player's inexactness."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from math import inf
from typing import Final

import numpy as np

from ..engine.bank.instruments import BankInstrument
from ..midi.files.song import Song, TimedMessage
from ..midi.messages import (
    BANK_LSB,
    BANK_MSB,
    CONTROL_CHANGE,
    DRUM_CHANNEL,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM_CHANGE,
    SYSTEM_EXCLUSIVE,
    is_note_start,
    note_on,
    program_change,
)
from ..midi.spec.general_midi import family_of
from ..midi.spec.growth_controllers import growth_message, growth_values
from ..midi.state.interpreter import MAX_PORTS

GROWTH_OCTAVES: Final = 0.5
"""How far the logarithm (base 2) of the growth rate goes from neutral, at most."""
LEAST_FIRE_RATE: Final = 0.6
MOST_LIFE_THRESHOLD: Final = 0.6
PROGRAMS: Final = 128

Part = tuple[int, int]
"""Port and MIDI channel, from 0."""
DRUM_PARTS: Final = {(port, DRUM_CHANNEL) for port in range(MAX_PORTS)}


def with_random_instruments(song: Song, instruments: Iterable[BankInstrument], chance: np.random.Generator) -> Song:
    """Return a song whose programs are others of the same General MIDI family, each the same all through a channel.

    A family of which the bank has nothing, and drums, stay as they are. A channel that never chooses a program, and so
    plays program 0, gets one as well.
    """
    known = sorted({one.program for one in instruments if not one.is_drums})
    families = {program: [one for one in known if family_of(one) == family_of(program)] for program in range(PROGRAMS)}
    parts = sorted({_part(one) for one in song.messages if is_note_start(one.data)} - DRUM_PARTS)
    others = {
        part: [int(chance.choice(families[program] or [program])) for program in range(PROGRAMS)] for part in parts
    }
    messages: list[TimedMessage] = []
    told: set[Part] = set()
    for one in song.messages:
        part = _part(one)
        if part in others and part not in told and is_note_start(one.data):
            told.add(part)
            messages.append(one._replace(data=program_change(part[1], others[part][0])))
        if part in others and one.data[0] & 0xF0 == PROGRAM_CHANGE:
            told.add(part)
            one = one._replace(data=program_change(part[1], others[part][one.data[1]]))
        messages.append(one)
    return replace(song, messages=messages)


def with_random_growth(song: Song, amount: float, chance: np.random.Generator) -> Song:
    """Return a song whose parts grow faster or slower, more ragged or thinner, from their first note on.

    Parameters
    ----------
    amount : float
        0 is neutral, 1 as far as `GROWTH_OCTAVES`, `LEAST_FIRE_RATE` and `MOST_LIFE_THRESHOLD` say.
    """
    messages: list[TimedMessage] = []
    seen: set[Part] = set()
    for one in song.messages:
        part = _part(one)
        if is_note_start(one.data) and part not in seen:
            seen.add(part)
            rate = 2.0 ** (amount * GROWTH_OCTAVES * chance.uniform(-1.0, 1.0))
            fire_rate = 1.0 - amount * (1.0 - LEAST_FIRE_RATE) * chance.uniform()
            threshold = 0.1 + amount * (MOST_LIFE_THRESHOLD - 0.1) * chance.uniform()
            for controller, value in growth_values(rate, fire_rate, threshold, None):
                messages.append(one._replace(data=growth_message(part[1], controller, value)))
        messages.append(one)
    return replace(song, messages=messages)


def humanised(song: Song, timing_ms: float, velocity: float, chance: np.random.Generator) -> Song:
    """Return a song whose notes begin a little early or late, and are a little softer or louder.

    A note keeps its length. It passes no change of program or bank, no SysEx, and no other stroke of its key, so that
    it stays the same note on the same instrument. What moves no note, such as controllers, stays.

    Parameters
    ----------
    timing_ms, velocity : float
        Standard deviations of normal distributions, which are cut off at twice that.
    """
    messages = list(song.messages)
    fences = _fences(song)
    for (part, _), own in _strokes(song).items():
        times_s = [-inf, *(song.messages[index].time_s for index in own), inf, inf]
        shifts: list[float] = []  # of strokes whose release is to come
        for place, index in enumerate(own):
            one = song.messages[index]
            if not is_note_start(one.data):
                shift = shifts.pop(0) if shifts else 0.0
                messages[index] = one._replace(time_s=max(one.time_s + shift, 0.0))
                continue
            before_s, _, release_s, following_s = times_s[place : place + 4]
            low, high = _around(one.time_s, fences[part])
            low, high = max(low, (before_s - one.time_s) / 2.0), min(high, (following_s - release_s) / 2.0)
            shift = min(max(1e-3 * timing_ms * _cut_normal(chance), low), max(high, 0.0))
            shifts.append(shift)
            level = min(max(round(one.data[2] + velocity * _cut_normal(chance)), 1), 127)
            messages[index] = one._replace(time_s=one.time_s + shift, data=note_on(part[1], one.data[1], level))
    messages.sort(key=lambda one: one.time_s)
    return replace(song, messages=messages, duration_s=max(song.duration_s, messages[-1].time_s))


def _strokes(song: Song) -> dict[tuple[Part, int], list[int]]:
    """Return the places of strokes and releases of each key among the messages."""
    strokes: dict[tuple[Part, int], list[int]] = {}
    for index, one in enumerate(song.messages):
        if one.data[0] & 0xF0 in (NOTE_ON, NOTE_OFF):
            strokes.setdefault((_part(one), one.data[1]), []).append(index)
    return strokes


def _fences(song: Song) -> defaultdict[Part, list[float]]:
    """Return the times that notes of a part do not pass: its changes of program and bank, and all SysEx."""
    exclusive = [one.time_s for one in song.messages if one.data[0] == SYSTEM_EXCLUSIVE]
    fences: defaultdict[Part, list[float]] = defaultdict(exclusive.copy)
    for one in song.messages:
        kind = one.data[0] & 0xF0
        if kind == PROGRAM_CHANGE or (kind == CONTROL_CHANGE and one.data[1] in (BANK_MSB, BANK_LSB)):
            insort(fences[_part(one)], one.time_s)
    return fences


def _around(time_s: float, fences: list[float]) -> tuple[float, float]:
    """Return how far a stroke may move back and forth between fences, and not before the beginning."""
    after = bisect_right(fences, time_s)
    return (fences[after - 1] if after else 0.0) - time_s, (fences[after] if after < len(fences) else inf) - time_s


def _cut_normal(chance: np.random.Generator) -> float:
    return float(np.clip(chance.standard_normal(), -2.0, 2.0))


def _part(message: TimedMessage) -> Part:
    return message.port, message.data[0] & 0x0F
