"""Arrays that the whole engine shares: their types, and rows that grow at their end while others read them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
SPARE = 0.25
"""Part of its rows that an array gets room for beyond what it needs, once it has grown."""


class GrowingRows:
    """An array whose rows stay as they are, and to which further ones are added.

    Thread: one adds; any other may read `values`, of which nothing that is there changes.

    Parameters
    ----------
    first : (N, ...), the rows that are there from the start

    Attributes
    ----------
    values : (N, ...), all rows so far, in one piece
    """

    def __init__(self, first: NDArray[Any]) -> None:
        self.values = self._room = np.ascontiguousarray(first)

    def __len__(self) -> int:
        """Return N."""
        return len(self.values)

    def add(self, rows: NDArray[Any]) -> None:
        """Add rows (M, ...) at the end."""
        count = len(self.values) + len(rows)
        if count > len(self._room):
            room = np.zeros((count + int(SPARE * count), *self.values.shape[1:]), self.values.dtype)
            room[: len(self.values)] = self.values
            self._room = room
        self._room[len(self.values) : count] = rows
        self.values = self._room[:count]
