"""Drums that are one instrument stop each other."""

from __future__ import annotations

import pytest

from tnca_synth.midi import Command, Interpreter, NoteStart, messages
from tnca_synth.midi.commands import DrumChoke

SETS = ((42, 44, 46), (29, 30), (71, 72), (73, 74), (78, 79), (80, 81), (86, 87))


def strike(key: int, channel: int = 9, interpreter: Interpreter | None = None) -> list[Command]:
    return (interpreter or Interpreter()).handle(messages.note_on(channel, key, 100))


@pytest.mark.parametrize("keys", SETS)
def test_each_drum_of_a_set_stops_the_others_and_not_itself(keys: tuple[int, ...]) -> None:
    for key in keys:
        choke, start = strike(key)
        assert choke == DrumChoke(9, frozenset(keys) - {key})
        assert isinstance(start, NoteStart) and start.key == key


def test_all_other_drums_stop_nothing() -> None:
    exclusive = {key for keys in SETS for key in keys}
    for key in set(range(128)) - exclusive:
        assert [type(command) for command in strike(key)] == [NoteStart]


def test_melodic_channels_have_no_sets() -> None:
    assert [type(command) for command in strike(42, channel=0)] == [NoteStart]


def test_a_channel_that_was_made_a_drum_channel_has_them_too() -> None:
    interpreter = Interpreter()
    interpreter.handle(messages.control_change(3, messages.BANK_MSB, 120))
    interpreter.handle(messages.program_change(3, 0))
    assert strike(42, 3, interpreter)[0] == DrumChoke(3, frozenset((44, 46)))


def test_a_note_off_stops_nothing() -> None:
    interpreter = Interpreter()
    strike(46, interpreter=interpreter)
    assert not any(isinstance(one, DrumChoke) for one in interpreter.handle(messages.note_off(9, 42)))
