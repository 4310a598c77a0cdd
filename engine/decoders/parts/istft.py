"""The inverse short-time Fourier transform, frame by frame.

Letters: V voices, T frames, N bins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...spectra.stft import hann


class InverseSTFT:
    """Windows spectra, adds them up where they overlap, and divides by what the windows squared add up to.

    Parameters
    ----------
    n_fft, hop_length : int
    centred : bool
        Whether frame t lies around sample ``t * hop_length``, or around the middle of the hop that begins there.

    Attributes
    ----------
    lag_hops : hops by which the sound lags behind the frame that was given last
    tail_samples : samples to keep between calls
    """

    def __init__(self, n_fft: int, hop_length: int, centred: bool) -> None:
        before = n_fft // 2 if centred else (n_fft - hop_length) // 2  # samples of a window before its frame's hop
        self._hop = hop_length
        self._window = hann(n_fft)
        self.lag_hops = -(-before // hop_length)
        self._offset = self.lag_hops * hop_length - before
        self.tail_samples = self._offset + n_fft - hop_length
        weight = np.zeros(hop_length)
        np.add.at(weight, (self._offset + np.arange(n_fft)) % hop_length, self._window.astype(np.float64) ** 2)
        self._share = (self._window / np.tile(weight, -(-n_fft // hop_length) + 1)[self._offset :][:n_fft]).astype(
            np.float32
        )

    def push(self, spectra: NDArray[np.complex64], tail: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Add frames (V, T, N) to what is left (V, tail_samples); return the sound (V, T * hop_length) and the rest."""
        frames = np.fft.irfft(spectra, axis=-1).astype(np.float32) * self._share
        voices, count, length = frames.shape
        line = np.zeros((voices, self.tail_samples + count * self._hop), np.float32)
        line[:, : self.tail_samples] = tail
        for t in range(count):
            start = t * self._hop + self._offset
            line[:, start : start + length] += frames[:, t]
        return line[:, : count * self._hop], line[:, count * self._hop :]
