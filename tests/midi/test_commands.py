"""What messages change beside notes leaves the interpreter as commands, so that nobody reads their bytes again."""

from __future__ import annotations

import pytest

from tnca_synth.midi import Command, Interpreter, NoteCut, NoteStart, messages
from tnca_synth.midi.commands import ChannelsCut, ControlsChange, KeyPressure, ProgramChange, TuningChange
from tnca_synth.midi.messages import RPN_MPE, registered_parameter, system_exclusive

SCALE = bytes.fromhex("7f7f0808 7f7f7f") + bytes([74, *[64] * 11])
"""Scale tuning of all channels at once: C ten cents up."""


def handled(*data: bytes, interpreter: Interpreter | None = None, port: int = 0) -> list[Command]:
    """Return the commands of the last message."""
    interpreter = interpreter or Interpreter()
    return [interpreter.handle(message, port) for message in data][-1]


@pytest.mark.parametrize(
    "data",
    [
        messages.control_change(3, 7, 90),
        messages.pitch_bend(3, 100),
        bytes([0xD3, 64]),
        messages.control_change(3, messages.SUSTAIN, 127),
    ],
)
def test_a_channel_message_changes_the_controls_of_its_channel(data: bytes) -> None:
    assert handled(data) == [ControlsChange((3,))]


def test_a_note_changes_no_controls() -> None:
    assert handled(messages.note_on(3, 60, 100)) == [NoteStart(1, 3, 60, 100)]


def test_a_program_change_tells_its_channel_as_well() -> None:
    assert handled(messages.program_change(3, 40)) == [ControlsChange((3,)), ProgramChange((3,))]


def test_what_a_master_is_told_reaches_its_members() -> None:
    zone = registered_parameter(0, RPN_MPE, 3 << 7)
    assert handled(*zone, messages.pitch_bend(0, 100)) == [ControlsChange((0, 1, 2, 3))]
    assert handled(*zone, bytes([0xA0, 60, 9])) == [KeyPressure((0, 1, 2, 3), 60)]


def test_channels_of_a_second_port_are_numbered_on() -> None:
    interpreter = Interpreter(num_ports=2)
    assert handled(messages.pitch_bend(3, 100), interpreter=interpreter, port=1) == [ControlsChange((19,))]
    assert handled(bytes([0xA3, 60, 9]), interpreter=interpreter, port=1) == [KeyPressure((19,), 60)]
    assert handled(messages.control_change(3, 6, 1), interpreter=interpreter, port=1) == [
        ControlsChange(tuple(range(16, 32)))
    ]


def test_a_system_message_changes_the_controls_of_its_port_and_of_the_next_which_it_can_reach() -> None:
    interpreter = Interpreter(num_ports=2)
    volume = system_exclusive(bytes.fromhex("7f7f04010000"))
    assert handled(volume, interpreter=interpreter) == [ControlsChange(tuple(range(32)))]
    assert handled(b"\xff", interpreter=interpreter, port=1) == [ControlsChange(tuple(range(16, 32)))]


def test_all_sound_off_cuts_what_is_released_too() -> None:
    off = messages.control_change(3, messages.ALL_SOUND_OFF, 0)
    cut = [ControlsChange((3,)), ChannelsCut((3,))]
    assert handled(off) == cut
    assert handled(messages.note_on(3, 60, 100), off) == [*cut, NoteCut(1)]


def test_a_tuning_in_real_time_retunes_once() -> None:
    commands = handled(system_exclusive(SCALE))
    assert commands == [ControlsChange(tuple(range(16))), TuningChange()]
    later = b"\x7e" + SCALE[1:]
    assert handled(system_exclusive(later)) == [ControlsChange(tuple(range(16)))]
    roland = bytes.fromhex("4110421240114000") + bytes([66] * 12)
    commands = handled(system_exclusive(roland + bytes([-sum(roland[4:]) % 128])))
    assert commands.count(TuningChange()) == 1


@pytest.mark.parametrize("data", [b"", b"\xb3", b"\xb3\x07", b"\xf8", b"\xf1\x00"])
def test_what_is_malformed_or_unknown_does_nothing(data: bytes) -> None:
    assert handled(data) == []
