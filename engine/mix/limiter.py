"""A brickwall limiter: 0.5 ms of look-ahead, exact silence of its own below the ceiling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray

CEILING = 10.0 ** (-0.1 / 20.0)
LOOK_AHEAD_S = 0.0005
RELEASE_DB_PER_S = 60.0
_UNITS_PER_DB = 1_000_000  # integers: sums and running maxima are then exact, so block edges leave no trace


def moving_max(values: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """Return the maximum of each `window` neighbours, (N - window + 1,), by doubling."""
    width = 1
    while width < window:
        shift = min(width, window - width)
        values = np.maximum(values[:-shift], values[shift:])
        width += shift
    return values


class Limiter:
    """Keeps every output value within `CEILING`; where nothing exceeds it, the values pass unchanged.

    The reduction in dB is the smallest that suffices, held over the look-ahead, released at a constant
    `RELEASE_DB_PER_S`, and averaged over the look-ahead so that it moves in straight lines. Both audio channels
    share it. Output lags input by `look_ahead_frames`.
    """

    def __init__(self, sample_rate: int) -> None:
        self.look_ahead_frames = max(1, round(LOOK_AHEAD_S * sample_rate))
        self._release = round(RELEASE_DB_PER_S / sample_rate * _UNITS_PER_DB)
        self._delayed = np.zeros((2, self.look_ahead_frames), np.float32)
        self._envelope = np.zeros(2 * self.look_ahead_frames, np.int64)

    def process(self, block: FloatArray) -> FloatArray:
        """Take float32 (2, N) and return the N frames that are `look_ahead_frames` older."""
        num_frames = block.shape[1]
        line = np.concatenate((self._delayed, block), axis=1)
        self._delayed = line[:, num_frames:].copy()
        level = np.abs(block).max(axis=0)
        if not self._envelope.any() and not (level > CEILING).any():
            return line[:, :num_frames]
        return line[:, :num_frames] * self._gain(level)

    def _gain(self, level: FloatArray) -> FloatArray:
        """Return the gain of the delayed frames, float32 (N,), given the levels (N,) of the newest."""
        over = np.maximum(level.astype(np.float64), CEILING) / CEILING
        needed = np.ceil(20.0 * np.log10(over) * _UNITS_PER_DB).astype(np.int64)
        slope = np.arange(len(needed) + 1) * self._release
        falling = np.concatenate((self._envelope[-1:], needed)) + slope
        envelope = np.concatenate((self._envelope, np.maximum.accumulate(falling)[1:] - slope[1:]))
        self._envelope = envelope[len(needed) :]
        window = self.look_ahead_frames + 1
        sums = np.concatenate(([0], np.cumsum(moving_max(envelope, window))))
        reduction_db = (sums[window:] - sums[:-window]) / (window * _UNITS_PER_DB)
        return (10.0 ** (-reduction_db / 20.0)).astype(np.float32)
