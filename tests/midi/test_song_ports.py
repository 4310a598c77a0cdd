"""Songs on several MIDI ports: each has 16 channels, and a sound module, of its own."""

from __future__ import annotations

import pytest

from tnca_synth.midi import Interpreter, NoteStart, Song
from tnca_synth.midi.messages import (
    RPN_MPE,
    control_change,
    note_on,
    program_change,
    registered_parameter,
    system_exclusive,
)

from .conftest import FileBuilder

NOTE = FileBuilder.note
GM_ON = b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7"


def port(number: int) -> bytes:
    return b"\x00\xff\x21\x01" + bytes((number,))


def device(name: str) -> bytes:
    return b"\x00\xff\x09" + bytes((len(name),)) + name.encode()


def ports_of_notes(song: Song) -> list[int]:
    return [message.port for message in song.messages if message.data[0] & 0xF0 == 0x90 and message.data[2]]


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        ((b"", b""), [0, 0]),
        ((port(0), port(1)), [0, 1]),
        ((b"", port(1)), [0, 1]),
        ((port(1), port(0)), [1, 0]),
        ((port(7), port(7)), [0, 0]),
        ((port(1), port(2)), [0, 1]),
        ((device("Port 1"), device("Port 2")), [0, 1]),
        ((device("Port 2"), device("Port 2")), [0, 0]),
        ((device("MU 80"), b""), [0, 0]),
        ((device("A") + port(3), device("B") + port(3)), [0, 0]),
        ((port(3) + device("A"), port(3) + device("B")), [0, 0]),
        ((port(0), device("B")), [0, 1]),
        ((port(127), port(0)), [1, 0]),
        ((b"\x00\xff\x21\x00", port(1)), [0, 1]),  # a port event without its byte says nothing
        ((b"\x00\xff\x09\x00", device("B")), [0, 0]),
    ],
)
def test_tracks_are_on_the_ports_that_they_name(
    build: FileBuilder, heads: tuple[bytes, ...], expected: list[int]
) -> None:
    song = build.song(*(head + NOTE for head in heads))
    assert ports_of_notes(song) == expected
    assert song.num_ports == max(expected) + 1


def test_a_port_may_change_within_a_track(build: FileBuilder) -> None:
    assert ports_of_notes(build.song(port(0) + NOTE + port(1) + NOTE)) == [0, 1]


def test_a_port_without_channel_messages_does_not_count(build: FileBuilder) -> None:
    assert build.song(port(0) + b"\x00\xff\x01\x02hi", port(1) + NOTE).num_ports == 1


def test_ports_beyond_16_share_them_with_a_warning(build: FileBuilder) -> None:
    song = build.song(*(port(number) + NOTE for number in range(18)))
    assert ports_of_notes(song) == [*range(16), 0, 1]
    assert song.num_ports == 16
    assert any("18 MIDI ports" in warning for warning in song.warnings)


def test_a_system_message_of_a_track_without_a_port_is_for_all(build: FileBuilder) -> None:
    song = build.song(GM_ON, port(1) + NOTE, port(2) + NOTE)
    assert [message.port for message in song.messages if message.data[0] == 0xF0] == [0, 1]
    song = build.song(port(2) + GM_ON + NOTE, port(1) + NOTE)
    assert [message.port for message in song.messages if message.data[0] == 0xF0] == [1]


def test_patterns_one_after_another_have_ports_as_well(build: FileBuilder) -> None:
    assert ports_of_notes(build.song(port(0) + NOTE, port(1) + NOTE, file_format=2)) == [0, 1]


def test_ports_are_modules_of_their_own() -> None:
    interpreter = Interpreter(num_ports=2)
    assert [channel.index for channel in interpreter.channels] == [*range(32)]
    assert [channel.index for channel in interpreter.channels if channel.is_drums] == [9, 25]
    interpreter.handle(program_change(0, 40))
    interpreter.handle(program_change(0, 56), 1)
    interpreter.handle(control_change(0, 7, 0), 1)
    assert (interpreter.channels[0].program, interpreter.channels[16].program) == (40, 56)
    interpreter.handle(system_exclusive(bytes.fromhex("7e7f0901")))
    assert (interpreter.channels[0].program, interpreter.channels[16].program) == (0, 56)
    interpreter.handle(system_exclusive(bytes.fromhex("7f7f04010000")))
    assert (interpreter.expression(0).gain, interpreter.expression(17).gain > 0) == (0, True)


def test_note_ids_increase_through_all_ports() -> None:
    interpreter = Interpreter(num_ports=2)
    starts = [interpreter.handle(note_on(0, 60, 1), index % 2)[-1] for index in range(4)]
    assert [start.note_id for start in starts if isinstance(start, NoteStart)] == [1, 2, 3, 4]
    assert [start.channel for start in starts if isinstance(start, NoteStart)] == [0, 16, 0, 16]
    assert interpreter.num_held_notes == 4
    assert len(interpreter.panic()) == 4


def test_zones_of_one_port_lead_no_channel_of_another() -> None:
    interpreter = Interpreter(num_ports=2)
    for message in registered_parameter(0, RPN_MPE, 3 << 7):
        interpreter.handle(message, 1)
    assert interpreter.led_by(0) == (0,)
    assert interpreter.led_by(16) == (16, 17, 18, 19)


@pytest.mark.parametrize("num_ports", [0, 17])
def test_there_are_1_to_16_ports(num_ports: int) -> None:
    with pytest.raises(ValueError, match=r"num_ports must be in 1\.\.16"):
        Interpreter(num_ports)
