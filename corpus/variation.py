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
        events = [song.messages[index] for index in own]
        shift = 0.0  # of the stroke whose release is next
        for place, (index, one) in enumerate(zip(own, events, strict=True)):
            if not is_note_start(one.data):
                messages[index] = one._replace(time_s=one.time_s + shift)
                shift = 0.0
                continue
            low, high = _room(events, place)
            before_s, after_s = _around(one.time_s, index, fences[part])
            shift = min(max(1e-3 * timing_ms * _cut_normal(chance), low, before_s), high, after_s)
            level = min(max(round(one.data[2] + velocity * _cut_normal(chance)), 1), 127)
            messages[index] = one._replace(time_s=one.time_s + shift, data=note_on(part[1], one.data[1], level))
    messages.sort(key=lambda one: one.time_s)
    return replace(song, messages=messages, duration_s=max(song.duration_s, messages[-1].time_s))


def _room(events: list[TimedMessage], place: int) -> tuple[float, float]:
    """Return how far a stroke, with its release, may move among those of its key: half-way to its neighbours.

    Strokes of a key that overlap stay where they are.
    """
    before, rest = events[:place][-1:], events[place + 1 : place + 3]
    if any(is_note_start(one.data) for one in (*before, *rest[:1])):
        return 0.0, 0.0
    low = (before[0].time_s - events[place].time_s) / 2.0 if before else -inf
    return low, (rest[1].time_s - rest[0].time_s) / 2.0 if len(rest) > 1 else inf


def _strokes(song: Song) -> dict[tuple[Part, int], list[int]]:
    """Return the places of strokes and releases of each key among the messages."""
    strokes: dict[tuple[Part, int], list[int]] = {}
    for index, one in enumerate(song.messages):
        if one.data[0] & 0xF0 in (NOTE_ON, NOTE_OFF):
            strokes.setdefault((_part(one), one.data[1]), []).append(index)
    return strokes


def _fences(song: Song) -> defaultdict[Part, list[tuple[float, int]]]:
    """Return time and place of what notes of a part do not pass: its changes of program and bank, and all SysEx."""
    places = [(one.time_s, index) for index, one in enumerate(song.messages)]
    exclusive = [place for place in places if song.messages[place[1]].data[0] == SYSTEM_EXCLUSIVE]
    fences: defaultdict[Part, list[tuple[float, int]]] = defaultdict(exclusive.copy)
    for place, one in zip(places, song.messages, strict=True):
        kind = one.data[0] & 0xF0
        if kind == PROGRAM_CHANGE or (kind == CONTROL_CHANGE and one.data[1] in (BANK_MSB, BANK_LSB)):
            insort(fences[_part(one)], place)
    return fences


def _around(time_s: float, index: int, fences: list[tuple[float, int]]) -> tuple[float, float]:
    """Return how far a stroke may move back and forth between fences, and not before the beginning."""
    after = bisect_right(fences, (time_s, index))
    before_s = fences[after - 1][0] if after else 0.0
    return before_s - time_s, (fences[after][0] if after < len(fences) else inf) - time_s


def _cut_normal(chance: np.random.Generator) -> float:
    return float(np.clip(chance.standard_normal(), -2.0, 2.0))


def _part(message: TimedMessage) -> Part:
    return message.port, message.data[0] & 0x0F
