"""Vibrato found in sounds whose pitch is known."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.training.measure.note_features import tonal_and_noise
from tnca_synth.training.measure.pitch_track import measure_sway, straighten

pytestmark = pytest.mark.slow

SPEC = AudioSpec()
SECONDS = 2.0


def tone(cents: np.ndarray | float, f0_hz: float = 440.0, partials: int = 8) -> np.ndarray:
    """Return a harmonic tone whose pitch is off by cents at every sample."""
    count = int(SECONDS * SPEC.sample_rate)
    turns = np.cumsum(np.broadcast_to(2.0 ** (np.asarray(cents) / 1200.0), count)) * f0_hz / SPEC.sample_rate
    return sum(0.2 / h * np.sin(2 * np.pi * h * turns) for h in range(1, partials + 1)).astype(np.float32)


def wave(depth_cents: float, rate_hz: float) -> np.ndarray:
    return depth_cents * np.sin(2 * np.pi * rate_hz * np.arange(int(SECONDS * SPEC.sample_rate)) / SPEC.sample_rate)


@pytest.mark.parametrize(("f0_hz", "depth"), [(110.0, 25.0), (440.0, 20.0), (1760.0, 40.0)])
def test_vibrato_is_followed(f0_hz: float, depth: float) -> None:
    wanted = wave(depth, 5.5)
    sway = measure_sway(tone(wanted, f0_hz), f0_hz, 0.0, SPEC)
    inner = slice(12, len(sway) - 12)
    at_frames = wanted[:: SPEC.hop_length][: len(sway)]
    error = 100.0 * sway[: len(at_frames)][inner] - at_frames[inner]
    assert np.abs(error).max() < 0.15 * depth


def test_a_steady_pitch_does_not_sway() -> None:
    assert not measure_sway(tone(0.0), 440.0, 0.0, SPEC).any()


def test_a_scoop_into_the_note_is_followed() -> None:
    time_s = np.arange(int(SECONDS * SPEC.sample_rate)) / SPEC.sample_rate
    sway = measure_sway(tone(-60.0 * np.exp(-time_s / 0.3)), 440.0, 0.0, SPEC)
    assert -0.55 < sway[12] < -0.25
    assert abs(sway[120]) < 0.02


def test_several_voices_that_waver_apart_have_no_common_sway() -> None:
    voices = sum(tone(wave(45.0, rate), 440.0 * detune) for rate, detune in ((4.1, 0.985), (5.3, 1.0), (6.7, 1.017)))
    assert not measure_sway(voices, 440.0, 0.0, SPEC).any()


def test_noise_hardly_sways_and_silence_not_at_all() -> None:
    noise = np.random.default_rng(0).standard_normal(40_000).astype(np.float32)
    assert np.abs(measure_sway(0.1 * noise, 440.0, 0.0, SPEC)).max() < 0.05
    assert not measure_sway(np.zeros(40_000, np.float32), 440.0, 0.0, SPEC).any()


def test_a_fundamental_above_all_bins_does_not_sway() -> None:
    sway = measure_sway(np.zeros(5_000, np.float32), 12_000.0, 0.0, SPEC)
    assert sway.shape == (5_000 // SPEC.hop_length + 1,)
    assert not sway.any()


def test_a_straightened_tone_stands_still() -> None:
    swaying = tone(wave(30.0, 5.5))
    straight, frames = straighten(swaying, measure_sway(swaying, 440.0, 0.0, SPEC), SPEC)
    inner = straight[2_000:-2_000]
    again, _ = straighten(inner, np.zeros(len(inner) // SPEC.hop_length + 1, np.float32), SPEC)
    np.testing.assert_allclose(again[500:-500], inner[500 : len(again) - 500], atol=2e-3)
    assert np.abs(100.0 * measure_sway(inner, 440.0, 0.0, SPEC)).max() < 6.0
    assert np.abs(np.diff(frames) - 1).max() <= 1
    assert frames[-1] <= len(straight) // SPEC.hop_length


def test_what_only_sways_is_no_noise() -> None:
    swaying = tone(wave(40.0, 5.5), partials=20)
    sway = measure_sway(swaying, 440.0, 0.0, SPEC)
    along, steady = (
        tonal_and_noise(swaying, 440.0, 0.0, moved, SPEC)[1][20:100].sum() for moved in (sway, np.zeros_like(sway))
    )
    assert along < 0.05 * steady
