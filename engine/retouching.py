"""What a growth misses of the slow course of levels on recorded keys, measured once and set right as it is played.

One network that grows thousands of notes is off by 2 or 3 dB in most of their partials, for as long as they sound. What
it misses is slow and much alike in all velocities of a key, so little is enough to mend it: a few courses in time, and
for each how far every partial and every band between them follows it. Letters: M keys, R courses, K moments,
P partials, B bands, N = P + B, V voices, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .spectral import FloatArray
from .stored import KeyedArrays


@dataclass(frozen=True, eq=False)
class RetouchArrays(KeyedArrays):
    """What a table is made from and stored as.

    Attributes
    ----------
    field : the grown field whose levels are set right
    partials : P
    moments : int64 (K,), spectral frames since the onset, rising; beyond the last one nothing changes
    courses : int8 (M, K, R)
    course_scale : float32 (M, R), level of a course and a shape of 1
    shapes : int8 (M, R, N), how strongly each partial and then each band follows each course
    shape_scale : float32 (M, R)
    timbre, key : int64 (M,), row of `names` and MIDI key
    names : of timbres
    """

    field: str
    partials: int
    moments: NDArray[np.int64]
    courses: NDArray[np.int8]
    course_scale: FloatArray
    shapes: NDArray[np.int8]
    shape_scale: FloatArray
    timbre: NDArray[np.int64]
    key: NDArray[np.int64]
    names: tuple[str, ...]

    WHAT = "retouching"


class RetouchTable:
    """Corrections of all recorded keys, read at any time for many voices at once.

    Parameters
    ----------
    arrays : RetouchArrays
    moving : sequence of (timbre, key)
        The rows that voices name; those that `arrays` lacks need no correction.
    hop_s : float
        Seconds between spectral frames.
    """

    def __init__(self, arrays: RetouchArrays, moving: Sequence[tuple[str, int]], hop_s: float) -> None:
        rows = {owner: row for row, owner in enumerate(arrays.owners)}
        nothing = len(rows)
        self._row = np.array([*(rows.get(owner, nothing) for owner in moving), nothing], np.intp)
        self._moments = arrays.moments * hop_s
        self._order = np.arange(len(arrays.moments), dtype=np.float64)
        courses = arrays.courses * arrays.course_scale[:, None]
        shapes = arrays.shapes * arrays.shape_scale[:, :, None]
        self._courses = np.concatenate([courses, np.zeros((1, *courses.shape[1:]))]).astype(np.float32)
        self._shapes = np.concatenate([shapes, np.zeros((1, *shapes.shape[1:]))]).astype(np.float32)

    def read(self, motions: NDArray[np.float64], age_s: NDArray[np.float64]) -> FloatArray:
        """Return corrections of partials and bands, float32 (T, V, N), at ages (T, V).

        Parameters
        ----------
        motions : (V, 2), rows of `engine.motions.Motion`
        """
        rows = self._row[motions[:, 0].astype(np.intp)]
        at = np.interp(age_s * motions[:, 1], self._moments, self._order)
        low = at.astype(np.intp)
        high = np.minimum(low + 1, len(self._moments) - 1)
        mix = (at - low)[..., None].astype(np.float32)
        courses = self._courses[rows, low]
        courses += mix * (self._courses[rows, high] - courses)
        corrections: FloatArray = np.matmul(courses[:, :, None], self._shapes[rows])[:, :, 0]
        return corrections
