"""Builders give the right bytes, and refuse values out of range by name."""

import re

import pytest

from tnca_synth.midi import messages


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (messages.note_on(0, 60, 64), "90 3c 40"),
        (messages.note_off(15, 60), "8f 3c 40"),
        (messages.poly_pressure(1, 60, 5), "a1 3c 05"),
        (messages.control_change(9, 7, 100), "b9 07 64"),
        (messages.program_change(2, 127), "c2 7f"),
        (messages.channel_pressure(3, 0), "d3 00"),
        (messages.pitch_bend(0, 0), "e0 00 40"),
        (messages.pitch_bend(0, -8192), "e0 00 00"),
        (messages.pitch_bend(0, 8191), "e0 7f 7f"),
        (messages.system_exclusive(b"\x7e\x7f\x09\x01"), "f0 7e 7f 09 01 f7"),
        (messages.master_volume(0x3FFF), "f0 7f 7f 04 01 7f 7f f7"),
    ],
)
def test_builders_give_the_bytes_of_the_standard(built: bytes, expected: str) -> None:
    assert built.hex(" ") == expected
    assert messages.is_complete(built)


def test_registered_parameter_is_selected_entered_and_deselected() -> None:
    changes = [message[1:].hex() for message in messages.registered_parameter(0, 0, 12 << 7 | 50)]
    assert changes == ["6500", "6400", "060c", "2632", "657f", "647f"]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("channel must be in 0..15, got 17", lambda: messages.note_on(17, 60, 64)),
        ("channel must be in 0..15, got -1", lambda: messages.program_change(-1, 0)),
        ("key must be in 0..127, got 128", lambda: messages.note_off(0, 128)),
        ("velocity must be in 0..127, got 200", lambda: messages.note_on(0, 60, 200)),
        ("controller must be in 0..127, got 128", lambda: messages.control_change(0, 128, 0)),
        ("bend must be in -8192..8191, got 8192", lambda: messages.pitch_bend(0, 8192)),
        ("value must be in 0..16383, got 16384", lambda: messages.registered_parameter(0, 0, 16384)),
        ("SysEx data byte must be in 0..127, got 247", lambda: messages.system_exclusive(b"\xf7")),
    ],
)
def test_errors_name_the_value_the_range_and_what_was_got(name: str, call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=f"^{re.escape(name)}$"):
        call()


@pytest.mark.parametrize(
    "data",
    [
        "",
        "3c 40",  # no status
        "90",
        "90 3c",
        "90 3c 40 00",
        "90 3c 80",  # a status where data should be
        "c0 00 00",
        "f0",
        "f0 7e",  # no end
        "f0 80 f7",
        "f4",  # undefined
        "f7",
        "ff 2f 00",  # a meta event is not a message
    ],
)
def test_incomplete_and_undefined_messages_are_told_apart(data: str) -> None:
    assert not messages.is_complete(bytes.fromhex(data))
