"""What a growth misses of the slow course of levels on recorded keys, measured once and set right as it is played.

One network that grows thousands of notes is off by 2 or 3 dB in most of their partials, for as long as they sound. What
it misses is slow and much alike in all velocities of a key, so little is enough to mend it: a few courses in time, and
for each how far every partial and every band between them follows it. Keys that were recorded in several layers may
have courses for each, and notes between two layers lie between their courses. Letters: M keys, R courses, K moments,
P partials, B bands, N = P + B, L softer layers, S steps of velocity, V voices, T frames, C rows that a voice blends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BankError
from ..arrays import FloatArray, GrowingRows
from ..spectra.spec import AudioSpec
from .stored.correction_arrays import TOTAL_STEP, CorrectionArrays, between_rows
from .stored.onsets import MOMENTS, decoded
from .stored.releases import NONE, STEP


def total_level(level: FloatArray, spec: AudioSpec) -> FloatArray:
    """Return the level of all levels (..., N) of a spectrum together, at least 0: that of their powers' sum.

    A level of 0 is silence, not the power that it stands for elsewhere, so that bins that are silent add nothing.
    """
    unit = level_unit(spec)
    powers = np.expm1(level * np.float32(unit)).sum(-1, dtype=np.float64)
    return np.asarray(np.log1p(powers) / unit, np.float32)


def level_unit(spec: AudioSpec) -> float:
    """Return the natural logarithm of the power of a level of 1 over that of a level of 0."""
    return spec.level_scale_db * float(np.log(10.0)) / 10.0


class Corrections(NamedTuple):
    """What is set right of voices.

    Attributes
    ----------
    rows : intp (V, C), of the table's shapes
    courses : float32 (T, V, C, R), how far each of them is followed
    totals : float32 (T, V, 2), share of the rows whose total level is known, and the sum of
        these levels by their shares
    """

    rows: NDArray[np.intp]
    courses: FloatArray
    totals: FloatArray

    def of(self, frames: slice, voices: slice) -> Corrections:
        """Return those of some frames of some voices."""
        return Corrections(self.rows[voices], self.courses[frames, voices], self.totals[frames, voices])


class CorrectionRoom(NamedTuple):
    """What corrections of one foundation have in common: keys of any instrument fit into a table of it.

    Attributes
    ----------
    field, partials, moments : as in `CorrectionArrays`
    bands : N - P
    courses : R; an instrument may have fewer
    """

    field: str
    partials: int
    bands: int
    courses: int
    moments: tuple[int, ...]


def room_of(arrays: CorrectionArrays) -> CorrectionRoom:
    """Return the room that some corrections take."""
    bands = arrays.shapes.shape[2] - arrays.partials
    moments = tuple(int(moment) for moment in arrays.moments)
    return CorrectionRoom(arrays.field, arrays.partials, bands, arrays.courses.shape[2], moments)


class CorrectionTable:
    """Corrections of all recorded keys, read at any time for many voices at once.

    Parameters
    ----------
    arrays : CorrectionArrays or CorrectionRoom
        The first of them, or room for those that `add` brings.
    moving : sequence of (timbre, key)
        The rows that voices name; those that `arrays` lacks need no correction.
    hop_s : float
        Seconds between spectral frames.

    Attributes
    ----------
    room : CorrectionRoom
    moments_s : float64 (K,), rising; between them courses are lines, and beyond the ends they stay
    """

    def __init__(
        self, arrays: CorrectionArrays | CorrectionRoom, moving: Sequence[tuple[str, int]], hop_s: float
    ) -> None:
        self.room = room = arrays if isinstance(arrays, CorrectionRoom) else room_of(arrays)
        self.moments_s = np.array(room.moments) * hop_s
        self._order = np.arange(len(room.moments), dtype=np.float64)
        # In front of all others lies what needs no correction: what stands still, and keys without one.
        self._rows = GrowingRows(np.zeros(1, np.int64))
        self._courses = GrowingRows(np.zeros((1, len(room.moments), room.courses), np.float32))
        self._shapes = GrowingRows(np.zeros((1, room.courses, room.partials + room.bands), np.float32))
        self._totals = GrowingRows(np.zeros((1, len(room.moments), 2), np.float32))
        self._onsets = GrowingRows(np.zeros((1, MOMENTS + 1), np.float32))
        self._clock_ends, self._hop_s = GrowingRows(np.full(1, np.inf)), hop_s
        self._release_rates = GrowingRows(np.array([NONE]))
        self.add(None if isinstance(arrays, CorrectionRoom) else arrays, moving)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Which of `courses` and `shapes` belongs to what stands still, and to each of all that moves."""
        return self._rows.values

    @property
    def courses(self) -> FloatArray:
        """Courses, float32 (M + 1, K, R); the first one is nothing."""
        return self._courses.values

    @property
    def shapes(self) -> FloatArray:
        """How strongly each partial and then each band follows, float32 (M + 1, R, N); the first one not at all."""
        return self._shapes.values

    @property
    def totals(self) -> FloatArray:
        """Whether a total level is known, 0 or 1, and that level, float32 (M + 1, K, 2); of the first one it is not."""
        return self._totals.values

    @property
    def onsets(self) -> FloatArray:
        """Envelopes of attacks in dB, float32 (M + 1, E + 1); the first one is nothing."""
        return self._onsets.values

    @property
    def clock_ends_s(self) -> NDArray[np.float64]:
        """Ages at which the growth's clock stops, (M + 1,); infinite where it runs on."""
        return self._clock_ends.values

    @property
    def release_rates(self) -> NDArray[np.float64]:
        """By how much keys fall once they are let go, in dB a second, (M + 1, W); 0 where the growth ends them."""
        return self._release_rates.values

    def add(self, arrays: CorrectionArrays | None, moving: Sequence[tuple[str, int]]) -> None:
        """Add the corrections of further keys, and rows for those that move, one for each step of velocity.

        Raises
        ------
        BankError
            They do not fit the room of the others.
        """
        rows, steps = dict[tuple[str, int], int](), 1
        if arrays is not None:
            steps = arrays.steps
            rows = {owner: len(self._courses) + row * steps for row, owner in enumerate(arrays.owners)}
            courses = arrays.courses_at_steps().reshape(-1, *arrays.courses.shape[1:])
            shapes = (arrays.shapes * arrays.shape_scale[:, :, None]).astype(np.float32)
            self._check(room_of(arrays))
            onsets = arrays.onsets if arrays.onsets.size else np.zeros((len(arrays.key), MOMENTS), np.int8)
            self._onsets.add(np.repeat(decoded(onsets), steps, 0))
            ends = arrays.clock_ends if arrays.clock_ends.size else np.zeros(len(arrays.key), np.int64)
            self._clock_ends.add(np.repeat(np.where(ends > 0, ends * self._hop_s, np.inf), steps))
            rates = arrays.release_rates if arrays.release_rates.size else np.zeros((len(arrays.key), len(NONE)))
            self._release_rates.add(np.repeat(rates * STEP, steps, 0))
            missing = self.room.courses - courses.shape[2]
            self._courses.add(np.pad(self._on_moments(courses, arrays.moments), ((0, 0), (0, 0), (0, missing))))
            self._shapes.add(np.repeat(np.pad(shapes, ((0, 0), (0, missing), (0, 0))), steps, 0))
            self._totals.add(np.repeat(self._on_moments(_totals_of(arrays), arrays.moments), steps, 0))
        places = [rows[owner] + step if owner in rows else 0 for owner in moving for step in range(steps)]
        self._rows.add(np.array(places, np.int64))

    def _check(self, room: CorrectionRoom) -> None:
        own = self.room
        if (room.field, room.partials, room.bands) != (own.field, own.partials, own.bands):
            raise BankError(
                f"corrections of {room.partials} partials and {room.bands} bands of {room.field!r} do not fit this "
                f"foundation's {own.partials} and {own.bands} of {own.field!r}"
            )
        if room.courses > own.courses:
            raise BankError(f"corrections have {room.courses} courses, this foundation has room for {own.courses}")

    def _on_moments(self, courses: FloatArray, moments: NDArray[np.int64]) -> FloatArray:
        """Return courses (M, K', R) that were measured at other moments at those of this table."""
        own = self.room.moments
        if tuple(moments.tolist()) == own:
            return courses
        at = np.interp(own, moments, np.arange(len(moments), dtype=np.float64))
        return between_rows(courses.swapaxes(0, 1), at).swapaxes(0, 1)

    def read(self, motions: NDArray[np.float64], age_s: NDArray[np.float64]) -> Corrections:
        """Return the corrections of voices at ages (T, V), of one row each.

        Courses run at a voice's pace, as its recording does, to where the growth's clock stops, and on in real time:
        what a recording loops or fades by there keeps no pace.

        Parameters
        ----------
        motions : (V, 2), rows of `engine.keys.motions.Motion`
        """
        rows = self.rows[motions[:, 0].astype(np.intp) + 1]
        ends_s = self.clock_ends_s[rows] / motions[:, 1]
        own_s = np.minimum(age_s, ends_s) * motions[:, 1] + np.maximum(age_s - ends_s, 0.0)
        at = np.interp(own_s, self.moments_s, self._order)
        low = at.astype(np.intp)
        high = np.minimum(low + 1, len(self.moments_s) - 1)
        share = (at - low)[..., None].astype(np.float32)
        courses, totals = (
            every[rows, low] + share * (every[rows, high] - every[rows, low]) for every in (self.courses, self.totals)
        )
        return Corrections(rows[:, None], courses[:, :, None], totals)


def _totals_of(arrays: CorrectionArrays) -> FloatArray:
    """Return whether total levels are known, and what they are, (M, K, 2)."""
    codes = arrays.totals if arrays.totals.size else np.zeros((len(arrays.key), len(arrays.moments)), np.uint8)
    known = codes.astype(np.float32) > 0.0
    return np.stack([known, known * (codes - np.float32(1.0)) * np.float32(TOTAL_STEP)], 2).astype(np.float32)
