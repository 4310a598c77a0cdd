"""Every parameter of a GS or XG part that is a controller here is the right one, on the right part."""

import pytest

from tnca_synth.midi import Interpreter
from tnca_synth.midi.messages import system_exclusive

# From the standards' parameter address maps: the last byte of the address, and the controller of the same meaning.
GS_CONTROLLERS = {
    0x00: 0, 0x19: 7, 0x1C: 10, 0x21: 93, 0x22: 91, 0x30: 76, 0x31: 77, 0x32: 74, 0x33: 71, 0x34: 73, 0x35: 75,
    0x36: 72, 0x37: 78,
}  # fmt: skip
XG_CONTROLLERS = {
    0x01: 0, 0x02: 32, 0x0B: 7, 0x0E: 10, 0x12: 93, 0x13: 91, 0x15: 76, 0x16: 77, 0x17: 78, 0x18: 74, 0x19: 71,
    0x1A: 73, 0x1B: 75, 0x1C: 72, 0x68: 5,
}  # fmt: skip
# Blocks of GS parts 1 to 16: the tenth has 0.
GS_BLOCKS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 10, 11, 12, 13, 14, 15)


def after(*payload: int) -> Interpreter:
    interpreter = Interpreter()
    interpreter.handle(system_exclusive(bytes(payload)))
    return interpreter


def gs(*body: int) -> Interpreter:
    return after(0x41, 0x10, 0x42, 0x12, *body, -sum(body) % 128)


def changed(interpreter: Interpreter) -> list[tuple[int, int, int]]:
    """Return (channel, controller, value) of what is not as at power-up."""
    fresh = Interpreter().channels[0].controllers
    return [
        (channel.index, number, value)
        for channel in interpreter.channels
        for number, value in enumerate(channel.controllers)
        if value != fresh[number]
    ]


@pytest.mark.parametrize(("low", "controller"), GS_CONTROLLERS.items())
def test_gs_parameters_of_a_part(low: int, controller: int) -> None:
    assert changed(gs(0x40, 0x13, low, 33)) == [(2, controller, 33)]


@pytest.mark.parametrize(("low", "controller"), XG_CONTROLLERS.items())
def test_xg_parameters_of_a_part(low: int, controller: int) -> None:
    assert changed(after(0x43, 0x10, 0x4C, 0x08, 2, low, 33)) == [(2, controller, 33)]


def test_every_part_is_on_its_channel() -> None:
    for channel, block in enumerate(GS_BLOCKS):
        assert changed(gs(0x40, 0x10 | block, 0x19, 33)) == [(channel, 7, 33)]
        assert changed(after(0x43, 0x10, 0x4C, 0x08, channel, 0x0B, 33)) == [(channel, 7, 33)]
        assert gs(0x40, 0x20 | block, 0x10, 64 + 5).channels[channel].parameters.bend_range == 5


def test_any_device_number_is_ours() -> None:
    for device in (0, 0x10, 0x1F, 0x7F):
        body = (0x40, 0x11, 0x19, 33)
        assert changed(after(0x41, device, 0x42, 0x12, *body, -sum(body) % 128)) == [(0, 7, 33)]
    for device in range(16):
        assert changed(after(0x43, 0x10 | device, 0x4C, 0x08, 0, 0x0B, 33)) == [(0, 7, 33)]


@pytest.mark.parametrize(
    "payload",
    [
        (0x41, 0x10, 0x45, 0x12, 0x40, 0x11, 0x19, 33, 0x53),  # another model
        (0x41, 0x10, 0x42, 0x11, 0x40, 0x11, 0x19, 33, 0x53),  # a request
        (0x41, 0x10, 0x42, 0x12, 0x40, 0x11, 0x19, 0x16),  # no data
        (0x41, 0x10, 0x42, 0x12, 0x40, 0x41, 0x19, 33, 0x23),  # no such block
        (0x43, 0x10, 0x4C, 0x08, 0x00, 0x0B),
        (0x43, 0x20, 0x4C, 0x08, 0x00, 0x0B, 33),
        (0x43, 0x10, 0x4C, 0x08, 0x20, 0x0B, 33),
        (0x43, 0x10, 0x27, 0x08, 0x00, 0x0B, 33),
        (0x43, 0x10),
        (0x41,),
        (),
    ],
)
def test_other_messages_set_nothing(payload: tuple[int, ...]) -> None:
    assert changed(after(*payload)) == []


def test_portamento_is_a_switch_in_xg() -> None:
    assert changed(after(0x43, 0x10, 0x4C, 0x08, 0, 0x67, 1)) == [(0, 65, 127)]


def test_modulation_depth_of_gs_is_in_semitones() -> None:
    assert gs(0x40, 0x21, 0x04, 127).channels[0].parameters.modulation_range == 6.0


def test_a_part_that_is_cut_off_in_a_number_of_two_bytes_keeps_its_tuning() -> None:
    assert gs(0x40, 0x11, 0x2A, 0x60).channels[0].parameters.tuning == 0.0
    assert gs(0x40, 0x11, 0x17, 0x0F).channels[0].detuning == 0.0
