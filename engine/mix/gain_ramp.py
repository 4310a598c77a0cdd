"""Levels that move linearly from one target to the next."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


class GainRamp:
    """A few levels that move linearly to each new target within a fixed number of samples.

    Parameters
    ----------
    levels : (K,)
        Where they start.
    length : int
        Samples from one target to the next.
    """

    def __init__(self, levels: ArrayLike, length: int) -> None:
        self._ramp = np.arange(length) / length
        self._length = length
        self._pending: list[tuple[int, NDArray[np.float64]]] = []
        self.jump(levels)

    def jump(self, levels: ArrayLike) -> None:
        """Be at `levels` at once, whatever was under way."""
        self._pending.clear()
        self._target = np.array(levels, np.float64)
        self._origin = self._target
        self._since = -self._length

    def move(self, sample: int, levels: ArrayLike) -> None:
        """Start towards `levels` at `sample`, which must not precede an earlier move."""
        self._pending.append((sample, np.array(levels, np.float64)))

    def curve(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return float32 (K, stop - start), or (K, 1) where nothing moves; time must only go forward."""
        due = self._take_due(stop)
        if not due and start - self._since >= self._length:
            return self._target[:, None].astype(np.float32)
        out = np.empty((self._target.size, stop - start), np.float32)
        position = start
        for sample, levels in due:
            self._fill(out[:, position - start : sample - start], position)
            self._turn(sample, levels)
            position = sample
        self._fill(out[:, position - start :], position)
        return out

    def skip(self, stop: int) -> None:
        """Take note of the moves before `stop` without computing a curve."""
        for sample, levels in self._take_due(stop):
            self._turn(sample, levels)

    def _take_due(self, stop: int) -> list[tuple[int, NDArray[np.float64]]]:
        """Return the moves before `stop` and forget them."""
        if not self._pending or self._pending[0][0] >= stop:
            return []
        due = [move for move in self._pending if move[0] < stop]
        del self._pending[: len(due)]
        return due

    def _turn(self, sample: int, levels: NDArray[np.float64]) -> None:
        done = sample - self._since
        if done < self._length:
            self._origin = self._origin + (self._target - self._origin) * self._ramp[done]
        else:
            self._origin = self._target
        self._target, self._since = levels, sample

    def _fill(self, out: NDArray[np.float32], position: int) -> None:
        done = position - self._since
        moving = min(max(self._length - done, 0), out.shape[1])
        if moving:
            change = self._target - self._origin
            out[:, :moving] = self._origin[:, None] + change[:, None] * self._ramp[done : done + moving]
        out[:, moving:] = self._target[:, None]
