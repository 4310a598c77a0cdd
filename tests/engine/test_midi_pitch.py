"""Everything in MIDI that moves the pitch, heard."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.synth import Synth
from tnca_synth.midi import messages as midi
from tnca_synth.midi.messages import control_change as cc

from .fakes import RATE, FakeGrowth, make_synth, render_in_blocks
from .listening import Event, at, level_db, note, part, perform, pitch_of, pitch_track, play, play_bank, roughness


def rpn(parameter: int, msb: int, lsb: int = 0, channel: int = 0) -> list[bytes]:
    return midi.registered_parameter(channel, parameter, msb << 7 | lsb)


def exclusive(text: str, *more: int) -> bytes:
    return midi.system_exclusive(bytes.fromhex(text) + bytes(more))


def swing(audio: np.ndarray) -> float:
    """Half of the range of the pitch in semitones."""
    return float(np.ptp(pitch_track(audio))) / 2


def test_keys_and_bend() -> None:
    events = note(69) + at(0.5, midi.pitch_bend(0, 8191))
    audio = play(events)
    assert pitch_of(part(audio, 0.1, 0.45)) == pytest.approx(69, abs=0.02)
    assert pitch_of(part(audio, 0.55, 1.0)) == pytest.approx(71, abs=0.02)


def test_rpn_0_sets_the_bend_range() -> None:
    audio = play(at(0, *rpn(0, 7, 50), midi.pitch_bend(0, -8192)) + note(69))
    assert pitch_of(part(audio, 0.1, 1.0)) == pytest.approx(69 - 7.5, abs=0.02)


def test_rpn_1_and_2_tune_finely_and_coarsely() -> None:
    audio = play(at(0, *rpn(1, 96), *rpn(2, 59)) + note(69))
    assert pitch_of(part(audio, 0.1, 1.0)) == pytest.approx(69 - 5 + 0.5, abs=0.02)


def test_data_increment_and_decrement_change_the_selected_parameter_until_null() -> None:
    up, down = cc(0, midi.DATA_INCREMENT, 0), cc(0, midi.DATA_DECREMENT, 0)
    select, null = [cc(0, 101, 0), cc(0, 100, 2)], [cc(0, 101, 127), cc(0, 100, 127)]
    assert pitch_of(play(at(0, *select, up, up, up, down) + note(60))) == pytest.approx(62, abs=0.02)
    assert pitch_of(play(at(0, *select, up, *null, up, up) + note(60))) == pytest.approx(61, abs=0.02)


def test_nrpns_leave_registered_parameters_alone() -> None:
    nrpn = [cc(0, 99, 0), cc(0, 98, 2), cc(0, 6, 70)]
    assert pitch_of(play(at(0, cc(0, 101, 0), cc(0, 100, 2), *nrpn) + note(60))) == pytest.approx(60, abs=0.02)


def test_pitch_stays_in_a_sane_range() -> None:
    events = at(0, *rpn(0, 127, 0), *rpn(2, 127), midi.pitch_bend(0, 8191)) + note(120)
    audio = play(events)
    assert np.isfinite(audio).all()
    assert pitch_of(audio) < 136


@pytest.mark.parametrize(
    ("messages", "depth"),
    [
        ([cc(0, 1, 0)], 0.0),
        ([cc(0, 1, 127)], 0.5),
        ([cc(0, 1, 64)], 0.5 * 64 / 127),
        ([cc(0, 1, 63), cc(0, 33, 127)], 0.5 * 64 / 127),
        ([*rpn(5, 2), cc(0, 1, 127)], 2.0),
        ([midi.channel_pressure(0, 127)], 0.5),
    ],
)
def test_modulation_and_pressure_swing_the_pitch(messages: list[bytes], depth: float) -> None:
    audio = play(at(0, *messages) + note(81), 1.2)
    assert swing(part(audio, 0.1, 1.2)) == pytest.approx(depth, abs=0.04 + 0.15 * depth)
    track = pitch_track(part(audio, 0.1, 1.2))
    if depth > 0.2:
        crossings = np.flatnonzero(np.diff(np.sign(track - track.mean())))
        assert len(crossings) == pytest.approx(2 * 5.5 * len(track) * 128 / 22050, abs=1.5)


def test_vibrato_reaches_notes_that_sound_and_plants_nothing_anew() -> None:
    growth = FakeGrowth()
    audio = play(note(81) + at(0.6, cc(0, 1, 127)), 1.2, growth)
    assert swing(part(audio, 0.1, 0.55)) < 0.05
    assert swing(part(audio, 0.65, 1.2)) == pytest.approx(0.5, abs=0.1)
    assert growth.planted_pitches == [81]


def test_poly_pressure_swings_its_key_alone() -> None:
    pressed = play(note(81) + at(0.3, midi.poly_pressure(0, 81, 127)), 1.2)
    other = play(note(81) + at(0.3, midi.poly_pressure(0, 80, 127)), 1.2)
    assert swing(part(pressed, 0.35, 1.2)) == pytest.approx(0.5, abs=0.1)
    assert swing(part(other, 0.35, 1.2)) < 0.05


def test_the_genome_follows_a_bend_in_steps_and_settles_where_it_ends() -> None:
    growth = FakeGrowth()
    bends = [(0.1 + 0.005 * step, midi.pitch_bend(0, 80 * step)) for step in range(101)]
    play(note(60) + bends, 1.0, growth)
    steps = np.diff(growth.planted_pitches)
    assert 5 <= len(steps) <= 9
    assert steps.max() < 0.5
    assert growth.planted_pitches[-1] == pytest.approx(60 + 2 * 8000 / 8192, abs=1e-4)


@pytest.mark.parametrize("decoder", ["harmonic", "griffin-lim"])
def test_every_decoder_hears_a_bend(decoder: str) -> None:
    audio = play_bank("violin", note(81) + at(0.5, midi.pitch_bend(0, 8191)), 1.2, decoder)
    assert pitch_of(part(audio, 0.2, 0.5)) % 12 == pytest.approx(81 % 12, abs=0.3)
    assert pitch_of(part(audio, 0.6, 1.2)) % 12 == pytest.approx(83 % 12, abs=0.3)


def test_bends_do_not_click() -> None:
    events = note(60) + [(0.2 + 0.004 * step, midi.pitch_bend(0, 80 * step)) for step in range(100)]
    audio = play_bank("flute", events, 1.0)
    assert roughness(part(audio, 0.2, 0.9)) < 2.0 * roughness(part(play_bank("flute", note(62), 1.0), 0.2, 0.9))


PORTAMENTO = at(0, cc(0, 65, 127), cc(0, 5, 64))  # 0.51 s


def test_portamento_glides_from_the_last_key() -> None:
    audio = play(PORTAMENTO + note(60, 0, 0.1) + note(72, 0.3), 1.4)
    track = pitch_track(part(audio, 0.3, 0.8))
    assert 60 <= track[0] < 62
    assert (np.diff(track) > -0.2).all()
    assert pitch_of(part(audio, 0.42, 0.7)) == pytest.approx(66, abs=2.5)
    assert pitch_of(part(audio, 0.9, 1.3)) == pytest.approx(72, abs=0.02)


@pytest.mark.parametrize("messages", [[cc(0, 65, 0), cc(0, 5, 64)], [cc(0, 65, 127), cc(0, 5, 0)]])
def test_no_portamento_without_switch_or_time(messages: list[bytes]) -> None:
    audio = play(at(0, *messages) + note(60, 0, 0.1) + note(72, 0.3), 1.0)
    assert pitch_of(part(audio, 0.31, 0.5)) == pytest.approx(72, abs=0.05)


def test_portamento_time_has_14_bits() -> None:
    quick, fine = (play(at(0, cc(0, 65, 127), *time) + note(60, 0, 0.1) + note(72, 0.3), 1.4) for time in
                   ([cc(0, 5, 63)], [cc(0, 5, 63), cc(0, 37, 127)]))  # fmt: skip
    assert not np.array_equal(quick, fine)
    assert abs(pitch_of(part(quick, 0.5, 0.55)) - pitch_of(part(fine, 0.5, 0.55))) < 0.5


def test_portamento_control_names_the_key_to_glide_from_once() -> None:
    audio = play(at(0, cc(0, 5, 64), cc(0, 84, 48)) + note(72) + note(60, 1.0), 1.6)
    assert pitch_track(part(audio, 0.0, 0.4))[0] == pytest.approx(48, abs=2.5)
    assert pitch_of(part(audio, 0.6, 1.0)) == pytest.approx(72, abs=0.02)
    later = play(at(0, cc(0, 5, 64), cc(0, 84, 48)) + note(72, 0, 0.1) + note(60, 1.0), 1.6)
    assert pitch_of(part(later, 1.05, 1.5)) == pytest.approx(60, abs=0.05)


def test_portamento_control_carries_a_note_that_is_held() -> None:
    synth = make_synth()
    audio = perform(synth, at(0, cc(0, 5, 32)) + note(60) + at(0.5, cc(0, 84, 60), midi.note_on(0, 67, 100)), 1.2)
    assert synth.notes_started == 1
    assert pitch_of(part(audio, 0.8, 1.2)) == pytest.approx(67, abs=0.02)


SINGLE_NOTE = exclusive("7f 7f 08 02 00 01", 69, 70, 64, 0)  # key 69 of program 0 to 70.5
BANKED_NOTE = exclusive("7f 7f 08 07 03 05 01", 69, 70, 64, 0)
LATER_NOTE = exclusive("7e 7f 08 07 00 00 01", 69, 70, 64, 0)
BULK = exclusive("7e 00 08 01 00", *b"sixteen letters.", *(x for key in range(128) for x in (key, 32, 0)), 0)
SCALE = exclusive("7f 7f 08 08 03 7f 7f", *(64 + 25 if pitch == 9 else 64 for pitch in range(12)))
FINE_SCALE = exclusive("7f 7f 08 09 03 7f 7f", *(x for pitch in range(12) for x in ((80 if pitch == 9 else 64), 0)))
DUMP = exclusive("7e 00 08 05 03 05", *b"sixteen letters.", *([64 + 25] * 12), 0)
FINE_DUMP = exclusive("7e 00 08 06 03 05", *b"sixteen letters.", *([80, 0] * 12), 0)
BANKED_BULK = exclusive("7e 00 08 04 03 05", *b"sixteen letters.", *(x for key in range(128) for x in (key, 32, 0)), 0)
OTHER_CHANNEL = exclusive("7f 7f 08 08 00 00 02", *([64 + 25] * 12))
SELECT = [*rpn(4, 3), *rpn(3, 5)]


@pytest.mark.parametrize(
    ("before", "message", "semitones"),
    [
        ([], SINGLE_NOTE, 1.5),
        (SELECT, BANKED_NOTE, 1.5),
        ([], BANKED_NOTE, 0.0),
        ([], LATER_NOTE, 1.5),
        ([], BULK, 0.25),
        ([], SCALE, 0.25),
        ([], FINE_SCALE, 0.25),
        (SELECT, DUMP, 0.25),
        (SELECT, FINE_DUMP, 0.25),
        (SELECT, BANKED_BULK, 0.25),
        ([], DUMP, 0.0),
        ([], OTHER_CHANNEL, 0.0),
        ([], exclusive("7f 7f 04 03 00 60"), 0.5),
        ([], exclusive("7f 7f 04 04 00 42"), 2.0),
    ],
)
def test_tuning_messages_tune_keys(before: list[bytes], message: bytes, semitones: float) -> None:
    audio = play(at(0, *before, message) + note(69))
    assert pitch_of(part(audio, 0.05, 1.0)) == pytest.approx(69 + semitones, abs=0.02)


@pytest.mark.parametrize(("message", "semitones"), [(SINGLE_NOTE, 1.5), (SCALE, 0.25), (LATER_NOTE, 0.0)])
def test_real_time_tuning_moves_notes_that_sound(message: bytes, semitones: float) -> None:
    audio = play(note(69) + note(57, 0, 0.1) + at(0.5, message), 1.2)
    assert pitch_of(part(audio, 0.2, 0.5)) == pytest.approx(69, abs=0.02)
    assert pitch_of(part(audio, 0.6, 1.2)) == pytest.approx(69 + semitones, abs=0.02)


def test_each_tuning_of_a_note_that_sounds_counts_from_its_key() -> None:
    down = exclusive("7f 7f 08 02 00 01", 69, 68, 0, 0)
    audio = play(note(69) + at(0.3, SINGLE_NOTE) + at(0.6, SCALE) + at(0.9, down), 1.2)
    heard = [pitch_of(part(audio, start_s, start_s + 0.2)) for start_s in (0.05, 0.35, 0.65, 0.95)]
    assert heard == pytest.approx([69.0, 70.5, 70.75, 68.25], abs=0.02)


def test_other_keys_keep_their_pitch() -> None:
    assert pitch_of(play(at(0, SINGLE_NOTE) + note(68))) == pytest.approx(68, abs=0.02)


def busy() -> list[Event]:
    """Vibrato, pressure, glides, legato and retuning, all at odd times."""
    events = at(0, cc(0, 65, 127), cc(0, 5, 30), cc(1, 126, 1), cc(1, 5, 20), cc(1, 65, 127), cc(0, 73, 90))
    for index, time_s in enumerate(np.arange(0.001, 0.4, 0.0173)):
        events += at(time_s, midi.pitch_bend(0, 300 * index), cc(0, 1, 5 * index), midi.poly_pressure(0, 60, 5 * index))
        events += at(time_s + 0.004, cc(0, 74, 4 * index), cc(1, 71, 5 * index), cc(1, 72, 3 * index))
    events += note(60, 0.01, 0.2) + note(64, 0.05, 0.1) + note(48, 0.02, 0.3, 1) + note(55, 0.11, 0.1, 1)
    return events + at(0.15, SCALE) + at(0.2, SINGLE_NOTE) + note(69, 0.1, 0.3) + at(0.25, cc(0, 64, 50))


@pytest.mark.parametrize("block_size", [1, 100, 127, 4096])
def test_block_sizes_change_nothing(block_size: int) -> None:
    def fresh() -> Synth:
        synth = make_synth(FakeGrowth(release_factor=0.8), effects=True)
        for time_s, message in sorted(busy(), key=lambda event: event[0]):
            synth.send(message, round(time_s * RATE))
        return synth

    num_frames = 2000 if block_size == 1 else 9000
    whole = fresh().render(9000)[:num_frames]
    assert level_db(whole) > -40
    np.testing.assert_allclose(render_in_blocks(fresh(), num_frames, block_size), whole, rtol=0, atol=1e-6)
