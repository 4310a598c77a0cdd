"""When notes begin, release, die and are stolen, and that nothing depends on the block size."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.mix.mixer import MIX_GAIN
from tnca_synth.engine.synth import Synth
from tnca_synth.midi import messages as midi

from .fakes import HOP, RATE, FakeBank, FakeDecoder, FakeGrowth, make_synth, render_in_blocks, set_up

FULL = 0.5 * np.sqrt(0.5) * MIX_GAIN  # a note of velocity 127 in the middle


def dominant_hz(audio: FloatArray, rate: int = RATE) -> float:
    windowed = audio * np.hanning(len(audio))
    return float(np.argmax(np.abs(np.fft.rfft(windowed, 1 << 18))) * rate / (1 << 18))


@pytest.mark.parametrize("onset", [0, 1, 255, 256, 1000, 5003])
def test_onset_is_the_exact_sample(onset: int) -> None:
    synth = make_synth()
    set_up(synth)
    synth.send(midi.note_on(0, 60, 127), onset)
    audio = synth.render(onset + 300)
    assert not audio[:onset].any()
    assert audio[onset] == pytest.approx([FULL, FULL], rel=1e-5)


def test_notes_have_their_own_hop_phase() -> None:
    onsets = [0, 100, 300, 777]
    together = make_synth()
    set_up(together)
    alone = np.zeros((4000, 2), np.float32)
    for index, onset in enumerate(onsets):
        one = make_synth()
        set_up(one)
        for synth in (together, one):
            synth.send(midi.note_on(0, 60 + index, 40), onset)
            synth.send(midi.note_off(0, 60 + index), onset + 1500)
        alone += one.render(4000)
    np.testing.assert_allclose(together.render(4000), alone, atol=1e-6)


def test_all_voices_of_a_round_grow_in_one_step() -> None:
    growth = FakeGrowth()
    synth = make_synth(growth)
    for index in range(6):
        synth.send(midi.note_on(0, 60 + index, 100), 13 * index)
    synth.render(8 * HOP - 100)
    assert growth.batch_sizes[:8] == [6] * 8
    assert len(growth.batch_sizes) == 9  # 8 hops and one frame ahead


@pytest.mark.parametrize("lookahead", [1, 3])
def test_ages_count_from_the_onset_of_the_grown_frame(lookahead: int) -> None:
    growth = FakeGrowth()
    synth = make_synth(growth, FakeDecoder(8, lookahead))
    synth.send(midi.note_on(0, 60, 100), 77)
    render_in_blocks(synth, 77 + 10 * HOP, 200)
    ages = np.concatenate(growth.ages_s)
    np.testing.assert_allclose(ages[: 10 + lookahead], np.arange(10 + lookahead) * HOP / RATE, rtol=1e-6)


@pytest.mark.parametrize("lookahead", [1, 3])
def test_release_is_seen_by_the_next_hop(lookahead: int) -> None:
    growth = FakeGrowth()
    synth = make_synth(growth, FakeDecoder(8, lookahead))
    synth.send(midi.note_on(0, 60, 100), 50)
    synth.send(midi.note_off(0, 60), 50 + 5 * HOP + 100)
    synth.render(50 + 8 * HOP)
    ages = np.concatenate(growth.release_ages_s)
    first = 6 + lookahead  # hop 6 is the first to begin after the release, and grows this frame
    assert (ages[:first] == -1).all()
    np.testing.assert_allclose(ages[first : first + 2] * RATE, [HOP - 100, 2 * HOP - 100], rtol=1e-5)


@pytest.mark.parametrize("length", [0, 1, 100])
def test_a_note_released_at_once_still_sounds(length: int) -> None:
    synth = make_synth()
    set_up(synth)
    synth.send(midi.note_on(0, 60, 127), 10)
    synth.send(midi.note_off(0, 60), 10 + length)
    audio = synth.render(RATE)
    assert np.abs(audio[10 : 10 + HOP]).max() > 0.9 * FULL
    assert synth.idle


@pytest.mark.parametrize("block_size", [1, 64, 127, 256, 4096, 7000])
@pytest.mark.parametrize("sample_rate", [22050, 44100, 48000])
def test_block_size_changes_nothing(block_size: int, sample_rate: int, reference: dict[int, FloatArray]) -> None:
    num_frames = 7000 if block_size > 1 else 3000
    audio = render_in_blocks(busy_synth(sample_rate), num_frames, block_size)
    if sample_rate not in reference:
        reference[sample_rate] = busy_synth(sample_rate).render(7000)
    assert np.abs(reference[sample_rate]).max() > 0.05
    np.testing.assert_allclose(audio, reference[sample_rate][:num_frames], rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def reference() -> dict[int, FloatArray]:
    return {}


def busy_synth(sample_rate: int) -> Synth:
    """A synth with six voices and far more notes, bends, pedals, volume ramps, cuts, noise and chance."""
    synth = make_synth(
        FakeGrowth(release_factor=0.7, held_factor=0.98),
        FakeDecoder(12, lookahead=2, noise=0.3),
        sample_rate=sample_rate,
        max_voices=6,
        fire_rate=0.5,
        seed=3,
    )
    dice = random.Random(5)
    scale = sample_rate / RATE
    for time in range(0, 3500, 7):
        frame = round(time * scale)
        synth.send(midi.pitch_bend(0, dice.randrange(-8000, 8000)), frame)
        synth.send(midi.control_change(dice.randrange(3), midi.VOLUME, dice.randrange(128)), frame)
        synth.send(midi.control_change(dice.randrange(3), midi.PAN, dice.randrange(128)), frame)
        if time % 140 == 0:
            channel, key = dice.randrange(3), dice.randrange(40, 80)
            synth.send(midi.note_on(channel, key, dice.randrange(1, 128)), frame)
            synth.send(midi.note_off(channel, key), frame + dice.randrange(round(1500 * scale)))
        if time % 490 == 0:
            synth.send(midi.control_change(dice.randrange(3), midi.SUSTAIN, dice.choice((0, 127))), frame)
            synth.send(midi.master_volume(dice.randrange(8000, 16384)), frame)
        if time == 2100:
            synth.send(midi.control_change(1, midi.ALL_SOUND_OFF, 0), frame)
    return synth


def test_the_busy_synth_steals() -> None:
    synth = busy_synth(RATE)
    synth.render(7000)
    assert synth.notes_stolen > 10
    assert synth.peak_voices == 6


def test_counters_do_not_depend_on_the_block_size() -> None:
    whole, blockwise = busy_synth(RATE), busy_synth(RATE)
    whole.render(7000)
    render_in_blocks(blockwise, 7000, 100)
    for name in ("notes_started", "notes_stolen", "peak_voices", "active_voices", "frame"):
        assert getattr(whole, name) == getattr(blockwise, name)


def largest_jump(audio: FloatArray) -> float:
    return float(np.abs(np.diff(audio, axis=0)).max())


def test_stealing_does_not_click() -> None:
    synth = make_synth(FakeGrowth(release_factor=0.9), max_voices=1)
    set_up(synth)
    synth.send(midi.note_on(0, 45, 127), 0)
    synth.send(midi.note_on(1, 45, 1), 1010)  # nearly silent, so that all one could hear is the end of the other
    audio = synth.render(3000)
    smooth = largest_jump(audio[:1000])
    assert synth.notes_stolen == 1
    assert np.abs(audio[900:1005]).max() > 0.9 * FULL
    assert np.abs(audio[1150:]).max() < 0.02 * FULL
    assert largest_jump(audio[1000:]) < 2.0 * smooth


def test_a_released_voice_is_stolen_before_a_held_one() -> None:
    growth = FakeGrowth(release_factor=0.97)
    synth = make_synth(growth, max_voices=3)
    for key in (48, 60, 72):
        synth.send(midi.note_on(0, key, 100), 0)
    synth.send(midi.note_off(0, 60), 1000)
    synth.send(midi.note_on(0, 84, 100), 4000)
    audio = synth.render(3 * RATE)[:, 0]
    heard = np.abs(np.fft.rfft(audio[2 * RATE :] * np.hanning(RATE)))
    assert [bool(heard[round(440 * 2 ** ((key - 69) / 12))] > 50) for key in (48, 60, 72, 84)] == [
        True,
        False,
        True,
        True,
    ]


def test_the_quietest_released_voice_is_stolen_and_else_the_oldest_held() -> None:
    growth = FakeGrowth(release_factor=0.99)
    synth = make_synth(growth, max_voices=3)
    for key, velocity in ((48, 100), (60, 30), (72, 120)):
        synth.send(midi.note_on(0, key, velocity), 0)
        synth.send(midi.note_off(0, key), 500)
    synth.send(midi.note_on(0, 84, 100), 1000)
    synth.render(1500)
    assert sorted(voice.pitch for voice in voices_of(synth)) == [48, 72, 84]
    held = make_synth(FakeGrowth(), max_voices=3)
    for index, key in enumerate((48, 60, 72, 84)):
        held.send(midi.note_on(0, key, 100), 100 * index)
    held.render(1000)
    assert sorted(voice.pitch for voice in voices_of(held)) == [60, 72, 84]


def voices_of(synth: Synth) -> list:
    return list(synth._sequencer._allocator.voices.values())


def test_a_voice_that_died_in_time_is_not_missed() -> None:
    """A full pool whose voice ends just before the next note needs no stealing, in any block size."""
    for block_size in (50, 20000):
        synth = make_synth(FakeGrowth(release_factor=0.0), max_voices=1)
        synth.send(midi.note_on(0, 60, 100), 0)
        synth.send(midi.note_off(0, 60), 100)
        synth.send(midi.note_on(0, 64, 100), 2000)
        render_in_blocks(synth, 20000, block_size)
        assert (synth.notes_stolen, synth.peak_voices, synth.active_voices) == (0, 1, 1)


def test_more_notes_at_once_than_voices() -> None:
    synth = make_synth(max_voices=4)
    for key in range(30, 60):
        synth.send(midi.note_on(0, key, 100), 333)
    audio = synth.render(2000)
    assert synth.active_voices == synth.peak_voices == 4
    assert sorted(voice.pitch for voice in voices_of(synth)) == [56, 57, 58, 59]
    assert np.isfinite(audio).all()


def test_the_same_key_struck_again_keeps_the_old_note_sounding() -> None:
    synth = make_synth(FakeGrowth(release_factor=0.99))
    synth.send(midi.note_on(0, 60, 100), 0)
    synth.send(midi.note_off(0, 60), 3000)
    synth.send(midi.note_on(0, 60, 100), 3000)
    synth.render(4000)
    assert synth.active_voices == 2
    assert sorted(voice.release < 1 << 40 for voice in voices_of(synth)) == [False, True]


def test_slots_are_freed_when_notes_die() -> None:
    decoder = FakeDecoder(8)
    synth = make_synth(FakeGrowth(release_factor=0.3), decoder)
    for index in range(40):
        synth.send(midi.note_on(0, 60, 100), index * 10000)
        synth.send(midi.note_off(0, 60), index * 10000 + 500)
    for _ in range(80):
        synth.render(5000)
    assert synth.notes_started == 40
    assert synth.peak_voices == 1
    assert set(decoder.begun) == {0}
    assert synth.active_voices == 0
    assert synth.idle


def test_silence_ends_a_released_voice_soon_and_a_held_one_late() -> None:
    quiet = FakeGrowth()
    quiet.held_factor = quiet.release_factor = 1.0
    lengths = {}
    for is_released in (True, False):
        synth = make_synth(quiet, SilentDecoder(8))
        synth.send(midi.note_on(0, 60, 100), 0)
        if is_released:
            synth.send(midi.note_off(0, 60), 100)
        while (synth.active_voices or not synth.notes_started) and synth.frame < 2 * RATE:
            synth.render(HOP)
        lengths[is_released] = synth.frame / RATE
    assert 0.03 < lengths[True] < 0.08
    assert 1.0 < lengths[False] < 1.05


def test_a_voice_that_ends_by_silence_fades_out_in_its_last_hop() -> None:
    quiet = FakeGrowth()
    quiet.held_factor = quiet.release_factor = 1.0
    synth = make_synth(quiet, SilentDecoder(8))
    synth.send(midi.note_on(0, 60, 127), 0)
    synth.send(midi.note_off(0, 60), 100)
    sound = np.abs(synth.render(20 * HOP)).max(axis=1)
    last = int(np.flatnonzero(sound)[-1])
    envelope = sound[last + 2 - HOP : last + 2].reshape(8, -1).max(axis=1)
    assert (np.diff(envelope) < 0).all()
    assert envelope[-1] < 0.15 * envelope[0]


class SilentDecoder(FakeDecoder):
    def decode(self, *arguments: object) -> FloatArray:
        return super().decode(*arguments) * np.float32(1e-5)  # type: ignore[arg-type]


def test_a_held_note_that_decayed_frees_its_slot() -> None:
    synth = make_synth(FakeGrowth(held_factor=0.8))
    synth.send(midi.note_on(0, 60, 100), 0)
    synth.render(2 * RATE)
    assert synth.active_voices == 0
    assert synth.idle
    synth.send(midi.note_off(0, 60))
    assert not synth.render(2000).any()


@pytest.mark.parametrize("wild_seed", range(4))
def test_no_note_sticks_after_a_panic(wild_seed: int) -> None:
    synth = make_synth(FakeGrowth(release_factor=1.0))  # releases never end by themselves
    dice = random.Random(wild_seed)
    for _ in range(3000):
        data = bytes([dice.randrange(0x80, 0x100), dice.randrange(128), dice.randrange(128)])
        synth.send(data, dice.randrange(20000))
    synth.render(10000)
    synth.panic()
    synth.render(200)
    assert synth.active_voices == 0
    assert not synth.render(3000).any()
    assert synth.idle


def test_all_sound_off_ends_released_notes_too_and_does_not_click() -> None:
    synth = make_synth(FakeGrowth(release_factor=1.0))
    set_up(synth)
    synth.send(midi.note_on(0, 45, 127), 0)
    synth.send(midi.note_off(0, 45), 500)
    synth.send(midi.note_on(1, 57, 1), 0)
    synth.send(midi.control_change(0, midi.ALL_SOUND_OFF, 0), 2003)
    audio = synth.render(4000)
    assert np.abs(audio[2003 + 115 :]).max() < 0.02 * FULL
    assert largest_jump(audio[1900:]) < 2 * largest_jump(audio[500:1900])
    assert synth.active_voices == 1


def test_pitch_follows_tuning_bend_and_key() -> None:
    synth = make_synth(bank=FakeBank(cents=50.0))
    synth.send(midi.note_on(0, 69, 100), 0)
    synth.send(midi.pitch_bend(0, 4096), RATE)  # +1 semitone
    audio = synth.render(2 * RATE)[:, 0]
    assert dominant_hz(audio[: RATE - HOP]) == pytest.approx(440 * 2 ** (0.5 / 12), rel=1e-3)
    assert dominant_hz(audio[RATE + HOP :]) == pytest.approx(440 * 2 ** (1.5 / 12), rel=1e-3)


def test_a_new_pitch_stays_planted_whoever_else_plays() -> None:
    growth = FakeGrowth(release_factor=0.0)
    synth = make_synth(growth)
    for channel, key in enumerate((60, 70, 80)):
        synth.send(midi.note_on(channel, key, 100), 0)
    synth.send(midi.note_off(1, 70), 500)  # leaves a gap among the slots
    synth.send(midi.pitch_bend(2, 8191), 4000)
    render_in_blocks(synth, 8000, 300)
    bent = 80 + 2 * 8191 / 8192
    assert growth.grown_pitches[-1].tolist() == pytest.approx([60, bent])
    assert growth.planted_pitches == pytest.approx([60, 70, 80, bent])


def test_only_a_changed_pitch_is_planted_again() -> None:
    growth = FakeGrowth()
    synth = make_synth(growth)
    synth.send(midi.note_on(0, 60, 100), 0)
    synth.send(midi.note_on(1, 72, 100), 0)
    synth.send(midi.pitch_bend(0, 10), 1000)  # 0.24 cents
    synth.send(midi.pitch_bend(0, 30), 2000)  # 0.73 cents
    synth.render(4000)
    assert growth.planted_pitches == pytest.approx([60, 72, 60 + 2 * 30 / 8192])


def test_an_unpitched_voice_has_no_fundamental() -> None:
    synth = make_synth()
    synth.send(midi.note_on(9, 38, 100), 0)
    audio = synth.render(4 * HOP)[:, 0]
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    assert spectrum.max() < 6 * np.median(spectrum)  # noise


def test_programs_choose_instruments_and_substitutions_are_named_once() -> None:
    bank = FakeBank()
    synth = make_synth(bank=bank)
    synth.send(midi.program_change(3, 40), 0)
    for key in (60, 62, 60):
        synth.send(midi.note_on(3, key, 100), 10)
    synth.send(midi.note_on(9, 38, 100), 10)
    synth.render(100)
    assert bank.asked == [(40, 0, False, 60), (40, 0, False, 62), (0, 0, True, 38)]
    assert synth.substitutions == ("Violin: Fake Grand",)


def test_the_soft_pedal_softens() -> None:
    peaks = []
    for value in (0, 127):
        synth = make_synth()
        synth.send(midi.control_change(0, midi.SOFT_PEDAL, value), 0)
        synth.send(midi.note_on(0, 60, 100), 0)
        peaks.append(np.abs(synth.render(2000)).max())
    assert 0.5 * peaks[0] < peaks[1] < 0.75 * peaks[0]


@pytest.mark.parametrize(
    ("options", "is_equal"), [({"fire_rate": 1.0}, True), ({"fire_rate": 0.5}, False), ({"noise": 0.5}, False)]
)
def test_the_seed_decides_all_chance(options: dict[str, float], is_equal: bool) -> None:
    def rendered(seed: int) -> FloatArray:
        decoder = FakeDecoder(8, noise=options.get("noise", 0.0))
        synth = make_synth(decoder=decoder, fire_rate=options.get("fire_rate", 1.0), seed=seed)
        synth.send(midi.note_on(0, 60, 100), 0)
        synth.send(midi.note_off(0, 60), 500)
        return synth.render(3000)

    np.testing.assert_array_equal(rendered(1), rendered(1))
    assert np.array_equal(rendered(1), rendered(2)) == is_equal


def test_two_equal_notes_have_different_noise() -> None:
    synth = make_synth()
    synth.send(midi.note_on(9, 38, 100), 0)
    synth.send(midi.note_on(9, 38, 100), 4096)
    audio = synth.render(8192)
    one, other = audio[: 4 * HOP, 0], audio[4096 : 4096 + 4 * HOP, 0]
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.2


def test_an_event_that_is_late_plays_at_once() -> None:
    synth = make_synth()
    synth.render(5000)
    synth.send(midi.note_on(0, 60, 100), 100)
    audio = synth.render(1000)
    first = int(np.flatnonzero(audio[:, 0])[0])
    assert first == synth.latency_frames


def test_late_events_keep_the_order_of_sending() -> None:
    synth = make_synth()
    synth.render(5000)
    synth.send(midi.note_on(0, 60, 100), 300)
    synth.send(midi.control_change(0, midi.ALL_SOUND_OFF, 0), 200)
    assert not synth.render(1000).any()
    assert synth.notes_started == 1


def test_a_note_stolen_before_it_sounded_is_not_heard() -> None:
    both, last = make_synth(max_voices=1), make_synth(max_voices=1)
    both.send(midi.note_on(0, 40, 100), 200)
    for synth in (both, last):
        synth.send(midi.note_on(0, 60, 100), 200)
    np.testing.assert_array_equal(both.render(1000), last.render(1000))


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000, 192000])
def test_an_event_sent_the_latency_ahead_is_exact(sample_rate: int) -> None:
    early, just_in_time = (make_synth(sample_rate=sample_rate) for _ in range(2))
    onset, num_frames = 3001, 4000
    before = onset - early.latency_frames
    early.send(midi.note_on(0, 60, 100), onset)
    first = just_in_time.render(before)
    just_in_time.send(midi.note_on(0, 60, 100), onset)
    audio = np.concatenate([first, just_in_time.render(num_frames - before)])
    np.testing.assert_array_equal(audio, early.render(num_frames))
