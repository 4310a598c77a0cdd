"""What mono mode and portamento make of keys: which note goes where, from where, and for how long."""

from __future__ import annotations

import pytest

from tnca_synth.midi import Command, Interpreter, NoteRelease, NoteStart, messages
from tnca_synth.midi.commands import ControlsChange, NoteMove
from tnca_synth.midi.messages import control_change, note_off, note_on

GLIDES = (control_change(0, messages.PORTAMENTO, 127), control_change(0, messages.PORTAMENTO_TIME, 127))
MONO = control_change(0, messages.MONO_ON, 1)
LONGEST_S = 2.0


def play(*data: bytes) -> list[Command]:
    """Return what the last message asks of notes."""
    interpreter, commands = Interpreter(), []
    for message in data:
        commands = interpreter.handle(message)
    return [one for one in commands if not isinstance(one, ControlsChange)]


def moved(commands: list[Command]) -> list[tuple[int, int, float]]:
    """Return note, key and seconds of moves, the only commands there are."""
    assert all(isinstance(one, NoteMove) for one in commands)
    return [(one.note_id, one.key, one.glide_s) for one in commands if isinstance(one, NoteMove)]


def test_a_mono_note_goes_from_key_to_key_and_back_to_the_newest_that_is_down() -> None:
    keys = [note_on(0, key, 100) for key in (60, 64, 67, 72)]
    assert moved(play(MONO, *keys)) == [(1, 72, 0.0)]
    up = [note_off(0, key) for key in (72, 64, 67)]
    assert moved(play(MONO, *keys, *up[:1])) == [(1, 67, 0.0)]
    assert moved(play(MONO, *keys, *up[:2])) == [], "64 does not sound"
    assert moved(play(MONO, *keys, *up[:3])) == [(1, 60, 0.0)]
    assert play(MONO, *keys, *up, note_off(0, 60, 30)) == [NoteRelease(1, 30)]


def test_a_key_struck_again_is_the_newest() -> None:
    keys = [note_on(0, key, 100) for key in (60, 64, 60, 67)]
    assert moved(play(MONO, *keys, note_off(0, 67))) == [(1, 60, 0.0)]


def test_a_mono_glide_takes_its_time_there_and_back() -> None:
    keys = (note_on(0, 60, 100), note_on(0, 64, 100))
    assert moved(play(MONO, *GLIDES, *keys)) == [(1, 64, LONGEST_S)]
    assert moved(play(MONO, *GLIDES, *keys, note_off(0, 64))) == [(1, 60, LONGEST_S)]


def origin_of(commands: list[Command]) -> int | None:
    (start,) = (one for one in commands if isinstance(one, NoteStart))
    return start.glide_from


def test_a_glide_begins_at_the_key_struck_last() -> None:
    before = (note_on(0, 60, 100), note_on(0, 64, 100), note_off(0, 64))
    assert origin_of(play(*GLIDES, *before, note_on(0, 70, 100))) == 64
    assert origin_of(play(*GLIDES, note_on(0, 70, 100))) is None
    assert origin_of(play(*before, *GLIDES, note_on(1, 70, 100))) is None, "another channel"


@pytest.mark.parametrize("reset", [b"\xff", bytes.fromhex("f07e7f0901f7")], ids=["system reset", "GM on"])
def test_after_a_reset_no_glide_begins_at_a_key_of_before(reset: bytes) -> None:
    assert origin_of(play(note_on(0, 60, 100), reset, *GLIDES, note_on(0, 70, 100))) is None


def test_portamento_control_names_the_origin_of_one_note() -> None:
    named = (*GLIDES[1:], note_on(0, 60, 100), note_off(0, 60), control_change(0, messages.PORTAMENTO_CONTROL, 48))
    assert origin_of(play(*named, note_on(0, 70, 100))) == 48
    assert origin_of(play(*named, note_on(0, 70, 100), note_on(0, 72, 100))) is None


def test_portamento_control_carries_a_note_that_is_held() -> None:
    held = (*GLIDES[1:], note_on(0, 60, 100), control_change(0, messages.PORTAMENTO_CONTROL, 60))
    assert moved(play(*held, note_on(0, 70, 100))) == [(1, 70, LONGEST_S)]


@pytest.mark.parametrize("mode", [messages.MONO_ON, messages.POLY_ON])
def test_a_change_of_mode_lets_go_of_all_keys(mode: int) -> None:
    keys = (MONO, note_on(0, 60, 100), note_on(0, 64, 100))
    assert play(*keys, control_change(0, mode, 0)) == [NoteRelease(1, messages.DEFAULT_RELEASE_VELOCITY)]
    assert play(*keys, control_change(0, mode, 0), note_off(0, 64)) == []
