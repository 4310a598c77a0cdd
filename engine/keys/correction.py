"""What a growth misses of the slow course of levels on recorded keys, measured once and set right as it is played.

One network that grows thousands of notes is off by 2 or 3 dB in most of their partials, for as long as they sound. What
it misses is slow and much alike in all velocities of a key, so little is enough to mend it: a few courses in time, and
for each how far every partial and every band between them follows it. Letters: M keys, R courses, K moments,
P partials, B bands, N = P + B, V voices, T frames, C rows that a voice blends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from .npz import KeyedArrays


@dataclass(frozen=True, eq=False)
class CorrectionArrays(KeyedArrays):
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

    WHAT = "per-key correction"

    def __post_init__(self) -> None:
        """Raise `ValueError` for lengths that differ."""
        if self.courses.ndim != 3 or self.shapes.ndim != 3:
            raise ValueError(f"courses of {self.courses.shape}, shapes of {self.shapes.shape}")
        keys, moments, courses = self.courses.shape
        expected = (len(self.key), len(self.moments), (keys, courses), (keys, courses), (keys, courses))
        if expected != (keys, moments, self.course_scale.shape, self.shape_scale.shape, self.shapes.shape[:2]):
            raise ValueError(f"{keys} keys, {moments} moments and {courses} courses do not fit the other arrays")
        if not 0 <= self.partials <= self.shapes.shape[2]:
            raise ValueError(f"{self.partials} partials of {self.shapes.shape[2]} shapes")
        if moments == 0 or self.moments[0] < 0 or np.any(np.diff(self.moments) <= 0):
            raise ValueError("moments must rise from 0 or later")


class Corrections(NamedTuple):
    """What is set right of voices.

    Attributes
    ----------
    rows : intp (V, C), of the table's shapes
    courses : float32 (T, V, C, R), how far each of them is followed
    """

    rows: NDArray[np.intp]
    courses: FloatArray

    def of(self, frames: slice, voices: slice) -> Corrections:
        """Return those of some frames of some voices."""
        return Corrections(self.rows[voices], self.courses[frames, voices])


class CorrectionTable:
    """Corrections of all recorded keys, read at any time for many voices at once.

    Parameters
    ----------
    arrays : CorrectionArrays
    moving : sequence of (timbre, key)
        The rows that voices name; those that `arrays` lacks need no correction.
    hop_s : float
        Seconds between spectral frames.

    Attributes
    ----------
    rows : intp, of what follows, for each of `moving` and for what stands still
    moments_s : float64 (K,), rising; between them courses are lines, and beyond the ends they stay
    courses : float32 (M + 1, K, R); the last one is nothing
    shapes : float32 (M + 1, R, N), how strongly each partial and then each band follows; the last one not at all
    """

    def __init__(self, arrays: CorrectionArrays, moving: Sequence[tuple[str, int]], hop_s: float) -> None:
        rows = {owner: row for row, owner in enumerate(arrays.owners)}
        nothing = len(rows)
        self.rows = np.array([*(rows.get(owner, nothing) for owner in moving), nothing], np.intp)
        self.moments_s = arrays.moments * hop_s
        self._order = np.arange(len(arrays.moments), dtype=np.float64)
        courses = arrays.courses * arrays.course_scale[:, None]
        shapes = arrays.shapes * arrays.shape_scale[:, :, None]
        self.courses = np.concatenate([courses, np.zeros((1, *courses.shape[1:]))]).astype(np.float32)
        self.shapes = np.concatenate([shapes, np.zeros((1, *shapes.shape[1:]))]).astype(np.float32)

    def read(self, motions: NDArray[np.float64], age_s: NDArray[np.float64]) -> Corrections:
        """Return the corrections of voices at ages (T, V), of one row each.

        Parameters
        ----------
        motions : (V, 2), rows of `engine.keys.motions.Motion`
        """
        rows = self.rows[motions[:, 0].astype(np.intp)]
        at = np.interp(age_s * motions[:, 1], self.moments_s, self._order)
        low = at.astype(np.intp)
        high = np.minimum(low + 1, len(self.moments_s) - 1)
        courses = self.courses[rows, low]
        courses += (at - low)[..., None].astype(np.float32) * (self.courses[rows, high] - courses)
        return Corrections(rows[:, None], courses[:, :, None])
