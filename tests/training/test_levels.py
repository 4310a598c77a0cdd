"""Levels mean what they say: decibels of power relative to a full-scale sine, there and back."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.stft import (
    hann,
    level_from_power,
    mel_edges_hz,
    mel_filterbank,
    power_from_level,
    power_spectrogram,
)

SPEC = AudioSpec()
BIN_HZ = SPEC.sample_rate / SPEC.n_fft


def decibels(level: FloatArray) -> FloatArray:
    return level * SPEC.level_scale_db + SPEC.floor_db


def sine_levels(hz: float, amplitude: float) -> tuple[FloatArray, FloatArray]:
    """Return linear (N,) and mel (F,) levels in dB in the middle of a second of a sine."""
    time_s = np.arange(SPEC.sample_rate) / SPEC.sample_rate
    audio = (amplitude * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)
    power = power_spectrogram(audio, SPEC)[40:41]
    linear, mel = (level_from_power(p, SPEC)[0] for p in (power, power @ mel_filterbank(SPEC).T))
    return decibels(linear), decibels(mel)


def test_levels_survive_the_way_to_power_and_back() -> None:
    levels = np.linspace(0.0, 3.0, 1001, dtype=np.float32)
    np.testing.assert_allclose(level_from_power(power_from_level(levels, SPEC), SPEC), levels, atol=2e-6)


def test_power_survives_the_way_to_levels_and_back() -> None:
    power = np.logspace(-9.9, 2, 500).astype(np.float32)
    np.testing.assert_allclose(power_from_level(level_from_power(power, SPEC), SPEC), power, rtol=2e-5)


def test_silence_is_exactly_zero_both_ways() -> None:
    quiet = np.array([0.0, 1e-12, 1e-10], np.float32)
    assert not level_from_power(quiet, SPEC).any()
    assert not power_from_level(np.array([0.0, -0.1, -5.0], np.float32), SPEC).any()


@pytest.mark.parametrize("bin_index", [20, 93, 300])
def test_a_full_scale_sine_is_0_db_in_its_bin(bin_index: int) -> None:
    linear, _ = sine_levels(bin_index * BIN_HZ, 1.0)
    assert int(np.argmax(linear)) == bin_index
    assert linear[bin_index] == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("band", [5, 30, 60, 75])
def test_a_sine_shows_in_mel_what_its_band_takes_of_its_lobe(band: int) -> None:
    """A band adds up the power of the bins beneath it; a Hann window shows a sine in three or four of them."""
    hz = float(mel_edges_hz(SPEC)[band + 1])
    offset = np.arange(SPEC.num_bins) - hz / BIN_HZ
    near = np.abs(np.abs(offset) - 1.0) < 1e-6
    lobe = np.where(near, 0.5, np.sinc(offset) / np.where(near, 1.0, 1.0 - offset**2)) ** 2
    expected = 10 * np.log10((lobe * mel_filterbank(SPEC)[band]).sum())
    _, mel = sine_levels(hz, 1.0)
    assert mel[band] == pytest.approx(expected, abs=0.1)
    assert int(np.argmax(mel)) == band
    assert -0.1 < mel[band] < 10 * np.log10(1.5) + 0.1  # a lobe holds 1.5 times its peak's power


@pytest.mark.parametrize("amplitude_db", [-6.0, -20.0, -40.0])
def test_ten_times_the_amplitude_is_20_db_and_not_10(amplitude_db: float) -> None:
    hz = 93 * BIN_HZ
    full, quieter = sine_levels(hz, 1.0), sine_levels(hz, 10 ** (amplitude_db / 20))
    for loud, quiet in zip(full, quieter, strict=True):
        top = int(np.argmax(loud))
        assert quiet[top] - loud[top] == pytest.approx(amplitude_db, abs=0.1)


def test_the_window_is_periodic() -> None:
    window = hann(SPEC.n_fft)
    assert window[0] == 0.0
    assert window[1] == window[-1]
    overlapped = (window**2).reshape(4, -1).sum(0)
    np.testing.assert_allclose(overlapped, 1.5, rtol=1e-6)


def test_no_band_is_empty_and_every_bin_is_heard() -> None:
    bank = mel_filterbank(SPEC)
    assert (bank.sum(1) > 0.9).all()
    assert (bank.sum(0)[1:-20] > 0.5).all()  # the top band falls to nothing at the Nyquist frequency
