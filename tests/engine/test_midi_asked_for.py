"""What a song or keyboard sends without meaning us, or at rest, changes nothing; what it asks for does."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.synth import Synth
from tnca_synth.midi import messages as midi
from tnca_synth.midi.messages import control_change as cc
from tnca_synth.midi.spec import growth_controllers

from .fakes import FakeGrowth, make_synth
from .listening import GS_RESET, at, is_noise, level_db, note, part, perform, pitch_of, play

LOWER_15 = midi.registered_parameter(0, midi.RPN_MPE, 15 << 7)
LOWER_3 = midi.registered_parameter(0, midi.RPN_MPE, 3 << 7)
KNOBS = (*range(20, 29), *range(102, 107))


def grown(*messages: bytes, asked: bool = False) -> FloatArray:
    """Play a note whose level falls by a fifth in each hop: a slower growth is louder."""
    growth_model = FakeGrowth(held_factor=0.8)
    return play(at(0, *messages) + note(60), 0.3, growth_model, growth_controllers=asked)


@pytest.mark.parametrize("value", [0, 1, 64, 127])
def test_undefined_controllers_do_nothing_unless_asked_for(value: int) -> None:
    knobs = [cc(0, number, value) for number in KNOBS]
    np.testing.assert_array_equal(grown(*knobs, midi.channel_pressure(0, 0)), grown())


def test_undefined_controllers_do_not_take_brightness_and_pressure_away() -> None:
    wheels = (cc(0, 74, 20), midi.channel_pressure(0, 100))
    np.testing.assert_array_equal(grown(cc(0, 24, 1), cc(0, 25, 2), *wheels), grown(*wheels))


STILL = cc(0, growth_controllers.GROWTH_RATE, 0)


def test_growth_is_asked_for_by_an_option_a_method_and_by_sysex() -> None:
    still = grown(STILL, asked=True)
    assert level_db(part(still, 0.2, 0.3)) > level_db(part(grown(), 0.2, 0.3)) + 6
    np.testing.assert_array_equal(grown(growth_controllers.growth_switch(True), STILL), still)
    by_method = make_synth_that_decays()
    by_method.obey_growth_controllers()
    np.testing.assert_array_equal(perform(by_method, at(0, STILL) + note(60), 0.3), still)
    assert by_method.growth_controllers


def make_synth_that_decays() -> Synth:
    return make_synth(FakeGrowth(held_factor=0.8), max_voices=16)


def test_growth_is_given_back_by_sysex_a_method_and_a_reset() -> None:
    on, off = growth_controllers.growth_switch(True), growth_controllers.growth_switch(False)
    plain = grown()
    np.testing.assert_array_equal(grown(on, off, STILL), plain)
    np.testing.assert_array_equal(grown(on, GS_RESET, STILL), plain)
    np.testing.assert_array_equal(grown(off, STILL, asked=True), plain)
    np.testing.assert_array_equal(grown(off, GS_RESET, STILL, asked=True), grown(STILL, asked=True))
    synth = make_synth_that_decays()
    synth.obey_growth_controllers()
    synth.obey_growth_controllers(False)
    np.testing.assert_array_equal(perform(synth, at(0, STILL) + note(60), 0.3), plain)


def test_growth_by_sysex_and_from_python_needs_no_asking() -> None:
    still = grown(STILL, asked=True)
    np.testing.assert_array_equal(grown(growth_controllers.growth_message(0, growth_controllers.GROWTH_RATE, 0)), still)
    synth = make_synth_that_decays()
    synth.set_growth(0, growth_rate=0)
    np.testing.assert_array_equal(perform(synth, note(60), 0.3), still)


def test_reset_all_controllers_brings_growth_by_sysex_back_to_neutral() -> None:
    still = growth_controllers.growth_message(0, growth_controllers.GROWTH_RATE, 0)
    np.testing.assert_array_equal(grown(still, cc(0, midi.RESET_CONTROLLERS, 0)), grown())


@pytest.mark.parametrize(
    "payload", ["7d 54 4e", "7d 54 4e 7f", "7d 54 4e 10 14 00 00", "7d 54 4e 00 13 00 00", "7d 54 4d 00 14 00 00"]
)
def test_what_only_looks_like_our_sysex_does_nothing(payload: str) -> None:
    np.testing.assert_array_equal(grown(midi.system_exclusive(bytes.fromhex(payload)), STILL), grown())


def test_breath_counts_from_its_first_value_above_0() -> None:
    plain = play(note(60), 0.3)
    np.testing.assert_array_equal(play(at(0, cc(0, 2, 0)) + note(60), 0.3), plain)
    np.testing.assert_array_equal(play(at(0, cc(0, 2, 0), cc(0, 34, 0)) + note(60), 0.3), plain)
    blown = play(at(0, cc(0, 2, 0)) + note(60) + at(0.3, cc(0, 2, 64)) + at(0.6, cc(0, 2, 0)), 0.9)
    assert level_db(part(blown, 0.4, 0.6)) - level_db(plain) == pytest.approx(40 * np.log10(64 / 127), abs=0.1)
    assert level_db(part(blown, 0.7, 0.9)) < -100


def test_all_controllers_at_rest_silence_and_bend_nothing_but_what_0_means() -> None:
    """A keyboard's dump: 0 everywhere, save where the neutral value or General MIDI has another."""
    meant = {7: 100, 10: 64, 11: 127, **dict.fromkeys(range(70, 80), 64), 91: 40, 98: 127, 99: 127, 100: 127, 101: 127}
    dump = [cc(0, number, meant.get(number, 0)) for number in range(120)]
    dump += [midi.channel_pressure(0, 0), midi.pitch_bend(0, 0), *(midi.poly_pressure(0, key, 0) for key in range(128))]
    np.testing.assert_array_equal(play(at(0, *dump) + note(69), 0.3), play(note(69), 0.3))


def test_portamento_from_key_0_is_none() -> None:
    assert pitch_of(part(play(at(0, cc(0, 5, 64), cc(0, 84, 0)) + note(69), 0.3), 0, 0.1)) == pytest.approx(
        69, abs=0.05
    )


@pytest.mark.parametrize("number", [7, 11])
def test_volume_and_expression_of_0_are_meant(number: int) -> None:
    assert level_db(play(at(0, cc(0, number, 0)) + note(60), 0.2)) < -100


def asked(channel: int, *messages: bytes) -> tuple[bool, int]:
    """Return whether a note of a channel is a drum, and the program that it asks for."""
    synth = make_synth()
    audio = perform(synth, at(0, *messages) + note(60, channel=channel), 0.2)
    return is_noise(audio), synth._sequencer._interpreter.channels[channel].program


@pytest.mark.parametrize(
    ("channel", "messages", "expected"),
    [
        (9, LOWER_15, (False, 0)),
        (9, [midi.program_change(0, 40), *LOWER_15], (False, 40)),
        (9, [*LOWER_15, midi.program_change(0, 40)], (False, 40)),
        (2, [midi.program_change(0, 40), midi.program_change(2, 7), *LOWER_15], (False, 40)),
        (9, [*LOWER_15, *LOWER_3], (True, 0)),
        (9, LOWER_3, (True, 0)),
        (9, [*LOWER_15, *midi.registered_parameter(0, midi.RPN_MPE, 0)], (True, 0)),
        (9, [*LOWER_15, *midi.registered_parameter(15, midi.RPN_MPE, 2 << 7)], (False, 0)),
        (9, midi.registered_parameter(15, midi.RPN_MPE, 6 << 7), (False, 0)),
        (9, [*midi.registered_parameter(15, midi.RPN_MPE, 6 << 7), *LOWER_15, *LOWER_3], (True, 0)),
        (9, [cc(9, 0, 121), midi.program_change(9, 5), *LOWER_15, *LOWER_3], (False, 0)),
        (9, [*LOWER_15, GS_RESET], (True, 0)),
    ],
)
def test_members_on_channel_10_play_what_their_master_does(
    channel: int, messages: list[bytes], expected: tuple[bool, int]
) -> None:
    assert asked(channel, *messages) == expected


def test_poly_pressure_of_an_mpe_member_presses_its_note_alone() -> None:
    pressed = at(0.1, midi.poly_pressure(1, 60, 127))
    plain = play(at(0, *LOWER_3) + note(60, channel=1), 0.3)
    assert np.abs(play(at(0, *LOWER_3) + note(60, channel=1) + pressed, 0.3) - plain).max() > 1e-3
    other = play(at(0, *LOWER_3) + note(60, channel=2), 0.3)
    np.testing.assert_array_equal(play(at(0, *LOWER_3) + note(60, channel=2) + pressed, 0.3), other)


def test_pressure_of_member_and_master_is_the_larger_of_both() -> None:
    def pressed(*messages: bytes) -> FloatArray:
        return play(at(0, *LOWER_3, *messages) + note(60, channel=1), 0.3)

    both = pressed(midi.channel_pressure(0, 40), midi.channel_pressure(1, 70))
    np.testing.assert_array_equal(both, pressed(midi.channel_pressure(1, 70)))
    other = pressed(midi.channel_pressure(0, 70), midi.channel_pressure(1, 40))
    np.testing.assert_array_equal(other, pressed(midi.channel_pressure(0, 70)))


def test_the_cents_of_a_members_bend_range_hold_for_the_zone_at_once() -> None:
    """The other member's note sounds and is bent already."""
    wide = midi.registered_parameter(2, midi.RPN_BEND_RANGE, 12 << 7 | 50)
    events = at(0, *LOWER_3, midi.pitch_bend(1, 8191)) + note(60, channel=1) + at(0.3, *wide)
    assert pitch_of(part(play(events, 1.0), 0.5, 1.0)) == pytest.approx(72.5, abs=0.02)


def test_a_bank_without_a_program_change_changes_nothing() -> None:
    assert not asked(0, cc(0, 0, 120))[0]
    assert asked(9, cc(9, 0, 121))[0]


def test_a_vibrato_depth_above_the_middle_adds_vibrato_and_below_does_nothing() -> None:
    np.testing.assert_array_equal(play(at(0, cc(0, 77, 10)) + note(60), 0.3), play(note(60), 0.3))
    deep = play(at(0, cc(0, 77, 127)) + note(60), 0.5)
    by_wheel = play(at(0, cc(0, 1, 127)) + note(60), 0.5)  # half a semitone as well
    np.testing.assert_array_equal(deep, by_wheel)
