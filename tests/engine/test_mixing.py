"""Panorama, gliding controls, stems, the limiter and the resampler."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.mix.limiter import CEILING, Limiter
from tnca_synth.engine.mix.mixer import GLIDE_S, MIX_GAIN, GainRamp, pan_gains
from tnca_synth.engine.mix.resampler import Resampler, minimum_phase, windowed_sinc
from tnca_synth.engine.voices.automation import StepTimeline
from tnca_synth.errors import UsageError
from tnca_synth.midi import messages as midi

from .fakes import HOP, RATE, make_synth, render_in_blocks, set_up

GLIDE = round(GLIDE_S * RATE)


@pytest.mark.parametrize("pan", np.linspace(-1, 1, 9))
def test_pan_keeps_the_power(pan: float) -> None:
    left, right = pan_gains(pan)
    assert left**2 + right**2 == pytest.approx(1.0)


@pytest.mark.parametrize(("value", "left", "right"), [(0, 1.0, 0.0), (64, 0.5**0.5, 0.5**0.5), (127, 0.0, 1.0)])
def test_pan_of_a_note(value: int, left: float, right: float) -> None:
    synth = make_synth()
    set_up(synth)
    synth.send(midi.control_change(0, midi.PAN, value), 0)
    synth.send(midi.note_on(0, 60, 127), 0)
    audio = synth.render(10 * HOP)
    np.testing.assert_allclose(np.abs(audio).max(axis=0), [0.5 * MIX_GAIN * left, 0.5 * MIX_GAIN * right], atol=1e-3)


def test_channel_volume_expression_and_master_volume_multiply() -> None:
    def peak(*messages: bytes) -> float:
        synth = make_synth()
        for message in (*messages, midi.note_on(0, 60, 127)):
            synth.send(message, 0)
        return float(np.abs(synth.render(4 * HOP)).max())

    full = peak(midi.control_change(0, midi.VOLUME, 127))
    half = peak(midi.control_change(0, midi.VOLUME, 90))
    assert half == pytest.approx(full * (90 / 127) ** 2, rel=1e-3)
    both = peak(midi.control_change(0, midi.VOLUME, 90), midi.control_change(0, midi.EXPRESSION, 64))
    assert both == pytest.approx(half * (64 / 127) ** 2, rel=1e-3)
    assert peak(midi.control_change(0, midi.VOLUME, 90), midi.master_volume(8192)) == pytest.approx(half / 4, rel=1e-3)


def test_a_volume_change_glides_from_its_sample_on() -> None:
    synth = make_synth()
    set_up(synth)
    synth.send(midi.note_on(0, 30, 127), 0)
    synth.send(midi.control_change(0, midi.VOLUME, 64), 1500)
    loud = make_synth()
    set_up(loud)
    loud.send(midi.note_on(0, 30, 127), 0)
    changed, plain = synth.render(3000)[:, 0], loud.render(3000)[:, 0]
    gain = changed / plain
    np.testing.assert_array_equal(changed[:1501], plain[:1501])
    np.testing.assert_allclose(gain[1500 + GLIDE :], (64 / 127) ** 2, rtol=1e-4)
    assert np.abs(np.diff(gain)).max() < 1.1 * (1 - (64 / 127) ** 2) / GLIDE


def test_a_channel_is_at_its_level_from_its_first_note_on() -> None:
    synth = make_synth()
    synth.send(midi.control_change(0, midi.VOLUME, 127), 500)
    synth.send(midi.note_on(0, 60, 127), 500)
    assert synth.render(600)[500, 0] == pytest.approx(0.5 * MIX_GAIN * 0.5**0.5, rel=1e-5)


@pytest.mark.parametrize("sample_rate", [22050, 48000])
def test_stems_sum_to_the_mix(sample_rate: int) -> None:
    synths = [make_synth(sample_rate=sample_rate, stems=stems) for stems in (True, False)]
    for synth in synths:
        for channel in (0, 4, 9, 15):
            synth.send(midi.control_change(channel, midi.PAN, 8 * channel), 0)
            synth.send(midi.note_on(channel, 40 + channel, 60), 100 * channel)
    mix, stems = synths[0].render_stems(5000)
    assert stems.shape == (16, 5000, 2)
    assert np.abs(mix).max() > 0.1
    np.testing.assert_allclose(stems.sum(axis=0), mix, atol=1e-6)
    np.testing.assert_allclose(synths[1].render(5000), mix, atol=1e-6)
    assert [channel for channel in range(16) if stems[channel].any()] == [0, 4, 9, 15]
    for channel, onset in ((4, 400), (15, 1500)):
        assert not stems[channel, : onset - 10].any()  # the resampler begins a little before
        assert np.abs(stems[channel, onset : onset + 100]).max() > 0.01


def test_stems_in_blocks_are_the_same_stems() -> None:
    whole, blockwise = (make_synth(sample_rate=44100, stems=True) for _ in range(2))
    for synth in (whole, blockwise):
        synth.send(midi.note_on(3, 60, 100), 1000)
    parts = [blockwise.render_stems(250).stems for _ in range(12)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole.render_stems(3000).stems)


def test_stems_need_to_be_asked_for() -> None:
    with pytest.raises(UsageError, match="stems=True"):
        make_synth().render_stems(10)


def limited(block: FloatArray, limiter: Limiter, block_size: int | None = None) -> FloatArray:
    """Return the block limited, its delay taken away."""
    ahead = limiter.look_ahead_frames
    padded = np.concatenate([block, np.zeros((2, ahead), np.float32)], axis=1)
    size = block_size or padded.shape[1]
    parts = [limiter.process(padded[:, start : start + size]) for start in range(0, padded.shape[1], size)]
    return np.concatenate(parts, axis=1)[:, ahead:]


@pytest.mark.parametrize("gain", [1.0, 3.0, 1e4])
def test_the_limiter_never_exceeds_one(gain: float) -> None:
    dice = np.random.default_rng(1)
    block = (gain * dice.standard_normal((2, 30000))).astype(np.float32)
    block[:, 10000:20000] *= 1e-3
    block[0, 15000] = 50 * gain
    out = limited(block, Limiter(44100))
    assert np.abs(out).max() <= 1.0
    assert np.abs(out).max() > 0.9


def test_the_limiter_leaves_quiet_sound_alone() -> None:
    block = (CEILING * np.random.default_rng(1).uniform(-1, 1, (2, 5000))).astype(np.float32)
    np.testing.assert_array_equal(limited(block, Limiter(44100)), block)


def test_the_limiter_lets_go_again_and_keeps_the_balance() -> None:
    block = np.full((2, 44100), 0.5, np.float32)
    block[1] *= 0.5
    block[0, 1000] = 2.0
    out = limited(block, Limiter(44100))
    np.testing.assert_array_equal(out[:, :900], block[:, :900])
    assert out[0, 1000] == pytest.approx(CEILING, rel=1e-3)
    np.testing.assert_allclose(out[1] * 2, np.where(np.arange(44100) == 1000, out[1] * 2, out[0]), rtol=1e-6)
    np.testing.assert_array_equal(out[:, 1000 + 5500 :], block[:, 1000 + 5500 :])
    gain = out[1] / block[1]
    assert np.abs(np.diff(gain)).max() < 0.05  # no step: it falls by a half


@pytest.mark.parametrize("block_size", [1, 10, 127, 1000])
def test_the_limiter_does_not_care_about_blocks(block_size: int) -> None:
    block = np.random.default_rng(2).normal(0, 0.8, (2, 4000)).astype(np.float32)
    block[:, 2000:2300] *= 5
    np.testing.assert_array_equal(limited(block, Limiter(48000), block_size), limited(block, Limiter(48000)))


def test_a_loud_chord_is_limited() -> None:
    synth = make_synth(max_voices=64, sample_rate=44100)
    set_up(synth)
    for key in range(30, 94):
        synth.send(midi.note_on(0, key, 127), 100)
    audio = synth.render(10000)
    assert 0.9 < np.abs(audio).max() <= 1.0


def resampled(samples: FloatArray, out_rate: int, num_frames: int, block_size: int | None = None) -> FloatArray:
    resampler = Resampler(RATE, out_rate, 1)
    padded = np.concatenate([samples, np.zeros(4000, np.float32)])
    parts, position = [], 0
    for start in range(0, num_frames, block_size or num_frames):
        size = min(block_size or num_frames, num_frames - start)
        needed = resampler.samples_needed(size)
        parts.append(resampler.process(padded[None, position : position + needed], size)[0])
        position += needed
    return np.concatenate(parts)


RATES = [8000, 11025, 16000, 22050, 32000, 44100, 44099, 48000, 88200, 96000, 192000]


@pytest.mark.parametrize("out_rate", RATES)
@pytest.mark.parametrize(("hz", "latest_us"), [(123.5, 1), (1234.5, 9), (3000.0, 65)])
def test_a_sine_keeps_its_level_and_its_time(out_rate: int, hz: float, latest_us: float) -> None:
    sine = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
    settled = slice(out_rate // 100, out_rate // 2)
    out = resampled(sine, out_rate, out_rate // 2)[settled]
    turns = 2j * np.pi * hz * np.arange(settled.start, settled.stop) / out_rate
    basis = np.stack([np.exp(turns), np.exp(-turns)], 1)
    gain = np.linalg.lstsq(basis, out.astype(np.complex128), rcond=None)[0]
    residue = np.abs(out - (basis @ gain).real).max()
    assert residue < 1e-4
    assert 2 * abs(gain[0]) == pytest.approx(1.0, abs=5e-4)
    late_us = -1e6 * np.angle(gain[0] * 1j) / (2 * np.pi * hz)
    assert abs(late_us) < latest_us, "the filter delays what is high more than what is low, but little"


@pytest.mark.parametrize("out_rate", [44100, 48000])
def test_a_click_lands_at_its_time(out_rate: int) -> None:
    click = np.zeros(2000, np.float32)
    click[777] = 1.0
    out = resampled(click, out_rate, 4000)
    assert abs(int(np.argmax(out)) - 777 * out_rate / RATE) <= 1
    early = round(776.5 * out_rate / RATE) - round(0.0002 * out_rate)
    assert np.abs(out[:early]).max() == 0.0, "it rings afterwards, not before"


@pytest.mark.parametrize("out_rate", [44100, 48000, 44099, 192000])
def test_images_and_losses_are_small(out_rate: int) -> None:
    hz = 9500.0
    sine = np.sin(2 * np.pi * hz * np.arange(RATE) / RATE).astype(np.float32)
    out = resampled(sine, out_rate, out_rate // 2)[out_rate // 20 :]
    spectrum = np.abs(np.fft.rfft(out * np.kaiser(len(out), 20)))
    axis_hz = np.fft.rfftfreq(len(out), 1 / out_rate)
    peak = spectrum[np.abs(axis_hz - hz) < 30].max()
    expected = 0.5 * np.kaiser(len(out), 20).sum()
    assert 20 * np.log10(peak / expected) == pytest.approx(0.0, abs=0.05)
    assert 20 * np.log10(spectrum[np.abs(axis_hz - hz) > 300].max() / peak) < -80


def test_minimum_phase_keeps_the_magnitude_and_comes_at_once() -> None:
    points = windowed_sinc((np.arange(48 * 32) - (48 * 32 - 1) / 2) / 32, 0.8, 24.0)
    early = minimum_phase(points)
    magnitudes = [np.abs(np.fft.rfft(one, 1 << 16)) for one in (points, early)]
    np.testing.assert_allclose(magnitudes[1], magnitudes[0], atol=1e-3 * magnitudes[0].max())
    energy = [np.cumsum(one**2) / (one**2).sum() for one in (points, early)]
    assert np.searchsorted(energy[1], 0.5) < 4 * 32 < np.searchsorted(energy[0], 0.5)


def test_downsampling_does_not_alias() -> None:
    sine = np.sin(2 * np.pi * 5200 * np.arange(RATE) / RATE).astype(np.float32)
    assert np.abs(resampled(sine, 8000, 4000)[400:-400]).max() < 10 ** (-85 / 20)


@pytest.mark.parametrize("out_rate", RATES)
@pytest.mark.parametrize("block_size", [1, 100, 4097])
def test_the_resampler_does_not_care_about_blocks(out_rate: int, block_size: int) -> None:
    noise = np.random.default_rng(3).uniform(-1, 1, 3000).astype(np.float32)
    num_frames = 3000 * out_rate // RATE
    whole = resampled(noise, out_rate, num_frames)[: 2000 if block_size == 1 else None]
    np.testing.assert_array_equal(resampled(noise, out_rate, len(whole), block_size), whole)


@pytest.mark.parametrize("out_rate", [44100, 48000])
def test_a_note_starts_at_its_output_time(out_rate: int) -> None:
    synth = make_synth(sample_rate=out_rate)
    set_up(synth)
    onset = 3 * out_rate // 10 + 1
    synth.send(midi.note_on(0, 60, 127), onset)
    audio = np.abs(synth.render(onset + 2000)[:, 0])
    half = 0.5 * 0.5 * MIX_GAIN * 0.5**0.5
    assert abs(int(np.argmax(audio > half)) - onset) <= 2  # half a step up is where a band-limited step begins


def test_a_step_timeline_answers_for_what_it_remembers() -> None:
    timeline = StepTimeline(1.0)
    for sample, value in ((10, 2.0), (10, 3.0), (20, 3.0), (30, 4.0)):
        timeline.set(sample, value)
    samples = np.array([0, 9, 10, 29, 30, 99])
    assert timeline.at(samples).tolist() == [1, 1, 3, 3, 4, 4]
    timeline.forget()
    assert timeline.at(samples[4:]).tolist() == [4, 4]
    assert timeline.at(samples).tolist() == [4] * 6
    assert timeline.latest == 4.0


def test_a_glide_is_continuous_and_independent_of_blocks() -> None:
    def curve(edges: list[int]) -> FloatArray:
        glide = GainRamp((0.0, 1.0), 50)
        moves = [(30, (1.0, 0.0)), (50, (0.5, 0.5)), (50, (0.2, 0.4)), (200, (1.0, 1.0))]
        parts = []
        for start, stop in pairwise(edges):
            for sample, levels in moves:
                if start <= sample < stop:
                    glide.move(sample, levels)
            parts.append(np.broadcast_to(glide.curve(start, stop), (2, stop - start)))
        return np.concatenate(parts, axis=1)

    whole = curve([0, 400])
    np.testing.assert_array_equal(curve([0, 1, 30, 31, 77, 200, 203, 400]), whole)
    assert np.abs(np.diff(whole)).max() <= 1 / 50 + 1e-6
    np.testing.assert_allclose(
        whole[:, [0, 30, 50, 150, 399]].T, [[0, 1], [0, 1], [0.4, 0.6], [0.2, 0.4], [1, 1]], atol=1e-6
    )


def test_thousands_of_bends_and_volumes_a_second_play_in_order() -> None:
    synth = make_synth()
    for index in range(5000):
        synth.send(midi.pitch_bend(0, index), index)
        synth.send(midi.control_change(0, midi.VOLUME, index % 128), index)
    synth.send(midi.note_on(0, 60, 100), 0)
    again = make_synth()
    for index in range(5000):
        again.send(midi.pitch_bend(0, index), index)
        again.send(midi.control_change(0, midi.VOLUME, index % 128), index)
        if index == 0:
            again.send(midi.note_on(0, 60, 100), 0)
    np.testing.assert_array_equal(render_in_blocks(again, 6000, 111), synth.render(6000))
