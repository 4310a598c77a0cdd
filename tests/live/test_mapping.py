"""Channel filter, control mapping, MIDI learn, and what is said about a message."""

import pytest

from tnca_synth.live.producer.midi_learn import TARGET_CONTROLLERS, MidiLearnMap, describe
from tnca_synth.live.protocol import CONTROL_TARGETS
from tnca_synth.midi.messages import control_change, note_off, note_on, pitch_bend, program_change, system_exclusive
from tnca_synth.midi.spec.growth_controllers import (
    DAMAGE,
    FIRE_RATE,
    GROWTH_RATE,
    LIFE_THRESHOLD,
    MORPH_X,
    MORPH_Y,
    growth_message,
)


def test_every_target_has_a_controller():
    assert set(TARGET_CONTROLLERS) == set(CONTROL_TARGETS)


def test_only_the_wanted_channel_passes_and_system_messages_do():
    mapping = MidiLearnMap(channel=3)
    assert mapping.apply(note_on(2, 60, 100)) == note_on(2, 60, 100)
    assert mapping.apply(note_on(1, 60, 100)) is None
    reset = system_exclusive(b"\x7e\x7f\x09\x01")
    assert mapping.apply(reset) == reset


@pytest.mark.parametrize(
    "data", [b"", b"\x90", b"\x90\x3c", b"\x3c\x40", b"\xf8", b"\xfe", b"\xf0\x01", b"\x90\x80\x01"]
)
def test_what_is_malformed_or_plays_nothing_is_dropped(data):
    assert MidiLearnMap().apply(data) is None


def test_a_mapped_control_becomes_its_target_on_any_channel():
    mapping = MidiLearnMap(controllers={20: "brightness"})
    assert mapping.apply(control_change(4, 20, 77)) == control_change(4, 74, 77)
    assert mapping.apply(control_change(4, 21, 77)) == control_change(4, 21, 77)


@pytest.mark.parametrize(
    ("target", "controller"),
    [
        ("growth-rate", GROWTH_RATE),
        ("fire-rate", FIRE_RATE),
        ("life-threshold", LIFE_THRESHOLD),
        ("morph-x", MORPH_X),
        ("morph-y", MORPH_Y),
        ("representation", 26),
        ("decoder", 27),
        ("blend", 28),
    ],
)
def test_growth_is_a_target_like_any_other_and_goes_out_as_our_sysex(target, controller):
    mapping = MidiLearnMap(controllers={74: target})
    assert mapping.apply(control_change(4, 74, 77)) == growth_message(4, controller, 77)


def test_a_mapped_control_damages_by_how_far_it_rises():
    mapping = MidiLearnMap(controllers={3: "damage", 9: "damage"})
    played = [mapping.apply(control_change(channel, 3, value)) for channel, value in ((0, 10), (0, 4), (0, 30), (1, 5))]
    assert played == [growth_message(0, DAMAGE, 10), None, growth_message(0, DAMAGE, 26), growth_message(1, DAMAGE, 5)]
    assert mapping.apply(control_change(0, 9, 2)) == growth_message(0, DAMAGE, 2)


def test_an_undefined_controller_can_be_mapped_onto_anything():
    mapping = MidiLearnMap(controllers={20: "brightness", 21: "damage", 22: "growth-rate"})
    assert mapping.apply(control_change(0, 20, 1)) == control_change(0, 74, 1)
    assert mapping.apply(control_change(0, 21, 1)) == growth_message(0, DAMAGE, 1)
    assert mapping.apply(control_change(0, 22, 1)) == growth_message(0, GROWTH_RATE, 1)


def test_learning_binds_growth_as_well():
    mapping = MidiLearnMap()
    mapping.learn("fire-rate")
    assert mapping.apply(control_change(2, 20, 9)) == growth_message(2, FIRE_RATE, 9)
    assert mapping.learned == (20, "fire-rate")


def test_learning_binds_the_next_knob_once():
    mapping = MidiLearnMap()
    mapping.learning = "reverb"
    assert mapping.apply(note_on(0, 60, 1)) == note_on(0, 60, 1)
    assert mapping.apply(control_change(0, 6, 1)) == control_change(0, 6, 1)  # data entry is no knob
    assert mapping.apply(control_change(0, 22, 9)) == control_change(0, 91, 9)
    assert mapping.apply(control_change(0, 23, 9)) == control_change(0, 23, 9)
    assert mapping.learned == (22, "reverb") and mapping.learning is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (note_on(0, 60, 100), "ch 1 note on C4 velocity 100"),
        (note_on(0, 60, 0), "ch 1 note off C4"),
        (note_off(9, 35), "ch 10 note off B1"),
        (control_change(1, 64, 127), "ch 2 control 64 (sustain) 127"),
        (control_change(1, 20, 3), "ch 2 control 20 3"),
        (program_change(0, 40), "ch 1 program 41 (Violin)"),
        (pitch_bend(0, -8192), "ch 1 bend -8192"),
        (system_exclusive(b"\x01"), "SysEx, 3 bytes"),
        (b"\x90", "malformed (90)"),
        (b"", "malformed ()"),
    ],
)
def test_messages_are_described_for_people(data, text):
    assert describe(data) == text
