"""Shaped noise without a generator call per voice: spectra of one calm noise, which every voice enters elsewhere."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...hashing import mix
from ...spectra.spec import AudioSpec
from ...spectra.stft import hann

PERIOD = 2**18
"""Samples after which the noise comes again: 12 s at 22,050 Hz."""
ROOT = 81007
"""The odd number nearest to the golden part of half a period; 15 quotients of the continued fraction are 1."""


class NoiseBank:
    """Noise for windows of two hops.

    Which table row a voice takes at a spectral frame depends on its seed and the frame's number alone, so that
    neither block sizes nor other voices change the samples.

    Attributes
    ----------
    bins : slice
        Which bins of the spec's analysis it needs, K of them: its FFT is an integer part of the analysis FFT.
    window : float32 (2 * hop_length,)
        What the inverse transforms of shaped spectra are multiplied by.
    """

    def __init__(self, spec: AudioSpec) -> None:
        length = 2 * spec.hop_length
        self.bins = slice(None, None, spec.n_fft // length)
        self._table = noise_spectra(length)
        self.window = np.sqrt(hann(length)) * np.float32(noise_scale(spec) * np.sqrt(length / 2.0))

    def frames(self, magnitude: FloatArray, seeds: NDArray[np.uint64], frame: NDArray[np.int64]) -> FloatArray:
        """Return windowed noise (V, T, 2 * hop_length) to overlap by half.

        Parameters
        ----------
        magnitude : float32 (V, T, K)
            Square root of power relative to a full-scale sine, as the spec's window sees it, in `bins`.
        seeds, frame : (V,) and (V, T)
        """
        shaped = self._table.take(table_rows(seeds, frame, len(self._table)), axis=0)
        shaped *= magnitude
        noise: FloatArray = np.fft.irfft(shaped, axis=-1).astype(np.float32, copy=False)
        noise *= self.window
        return noise


def table_rows(seeds: NDArray[np.uint64], frame: NDArray[np.int64], count: int) -> NDArray[np.intp]:
    """Return which of `count` consecutive spectra voices (V,) take at frames (V, T): on from a place of their own."""
    return ((mix(seeds)[:, None] + frame.astype(np.uint64)) % np.uint64(count)).astype(np.intp)


@lru_cache(maxsize=4)
def noise_spectra(length: int) -> NDArray[np.complex64]:
    """Return the spectra (PERIOD / hop, length // 2 + 1) of frames of `calm_noise` that overlap by half.

    The window is the root of a Hann window; synthesised under it again, times the root of length / 2, and overlapped,
    they give the noise back. The same table for all who ask.
    """
    hop = length // 2
    noise = calm_noise()
    frames = np.lib.stride_tricks.sliding_window_view(np.concatenate([noise, noise[:hop]]), length)[::hop]
    scale = np.sqrt(hann(length).astype(np.float64) * 2.0 / length)
    table: NDArray[np.complex64] = np.fft.rfft(frames * scale, axis=-1).astype(np.complex64)
    table.setflags(write=False)
    return table


@cache
def calm_noise() -> NDArray[np.float64]:
    """Return a period of white noise of deviation 1 whose short-time spectra are more even than those of chance.

    Gaussian noise has holes all over its spectrogram, at other places than the noise of a recording: the logarithms of
    two such magnitudes differ by 0.69 in the mean. No sound has fewer holes, but they can lie on a lattice. Those of a
    Zadoff-Chu sequence ``exp(i pi u m^2 / M)`` (Chu, 1972) do, and where u / M is near the golden ratio, which
    fractions approach most slowly, no window length sees that lattice from a side on which it has gaps: logarithms
    differ by 0.57 from those of a recording's noise, whatever the window. Here it is the spectrum of a real sound.
    """
    half = PERIOD // 2
    order = np.arange(half, dtype=np.int64)
    turns = order * order % PERIOD * ROOT % PERIOD
    sequence = np.fft.fftshift(np.fft.fft(np.exp(1j * np.pi / half * turns)))
    noise: NDArray[np.float64] = np.fft.irfft(np.append(sequence, 0.0), PERIOD)
    noise /= noise.std()
    noise.setflags(write=False)
    return noise


def noise_scale(spec: AudioSpec) -> float:
    """Return the standard deviation of white noise that shows power 1 in every bin of the spec's analysis."""
    window = hann(spec.n_fft).astype(np.float64)
    return float(window.sum() / (2.0 * np.sqrt((window**2).sum())))
