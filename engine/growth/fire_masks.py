"""Which cells update in a step, drawn by hash."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..hashing import _GOLDEN, mix


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
    ) -> FloatArray:
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
