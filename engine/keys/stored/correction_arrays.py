"""Corrections of the slow course of levels as they are stored; what they are for is in `engine.keys.correction`.

Letters: M keys, R courses, K moments, P partials, B bands, N = P + B, L softer layers, S steps of velocity.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as made_with
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from .npz import KeyedArrays
from .onsets import check_onsets, no_onsets
from .releases import check_releases, no_releases

COURSES: Final = ("courses", "course_scale", "shapes", "shape_scale")
"""Arrays that hold courses and their shapes, a row for each key."""
VELOCITY_STEPS: Final = 8
"""S: so many rows a key has, from soft to loud, where its instrument has layers; they are a decibel or two apart."""


TOTAL_CODES: Final = 255
TOTAL_STEP: Final = 1.0 / 64.0
"""Of total levels as they are stored."""


def coded_totals(level: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return total levels of any shape as they are stored."""
    return np.clip(np.round(level / TOTAL_STEP) + 1.0, 1.0, TOTAL_CODES).astype(np.uint8)


def step_at(velocity: float, steps: int) -> int:
    """Return which of some steps, from soft to loud, a velocity 0..1 belongs to."""
    return min(int(velocity * steps), steps - 1)


def no_softer() -> NDArray[np.int8]:
    """Return the softer layers of what has none."""
    return np.zeros((0, 0, 0, 0), np.int8)


def no_layers() -> NDArray[np.int64]:
    """Return the velocities of the layers of what has none."""
    return np.zeros((0, 0), np.int64)


def no_totals() -> NDArray[np.uint8]:
    """Return the total levels of what is measured without them."""
    return np.zeros((0, 0), np.uint8)


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
    onsets : int8 (M, E), envelopes of attacks, see `engine.keys.stored.onsets`; (0, 0) where they were not measured
    clock_ends : int64 (M,), spectral frame at which the growth's clock stops, so that what follows is the table's
        alone; 0 where it runs on; none where it does so everywhere
    release_rates : int16 (M, W), by how much each key falls once it is let go while it grows as if it were held, see
        `engine.keys.stored.releases`; 0 where the growth ends its notes, (0, 0) where they were not measured
    softer : int8 (M, L, R, K), courses of softer layers, the loudest of them first; `courses` are those of the loudest
        layer; of no size where there are none
    layers : int64 (M, 1 + L), MIDI velocities of all layers, the loudest first; 0 where a key has no further one
    totals : uint8 (M, K), 1 + 64 times the total level (see `total_level`) of what was grown when the correction was
        measured; 0 where that is not known; none where it is so everywhere
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
    onsets: NDArray[np.int8] = made_with(default_factory=no_onsets)
    clock_ends: NDArray[np.int64] = made_with(default_factory=lambda: np.zeros(0, np.int64))
    release_rates: NDArray[np.int16] = made_with(default_factory=no_releases)
    softer: NDArray[np.int8] = made_with(default_factory=no_softer)
    layers: NDArray[np.int64] = made_with(default_factory=no_layers)
    totals: NDArray[np.uint8] = made_with(default_factory=no_totals)

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
        check_onsets(self.onsets, keys)
        if self.clock_ends.size and (self.clock_ends.shape != (keys,) or np.any(self.clock_ends < 0)):
            raise ValueError(f"clock_ends of {self.clock_ends.shape} do not fit {keys} keys, or are below 0")
        if self.totals.size and (self.totals.shape != (keys, moments) or self.totals.max() > TOTAL_CODES):
            raise ValueError(f"total levels of {self.totals.shape} do not fit {keys} keys and {moments} moments")
        check_releases(self.release_rates, keys)
        self._check_layers(keys, moments, courses)

    def _check_layers(self, keys: int, moments: int, courses: int) -> None:
        if not self.softer.size and not self.layers.size:
            return
        if self.softer.ndim != 4 or self.softer.shape != (keys, self.softer.shape[1], courses, moments):
            raise ValueError(f"softer layers of {self.softer.shape} do not fit courses of {self.courses.shape}")
        if self.layers.shape != (keys, 1 + self.softer.shape[1]) or np.any((self.layers < 0) | (self.layers > 127)):
            raise ValueError(f"velocities of {self.layers.shape} layers do not fit, or are none")
        if np.any((np.diff(self.layers, axis=1) >= 0) & (self.layers[:, 1:] > 0)):
            raise ValueError("velocities of layers must fall")

    @property
    def steps(self) -> int:
        """Rows of each key in a table, from soft to loud: S, or 1 without layers."""
        return VELOCITY_STEPS if self.softer.size else 1

    def courses_at_steps(self) -> FloatArray:
        """Return the courses of all keys at the velocity of each step, float32 (M, steps, K, R)."""
        scale = self.course_scale[:, None, None]
        every = np.repeat((self.courses[:, None] * scale).astype(np.float32), self.steps, 1)
        if self.steps == 1:
            return every
        velocities = 127.0 * (np.arange(self.steps) + 0.5) / self.steps
        for row in np.flatnonzero(self.layers[:, 0]):
            known = self.layers[row] > 0
            layers = np.concatenate([self.courses[row, None], self.softer[row].swapaxes(1, 2)])[known][::-1]
            at = np.interp(velocities, self.layers[row][known][::-1], np.arange(len(layers), dtype=np.float64))
            every[row] = between_rows((layers * self.course_scale[row]).astype(np.float32), at)
        return every


def between_rows(values: FloatArray, at: NDArray[np.float64]) -> FloatArray:
    """Return values (M, ...) at places (T,) between their rows 0..M - 1."""
    low = at.astype(np.intp)
    high = np.minimum(low + 1, len(values) - 1)
    share = (at - low).astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(values[low] + share * (values[high] - values[low]), np.float32)
