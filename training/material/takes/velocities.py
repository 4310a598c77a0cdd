"""How hard the notes of a take were played, from how loud they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from .splitting import Span

ALIKE_DB, ALIKE_ONCE_DB = 5.0, 8.0
"""Levels that differ by less were meant to be the same; keys that sound once differ by more on their own account."""
OFTEN_REPEATED: Final = 0.3
LOUD: Final = 112
DB_PER_DECADE: Final = 40.0
"""Of velocity: amplitude goes with its square, as SoundFont synthesizers play it."""
LEAST_FOR_TREND: Final = 8
MOST_SLOPE_DB: Final = 0.5


def velocities(notes: Sequence[Span], usual: int) -> list[int]:
    """Return a velocity for each note; `usual` for all where they are about equally loud.

    Low and high keys differ in level however they are played, so what counts is how far a note lies off the trend.
    """
    if not notes:
        return []
    levels = np.array([note.level_db for note in notes])
    levels = levels - _trend(np.array([note.heard for note in notes]), levels)
    low, high = np.percentile(levels, [10, 90])
    keys = Counter(round(note.heard) for note in notes)
    repeated = sum(count for count in keys.values() if count > 1) >= OFTEN_REPEATED * len(notes)
    if high - low < (ALIKE_DB if repeated else ALIKE_ONCE_DB):
        return [usual] * len(notes)
    estimated = LOUD * 10 ** ((levels - high) / DB_PER_DECADE)
    return [int(one) for one in np.clip(np.rint(estimated), 1, 127)]


def _trend(keys: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the level that keys have on the whole, a straight line by the median of all slopes (Theil and Sen)."""
    if len(keys) < LEAST_FOR_TREND or np.ptp(keys) < 12:
        return np.zeros(len(keys))
    i, j = np.triu_indices(len(keys), 1)
    apart = np.abs(keys[i] - keys[j]) >= 3
    if not apart.any():
        return np.zeros(len(keys))
    slopes = (levels[j] - levels[i])[apart] / (keys[j] - keys[i])[apart]
    return np.clip(np.median(slopes), -MOST_SLOPE_DB, MOST_SLOPE_DB) * (keys - keys.mean())
