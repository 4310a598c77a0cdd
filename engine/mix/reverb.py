"""A small hall: a feedback delay network (Jot & Chaigne, 1991) of 16 lines.

Letters: L lines, N samples.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..kernel.library import Reverb as ReverbState
from ..kernel.library import address, library

DECAY_S = 1.3
"""Seconds in which the low frequencies fall by 60 dB."""
DAMPING = 0.18
"""Share of the sample before in the filter of every line: the highest frequencies go first."""
TAIL_S = 2.2
"""Seconds after which what rings is below -100 dB."""
# Shortest and longest line in seconds; those between are spread evenly on a logarithmic scale.
_SHORTEST_S, _LONGEST_S = 0.0163, 0.0587
_NUM_LINES = 16
_WET = 0.246  # white noise sent in comes back 10 dB below what it was


class Reverb:
    """Mono in, stereo out; what it gives does not depend on how the sound is cut into calls.

    Parameters
    ----------
    sample_rate : int
        Hz.
    compiled : bool
        Whether the kernel's library does the work, if there is one.
    """

    def __init__(self, sample_rate: int, compiled: bool = False) -> None:
        self._library = library() if compiled else None
        self.tail_samples = round(TAIL_S * sample_rate)
        self._delays = _line_lengths(sample_rate)
        self._chunk = int(self._delays.min())
        self._size = int(self._delays.max())
        starts = np.arange(1, _NUM_LINES + 1) * self._size - self._delays
        self._leaving = starts[:, None] + np.arange(self._chunk)  # places in the lines, (L, chunk)
        gain = 10.0 ** (-3.0 * self._delays / (DECAY_S * sample_rate))
        self._matrix = (_hadamard(_NUM_LINES) * gain).astype(np.float32)  # (L, L): mixes and fades
        signs = _hadamard(_NUM_LINES) * np.sqrt(_NUM_LINES)
        self._out = (signs[[5, 10]] * _WET).astype(np.float32)  # (2, L): two rows that have nothing in common
        self._in = (signs[3] / np.sqrt(_NUM_LINES)).astype(np.float32)[:, None]
        self.clear()

    def clear(self) -> None:
        """Be silent, as at the beginning."""
        self._lines = np.zeros((_NUM_LINES, self._size), np.float32)  # oldest samples first
        self._before = np.zeros(_NUM_LINES, np.float32)  # what left the lines one sample ago
        self._entering = np.zeros_like(self._lines)
        kept = (self._delays, self._matrix, self._in, self._out, self._lines, self._before, self._entering)
        self._state = ReverbState(self._size, DAMPING, *(address(values) for values in kept))

    def process(self, send: FloatArray, start: int) -> FloatArray:
        """Return what comes back, float32 (2, N), of what is sent (N,); `start` plays no part."""
        out = np.empty((2, len(send)), np.float32)
        for first in range(0, len(send), self._chunk):
            piece = send[first : first + self._chunk]
            out[:, first : first + len(piece)] = self._advance(piece)
        return out

    def _advance(self, send: FloatArray) -> FloatArray:
        """Take at most as many samples as the shortest line holds."""
        count = len(send)
        if self._library is not None:
            out, send = np.empty((2, count), np.float32), np.ascontiguousarray(send)
            self._library.tnca_reverberate(ctypes.byref(self._state), address(send), count, address(out))
            return out
        leaving = self._lines.take(self._leaving[:, :count])
        damped = np.empty_like(leaving)
        damped[:, 0], damped[:, 1:] = self._before, leaving[:, :-1]
        damped *= np.float32(DAMPING)
        damped += np.float32(1.0 - DAMPING) * leaving
        entering = self._matrix @ damped + self._in * send
        self._lines = np.concatenate((self._lines[:, count:], entering), axis=1)
        self._before = leaving[:, -1]
        return self._out @ damped


def _line_lengths(sample_rate: int) -> NDArray[np.int64]:
    """Return lengths in samples (L,), all prime, so that their echoes do not fall together."""
    wanted = np.geomspace(_SHORTEST_S, _LONGEST_S, _NUM_LINES) * sample_rate
    lengths: list[int] = []
    for length in np.round(wanted).astype(int).tolist():
        while length in lengths or any(length % factor == 0 for factor in range(2, int(length**0.5) + 1)):
            length += 1
        lengths.append(length)
    return np.array(lengths, np.int64)


def _hadamard(size: int) -> NDArray[np.float64]:
    """Return a Hadamard matrix scaled to keep energy; `size` is a power of two (Sylvester, 1867)."""
    matrix = np.ones((1, 1))
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix / np.sqrt(size)
