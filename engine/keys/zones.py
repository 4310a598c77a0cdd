"""Which recording an unrecorded key is heard from: samples serve several keys, and their borders can be told.

Two neighbouring keys of one recording move alike, transposed; two recordings do not. A key between two recordings
belongs to one of them. A SoundFont says to which; elsewhere it is guessed. Where most recordings serve equally many
keys, it falls to the one that it makes as large as the others; else to the one that serves fewer, and where both serve
as many to the higher one.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

LARGEST_ZONE = 12
"""Keys that a recording of a regular set serves at most."""
IRREGULAR = 0.25
"""Share of the recordings that may serve another number of keys in a set that still counts as regular."""

Shares = tuple[int, int, tuple[int, ...]]
"""Zones of another size, keys that go elsewhere than they would without the rule, and the shares that were chosen."""


class KeyZones:
    """The recordings of one timbre.

    Parameters
    ----------
    keys : int64 (K,), recorded MIDI keys, rising
    take : int64 (K,), which recording each key is of: the same number for those of one, which lie side by side
    reach : int64 (K,), optional
        The highest key that is heard from each recorded one; without it that is guessed.
    """

    def __init__(
        self, keys: NDArray[np.int64], take: NDArray[np.int64], reach: NDArray[np.int64] | None = None
    ) -> None:
        self.keys = keys
        self._reach = reach
        begins = np.append(True, np.diff(take) != 0)
        self._begins = begins
        self._zone = np.cumsum(begins) - 1

    @cached_property
    def _to_lower(self) -> NDArray[np.int64]:
        """How many of the unrecorded keys between two zones fall to the lower one; most timbres are never asked."""
        return _shares(self.keys[self._begins], self.keys[np.append(self._begins[1:], True)])

    def root_key(self, key: float, without_own: bool = False) -> int:
        """Return the index of the recorded key that a key is heard from.

        `without_own` looks among the other keys, as if this one had not been recorded.
        """
        if self._reach is not None and not without_own:
            return min(int(np.searchsorted(self._reach, np.floor(key + 0.5))), len(self.keys) - 1)
        below = np.flatnonzero(self.keys < key) if without_own else np.flatnonzero(self.keys <= key)
        above = np.flatnonzero(self.keys > key) if without_own else np.flatnonzero(self.keys >= key)
        if not below.size or not above.size:
            return int(below[-1] if below.size else above[0] if above.size else 0)
        low, high = int(below[-1]), int(above[0])
        if without_own or self._zone[low] == self._zone[high]:
            return low if key - self.keys[low] < self.keys[high] - key else high
        return low if key - self.keys[low] < self._to_lower[self._zone[low]] + 0.5 else high


def _shares(lowest: NDArray[np.int64], highest: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of the unrecorded keys between two zones fall to the lower one, for each border."""
    missing, span = lowest[1:] - highest[:-1] - 1, highest - lowest
    fewer = np.where(span[:-1] < span[1:], missing, 0)
    usual = np.where(span[:-1] == span[1:], missing // 2, fewer)
    inner = len(span) - 2
    if inner < 1:
        return usual
    zones = [*zip((span + 1).tolist(), [*missing.tolist(), 0], [*usual.tolist(), 0], strict=True)]
    irregular, _, shares = min(_even(zones, size) for size in range(1, LARGEST_ZONE + 1))
    return np.array(shares[:-1], np.int64) if irregular <= IRREGULAR * inner else usual


def _even(zones: list[tuple[int, int, int]], size: int) -> Shares:
    """Return the shares with which most inner zones get `size` keys; how far the outer ones reach is not known.

    Zones are gone through in rising order; what matters of the choices so far is how many keys the next one got. Of
    each is known how many keys are recorded, how many are missing above it, and how many of those are usually its own.
    """
    best: dict[int, Shares] = {0: (0, 0, ())}
    for zone, (recorded, missing, usual) in enumerate(zones):
        is_inner = 0 < zone < len(zones) - 1
        following: dict[int, Shares] = {}
        for from_below, (others, moved, shares) in best.items():
            for share in range(missing + 1):
                is_other = is_inner and recorded + from_below + share != size
                choice = (others + is_other, moved + abs(share - usual), (*shares, share))
                onward = missing - share
                following[onward] = min(following.get(onward, choice), choice)
        best = following
    return best[0]
