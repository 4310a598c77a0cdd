"""Which recording an unrecorded key is heard from: samples serve several keys, and their borders can be told.

Two neighbouring keys of one recording move alike, transposed; two recordings do not. A key between two recordings
belongs to one of them, and makers of samples mostly give equally many keys to each: it falls to the one that serves
fewer, and where both serve as many to the higher one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Takes:
    """The recordings of one timbre.

    Parameters
    ----------
    keys : int64 (K,), recorded MIDI keys, rising
    take : int64 (K,), which recording each key is of: the same number for those of one
    """

    def __init__(self, keys: NDArray[np.int64], take: NDArray[np.int64]) -> None:
        self.keys = keys
        self._take = np.unique(take, return_inverse=True)[1]
        self._span = np.array([np.ptp(keys[self._take == one]) for one in range(self._take.max() + 1)])

    def lender(self, key: float, without_own: bool = False) -> int:
        """Return the index of the recorded key that a key is heard from.

        `without_own` looks among the other keys, as if this one had not been recorded.
        """
        below = np.flatnonzero(self.keys < key) if without_own else np.flatnonzero(self.keys <= key)
        above = np.flatnonzero(self.keys > key) if without_own else np.flatnonzero(self.keys >= key)
        if not below.size or not above.size:
            return int(below[-1] if below.size else above[0] if above.size else 0)
        low, high = int(below[-1]), int(above[0])
        nearest = low if key - self.keys[low] < self.keys[high] - key else high
        spans = self._span[self._take[[low, high]]]
        if without_own or self._take[low] == self._take[high] or spans[0] == spans[1]:
            return nearest
        return low if spans[0] < spans[1] else high
