"""Notes start, release and cut as keys and pedals say; nothing sticks and nothing raises."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tnca_synth.midi import Command, Interpreter, NoteCut, NoteMove, NoteRelease, NoteStart, messages
from tnca_synth.midi.commands import DrumChoke

OF_NOTES = (NoteStart, NoteMove, NoteRelease, NoteCut, DrumChoke)


def play(interpreter: Interpreter, *data: bytes) -> list[Command]:
    commands = [command for message in data for command in interpreter.handle(message)]
    return [one for one in commands if isinstance(one, OF_NOTES)]


def sustain(value: int, channel: int = 0) -> bytes:
    return messages.control_change(channel, messages.SUSTAIN, value)


def sostenuto(value: int) -> bytes:
    return messages.control_change(0, messages.SOSTENUTO, value)


def on(key: int = 60, velocity: int = 100, channel: int = 0) -> bytes:
    return messages.note_on(channel, key, velocity)


def off(key: int = 60, velocity: int = 30, channel: int = 0) -> bytes:
    return messages.note_off(channel, key, velocity)


@pytest.fixture
def interpreter() -> Interpreter:
    return Interpreter()


def test_a_note_starts_and_releases(interpreter: Interpreter) -> None:
    assert play(interpreter, on(60, 100, 3)) == [NoteStart(1, 3, 60, 100)]
    assert interpreter.num_held_notes == 1
    assert play(interpreter, off(60, 30, 3)) == [NoteRelease(1, 30)]
    assert interpreter.num_held_notes == 0


def test_velocity_0_is_a_note_off_of_middle_velocity(interpreter: Interpreter) -> None:
    assert play(interpreter, on(), on(velocity=0))[1:] == [NoteRelease(1, 64)]


def test_note_off_needs_the_same_key_and_channel(interpreter: Interpreter) -> None:
    play(interpreter, on(60))
    assert play(interpreter, off(61), off(60, channel=1)) == []
    assert interpreter.num_held_notes == 1


def test_the_same_key_twice_gives_two_notes_and_the_oldest_releases_first(interpreter: Interpreter) -> None:
    commands = play(interpreter, on(), on(), off(), off(), off())
    assert commands == [
        NoteStart(1, 0, 60, 100),
        NoteStart(2, 0, 60, 100),
        NoteRelease(1, 30),
        NoteRelease(2, 30),
    ]


def test_sustain_pedal_holds_released_keys_until_it_comes_up(interpreter: Interpreter) -> None:
    assert play(interpreter, sustain(64), on(60), on(62), off(60, 11)) == [
        NoteStart(1, 0, 60, 100),
        NoteStart(2, 0, 62, 100),
    ]
    assert play(interpreter, sustain(63)) == [NoteRelease(1, 11)]
    assert play(interpreter, off(62, 12)) == [NoteRelease(2, 12)]


def test_sustain_pedal_is_per_channel(interpreter: Interpreter) -> None:
    assert len(play(interpreter, sustain(127, channel=1), on(), off())) == 2


def test_pedal_going_up_twice_releases_once(interpreter: Interpreter) -> None:
    play(interpreter, sustain(127), on(), off())
    assert len(play(interpreter, sustain(0), sustain(0))) == 1


@pytest.mark.parametrize("pedal", [sustain, sostenuto])
def test_a_key_struck_again_releases_the_note_that_only_a_pedal_holds(
    interpreter: Interpreter, pedal: Callable[[int], bytes]
) -> None:
    play(interpreter, on(), pedal(127), off(60, 1), on(64))
    assert play(interpreter, on()) == [NoteRelease(1, 1), NoteStart(3, 0, 60, 100)]
    play(interpreter, sustain(127), off(60, 2))
    assert play(interpreter, sustain(0), sostenuto(0)) == [NoteRelease(3, 2)]


def test_sostenuto_holds_only_keys_that_were_down(interpreter: Interpreter) -> None:
    play(interpreter, on(60), sostenuto(127), on(62))
    assert play(interpreter, off(60, 5), off(62, 6)) == [NoteRelease(2, 6)]
    assert play(interpreter, sostenuto(0)) == [NoteRelease(1, 5)]


def test_sostenuto_pressed_again_while_down_captures_nothing_more(interpreter: Interpreter) -> None:
    play(interpreter, sostenuto(127), on(60), sostenuto(100))
    assert play(interpreter, off(60)) == [NoteRelease(1, 30)]


def test_sostenuto_hands_its_notes_to_the_sustain_pedal(interpreter: Interpreter) -> None:
    play(interpreter, on(60), sostenuto(127), sustain(127), off(60, 5))
    assert play(interpreter, sostenuto(0)) == []
    assert play(interpreter, sustain(0)) == [NoteRelease(1, 5)]


def test_sustain_coming_up_leaves_what_sostenuto_holds(interpreter: Interpreter) -> None:
    play(interpreter, on(60), sostenuto(127), sustain(127), off(60, 5))
    assert play(interpreter, sustain(0)) == []
    assert play(interpreter, sostenuto(0)) == [NoteRelease(1, 5)]


def test_soft_pedal_marks_notes_struck_while_it_is_down(interpreter: Interpreter) -> None:
    soft = messages.control_change(0, messages.SOFT_PEDAL, 127)
    first, second = play(interpreter, on(velocity=100), soft, on(velocity=100))
    assert isinstance(first, NoteStart)
    assert isinstance(second, NoteStart)
    assert (first.soft, first.velocity, first.softened_velocity) == (False, 100, 100)
    assert (second.soft, second.velocity) == (True, 100)
    assert second.softened_velocity == pytest.approx(70)


def mode(controller: int, channel: int = 0) -> bytes:
    return messages.control_change(channel, controller, 0)


def test_all_sound_off_cuts_keys_and_pedals_of_its_channel(interpreter: Interpreter) -> None:
    play(interpreter, sustain(127), on(60), off(60), on(62), on(64, channel=1))
    assert play(interpreter, mode(messages.ALL_SOUND_OFF)) == [NoteCut(1), NoteCut(2)]
    assert interpreter.num_held_notes == 1
    assert play(interpreter, off(62), sustain(0)) == []


@pytest.mark.parametrize("controller", [123, 124, 125, 126, 127])
def test_all_notes_off_and_the_mode_messages_respect_the_pedal(interpreter: Interpreter, controller: int) -> None:
    play(interpreter, on(60), on(62, channel=1))
    assert play(interpreter, mode(controller)) == [NoteRelease(1, 64)]
    play(interpreter, sustain(127), on(60))
    assert play(interpreter, mode(controller)) == []
    assert play(interpreter, sustain(0)) == [NoteRelease(3, 64)]


def test_reset_controllers_lifts_the_pedals_and_keeps_the_keys(interpreter: Interpreter) -> None:
    play(interpreter, on(59), sostenuto(127), off(59), sustain(127), on(60), off(60), on(62))
    commands = play(interpreter, mode(messages.RESET_CONTROLLERS))
    assert {command.note_id for command in commands} == {1, 2}
    assert play(interpreter, off(62)) == [NoteRelease(3, 30)]


def test_all_notes_off_on_all_channels_overrules_pedals(interpreter: Interpreter) -> None:
    play(interpreter, sustain(127), on(60), off(60, 9), on(62, channel=15))
    assert interpreter.all_notes_off() == [NoteRelease(1, 9), NoteRelease(2, 64)]
    assert interpreter.num_held_notes == 0


def test_panic_cuts_everything_and_leaves_no_pedal_down(interpreter: Interpreter) -> None:
    play(interpreter, sustain(127), on(60), off(60), on(62, channel=15), messages.pitch_bend(0, 8191))
    assert interpreter.panic() == [NoteCut(1), NoteCut(2)]
    assert interpreter.channels[0].pitch_offset == 0
    assert play(interpreter, on(60), off(60)) == [NoteStart(3, 0, 60, 100), NoteRelease(3, 30)]


RESETS = {
    "GM": "f0 7e 7f 09 01 f7",
    "GM2": "f0 7e 10 09 03 f7",
    "GS": "f0 41 10 42 12 40 00 7f 00 41 f7",
    "XG": "f0 43 10 4c 00 00 7e 00 f7",
    "system reset": "ff",
}


@pytest.mark.parametrize("kind", RESETS)
def test_reset_messages_release_notes_and_reset_everything(interpreter: Interpreter, kind: str) -> None:
    play(
        interpreter,
        sustain(127),
        on(60),
        off(60),
        on(62, channel=2),
        messages.program_change(2, 40),
        messages.control_change(2, messages.VOLUME, 1),
        *messages.registered_parameter(2, messages.RPN_BEND_RANGE, 12 << 7),
        messages.master_volume(0),
    )
    commands = play(interpreter, bytes.fromhex(RESETS[kind]))
    assert [(type(command), command.note_id) for command in commands] == [(NoteRelease, 1), (NoteRelease, 2)]
    channel = interpreter.channels[2]
    assert channel.program == 0
    assert channel.gain == pytest.approx((100 / 127) ** 2)
    assert channel.parameters.bend_range == 2
    assert interpreter.system.gain == 1
    assert play(interpreter, on(60), off(60))[1:] == [NoteRelease(3, 30)], "the pedal must be up, ids go on"


@pytest.mark.parametrize("data", ["f0 7e 7f 09 02 f7", "f0 7e 7f 09 01 00 f7", "f0 f7", "f0 41 10 42 f7"])
def test_other_system_exclusive_messages_do_nothing(interpreter: Interpreter, data: str) -> None:
    play(interpreter, on())
    assert play(interpreter, bytes.fromhex(data)) == []
    assert interpreter.num_held_notes == 1


def test_no_limit_to_the_number_of_notes(interpreter: Interpreter) -> None:
    play(interpreter, *[on(key % 128, channel=key % 16) for key in range(5000)])
    assert interpreter.num_held_notes == 5000
    assert len(interpreter.all_notes_off()) == 5000


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=12), max_size=60))
def test_any_bytes_at_all_are_survived(stream: list[bytes]) -> None:
    interpreter = Interpreter()
    for data in stream:
        interpreter.handle(data)


channel_messages = st.one_of(
    st.builds(messages.note_on, st.integers(0, 1), st.integers(60, 63), st.integers(0, 127)),
    st.builds(messages.note_off, st.integers(0, 1), st.integers(60, 63)),
    st.builds(
        messages.control_change,
        st.integers(0, 1),
        st.sampled_from([64, 66, 67, 120, 121, 123, 126]),
        st.integers(0, 127),
    ),
    st.sampled_from([bytes.fromhex(data) for data in RESETS.values()]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(channel_messages, max_size=80))
def test_every_note_that_starts_ends_exactly_once(stream: list[bytes]) -> None:
    interpreter = Interpreter()
    commands = play(interpreter, *stream)
    num_held = interpreter.num_held_notes
    endings = [command.note_id for command in commands if isinstance(command, NoteRelease | NoteCut)]
    starts = [command.note_id for command in commands if isinstance(command, NoteStart)]
    assert num_held == len(starts) - len(endings)
    endings += [release.note_id for release in interpreter.all_notes_off()]
    assert starts == list(range(1, len(starts) + 1))
    assert Counter(endings) == Counter(starts)
    assert interpreter.all_notes_off() == []
