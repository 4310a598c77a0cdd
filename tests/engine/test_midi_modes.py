"""Keys, pedals, modes, programs, resets and MPE zones, heard."""

from __future__ import annotations

import random
import runpy
from pathlib import Path

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.midi import messages as midi
from tnca_synth.midi.messages import control_change as cc

from .fakes import HOP, RATE, FakeBank, FakeGrowth, make_synth
from .listening import XG_ON, Event, at, band_db, is_noise, level_db, note, part, perform, pitch_of, play, roughness

pytestmark = pytest.mark.slow

HEARD_DB = -25.0  # in a band of its key
SILENT_DB = -60.0


def exclusive(text: str) -> bytes:
    return midi.system_exclusive(bytes.fromhex(text))


def dies() -> FakeGrowth:
    return FakeGrowth(release_factor=0.3)


def heard(audio: FloatArray, *keys: float) -> list[bool]:
    return [band_db(audio, key) > HEARD_DB for key in keys]


@pytest.mark.parametrize("length_s", [0.0, 0.002])
def test_on_and_off_at_once_sound_for_a_hop(length_s: float) -> None:
    audio = play(note(60, 0.1, length_s), 0.4)
    assert level_db(audio[round(0.1 * RATE) : round(0.1 * RATE) + HOP]) > -25


def test_note_on_of_velocity_0_is_a_note_off() -> None:
    audio = play(at(0, midi.note_on(0, 60, 100)) + at(0.3, midi.note_on(0, 60, 0)), 1.0, dies())
    assert level_db(part(audio, 0.1, 0.3)) > -25
    assert level_db(part(audio, 0.6, 1.0)) < -100


@pytest.mark.parametrize(("pedal", "when_s"), [(midi.SUSTAIN, 0.0), (midi.SUSTAIN, 0.1), (midi.SOSTENUTO, 0.1)])
def test_pedals_hold_notes_until_they_come_up(pedal: int, when_s: float) -> None:
    events = note(60, 0, 0.2) + at(when_s, cc(0, pedal, 127)) + at(0.6, cc(0, pedal, 0))
    audio = play(events, 1.0, dies())
    assert level_db(part(audio, 0.4, 0.6)) > -25
    assert level_db(part(audio, 0.8, 1.0)) < -100


def test_sostenuto_holds_only_what_was_down() -> None:
    events = note(60, 0, 0.2) + at(0.1, cc(0, midi.SOSTENUTO, 127)) + note(72, 0.15, 0.1)
    audio = play(events, 1.0, dies())
    assert heard(part(audio, 0.5, 1.0), 60, 72) == [True, False]


def test_a_key_struck_again_under_the_pedal_takes_the_place_of_the_old_note_without_a_click() -> None:
    synth = make_synth(FakeGrowth(release_factor=0.5))
    strokes = [event for index in range(20) for event in note(45, 0.05 * index, 0.02, velocity=100)]
    audio = perform(synth, at(0, cc(0, midi.SUSTAIN, 127)) + strokes, 1.0)
    assert synth.notes_started == 20
    assert synth.active_voices < 6
    assert np.abs(audio).max() < 4 * np.abs(part(audio, 0, 0.05)).max()


def test_all_sound_off_cuts_all_notes_off_releases_and_pedals_keep() -> None:
    held = at(0, cc(0, midi.SUSTAIN, 127))
    for number, pedal, rest in ((120, [], False), (120, held, False), (123, [], False), (123, held, True)):
        audio = play(pedal + note(60) + at(0.3, cc(0, number, 0)), 0.8, dies())
        assert heard(part(audio, 0.5, 0.8), 60) == [rest]


def test_reset_all_controllers_straightens_what_sounds() -> None:
    events = at(0, midi.pitch_bend(0, 8191), cc(0, 1, 127), cc(0, 11, 30), cc(0, 7, 90)) + note(69)
    audio = play(events + at(0.5, cc(0, 121, 0)), 1.2)
    straight = play(at(0, cc(0, 7, 90)) + note(69), 1.2)
    assert pitch_of(part(audio, 0.6, 1.2)) == pytest.approx(69, abs=0.02)
    assert level_db(part(audio, 0.6, 1.2)) == pytest.approx(level_db(part(straight, 0.6, 1.2)), abs=0.05)


@pytest.mark.parametrize("number", [124, 125, 126, 127])
def test_mode_messages_let_go_of_all_keys(number: int) -> None:
    audio = play(note(60) + at(0.3, cc(0, number, 0)) + note(72, 0.5), 1.0, dies())
    assert heard(part(audio, 0.6, 1.0), 60, 72) == [False, True]


def test_mono_mode_carries_the_note_along_and_back() -> None:
    synth = make_synth()
    events = at(0, cc(0, 126, 1)) + note(60, 0.1, 1.0) + note(67, 0.4, 0.3)
    audio = perform(synth, events, 1.0)
    assert synth.notes_started == 1
    assert heard(part(audio, 0.15, 0.38), 60, 67) == [True, False]
    assert heard(part(audio, 0.45, 0.68), 60, 67) == [False, True]
    assert heard(part(audio, 0.75, 1.0), 60, 67) == [True, False]
    # A leap of the frequency bends the wave, without a step in it.
    assert roughness(part(audio, 0.15, 1.0)) < 0.05 * np.abs(audio).max()


def test_mono_mode_starts_anew_when_no_key_is_down_and_damps_what_the_pedal_holds() -> None:
    events = at(0, cc(0, 126, 1), cc(0, midi.SUSTAIN, 127)) + note(60, 0.1, 0.1) + note(67, 0.4, 0.1)
    audio = play(events, 1.0, dies())
    assert heard(part(audio, 0.6, 1.0), 60, 67) == [False, True]


def test_a_mono_note_that_has_died_away_is_struck_again() -> None:
    synth = make_synth(FakeGrowth(held_factor=0.5))
    audio = perform(synth, at(0, cc(0, 126, 1)) + note(60) + note(67, 1.0), 1.2)
    assert synth.notes_started == 2
    assert pitch_of(part(audio, 1.0, 1.05)) == pytest.approx(67, abs=0.5)


def test_poly_mode_ends_mono_mode() -> None:
    audio = play(at(0, cc(0, 126, 1), cc(0, 127, 0)) + note(60) + note(67), 0.5)
    assert heard(audio, 60, 67) == [True, True]


def asked(events: list[Event]) -> tuple[int, int, bool, int]:
    """What the bank was asked for the last note."""
    bank = FakeBank()
    perform(make_synth(bank=bank), events, 0.1)
    return bank.asked[-1]


GS_RHYTHM = exclusive("41 10 42 12 40 11 15 01 19")  # part 1
XG_DRUMS = exclusive("43 10 4c 08 00 07 01")


@pytest.mark.parametrize(
    ("channel", "messages", "is_drums"),
    [
        (9, [], True),
        (0, [], False),
        (0, [cc(0, 0, 120), midi.program_change(0, 0)], True),
        (0, [cc(0, 0, 120)], False),
        (9, [cc(9, 0, 121), midi.program_change(9, 0)], False),
        (0, [cc(0, 0, 127), midi.program_change(0, 0)], False),
        (0, [XG_ON, cc(0, 0, 127), midi.program_change(0, 0)], True),
        (0, [GS_RHYTHM], True),
        (0, [XG_DRUMS], True),
        (0, [GS_RHYTHM, exclusive("7e 7f 09 01")], False),
    ],
)
def test_what_makes_a_drum_channel(channel: int, messages: list[bytes], is_drums: bool) -> None:
    audio = play(at(0, *messages) + note(60, channel=channel), 0.3)
    assert is_noise(audio) == is_drums


def test_program_and_bank_choose_the_instrument_of_the_next_note() -> None:
    select = [cc(2, 0, 1), cc(2, 32, 3), midi.program_change(2, 5)]
    assert asked(at(0, *select) + note(60, 0.01, channel=2)) == (5, 131, False, 60)


RESETS = {
    "GM": "7e 7f 09 01",
    "GM2": "7e 7f 09 03",
    "GS": "41 10 42 12 40 00 7f 00 41",
    "XG": "43 10 4c 00 00 7e 00",
}


@pytest.mark.parametrize("kind", RESETS)
def test_system_on_releases_and_brings_back_the_power_up_state(kind: str) -> None:
    before = at(0, cc(0, 7, 20), midi.pitch_bend(0, 8191), cc(0, 74, 0), cc(0, 126, 1), cc(0, 64, 127))
    before += at(0, exclusive("7f 7f 04 04 00 50"), *midi.registered_parameter(0, midi.RPN_MPE, 5 << 7))
    audio = play(before + note(48) + at(0.3, exclusive(RESETS[kind])) + note(69, 0.5) + note(81, 0.5), 1.0, dies())
    plain = play(note(69, 0.5) + note(81, 0.5), 1.0, dies())
    assert heard(part(audio, 0.6, 1.0), 48, 69, 81) == [False, True, True]
    assert level_db(part(audio, 0.7, 1.0)) == pytest.approx(level_db(part(plain, 0.7, 1.0)), abs=0.1)


def test_master_volume_moves_what_sounds() -> None:
    audio = play(note(60) + at(0.5, midi.master_volume(8192)))
    assert level_db(part(audio, 0.1, 0.5)) - level_db(part(audio, 0.6, 1)) == pytest.approx(12.04, abs=0.2)


LOWER = midi.registered_parameter(0, midi.RPN_MPE, 4 << 7)
UPPER = midi.registered_parameter(15, midi.RPN_MPE, 4 << 7)


@pytest.mark.parametrize(("zone", "master", "members"), [(LOWER, 0, (1, 2)), (UPPER, 15, (14, 13))])
def test_mpe_notes_bend_each_by_itself_and_all_together(
    zone: list[bytes], master: int, members: tuple[int, int]
) -> None:
    one, other = members
    events = at(0, *zone, midi.pitch_bend(one, 8192 * 12 // 48)) + note(60, channel=one) + note(64, channel=other)
    audio = play(events + at(0.5, midi.pitch_bend(master, -4096)), 1.0)
    assert heard(part(audio, 0.1, 0.5), 72, 64) == [True, True]
    assert heard(part(audio, 0.6, 1.0), 71, 63) == [True, True]


def test_mpe_bend_range_sent_to_one_member_holds_for_all() -> None:
    wide = midi.registered_parameter(3, midi.RPN_BEND_RANGE, 24 << 7)
    audio = play(at(0, *LOWER, *wide, midi.pitch_bend(1, 4096)) + note(60, channel=1), 0.5)
    assert pitch_of(audio) == pytest.approx(72, abs=0.02)


def test_mpe_master_controls_apply_to_the_zone_and_no_further() -> None:
    controls = at(0, *LOWER, cc(0, midi.SUSTAIN, 127)) + at(0.5, cc(0, midi.VOLUME, 0))
    audio = play(controls + note(60, 0.1, 0.1, channel=1) + note(72, 0.1, 2.0, channel=6), 1.0, dies())
    assert heard(part(audio, 0.3, 0.5), 60, 72) == [True, True]
    assert heard(part(audio, 0.6, 1.0), 60, 72) == [False, True]


def test_mpe_pressure_and_timbre_of_members_and_master() -> None:
    def level(*messages: bytes) -> float:
        return level_db(play(at(0, *LOWER, *messages) + note(60, channel=1), 0.5))

    plain = level()
    assert level(cc(1, 74, 0)) < plain - 1
    assert level(cc(0, 74, 0)) == pytest.approx(level(cc(1, 74, 0)), abs=0.05)
    assert level(cc(2, 74, 0)) == plain
    assert level(midi.channel_pressure(1, 127)) == pytest.approx(level(midi.channel_pressure(0, 127)), abs=0.05)
    assert level(midi.channel_pressure(1, 127)) > plain


def test_a_zone_of_no_members_is_gone_and_zones_share_the_channels() -> None:
    gone = midi.registered_parameter(0, midi.RPN_MPE, 0)
    audio = play(at(0, *LOWER, *gone, midi.pitch_bend(1, 8191)) + note(60, channel=1), 0.5)
    assert pitch_of(audio) == pytest.approx(62, abs=0.02)
    grown = midi.registered_parameter(15, midi.RPN_MPE, 13 << 7)  # leaves the lower zone one member
    audio = play(at(0, *LOWER, *grown, midi.pitch_bend(15, 8191)) + note(60, channel=2), 0.5)
    assert pitch_of(audio) == pytest.approx(62, abs=0.02)


def test_a_zone_that_is_made_ends_the_notes_on_its_channels() -> None:
    audio = play(note(60, channel=1) + note(72, channel=8) + at(0.3, *LOWER), 0.8, dies())
    assert heard(part(audio, 0.5, 0.8), 60, 72) == [False, True]


def test_random_messages_leave_no_crash_and_no_stuck_note() -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "fuzz_messages.py"))
    random_message, dice = script["random_message"], random.Random(7)
    synth = make_synth(FakeGrowth(release_factor=1.0), effects=True, max_voices=16, growth_controllers=True)
    for _ in range(100):
        for _ in range(200):
            synth.send(random_message(dice), synth.frame + dice.randrange(600))
        audio = synth.render(dice.choice((64, 256, 500)))
        assert np.isfinite(audio).all()
    synth.render(1000)
    synth.panic()
    synth.render(200)
    assert synth.active_voices == 0
    assert not synth.render(3000).any()
    assert synth.idle
