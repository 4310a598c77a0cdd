"""Controllers, programs, bend, tuning and pressure reach the channel state the engine reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tnca_synth.midi import Channel, Interpreter, messages
from tnca_synth.midi.commands import ControlsChange, KeyPressure, ProgramChange
from tnca_synth.midi.messages import (
    RPN_BEND_RANGE,
    RPN_COARSE_TUNING,
    RPN_FINE_TUNING,
    control_change,
    pitch_bend,
    registered_parameter,
)


@pytest.fixture
def interpreter() -> Interpreter:
    return Interpreter()


def send(interpreter: Interpreter, *data: bytes) -> Channel:
    for message in data:
        assert all(isinstance(one, ControlsChange | ProgramChange | KeyPressure) for one in interpreter.handle(message))
    return interpreter.channels[0]


def controls(*changes: tuple[int, int]) -> list[bytes]:
    return [control_change(0, controller, value) for controller, value in changes]


def test_power_up_state_is_general_midi(interpreter: Interpreter) -> None:
    channel = interpreter.channels[0]
    assert channel.gain == pytest.approx((100 / 127) ** 2)
    assert (channel.pan, channel.modulation, channel.pressure, channel.pitch_offset) == (0, 0, 0, 0)
    assert (channel.program, channel.bank) == (0, 0)
    assert [channel.index for channel in interpreter.channels if channel.is_drums] == [9]


@pytest.mark.parametrize(
    ("volume", "expression", "expected_db"),
    # General MIDI level 1: 40 log10(v / 127) dB each.
    [(127, 127, 0.0), (100, 127, -4.152), (64, 127, -11.906), (127, 64, -11.906), (64, 64, -23.812)],
)
def test_volume_and_expression_follow_the_level_curve(
    interpreter: Interpreter, volume: int, expression: int, expected_db: float
) -> None:
    channel = send(interpreter, *controls((7, volume), (11, expression)))
    # gain is a linear amplitude.
    assert channel.gain == pytest.approx(10 ** (expected_db / 20), rel=1e-3)


@pytest.mark.parametrize("changes", [[(7, 0)], [(11, 0)]])
def test_volume_or_expression_0_is_silence(interpreter: Interpreter, changes: list[tuple[int, int]]) -> None:
    assert send(interpreter, *controls(*changes)).gain == 0


@pytest.mark.parametrize(("value", "expected"), [(0, -1), (1, -1), (64, 0), (127, 1), (32, -32 / 63)])
def test_pan_runs_from_left_to_right_through_an_exact_middle(
    interpreter: Interpreter, value: int, expected: float
) -> None:
    assert send(interpreter, *controls((10, value))).pan == pytest.approx(expected)


def test_modulation_and_pressure_are_kept_as_0_to_1(interpreter: Interpreter) -> None:
    channel = send(
        interpreter,
        *controls((1, 127)),
        messages.channel_pressure(0, 127),
        messages.poly_pressure(0, 60, 127),
        messages.poly_pressure(0, 61, 0),
    )
    assert (channel.modulation, channel.pressure) == (1, 1)
    assert channel.key_pressure == {60: 1, 61: 0}


def test_key_pressure_ends_with_the_next_stroke(interpreter: Interpreter) -> None:
    channel = send(interpreter, messages.poly_pressure(0, 60, 127))
    interpreter.handle(messages.note_on(0, 60, 1))
    assert channel.key_pressure == {}


def test_controllers_stay_on_their_channel(interpreter: Interpreter) -> None:
    interpreter.handle(control_change(5, 7, 0))
    assert interpreter.channels[5].gain == 0
    assert interpreter.channels[4].gain > 0


def test_bank_takes_effect_at_the_program_change(interpreter: Interpreter) -> None:
    channel = send(interpreter, *controls((0, 1), (32, 2)))
    assert channel.bank == 0
    send(interpreter, messages.program_change(0, 40))
    assert (channel.bank, channel.program) == (1 * 128 + 2, 40)


@pytest.mark.parametrize(("bend", "expected"), [(0, 0), (-8192, -2), (4096, 1), (8191, 2 * 8191 / 8192), (1, 2 / 8192)])
def test_bend_has_14_bits_over_two_semitones(interpreter: Interpreter, bend: int, expected: float) -> None:
    assert send(interpreter, pitch_bend(0, bend)).pitch_offset == pytest.approx(expected)


def test_bend_range_in_semitones_and_cents(interpreter: Interpreter) -> None:
    channel = send(interpreter, pitch_bend(0, -8192), *registered_parameter(0, RPN_BEND_RANGE, 12 << 7 | 50))
    assert channel.pitch_offset == pytest.approx(-12.5)


def test_data_entry_msb_alone_sets_the_cents_to_0(interpreter: Interpreter) -> None:
    channel = send(interpreter, *controls((101, 0), (100, 0), (6, 12), (38, 50), (6, 7)))
    assert channel.parameters.bend_range == 7


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        (RPN_FINE_TUNING, 8192, 0),
        (RPN_FINE_TUNING, 0, -1),
        (RPN_FINE_TUNING, 16383, 8191 / 8192),
        (RPN_COARSE_TUNING, 64 << 7, 0),
        (RPN_COARSE_TUNING, 52 << 7, -12),
        (RPN_COARSE_TUNING, 76 << 7 | 5, 12),
    ],
)
def test_tuning_adds_to_the_pitch(interpreter: Interpreter, parameter: int, value: int, expected: float) -> None:
    assert send(interpreter, *registered_parameter(0, parameter, value)).pitch_offset == pytest.approx(expected)


def test_bend_and_both_tunings_add_up(interpreter: Interpreter) -> None:
    channel = send(
        interpreter,
        *registered_parameter(0, RPN_COARSE_TUNING, 65 << 7),
        *registered_parameter(0, RPN_FINE_TUNING, 8192 + 4096),
        pitch_bend(0, 4096),
    )
    assert channel.pitch_offset == pytest.approx(1 + 0.5 + 1)


@pytest.mark.parametrize(
    ("select", "steps", "expected_range"),
    [((0, 0), 96, 2.01), ((0, 0), 97, 1.99)],
)
def test_increment_and_decrement_step_the_bend_range_by_cents(
    interpreter: Interpreter, select: tuple[int, int], steps: int, expected_range: float
) -> None:
    channel = send(interpreter, *controls((101, select[0]), (100, select[1]), (steps, 0)))
    assert channel.parameters.bend_range == pytest.approx(expected_range)


@pytest.mark.parametrize(
    ("parameter", "controller", "expected"),
    [
        (RPN_FINE_TUNING, 96, 1 / 8192),
        (RPN_FINE_TUNING, 97, -1 / 8192),
        (RPN_COARSE_TUNING, 96, 1),
        (RPN_COARSE_TUNING, 97, -1),
    ],
)
def test_increment_and_decrement_step_the_tunings(
    interpreter: Interpreter, parameter: int, controller: int, expected: float
) -> None:
    channel = send(interpreter, *controls((101, 0), (100, parameter), (controller, 127)))
    assert channel.pitch_offset == pytest.approx(expected)


def test_steps_stop_at_the_ends_of_the_range(interpreter: Interpreter) -> None:
    channel = send(interpreter, *controls((101, 0), (100, 0), (6, 0), (97, 0), (97, 0)))
    assert channel.parameters.bend_range == 0
    send(interpreter, *controls((6, 127), (38, 99), (96, 0)))
    assert channel.parameters.bend_range == pytest.approx(127.99)
    send(interpreter, *controls((100, RPN_COARSE_TUNING), (6, 127), (96, 0)))
    assert channel.pitch_offset == 63


UNSELECTED = {
    "at power-up": (),
    "RPN null": ((101, 0), (100, 0), (101, 127), (100, 127)),
    "NRPN": ((101, 0), (100, 0), (99, 0), (98, 0)),
    "NRPN by its LSB alone": ((101, 0), (100, 0), (98, 0)),
    "unknown RPN": ((101, 0), (100, 99)),
    "after reset controllers": ((101, 0), (100, 0), (121, 0)),
}


@pytest.mark.parametrize("kind", UNSELECTED)
def test_data_entry_goes_nowhere_unless_a_known_parameter_is_selected(interpreter: Interpreter, kind: str) -> None:
    channel = send(interpreter, *controls(*UNSELECTED[kind], (6, 24), (38, 1), (96, 0), (97, 0)))
    assert channel.parameters.bend_range == 2
    assert channel.parameters.tuning == 0


def test_an_rpn_after_an_nrpn_is_an_rpn_again(interpreter: Interpreter) -> None:
    channel = send(interpreter, *controls((99, 1), (98, 8), (6, 9), (101, 0), (100, 0), (6, 24)))
    assert channel.parameters.bend_range == 24


def test_reset_controllers_follows_rp_015(interpreter: Interpreter) -> None:
    kept = ((7, 11), (10, 12), (0, 3), (32, 4), (91, 13), (74, 14))
    channel = send(
        interpreter,
        *controls(*kept, (1, 99), (11, 5), (64, 127), (65, 127), (66, 127), (67, 127)),
        messages.program_change(0, 40),
        messages.channel_pressure(0, 99),
        messages.poly_pressure(0, 60, 99),
        pitch_bend(0, 8191),
        *registered_parameter(0, RPN_BEND_RANGE, 12 << 7),
        *registered_parameter(0, RPN_COARSE_TUNING, 65 << 7),
        *controls((121, 0)),
    )
    assert [channel.controllers[number] for number, _ in kept] == [value for _, value in kept]
    assert [channel.controllers[number] for number in (1, 11, 64, 65, 66, 67)] == [0, 127, 0, 0, 0, 0]
    assert (channel.program, channel.bank) == (40, 3 * 128 + 4)
    assert (channel.bend, channel.pressure, channel.key_pressure) == (0, 0, {})
    assert (channel.parameters.bend_range, channel.pitch_offset) == (12, 1)


@pytest.mark.parametrize(("volume", "expected"), [(16383, 1), (0, 0), (8192, (8192 / 16383) ** 2)])
def test_master_volume_is_kept_apart(interpreter: Interpreter, volume: int, expected: float) -> None:
    channel = send(interpreter, messages.master_volume(volume))
    assert interpreter.system.gain == pytest.approx(expected)
    assert channel.gain == pytest.approx((100 / 127) ** 2)


@given(st.lists(st.tuples(st.integers(0, 127), st.integers(0, 127)), max_size=50), st.integers(-8192, 8191))
def test_state_stays_in_its_ranges_whatever_is_sent(changes: list[tuple[int, int]], bend: int) -> None:
    interpreter = Interpreter()
    for message in [*controls(*changes), pitch_bend(0, bend)]:
        interpreter.handle(message)
    channel = interpreter.channels[0]
    assert 0 <= channel.gain <= 1
    assert -1 <= channel.pan <= 1
    assert 0 <= channel.modulation <= 1
    assert abs(channel.pitch_offset) <= 128.27 + 65
