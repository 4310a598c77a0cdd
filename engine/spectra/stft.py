"""The one STFT, mel filterbank and level scale; numpy only, used by training and engine alike."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from .spec import AudioSpec


@lru_cache(maxsize=16)
def hann(length: int) -> FloatArray:
    """Return a periodic Hann window, float32 (length,)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return window.astype(np.float32)


def hz_to_mel(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Convert Hz to mel on Slaney's scale: linear below 1 kHz, logarithmic above (Auditory Toolbox, 1998)."""
    hz = np.asarray(hz, dtype=np.float64)
    log_part = 15.0 + np.log(np.maximum(hz, 1.0) / 1000.0) * 27.0 / np.log(6.4)
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, log_part)


def mel_to_hz(mel: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Invert `hz_to_mel`."""
    mel = np.asarray(mel, dtype=np.float64)
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


@lru_cache(maxsize=16)
def mel_edges_hz(spec: AudioSpec) -> NDArray[np.float64]:
    """Return the band edges, float64 (num_mels + 2,): band m rises from edge m, peaks at m + 1, ends at m + 2."""
    return mel_to_hz(np.linspace(0.0, float(hz_to_mel(spec.sample_rate / 2)), spec.num_mels + 2))


@lru_cache(maxsize=16)
def mel_filterbank(spec: AudioSpec) -> FloatArray:
    """Return triangular filters on power, float32 (num_mels, num_bins).

    Peak height is 1, so that one sinusoid keeps the same level in both representations. Low bands narrower
    than a bin are widened to one bin, so that none is ever empty.
    """
    bins_hz = np.arange(spec.num_bins) * spec.sample_rate / spec.n_fft
    edges = mel_edges_hz(spec)
    bin_hz = spec.sample_rate / spec.n_fft
    centre = edges[1:-1, None]
    rising = 1 + (bins_hz - centre) / np.maximum(centre - edges[:-2, None], bin_hz)
    falling = 1 - (bins_hz - centre) / np.maximum(edges[2:, None] - centre, bin_hz)
    return np.clip(np.minimum(rising, falling), 0.0, None).astype(np.float32)


@lru_cache(maxsize=16)
def bins_among_bands(spec: AudioSpec) -> tuple[NDArray[np.intp], FloatArray]:
    """Return the mel band below each linear bin, and how far the bin lies towards the next one, each (num_bins,).

    Bins beyond the outermost bands lie at them.
    """
    bins_hz = np.arange(spec.num_bins) * spec.sample_rate / spec.n_fft
    at = np.interp(bins_hz, mel_edges_hz(spec)[1:-1], np.arange(spec.num_mels))
    low = np.minimum(at.astype(np.intp), spec.num_mels - 2)
    return low, (at - low).astype(np.float32)


@lru_cache(maxsize=64)
def bands_among_bands(spec: AudioSpec, num_bands: int) -> tuple[NDArray[np.intp], FloatArray]:
    """Return where each of `num_bands` mel bands lies among the spec's, as `bins_among_bands` does for bins."""
    centres_hz = mel_edges_hz(replace(spec, num_mels=num_bands))[1:-1]
    at = np.interp(centres_hz, mel_edges_hz(spec)[1:-1], np.arange(spec.num_mels))
    low = np.minimum(at.astype(np.intp), spec.num_mels - 2)
    return low, (at - low).astype(np.float32)


def stft(audio: FloatArray, n_fft: int, hop_length: int, window: FloatArray | None = None) -> NDArray[np.complex64]:
    """Short-time Fourier transform with centred windows, zeros beyond the ends, no scaling.

    Parameters
    ----------
    audio : float32 (N,)
    window : float32 (n_fft,), a Hann window by default

    Returns
    -------
    complex64 (T, n_fft // 2 + 1) with T = N // hop_length + 1; frame t is centred at sample t * hop_length.
    """
    window = hann(n_fft) if window is None else window
    padded = np.pad(np.asarray(audio, np.float32), n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    return np.fft.rfft(frames * window, axis=-1).astype(np.complex64)


def power_spectrogram(audio: FloatArray, spec: AudioSpec) -> FloatArray:
    """Return power relative to a full-scale sine, float32 (T, num_bins): a sine of amplitude 1 peaks at 1."""
    scale = 2.0 / float(hann(spec.n_fft).sum())
    magnitude = np.abs(stft(audio, spec.n_fft, spec.hop_length)) * scale
    power: FloatArray = (magnitude**2).astype(np.float32)
    return power


def level_from_power(power: FloatArray, spec: AudioSpec) -> FloatArray:
    """Turn power into level (see `AudioSpec`): 0 is silence, exactly."""
    floor = 10.0 ** (spec.floor_db / 10.0)
    above_db = 10.0 * np.log10(np.maximum(power, floor)) - spec.floor_db
    # At the floor, logarithms of some processors are a little below it.
    return (np.maximum(above_db, 0.0) / spec.level_scale_db).astype(np.float32)


def power_from_level(level: FloatArray, spec: AudioSpec) -> FloatArray:
    """Invert `level_from_power`; level 0 and below gives exactly 0."""
    db = np.maximum(level, 0.0) * spec.level_scale_db + spec.floor_db
    return np.where(level > 0.0, 10.0 ** (db / 10.0), 0.0).astype(np.float32)
