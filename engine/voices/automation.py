"""Continuous controls on absolute sample time: the same samples come out however time is cut into blocks."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

_BEFORE_TIME = -1
Value = TypeVar("Value", float, tuple[float, ...])


class StepTimeline(Generic[Value]):
    """A value, or K values, that jump at known samples, answered for every sample since the past was forgotten."""

    def __init__(self, value: Value) -> None:
        self._starts = [_BEFORE_TIME]
        self._values: list[Value] = [value]

    @property
    def latest(self) -> Value:
        """The value after all known jumps."""
        return self._values[-1]

    def set(self, sample: int, value: Value) -> bool:
        """Jump to `value` at `sample`, which must not precede an earlier jump; return whether that is a change."""
        if value == self._values[-1]:
            return False
        if sample == self._starts[-1]:
            self._values[-1] = value
        else:
            self._starts.append(sample)
            self._values.append(value)
        return True

    def at(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the value at each sample, same shape, or (..., K)."""
        index = np.searchsorted(np.asarray(self._starts), samples, side="right") - 1
        return np.asarray(self._values)[np.maximum(index, 0)]

    def forget(self) -> None:
        """Drop all jumps but the latest, before which nobody will ask again."""
        del self._starts[:-1], self._values[:-1]
