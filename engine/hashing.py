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
