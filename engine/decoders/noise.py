"""Shaped noise without a generator call per voice: a fixed table of noise spectra, drawn from by hash."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..chance import mix
from ..spec import AudioSpec
from ..spectral import FloatArray, hann

TABLE_FRAMES = 1024
TABLE_SEED = 20611


class NoiseBank:
    """Gaussian noise spectra of one FFT length.

    Which table row a voice takes at a spectral frame depends on its seed and the frame's number alone, so that
    neither block sizes nor other voices change the samples.
    """

    def __init__(self, length: int) -> None:
        rng = np.random.default_rng(TABLE_SEED)
        shape = (TABLE_FRAMES, length // 2 + 1)
        self.length = length
        self._table = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
        self._window = np.sqrt(hann(length))

    def frames(
        self, magnitude: FloatArray, seeds: NDArray[np.uint64], frame: NDArray[np.int64], spec: AudioSpec
    ) -> FloatArray:
        """Return windowed noise (V, T, length) to overlap by half.

        Parameters
        ----------
        magnitude : float32 (V, T, spec.num_bins)
            Square root of power relative to a full-scale sine, as the spec's window sees it.
        seeds, frame : (V,) and (V, T)
        """
        steps = frame.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        row = (mix(seeds[:, None] + steps) % np.uint64(TABLE_FRAMES)).astype(np.intp)
        shaped = self._table[row] * self._resample(magnitude)
        scale = noise_scale(spec) * np.sqrt(self.length / 2.0)
        noise: FloatArray = np.fft.irfft(shaped, axis=-1).astype(np.float32)
        return (noise * (self._window * np.float32(scale))).astype(np.float32)

    def _resample(self, magnitude: FloatArray) -> FloatArray:
        """Take every so many-th bin: the noise FFT is an integer part of the analysis FFT."""
        stride = (magnitude.shape[-1] - 1) // (self.length // 2)
        return magnitude[..., ::stride]


def noise_scale(spec: AudioSpec) -> float:
    """Return the standard deviation of white noise that shows power 1 in every bin of the spec's analysis."""
    window = hann(spec.n_fft).astype(np.float64)
    return float(window.sum() / (2.0 * np.sqrt((window**2).sum())))
