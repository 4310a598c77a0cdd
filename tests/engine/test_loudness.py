"""Integrated loudness is what the standard says, whatever the blocks."""

from __future__ import annotations

import math

import numpy as np
import pyloudnorm
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.output.loudness import LoudnessMeter, k_weighting


def sine(level_db: float, duration_s: float, rate: int = 48_000, hz: float = 997.0) -> FloatArray:
    time_s = np.arange(round(duration_s * rate)) / rate
    return (10 ** (level_db / 20) * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def measured(audio: FloatArray, rate: int = 48_000, block: int = 8192) -> float:
    audio = audio if audio.ndim == 2 else audio[:, None]
    meter = LoudnessMeter(rate, audio.shape[1])
    for start in range(0, len(audio), block):
        meter.write(audio[start : start + block])
    return meter.integrated_lufs


def music(rate: int, duration_s: float = 8.0) -> FloatArray:
    """Coloured noise with loud, soft and silent parts, other on the left than on the right."""
    dice = np.random.default_rng(5)
    noise = np.cumsum(dice.normal(size=(round(duration_s * rate), 2)), axis=0)
    noise -= np.array([np.convolve(one, np.ones(500) / 500, "same") for one in noise.T]).T
    level = np.repeat([1.0, 0.1, 0.0, 0.5], len(noise) // 4)
    return (noise / np.abs(noise).max() * level[:, None]).astype(np.float32)


def test_the_filters_at_48_khz_are_those_that_the_standard_prints() -> None:
    shelf, high_pass = k_weighting(48_000)
    np.testing.assert_allclose(shelf[0], (1.53512485958697, -2.69169618940638, 1.19839281085285), atol=1e-8)
    np.testing.assert_allclose(shelf[1], (1.0, -1.69065929318241, 0.73248077421585), atol=1e-8)
    np.testing.assert_allclose(high_pass[0], (1.0, -2.0, 1.0))
    np.testing.assert_allclose(high_pass[1], (1.0, -1.99004745483398, 0.99007225036621), atol=1e-8)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_a_full_sine_in_one_channel_is_at_minus_3_01_lufs(rate: int) -> None:
    assert measured(sine(0.0, 5.0, rate), rate) == pytest.approx(-3.01, abs=0.04)
    both = np.stack([sine(-23.0, 5.0, rate)] * 2, axis=1)
    assert measured(both, rate) == pytest.approx(-23.0, abs=0.04)


def test_what_is_soft_beside_the_rest_does_not_count() -> None:
    """As in EBU Tech 3341, case 3: -36, -23 and -36 dBFS in stereo are -23 LUFS."""
    parts = np.concatenate([sine(-36.0, 4.0), sine(-23.0, 24.0), sine(-36.0, 4.0)])
    assert measured(np.stack([parts, parts], axis=1)) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_it_agrees_with_another_meter(rate: int) -> None:
    audio = music(rate)
    assert measured(audio, rate) == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(audio), abs=0.1)


@pytest.mark.parametrize("block", [1000, 44_100, 1_000_000])
def test_block_sizes_change_nothing(block: int) -> None:
    audio = music(44_100, 4.0)
    assert measured(audio, 44_100, block) == pytest.approx(measured(audio, 44_100, 317), abs=1e-9)


@pytest.mark.parametrize("audio", [np.zeros((96_000, 2), np.float32), np.ones((1000, 2), np.float32)])
def test_silence_and_what_is_too_short_have_no_loudness(audio: FloatArray) -> None:
    assert measured(audio) == -math.inf
