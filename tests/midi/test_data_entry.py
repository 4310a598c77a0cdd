"""Data entry: either byte first, forgotten by the next selection, stepped, and heard by nobody else."""

import pytest

from tnca_synth.midi import Channel, Interpreter, NoteRelease
from tnca_synth.midi.messages import RPN_MPE, control_change, registered_parameter

MSB, LSB = 6, 38
RANGE = ((101, 0), (100, 0))
FINE = ((101, 0), (100, 1))
NULL = ((101, 127), (100, 127))


def after(*changes: tuple[int, int]) -> Channel:
    interpreter = Interpreter()
    for controller, value in changes:
        interpreter.handle(control_change(0, controller, value))
    return interpreter.channels[0]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (((MSB, 12), (LSB, 50)), 12.5),
        (((LSB, 50), (MSB, 12)), 12.5),
        (((MSB, 12),), 12.0),
        (((LSB, 50),), 2.5),
        (((MSB, 12), (LSB, 50), (MSB, 7)), 7.0),  # an MSB begins a new value
        (((LSB, 50), (MSB, 12), (LSB, 25), (MSB, 7)), 7.25),  # of a sender with the LSB first
        (((LSB, 50), *RANGE, (MSB, 12)), 12.0),  # selecting forgets the LSB
        (((LSB, 50), *FINE, *RANGE, (MSB, 12)), 12.0),
        (((LSB, 50), (99, 1), (98, 8), *RANGE, (MSB, 12)), 12.0),
        (((LSB, 50), (101, 0), (MSB, 12)), 12.0),
        (((MSB, 12), *RANGE, (LSB, 50)), 12.5),
        (((MSB, 12), (LSB, 50), *NULL, (MSB, 1), (LSB, 1)), 12.5),
        (((MSB, 12), (LSB, 50), *NULL, (96, 0), (97, 0), (97, 0)), 12.5),
        (((LSB, 50), (96, 0), (MSB, 12)), 12.5),
        (((LSB, 50), (121, 0), *RANGE, (MSB, 12)), 12.0),
    ],
)
def test_a_bend_range_by_either_byte_first(entries: tuple[tuple[int, int], ...], expected: float) -> None:
    assert after(*RANGE, *entries).parameters.bend_range == pytest.approx(expected)


def test_fine_tuning_with_the_lsb_first() -> None:
    assert after(*FINE, (LSB, 64), (MSB, 96)).parameters.tuning == pytest.approx((96 * 128 + 64 - 8192) / 8192)


def test_steps_after_an_nrpn_leave_registered_parameters_alone() -> None:
    channel = after(*RANGE, (99, 1), (98, 8), (96, 0), (96, 0), (97, 0))
    assert channel.parameters.bend_range == 2
    assert channel.controllers[76] == 65  # NRPN 1 8 is the vibrato rate


def test_an_nrpn_of_one_byte_after_null_selects_none() -> None:
    channel = after((98, 8), (MSB, 3), (99, 127), (98, 127), (MSB, 4))
    assert channel.controllers[76] == 64


def test_nrpns_of_drum_sounds_change_no_controller() -> None:
    """NRPN 20 to 30 (14 to 1E hex) belong to single drums in GS and XG."""
    channel = after((99, 0x1A), (98, 38), (MSB, 3))
    assert channel.controllers[70:80] == [64] * 10


def test_modulation_range_counts_semitones_and_their_128th() -> None:
    for entries in (((MSB, 1), (LSB, 64)), ((LSB, 64), (MSB, 1))):
        assert after((101, 0), (100, 5), *entries).parameters.modulation_range == 1.5


def test_a_configuration_of_zones_takes_no_notice_of_an_lsb() -> None:
    interpreter = Interpreter()
    for message in registered_parameter(0, RPN_MPE, 3 << 7):
        interpreter.handle(message)
    interpreter.handle(b"\x91\x3c\x40")
    for controller, value in ((101, 0), (100, RPN_MPE), (LSB, 5)):
        assert not any(isinstance(one, NoteRelease) for one in interpreter.handle(control_change(0, controller, value)))
    assert interpreter.led_by(0) == (0, 1, 2, 3)
    assert interpreter.num_held_notes == 1


def test_a_configuration_of_zones_on_another_channel_is_none() -> None:
    interpreter = Interpreter()
    for message in registered_parameter(3, RPN_MPE, 5 << 7):
        interpreter.handle(message)
    assert [interpreter.led_by(index) for index in (0, 3, 15)] == [(0,), (3,), (15,)]
