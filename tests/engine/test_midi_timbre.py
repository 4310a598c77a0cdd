"""Everything in MIDI that moves level, colour and envelope, heard from the shipped bank; and the sends."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.open import assemble_synth
from tnca_synth.midi import messages as midi
from tnca_synth.midi.messages import control_change as cc

from .fakes import RATE, FakeGrowth, make_synth
from .listening import Event, at, centroid_hz, level_db, note, part, perform, play, play_bank, roughness

pytestmark = pytest.mark.slow


def with_controller(number: int, value: int, instrument: str = "violin", key: int = 67) -> FloatArray:
    """One second of a note that is held for 0.6 s."""
    return play_bank(instrument, at(0, cc(0, number, value)) + note(key, 0, 0.6), 1.0)


def test_velocity_makes_louder() -> None:
    levels = [level_db(play_bank("grand-piano", note(60, velocity=value), 0.3)) for value in (20, 64, 127)]
    assert levels[0] < levels[1] - 3 < levels[2] - 6


@pytest.mark.parametrize("number", [midi.VOLUME, midi.EXPRESSION, midi.BREATH])
def test_volume_expression_and_breath_follow_the_level_curve(number: int) -> None:
    full, half = (level_db(play(at(0, cc(0, number, value)) + note(60))) for value in (127, 64))
    assert full - half == pytest.approx(40 * np.log10(127 / 64), abs=0.1)


def test_breath_does_nothing_before_it_is_blown_and_after_a_reset() -> None:
    silent = at(0.3, cc(0, midi.BREATH, 1), cc(0, midi.BREATH, 0)) + at(0.6, cc(0, midi.RESET_CONTROLLERS, 0))
    audio = play(note(60) + silent)
    plain = play(note(60))
    np.testing.assert_array_equal(part(audio, 0, 0.3), part(plain, 0, 0.3))
    assert level_db(part(audio, 0.35, 0.6)) < -100
    np.testing.assert_allclose(part(audio, 0.65, 1.0), part(plain, 0.65, 1.0), atol=1e-6)


@pytest.mark.parametrize("number", [midi.VOLUME, midi.EXPRESSION, midi.BREATH])
def test_the_lsb_refines_and_a_new_msb_clears_it(number: int) -> None:
    def level(*values: tuple[int, int]) -> float:
        return level_db(play(at(0, *(cc(0, *value) for value in values)) + note(60)))

    coarse, fine, next_coarse = level((number, 64)), level((number, 64), (number + 32, 64)), level((number, 65))
    assert coarse < fine < next_coarse
    assert level((number, 64), (number + 32, 64), (number, 64)) == coarse


def test_pan_has_14_bits_and_master_balance_tips_all_channels() -> None:
    def sides(*messages: bytes) -> float:
        audio = play(at(0, *messages) + note(60))
        return level_db(audio[:, 1]) - level_db(audio[:, 0])

    assert sides(cc(0, 10, 64)) == pytest.approx(0, abs=0.01)
    assert sides(cc(0, 10, 64)) < sides(cc(0, 10, 64), cc(0, 42, 64)) < sides(cc(0, 10, 65))
    assert sides(midi.system_exclusive(bytes.fromhex("7f 7f 04 02 00 60"))) == pytest.approx(6.02, abs=0.1)
    assert sides(midi.system_exclusive(bytes.fromhex("7f 7f 04 02 00 00"))) < -60


@pytest.mark.parametrize("number", range(71, 76))
@pytest.mark.parametrize("instrument", ["violin", "grand-piano"])
def test_sound_controllers_at_64_are_neutral_to_the_bit(number: int, instrument: str) -> None:
    plain = play_bank(instrument, note(67, 0, 0.2), 0.4)
    neutral = play_bank(instrument, at(0, cc(0, number, 127), cc(0, number, 64)) + note(67, 0, 0.2), 0.4)
    np.testing.assert_array_equal(neutral, plain)


@pytest.mark.parametrize("instrument", ["violin", "grand-piano", "flute"])
def test_cc_74_brightens(instrument: str) -> None:
    dark, plain, bright = (
        centroid_hz(part(with_controller(74, value, instrument), 0.1, 0.6)) for value in (0, 64, 127)
    )
    assert dark < 0.95 * plain
    assert bright > 1.1 * plain


def test_cc_74_works_with_every_path() -> None:
    for decoder in ("harmonic", "griffin-lim"):
        sounds = [play_bank("violin", at(0, cc(0, 74, value)) + note(55), 0.4, decoder) for value in (0, 127)]
        assert centroid_hz(sounds[1]) > 1.3 * centroid_hz(sounds[0])


def test_brightness_moves_under_a_note_without_a_click() -> None:
    events = note(67) + [(0.3 + 0.001 * step, cc(0, 74, 64 - step)) for step in range(65)]
    audio, plain = play_bank("flute", events, 1.0), play_bank("flute", note(67), 1.0)
    np.testing.assert_array_equal(part(audio, 0, 0.28), part(plain, 0, 0.28))
    assert centroid_hz(part(audio, 0.5, 1.0)) < 0.98 * centroid_hz(part(plain, 0.5, 1.0))
    assert roughness(part(audio, 0.25, 1.0)) < 1.2 * roughness(part(plain, 0.25, 1.0))


def resonance_db(audio: FloatArray) -> float:
    """Level around the fourth partial of key 55, over that of the rest."""
    power = np.abs(np.fft.rfft(audio.mean(axis=1) * np.hanning(len(audio)))) ** 2
    hz = np.fft.rfftfreq(len(audio), 1 / RATE)
    bell = np.abs(np.log2(np.maximum(hz, 1) / 784)) < 0.4
    return float(10 * np.log10(power[bell].sum() / power[~bell].sum()))


def test_cc_71_raises_and_lowers_a_resonance() -> None:
    low, plain, high = (resonance_db(part(with_controller(71, value, key=55), 0.2, 0.6)) for value in (0, 64, 127))
    assert low < plain - 6
    assert high > plain + 6


@pytest.mark.parametrize("instrument", ["violin", "grand-piano", "flute"])
def test_cc_72_makes_releases_shorter_and_longer(instrument: str) -> None:
    short, plain, long = (level_db(part(with_controller(72, value, instrument), 0.7, 0.8)) for value in (0, 64, 127))
    assert short < plain - 6
    assert long > plain + 6


@pytest.mark.parametrize("instrument", ["violin", "grand-piano"])
def test_cc_73_makes_attacks_longer(instrument: str) -> None:
    plain, middle, long = (level_db(part(with_controller(73, value, instrument), 0, 0.1)) for value in (64, 96, 127))
    assert long < middle - 6 < plain - 12


def test_cc_73_makes_slow_attacks_shorter() -> None:
    quick, plain = (level_db(part(with_controller(73, value, "violin"), 0, 0.06)) for value in (0, 64))
    assert quick > plain + 1


def test_cc_75_makes_decays_shorter_and_longer() -> None:
    short, plain, long = (level_db(part(with_controller(75, value, "grand-piano"), 0.4, 0.6)) for value in (0, 64, 127))
    assert short < plain - 3
    assert long > plain + 0.5


def test_release_velocity_sets_the_speed_of_the_release() -> None:
    def tail(velocity: int) -> float:
        events = at(0, midi.note_on(0, 67, 100)) + at(0.3, midi.note_off(0, 67, velocity))
        return level_db(part(play_bank("violin", events, 0.6), 0.42, 0.5))

    assert tail(1) > tail(64) + 2 > tail(127) + 4
    assert tail(0) == tail(64)  # keyboards that measure none send 0


def test_a_pedal_half_down_slows_releases() -> None:
    def tail(value: int) -> float:
        return level_db(part(play_bank("grand-piano", at(0, cc(0, 64, value)) + note(60, 0, 0.2), 0.6), 0.35, 0.5))

    levels = [tail(value) for value in (0, 31, 40, 52, 63, 64)]
    assert levels[0] == levels[1]
    assert levels[1] < levels[2] - 1 < levels[3] - 3 < levels[4] - 5
    assert levels[4] < levels[5] + 1


def test_pressure_brightens() -> None:
    plain = centroid_hz(play_bank("violin", note(55), 0.5))
    for message in (midi.channel_pressure(0, 127), None):
        events = at(0, message) if message else at(0.01, midi.poly_pressure(0, 55, 127))
        assert centroid_hz(play_bank("violin", events + note(55), 0.5)) > 1.05 * plain


def test_the_soft_pedal_is_quieter_and_darker() -> None:
    soft, plain = (part(with_controller(67, value, "grand-piano", 48), 0, 0.5) for value in (127, 0))
    assert level_db(soft) < level_db(plain) - 1
    assert centroid_hz(soft) < 0.9 * centroid_hz(plain)


def tail_of(events: list[Event], **options: bool) -> FloatArray:
    """What a short note leaves behind, with effects."""
    return part(play(events + note(60, 0, 0.2), 1.0, FakeGrowth(release_factor=0.1), **options), 0.35, 1.0)


def test_cc_91_sends_to_the_reverb_which_is_subtle_by_default() -> None:
    levels = [level_db(tail_of(at(0, cc(0, 91, value)), effects=True)) for value in (0, 40, 127)]
    assert levels[0] < -150
    assert levels[2] - levels[1] == pytest.approx(20 * np.log10(127 / 40), abs=0.2)
    default = tail_of([], effects=True)
    assert level_db(default) == levels[1]
    assert -70 < level_db(default) < -40
    assert level_db(tail_of([], effects=False)) < -150


def test_cc_93_sends_to_the_chorus() -> None:
    def sides(value: int) -> float:
        audio = play(at(0, cc(0, 91, 0), cc(0, 93, value)) + note(72), 1.0, effects=True)
        return level_db(audio[:, 0] - audio[:, 1])

    assert sides(0) < -150
    assert sides(127) > -30


def test_sends_glide() -> None:
    events = note(48) + at(0, cc(0, 91, 0)) + at(0.3, cc(0, 91, 127), cc(0, 93, 127)) + at(0.6, cc(0, 93, 0))
    audio = play(events, 1.0, effects=True)
    assert roughness(part(audio, 0.25, 1.0)) < 0.01 * np.abs(audio).max()


def test_the_reverb_rings_out_before_the_synth_is_idle_and_panic_ends_it() -> None:
    synth = make_synth(FakeGrowth(release_factor=0.1), effects=True)
    perform(synth, at(0, cc(0, 91, 127)) + note(60, 0, 0.1), 0.3)
    assert synth.active_voices == 0
    assert not synth.idle
    assert level_db(synth.render(RATE // 10)) > -60
    length = 0
    while not synth.idle:
        length += len(synth.render(256))
    assert 1.5 < length / RATE < 2.5
    perform(synth, [(synth.frame / RATE, message) for _, message in note(60, 0, 9)], 0.2)
    synth.panic()
    synth.render(200)
    assert not synth.render(1000).any()
    assert synth.idle


def test_stems_hold_their_own_share_of_the_effects() -> None:
    events = note(60, 0, 0.1) + note(72, 0, 0.1, 3) + at(0, cc(3, 91, 127), cc(3, 93, 100))
    synth = make_synth(FakeGrowth(release_factor=0.1), effects=True, stems=True)
    for time_s, message in events:
        synth.send(message, round(time_s * RATE))
    mix, stems = synth.render_stems(RATE)
    np.testing.assert_allclose(stems.sum(axis=0), mix, atol=1e-6)
    assert level_db(part(stems[3], 0.3, 1.0)) > level_db(part(stems[0], 0.3, 1.0)) + 8


def test_the_blend_of_an_ensemble_goes_from_its_leader_to_griffin_lim() -> None:
    def playing(decoder: str, *values: int) -> FloatArray:
        # Without the kernel, which lets pitches glide within a hop: an ensemble does not know it.
        ensemble = assemble_synth(
            instrument="violin", decoder=decoder, sample_rate=RATE, effects=False, max_voices=4, core="numpy"
        )
        ensemble.synth.obey_growth_controllers()
        events = at(0, *(cc(0, midi.ENSEMBLE_BLEND, value) for value in values)) + note(67, 0, 0.4)
        return perform(ensemble.synth, events, 0.5)

    led, plain, neutral, all_second = (playing("ensemble", *values) for values in ((0,), (), (0, 38), (127,)))
    np.testing.assert_array_equal(plain, neutral)
    assert 0.001 < np.abs(led - plain).max() < 0.6 * np.abs(led - all_second).max()
    held = slice(0, RATE // 3)  # the ensemble looks further ahead, so it hears the release in another frame
    np.testing.assert_allclose(led[held], playing("harmonic")[held], atol=1e-5)
