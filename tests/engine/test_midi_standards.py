"""Roland GS, Yamaha XG and General MIDI 2: parameters by their addresses, NRPNs and banks, heard."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.midi import messages as midi
from tnca_synth.midi.messages import control_change as cc

from .fakes import RATE, FakeGrowth, make_synth
from .listening import (
    GM2_ON,
    GS_RESET,
    XG_ON,
    at,
    gs,
    is_noise,
    level_db,
    note,
    part,
    perform,
    pitch_of,
    play,
    xg,
)

pytestmark = pytest.mark.slow


def pitch(*messages: bytes, key: int = 69, channel: int = 0) -> float:
    return pitch_of(play(at(0, *messages) + note(key, channel=channel), 0.5))


def level(*messages: bytes, channel: int = 0) -> float:
    return level_db(play(at(0, *messages) + note(69, channel=channel), 0.3))


def sides_db(*messages: bytes) -> float:
    """How much louder the right side is than the left."""
    left, right = play(at(0, *messages) + note(69), 0.3).T
    return level_db(right) - level_db(left)


def same(one: list[bytes], other: list[bytes]) -> None:
    """Check that two settings of a channel sound alike, and unlike the neutral one."""
    heard, expected, neutral = (play(at(0, *messages) + note(69), 0.3) for messages in (one, other, []))
    np.testing.assert_array_equal(heard, expected)
    assert np.abs(heard - neutral).max() > 1e-3


@pytest.mark.parametrize(
    "message", [gs("40 00 04", 64), xg("00 00 04", 64), midi.master_volume(round(16383 * 64 / 127))]
)
def test_master_volume_follows_the_curve_of_volume(message: bytes) -> None:
    assert level(message) - level() == pytest.approx(40 * np.log10(64 / 127), abs=0.05)


@pytest.mark.parametrize("message", [gs("40 00 04", 0), xg("00 00 04", 0)])
def test_master_volume_0_is_silence_and_moves_what_sounds(message: bytes) -> None:
    audio = play(note(60) + at(0.3, message))
    assert level_db(part(audio, 0.1, 0.3)) > -25
    assert level_db(part(audio, 0.35, 1.0)) < -100


def test_the_last_master_volume_holds_whoever_sent_it() -> None:
    assert level(gs("40 00 04", 20), midi.master_volume(16383)) == level()
    assert level(midi.master_volume(0), gs("40 00 04", 127)) == level()


@pytest.mark.parametrize(
    ("message", "semitones"),
    [
        (gs("40 00 05", 64 + 7), 7),
        (gs("40 00 05", 127), 24),
        (gs("40 00 00", 0, 7, 14, 8), 1.0),
        (gs("40 00 00", 0, 4, 0, 0), 0.0),
        (gs("40 00 00", 0, 1, 12, 12), -0.564),
        (gs("40 11 16", 64 - 12), -12),
        (gs("40 12 16", 64 - 12), 0),
        (gs("40 11 2a", 0x60, 0), 0.5),
        (gs("40 11 17", 8, 0), 0.0),
        (gs("40 11 17", 13, 0), 12 * np.log2(448 / 440)),
        (xg("00 00 06", 64 - 5), -5),
        (xg("00 00 00", 0, 0, 0, 0), -1.0),
        (xg("08 00 08", 64 + 3), 3),
        (xg("08 01 08", 64 + 3), 0),
        (xg("08 00 09", 3, 0), 12 * np.log2(432 / 440)),
    ],
)
def test_keys_are_shifted_and_tuned(message: bytes, semitones: float) -> None:
    assert pitch(message) == pytest.approx(69 + semitones, abs=0.02)


@pytest.mark.parametrize("message", [gs("40 10 16", 76), xg("08 09 08", 76), gs("40 00 05", 76), xg("00 00 06", 76)])
def test_drums_are_not_shifted(message: bytes) -> None:
    growth = FakeGrowth()
    play(at(0, message) + note(69, channel=9), 0.1, growth)
    assert growth.planted_pitches == [69]


def test_a_scale_is_tuned_from_c_to_b_in_cents() -> None:
    gs_scale = gs("40 11 40", *(64 + 2 * note for note in range(12)))
    assert pitch(gs_scale, key=60) == pytest.approx(60.0, abs=0.01)
    assert pitch(gs_scale, key=71) == pytest.approx(71.22, abs=0.01)
    assert pitch(xg("08 00 4a", 14), key=69) == pytest.approx(68.5, abs=0.01)
    assert pitch(xg("08 00 4a", 14), key=69, channel=1) == pytest.approx(69, abs=0.01)
    assert pitch(gs("40 11 49", 127), key=69) == pytest.approx(69.63, abs=0.01)


def test_a_scale_that_is_written_past_b_wraps_nowhere() -> None:
    past = gs("40 11 4b", 114, 127, 127)  # B, and two addresses that hold no note
    assert pitch(past, key=71) == pytest.approx(71.5, abs=0.01)
    assert pitch(past, key=60) == pytest.approx(60, abs=0.01)


def test_a_scale_reaches_notes_that_sound() -> None:
    audio = play(note(69) + at(0.5, gs("40 11 49", 114)), 1.0)
    assert pitch_of(part(audio, 0.1, 0.5)) == pytest.approx(69, abs=0.02)
    assert pitch_of(part(audio, 0.6, 1.0)) == pytest.approx(69.5, abs=0.02)


@pytest.mark.parametrize(
    ("message", "controller"),
    [
        (gs("40 11 19", 50), (7, 50)),
        (gs("40 11 1c", 20), (10, 20)),
        (gs("40 11 32", 20), (74, 20)),
        (gs("40 11 33", 100), (71, 100)),
        (gs("40 11 34", 100), (73, 100)),
        (gs("40 11 31", 100), (77, 100)),
        (xg("08 00 0b", 50), (7, 50)),
        (xg("08 00 0e", 100), (10, 100)),
        (xg("08 00 18", 20), (74, 20)),
        (xg("08 00 19", 100), (71, 100)),
        (xg("08 00 1a", 100), (73, 100)),
        (xg("08 00 16", 100), (77, 100)),
    ],
)
def test_parameters_of_a_part_are_its_controllers(message: bytes, controller: tuple[int, int]) -> None:
    same([message], [cc(0, *controller)])


@pytest.mark.parametrize("message", [gs("40 11 36", 20), xg("08 00 1c", 20)])
def test_release_by_address_is_the_release_controller(message: bytes) -> None:
    events, growth = note(60, 0, 0.1), FakeGrowth(release_factor=0.8)
    by_address = play(at(0, message) + events, 0.5, growth)
    np.testing.assert_array_equal(by_address, play(at(0, cc(0, 72, 20)) + events, 0.5, growth))


@pytest.mark.parametrize("message", [gs("40 11 1c", 0), xg("08 00 0e", 0)])
def test_a_panorama_of_chance_is_the_middle(message: bytes) -> None:
    assert sides_db(cc(0, 10, 0), message) == pytest.approx(0.0, abs=0.01)


def test_the_master_panorama_takes_from_the_far_side() -> None:
    assert sides_db(gs("40 00 06", 127)) > 60
    assert sides_db(gs("40 00 06", 64)) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(
    ("message", "times"),
    [
        (gs("40 01 33", 64), 1.0),
        (gs("40 01 33", 0), 0.0),
        (gs("40 01 33", 127), 127 / 64),
        (xg("02 01 0c", 32), 0.5),
        (gs("40 11 22", 20), 0.5),
        (xg("08 00 13", 80), 2.0),
    ],
)
def test_reverb_levels_scale_what_comes_back(message: bytes, times: float) -> None:
    def tail(*messages: bytes) -> FloatArray:
        growth = FakeGrowth(release_factor=1e-6)
        return part(play(at(0, *messages) + note(60, 0, 0.1), 0.6, growth, effects=True), 0.3, 0.6)

    np.testing.assert_allclose(tail(message), times * tail(), atol=2e-5)
    assert np.abs(tail()).max() > 2e-4


def test_a_macro_brings_the_usual_level_with_it() -> None:
    assert level(gs("40 01 33", 0), gs("40 01 30", 4)) == level()


@pytest.mark.parametrize(
    ("message", "semitones"), [(gs("40 21 10", 76), 12), (xg("08 00 23", 69), 5), (gs("40 21 10", 64), 0)]
)
def test_bend_ranges_by_address(message: bytes, semitones: int) -> None:
    assert pitch(message, midi.pitch_bend(0, 8191)) == pytest.approx(69 + semitones, abs=0.02)


def test_mono_by_address_carries_a_note_along() -> None:
    for mono, poly in ((gs("40 11 13", 0), gs("40 11 13", 1)), (xg("08 00 05", 0), xg("08 00 05", 1))):
        for messages, expected in (([mono], 1), ([mono, poly], 2)):
            synth = make_synth()
            perform(synth, at(0, *messages) + note(60) + note(67, 0.1), 0.2)
            assert synth.notes_started == expected


def test_a_part_listens_to_another_channel_or_to_none() -> None:
    assert level(gs("40 13 02", 0), channel=0) == pytest.approx(level() + 20 * np.log10(2), abs=0.2)  # parts 1 and 3
    assert level(gs("40 11 02", 16)) < -100
    assert level(xg("08 00 04", 127)) < -100
    assert level(gs("40 11 02", 16), GS_RESET) == level()


def test_a_part_that_goes_to_another_channel_leaves_no_note() -> None:
    events = note(60, 0, 0.5) + at(0.2, gs("40 11 02", 5))
    audio = play(events, 1.0, FakeGrowth(release_factor=0.3))
    assert level_db(part(audio, 0.5, 1.0)) < -100


def test_controllers_reach_every_part_that_listens() -> None:
    layered = at(0, gs("40 13 02", 0), cc(0, 7, 0)) + note(60)
    assert level_db(play(layered, 0.3)) < -100
    bent = at(0, gs("40 13 02", 0), gs("40 11 02", 16), midi.pitch_bend(0, 8191)) + note(69)
    assert pitch_of(play(bent, 0.5)) == pytest.approx(71, abs=0.02)


def test_keys_outside_the_range_of_a_part_are_not_heard() -> None:
    for low, high in ((gs("40 11 1d", 60), gs("40 11 1e", 72)), (xg("08 00 0f", 60), xg("08 00 10", 72))):
        levels = [level_db(play(at(0, low, high) + note(key), 0.2)) for key in (59, 60, 72, 73)]
        assert [one > -40 for one in levels] == [False, True, True, False]


def test_a_wrong_checksum_sets_nothing() -> None:
    assert level(gs("40 00 04", 0, wrong_by=1)) == level()
    assert pitch(gs("40 00 05", 71, wrong_by=64)) == pytest.approx(69, abs=0.02)


def test_a_checksum_of_0_is_one() -> None:
    message = gs("40 00 04", 0x3C)
    assert message[-2] == 0
    assert level(message) - level() == pytest.approx(40 * np.log10(60 / 127), abs=0.05)


def test_an_xg_bulk_dump_sets_what_it_holds() -> None:
    body = bytes((0, 1, 0x00, 0x00, 0x04, 64))
    dump = bytes((0x43, 0x00, 0x4C, *body))
    right, wrong = (midi.system_exclusive(dump + bytes(((-sum(body) + by) % 128,))) for by in (0, 1))
    assert level(right) - level() == pytest.approx(40 * np.log10(64 / 127), abs=0.05)
    assert level(wrong) == level()


def test_one_message_sets_several_parameters_in_a_row() -> None:
    both = gs("40 00 04", 64, 64 + 5)  # volume and key shift
    assert level(both) - level() == pytest.approx(40 * np.log10(64 / 127), abs=0.05)
    assert pitch(both) == pytest.approx(74, abs=0.02)


@pytest.mark.parametrize(("nrpn", "controller"), [(0x09, 77), (0x20, 74), (0x21, 71), (0x63, 73)])
def test_nrpns_mean_controllers(nrpn: int, controller: int) -> None:
    for value in (20, 100):
        if (nrpn, value) not in ((0x09, 20), (0x63, 20)):  # these change nothing that fakes let hear
            same([cc(0, 99, 1), cc(0, 98, nrpn), cc(0, 6, value)], [cc(0, controller, value)])


def test_nrpns_of_decay_and_release_mean_controllers() -> None:
    for nrpn, controller in ((0x64, 75), (0x66, 72)):
        events, growth = note(60, 0, 0.2), FakeGrowth(held_factor=0.95, release_factor=0.8)
        by_nrpn = play(at(0, cc(0, 99, 1), cc(0, 98, nrpn), cc(0, 6, 100)) + events, 0.6, growth)
        np.testing.assert_array_equal(by_nrpn, play(at(0, cc(0, controller, 100)) + events, 0.6, growth))


def test_steps_after_an_nrpn_move_its_controller() -> None:
    select = [cc(0, 99, 1), cc(0, 98, 0x20)]
    same([*select, *[cc(0, 97, 0)] * 30], [cc(0, 74, 34)])
    same([*select, cc(0, 6, 90), *[cc(0, 96, 0)] * 60], [cc(0, 74, 127)])


def test_an_nrpn_needs_both_its_bytes_and_the_lsb_of_data_does_nothing() -> None:
    for messages in ([cc(0, 98, 0x20), cc(0, 6, 0)], [cc(0, 99, 1), cc(0, 98, 0x20), cc(0, 38, 0)]):
        np.testing.assert_array_equal(play(at(0, *messages) + note(69), 0.2), play(note(69), 0.2))


def test_an_nrpn_on_an_mpe_master_reaches_its_members() -> None:
    zone = midi.registered_parameter(0, midi.RPN_MPE, 3 << 7)
    by_nrpn = at(0, *zone, cc(0, 99, 1), cc(0, 98, 0x21), cc(0, 6, 110)) + note(60, channel=1)
    by_controller = at(0, *zone, cc(0, 71, 110)) + note(60, channel=1)
    np.testing.assert_array_equal(play(by_nrpn, 0.2), play(by_controller, 0.2))


def bank(channel: int, msb: int, program: int = 0) -> list[bytes]:
    return [cc(channel, 0, msb), cc(channel, 32, 0), midi.program_change(channel, program)]


@pytest.mark.parametrize(
    ("channel", "messages", "is_drums"),
    [
        (10, [XG_ON, *bank(10, 127), *bank(10, 0)], False),
        (10, [XG_ON, *bank(10, 126), *bank(10, 64)], False),
        (2, [XG_ON, *bank(2, 127)], True),
        (2, [XG_ON, *bank(2, 120)], True),
        (2, [XG_ON, *bank(2, 64)], False),
        (9, [XG_ON, *bank(9, 0)], True),
        (9, [XG_ON, *bank(9, 1)], True),
        (9, [XG_ON, *bank(9, 64)], False),
        (9, [XG_ON, *bank(9, 121)], False),
        (9, [XG_ON, *bank(9, 121), *bank(9, 127)], True),
        (2, [XG_ON, cc(2, 0, 127)], False),  # without a program change
        (2, [XG_ON, *bank(2, 127), *bank(2, 125)], True),  # the bank of paths says nothing of drums
        (2, [XG_ON, GS_RESET, *bank(2, 127)], False),
        (2, [GS_RESET, *bank(2, 127)], False),
        (2, [GS_RESET, *bank(2, 8)], False),
        (9, [GS_RESET, *bank(9, 8)], True),
        (9, [GS_RESET, gs("40 10 15", 0)], False),
        (9, [GS_RESET, gs("40 10 15", 0), GS_RESET], True),
        (2, [GS_RESET, gs("40 13 15", 2), *bank(2, 0)], True),
        (2, [GM2_ON, *bank(2, 120)], True),
        (2, [GM2_ON, *bank(2, 120), *bank(2, 121)], False),
        (2, [GM2_ON, *bank(2, 127)], False),
        (2, [gs("40 13 15", 1, wrong_by=3)], False),
        (2, [xg("08 02 07", 2), xg("08 02 07", 0)], False),
        (9, [xg("08 09 07", 0)], False),
        (2, [xg("08 02 01", 127, 0, 0)], False),  # XG was not switched on
        (2, [XG_ON, xg("08 02 01", 127, 0, 0)], True),
    ],
)
def test_banks_and_parts_make_drums_as_each_standard_has_it(
    channel: int, messages: list[bytes], is_drums: bool
) -> None:
    assert is_noise(play(at(0, *messages) + note(60, channel=channel), 0.2)) == is_drums


def test_tone_numbers_by_address_choose_bank_and_program() -> None:
    for message in (gs("40 13 00", 8, 40), xg("08 02 01", 8, 0, 40)):
        synth = make_synth()
        asked = synth._sequencer._interpreter.channels[2]
        perform(synth, at(0, message), 0.01)
        assert (asked.program, asked.bank) == (40, 8 << 7)


def test_mode_set_of_the_sc_88_and_leaving_gs() -> None:
    quiet = [cc(0, 7, 10)]
    assert level(*quiet, gs("00 00 7f", 0)) == level()
    assert level(*quiet, gs("00 00 7f", 1)) == level()
    assert level(*quiet, gs("40 00 7f", 127)) == level(*quiet)  # "leave GS" is no reset


def test_a_reset_undoes_all_that_addresses_set() -> None:
    set_all = [gs("40 11 16", 70), gs("40 11 40", *[90] * 12), gs("40 00 00", 0, 7, 0, 0), gs("40 11 1d", 100)]
    set_all += [gs("40 00 04", 3), xg("02 01 0c", 0), xg("08 00 09", 0, 0), gs("40 13 02", 0), gs("40 00 06", 1)]
    np.testing.assert_array_equal(play(at(0, *set_all, GS_RESET) + note(60), 0.2), play(note(60), 0.2))


def test_random_bytes_around_the_tables_do_no_harm() -> None:
    dice = random.Random(5)
    heads = [bytes.fromhex(head) for head in ("41104212", "43104c", "43004c", "7d544e", "7f7f04", "7f7f08")]
    synth = make_synth(FakeGrowth(release_factor=0.5), effects=True, max_voices=16, growth_controllers=True)
    blocks = ("40", "4000", "4011", "4021", "0000", "0201", "0800")
    for _ in range(2000):
        head = dice.choice(heads)
        middle = bytes.fromhex(dice.choice(blocks)) if dice.random() < 0.7 else b""
        body = middle + bytes(dice.randrange(128) for _ in range(dice.choice((0, 1, 2, 3, 4, 5, 12, 40))))
        if head[0] == 0x41 and dice.random() < 0.8:
            body += bytes(((-sum(body)) % 128,))
        synth.send(midi.system_exclusive(head + body))
        if dice.random() < 0.2:
            synth.send(midi.note_on(dice.randrange(16), dice.randrange(128), dice.randrange(128)))
        if dice.random() < 0.02:
            assert np.isfinite(synth.render(64)).all()
    synth.panic()
    synth.render(RATE // 20)
    assert synth.active_voices == 0
    assert not synth.render(RATE // 20).any()
