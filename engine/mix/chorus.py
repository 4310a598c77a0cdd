"""Chorus: the sound beside itself, late by a time that swings, and swings otherwise on the left than on the right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray

RATE_HZ = 0.5
DELAY_S = 0.014
DEPTH_S = 0.0028
"""The delay swings this much either way: at `RATE_HZ` by 15 cents."""
TAIL_S = 0.02
_PHASES = (0.0, 0.25)  # of the left and the right swing, in turns
_WET = 0.7
_MARGIN = 3  # samples that interpolation wants around a delay


class Chorus:
    """Mono in, stereo out, without feedback.

    Parameters
    ----------
    sample_rate : int
        Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.tail_samples = round(TAIL_S * sample_rate)
        self._rate = sample_rate
        self._size = round((DELAY_S + DEPTH_S) * sample_rate) + _MARGIN
        self.clear()

    def clear(self) -> None:
        """Be silent, as at the beginning."""
        self._past = np.zeros(self._size, np.float32)

    def process(self, send: FloatArray, start: int) -> FloatArray:
        """Return what comes back, float32 (2, N), of what is sent (N,) from absolute sample `start` on."""
        line = np.concatenate((self._past, send))
        self._past = line[len(send) :]
        now = np.arange(len(send))
        turns = (start + now) * (RATE_HZ / self._rate)
        swing = np.sin(2.0 * np.pi * (turns + np.array(_PHASES)[:, None]))
        place = now + self._size - (DELAY_S + DEPTH_S * swing) * self._rate
        return np.float32(_WET) * _interpolated(line, place)


def _interpolated(line: FloatArray, place: NDArray[np.float64]) -> FloatArray:
    """Return a signal (M,) between its samples at places (2, N), by cubics through four (Catmull & Rom, 1974)."""
    whole = np.floor(place).astype(np.intp)
    x = (place - whole).astype(np.float32)
    a, b, c, d = (line[whole + offset] for offset in (-1, 0, 1, 2))
    half = np.float32(0.5)
    cubic = half * (d - a) + np.float32(1.5) * (b - c)
    square = a - np.float32(2.5) * b + np.float32(2.0) * c - half * d
    return ((cubic * x + square) * x + half * (c - a)) * x + b
