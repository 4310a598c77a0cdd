"""The noise that decoders shape is white, has fewer dips than chance has, and is the same noise in whatever frames."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.decoders.parts.noise import PERIOD, calm_noise, noise_spectra, table_rows
from tnca_synth.engine.spectra.stft import hann

GAUSSIAN = np.random.default_rng(5).standard_normal(PERIOD)


def log_magnitudes(noise: np.ndarray, length: int) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(noise, length)[:: length // 4]
    return np.log(np.abs(np.fft.rfft(frames * hann(length)))[:, 2:-2])


def test_it_is_white_over_its_period() -> None:
    noise = calm_noise()
    assert len(noise) == PERIOD
    power = np.abs(np.fft.rfft(noise)) ** 2 / PERIOD
    np.testing.assert_allclose(power[1:-1], 1.0, atol=1e-4)
    assert noise.std() == pytest.approx(1.0)
    assert abs(noise.mean()) < 0.01


def slow_sway(noise: np.ndarray, centre_hz: float) -> float:
    """Return the power of the envelope's movements between 1 and 25 Hz in a band as wide as the ear's."""
    hz = np.fft.fftfreq(PERIOD, 1.0 / 22050)
    width = 24.7 * (4.37e-3 * centre_hz + 1.0)  # of an auditory filter (Glasberg & Moore, 1990)
    band = np.where(hz > 0.0, (1.0 + ((hz - centre_hz) / (1.019 * width)) ** 2) ** -2.0, 0.0)
    envelope = np.abs(np.fft.ifft(np.fft.fft(noise) * band))
    power = np.abs(np.fft.rfft(envelope / envelope.mean())) ** 2
    return float(power[(np.abs(hz[: len(power)]) > 1.0) & (np.abs(hz[: len(power)]) < 25.0)].sum())


@pytest.mark.parametrize("centre_hz", [300.0, 1200.0, 4800.0])
def test_it_neither_pulses_nor_swells(centre_hz: float) -> None:
    assert slow_sway(calm_noise(), centre_hz) < 0.05 * slow_sway(GAUSSIAN, centre_hz)


@pytest.mark.parametrize("length", [64, 128, 256, 512, 1024, 2048, 4096])
def test_its_spectra_are_more_even_than_those_of_chance_at_every_window(length: int) -> None:
    calm, chance = log_magnitudes(calm_noise(), length), log_magnitudes(GAUSSIAN, length)
    assert calm.std() < 0.45 < 0.6 < chance.std()
    other = log_magnitudes(np.random.default_rng(6).standard_normal(PERIOD), length)
    assert np.abs(chance - other).mean() > 0.67
    assert np.abs(calm - np.median(calm) - other + np.median(other)).mean() < 0.6


@pytest.mark.parametrize("length", [256, 512])
def test_overlapped_frames_give_it_back(length: int) -> None:
    hop = length // 2
    frames = np.fft.irfft(noise_spectra(length)) * np.sqrt(hann(length)) * np.sqrt(length / 2)
    sound = np.zeros(PERIOD + hop)
    for at, frame in enumerate(frames):
        sound[at * hop : at * hop + length] += frame
    np.testing.assert_allclose(sound[hop:PERIOD], calm_noise()[hop:], atol=1e-5)


def test_voices_go_through_it_frame_by_frame_each_from_its_own_place() -> None:
    rows = table_rows(np.array([1, 2], np.uint64), np.array([[4, 5, 6], [0, 1, 2]]), 1024)
    assert (np.diff(rows) % 1024 == 1).all()
    assert rows[0, 0] - 4 != rows[1, 0]
