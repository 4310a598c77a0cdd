"""Shaped noise without a generator call per voice: a fixed table of noise spectra, drawn from by hash."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..chance import mix
from ..spec import AudioSpec
from ..spectral import FloatArray, hann

TABLE_FRAMES = 1024
TABLE_SEED = 20611


class NoiseBank:
    """Gaussian noise spectra for windows of two hops.

    Which table row a voice takes at a spectral frame depends on its seed and the frame's number alone, so that
    neither block sizes nor other voices change the samples.

    Attributes
    ----------
    bins : slice
        Which bins of the spec's analysis it needs, K of them: its FFT is an integer part of the analysis FFT.
    """

    def __init__(self, spec: AudioSpec) -> None:
        length = 2 * spec.hop_length
        self.bins = slice(None, None, spec.n_fft // length)
        self._table = _table(length // 2 + 1)
        self._window = np.sqrt(hann(length)) * np.float32(noise_scale(spec) * np.sqrt(length / 2.0))

    def frames(self, magnitude: FloatArray, seeds: NDArray[np.uint64], frame: NDArray[np.int64]) -> FloatArray:
        """Return windowed noise (V, T, 2 * hop_length) to overlap by half.

        Parameters
        ----------
        magnitude : float32 (V, T, K)
            Square root of power relative to a full-scale sine, as the spec's window sees it, in `bins`.
        seeds, frame : (V,) and (V, T)
        """
        steps = frame.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        row = (mix(seeds[:, None] + steps) % np.uint64(TABLE_FRAMES)).astype(np.intp)
        shaped = self._table.take(row, axis=0)
        shaped *= magnitude
        noise: FloatArray = np.fft.irfft(shaped, axis=-1).astype(np.float32, copy=False)
        noise *= self._window
        return noise


@lru_cache(maxsize=4)
def _table(num_bins: int) -> NDArray[np.complex64]:
    """Return normal numbers (TABLE_FRAMES, num_bins), the same for all who ask: they are dear to draw."""
    rng = np.random.default_rng(TABLE_SEED)
    shape = (TABLE_FRAMES, num_bins)
    table: NDArray[np.complex64] = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    table.setflags(write=False)
    return table


def noise_scale(spec: AudioSpec) -> float:
    """Return the standard deviation of white noise that shows power 1 in every bin of the spec's analysis."""
    window = hann(spec.n_fft).astype(np.float64)
    return float(window.sum() / (2.0 * np.sqrt((window**2).sum())))
