"""Motions of recorded keys as they are stored, and as hops read them; see `engine.keys.motions`.

Letters: M motions, K recorded keys, N codes of all motions, R swells of a motion, F cells, V voices, T moments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...spectra.pitch import MAX_INHARMONIC_PARTIALS
from ...spectra.spec import AudioSpec
from ...spectra.transpose import transposed
from .npz import KeyedArrays

MotionPlaces = tuple[NDArray[np.intp], NDArray[np.float64]]
"""The code below each of some moments, and how far it is from there to the next, each (T, V)."""


@dataclass(frozen=True, eq=False)
class MotionArrays(KeyedArrays):
    """What a table is made from and stored as.

    Attributes
    ----------
    rate_hz : codes in a second
    codes : int8 (N, 1 + R), sway and R courses over time, motion after motion
    code_scale : float32 (M, 1 + R), what a code of 1 means: semitones; the courses' own units
    shapes : int8 (M, R, F), how strongly each cell follows each course
    shape_scale : float32 (M, R), level of a course and a shape of 1
    first : int64 (M + 1,), where the codes of each motion begin
    loop : float32 (M,), codes at its end that repeat for ever; 0 where it ends still
    source : int64 (M,), which of K it was measured on
    motion : int64 (K,), which of M moves a key
    pace : float32 (K,), how much faster than on its source
    take : int64 (K,), which recording a key is of; the same number in keys of one timbre that lie side by side
    modes : float32 (K, MAX_INHARMONIC_PARTIALS), partials beside the series of a key, over its fundamental; 0 for none
    timbre, key : int64 (K,), row of `names` and MIDI key, rising
    names : of timbres
    reach : int64 (K,), the highest key that is heard from each key, or none where that is not known

    Raises
    ------
    ValueError
        Rows that are not there, or lengths that differ.
    """

    rate_hz: float
    codes: NDArray[np.int8]
    code_scale: FloatArray
    shapes: NDArray[np.int8]
    shape_scale: FloatArray
    first: NDArray[np.int64]
    loop: FloatArray
    source: NDArray[np.int64]
    motion: NDArray[np.int64]
    pace: FloatArray
    take: NDArray[np.int64]
    modes: FloatArray
    timbre: NDArray[np.int64]
    key: NDArray[np.int64]
    names: tuple[str, ...]
    reach: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    WHAT = "motions"

    def __post_init__(self) -> None:
        if not self.rate_hz > 0.0 or self.codes.ndim != 2 or self.shapes.ndim != 3 or self.modes.ndim != 2:
            raise ValueError(f"codes at {self.rate_hz} Hz of {self.codes.shape}, shapes of {self.shapes.shape}")
        courses = self.shapes.shape[1]
        sizes = (self.codes.shape[1], self.code_scale.shape, self.shape_scale.shape, self.shapes.shape[0])
        num_motions = len(self.loop)
        if sizes != (1 + courses, (num_motions, 1 + courses), (num_motions, courses), num_motions):
            raise ValueError(f"{courses} courses of {num_motions} motions do not fit {sizes}")
        ends = (self.first[:1].tolist(), self.first[-1:].tolist(), len(self.first))
        lengths_of = np.diff(self.first)
        if ends != ([0], [len(self.codes)], num_motions + 1) or not np.all(lengths_of > 0):
            raise ValueError("first must rise from 0 to the number of codes")
        if not np.all((self.loop >= 0.0) & (self.loop <= lengths_of)):
            raise ValueError("a loop must be no longer than its motion")
        counts = (len(self.loop), len(self.key))
        lengths = [len(values) for values in (self.source, self.motion, self.pace, self.take, self.timbre, self.modes)]
        if lengths != [counts[0], *5 * [counts[1]]]:
            raise ValueError(f"{lengths} values do not fit {counts[0]} motions of {counts[1]} keys")
        if len(self.reach) not in (0, counts[1]):
            raise ValueError(f"reach has {len(self.reach)} values, expected none or {counts[1]}")
        rows = ((self.source, counts[1]), (self.motion, counts[0]), (self.timbre, len(self.names)))
        if any(np.any((values < 0) | (values >= count)) for values, count in rows):
            raise ValueError("motions, keys or names are meant that are not there")
        if np.any(np.diff(self.take) < 0) or not np.all((self.pace > 0.0) & np.isfinite(self.pace)):
            raise ValueError("takes must rise with the keys, and paces be above 0")
        if self.modes.shape[1] != MAX_INHARMONIC_PARTIALS or not np.all((self.modes >= 0.0) & np.isfinite(self.modes)):
            raise ValueError(f"a key has {MAX_INHARMONIC_PARTIALS} modes, of 0 or more")


class KeyArrays(NamedTuple):
    """What hops are computed from, as the kernel wants it: rows of K recorded keys after one that stands still.

    Attributes
    ----------
    codes : float32 (N + 1, 1 + R), sway and R courses
    swell_shapes : float32 (K + 1, R, F)
    first_code : int64 (K + 1,), row of the first code
    last_code, code_loop : float64 (K + 1,), codes from there to the last one, and how many of them repeat
    code_rate : float64 (K + 1,), codes in a second
    modes : float32 (K + 1, MAX_INHARMONIC_PARTIALS), of `MotionArrays`
    correction_row : int64 (K + 1,), of the following
    correction_courses, corrections, correction_totals : `CorrectionTable.courses`, `shapes` and `totals`; of no size
        without corrections
    clock_ends : `CorrectionTable.clock_ends_s`
    """

    codes: FloatArray
    swell_shapes: FloatArray
    first_code: NDArray[np.int64]
    last_code: NDArray[np.float64]
    code_loop: NDArray[np.float64]
    code_rate: NDArray[np.float64]
    modes: FloatArray
    correction_row: NDArray[np.int64]
    correction_courses: FloatArray
    corrections: FloatArray
    correction_totals: FloatArray
    clock_ends: NDArray[np.float64]


def code_places(at: NDArray[np.float64], last: NDArray[np.float64], loop: NDArray[np.float64]) -> MotionPlaces:
    """Return where codes are read that never end.

    Parameters
    ----------
    at : (T, V), moments in codes since the onset
    last : (V,), the last code of each motion
    loop : (V,), codes up to it that repeat for ever; 0 where it stays
    """
    over = np.maximum(at - last, 0.0)
    at = np.minimum(at, last) - np.where(over > 0.0, loop - over % np.maximum(loop, 1e-9), 0.0) * (loop > 0.0)
    low = np.minimum(at.astype(np.intp), last.astype(np.intp))
    return low, at - low


def shapes_on_keys(arrays: MotionArrays, spec: AudioSpec) -> FloatArray:
    """Return the shapes that move each key, transposed to it from where they were measured, float32 (K, R, F)."""
    shapes: FloatArray = (arrays.shapes * arrays.shape_scale[:, :, None])[arrays.motion].astype(np.float32)
    semitones = arrays.key - arrays.key[arrays.source[arrays.motion]]
    for distance in np.unique(semitones[semitones != 0]):
        rows = semitones == distance
        shapes[rows] = transposed(shapes[rows], spec, 2.0 ** (distance / 12.0))
    return shapes
