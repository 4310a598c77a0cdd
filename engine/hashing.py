"""Chance that depends only on what it is for: the same seed, note and frame give the same dice in any block."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_WORD = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15


def mix(values: ArrayLike) -> NDArray[np.uint64]:
    """Scramble 64-bit integers, uint64 of the same shape (the finalizer of SplitMix64, Steele et al., 2014)."""
    z = np.array(values, np.uint64, ndmin=1)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def note_seed(seed: int, note_id: int) -> int:
    """Return a note's own seed, 64 bits."""
    root, note = mix([seed & _WORD, (note_id * _GOLDEN + 1) & _WORD]).tolist()
    return int(mix([root ^ note])[0])


class FireDice:
    """Draws which cells update.

    Parameters
    ----------
    fire_rate : float
        Probability 0..1 that a cell updates in a step; 1 draws nothing.
    steps_per_hop, num_cells : int
        K and F of a mask.
    """

    def __init__(self, fire_rate: float, steps_per_hop: int, num_cells: int) -> None:
        self._shape = (steps_per_hop, num_cells)
        self._always = fire_rate >= 1.0
        self._ones = np.ones((0, *self._shape), np.float32)
        # 53 bits are what a float64 threshold can tell apart.
        self._scale = min(max(fire_rate, 0.0), 1.0) * 2**53
        self._threshold = np.uint64(round(self._scale))
        self._cells = mix(np.arange(1, steps_per_hop * num_cells + 1, dtype=np.uint64) * np.uint64(_GOLDEN))

    @property
    def num_cells(self) -> int:
        """F of a mask."""
        return self._shape[1]

    def roll(
        self, seeds: NDArray[np.uint64], frames: NDArray[np.int64], share: NDArray[np.float64] | None = None
    ) -> NDArray[np.float32]:
        """Return the masks of V notes, float32 (V, K, F) of 0 and 1.

        Parameters
        ----------
        seeds, frames : (V,)
        share : (V,), optional
            0..1, what the fire rate of each note is multiplied by.
        """
        if self._always and share is None:
            if len(self._ones) < len(seeds):
                self._ones = np.ones((len(seeds), *self._shape), np.float32)
            return self._ones[: len(seeds)]
        at_frame = mix(seeds ^ ((frames.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN)))
        threshold = self._threshold if share is None else np.rint(self._scale * share).astype(np.uint64)[:, None]
        fires = mix(at_frame[:, None] ^ self._cells) >> np.uint64(11) < threshold
        return fires.astype(np.float32).reshape(-1, *self._shape)
