"""From what keys should come to where training ends, to the last moments of their corrections.

Letters: L moments that are followed, F bins or bands, N partials and bands, K moments, R courses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.keys.correction import CorrectionRoom, total_level
from ...engine.keys.stored.correction_arrays import COURSES, CorrectionArrays, coded_totals
from ...engine.keys.stored.onsets import MOMENTS
from ...engine.keys.stored.releases import NONE
from ...engine.spectra.spec import AudioSpec
from ..measure.motions import rounded
from .correction import CODE_RANGE, EASE_MOMENTS, FURTHEST, RANK

CLOCK_END_S: Final = (4.0, 2.0, 1.0)
"""Where the clock of the growth may stop: as late as training heard, or earlier where the growth has died by then."""
LATE_S: Final = (4.4, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0)
"""Moments that follow those of training."""
FOLLOWED_S: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, *LATE_S)
"""Where targets are measured: of keys that training heard for a shorter time, or whose clock stops earlier, sooner."""
LAST_S: Final = 30.0
"""The last moment: what fades, goes on to there as it did."""
TRAINED_S: Final = 4.1
EASE_S: Final = 0.4
"""How long a correction takes from its last measured moment to what follows."""
FURTHEST_LATE: Final = 3.0
"""Level that a correction may take away, 120 dB: what has died away is silent."""
FURTHEST_LIFT: Final = 2.0 * FURTHEST
RIDGE: Final = 1e-3
QUIETEST: Final = 0.03
"""Share of the loudest amplitude below which a shape is not told more closely."""
FURTHER: Final = 2
"""Courses for what is late, beside those of training: one of all levels together, and one with a shape."""
SIGNIFICANT: Final = 0.025
"""Level, 1 dB, by which the one with a shape must better what is late."""
ROUNDED: Final = 2
"""Codes by which steps of a straight line differ once they are rounded."""
ROUNDS: Final = 3
"""Each brings the loudness of keys nearer: single levels and their sum do not move alike."""

Applied = Callable[[CorrectionArrays, Mapping[int, "Late"]], Mapping[int, NDArray[np.float64]]]
"""Tells how loud keys are, (L,) in dB each, with some corrections."""


@dataclass(frozen=True, eq=False)
class Late:
    """What one key should come to.

    Attributes
    ----------
    moments_s : L times
    end_s : where the clock of its growth stops
    fades : whether its recording fades away
    values : (L, N), what it should be corrected by
    weights : (N,), how much each of them counts
    level : (L, F), what is grown there
    total_db : (L,), how loud it should be
    lift_db : how much louder than what is grown at the first of them
    count : notes that this is the mean of
    """

    moments_s: tuple[float, ...]
    end_s: float
    fades: bool
    values: FloatArray
    weights: FloatArray
    level: FloatArray
    total_db: NDArray[np.float64]
    lift_db: float
    count: int = 1

    def joined(self, other: Late) -> Late:
        """Return the mean of this and one more note."""
        share = 1.0 / (self.count + 1)
        weights = self.weights + other.weights
        values = (self.values * self.weights + other.values * other.weights) / np.maximum(weights, 1e-12)
        mean = {name: (1.0 - share) * getattr(self, name) + share * getattr(other, name) for name in _MEANS}
        fades = self.fades and other.fades
        return replace(self, values=values, weights=weights, fades=fades, count=self.count + 1, **mean)


_MEANS = ("level", "total_db", "lift_db")


def trained(arrays: CorrectionArrays, spec: AudioSpec) -> NDArray[np.int64]:
    """Return the moments that training measured."""
    return arrays.moments[arrays.moments * spec.hop_s < TRAINED_S]


def measured_ends(arrays: CorrectionArrays, spec: AudioSpec) -> NDArray[np.intp]:
    """Return the last moment that training measured on each key.

    What it knew no more repeats that, or is the mean of what it knew, to which a straight line leads.
    """
    count = len(trained(arrays, spec))
    every = [arrays.courses.swapaxes(1, 2), *arrays.softer.swapaxes(0, 1)]
    courses = np.concatenate(every, 1)[..., :count].astype(np.int64)
    differs = (courses != courses[..., -1:]).any(1)
    ends = np.where(differs.any(1), np.minimum(count - differs[:, ::-1].argmax(1), count - 1), 0)
    for row in np.flatnonzero((ends >= EASE_MOMENTS) & (ends < count - 1)).tolist():
        steps = np.diff(courses[row, :, ends[row] - EASE_MOMENTS : ends[row] + 1], axis=1)
        if np.ptp(steps, axis=1).max() <= ROUNDED:
            ends[row] -= EASE_MOMENTS
    return ends


def leave_room(room: CorrectionRoom, spec: AudioSpec) -> bool:
    """Tell whether what goes on beyond training fits the corrections of a foundation."""
    return room.courses >= RANK + FURTHER and room.moments[-1] * spec.hop_s >= LATE_S[-1]


def are_late(arrays: CorrectionArrays, spec: AudioSpec) -> bool:
    """Tell whether corrections go on beyond what training measured: its own last moment lies just after that."""
    return len(arrays.moments) > len(trained(arrays, spec)) + 1


def with_room(arrays: CorrectionArrays, spec: AudioSpec) -> CorrectionArrays:
    """Return corrections with moments and courses for what training did not measure, which say nothing new."""
    return arrays if are_late(arrays, spec) else _with_fits(arrays, {}, {}, spec)


def joined(arrays: CorrectionArrays, changed: Sequence[CorrectionArrays], spec: AudioSpec) -> CorrectionArrays:
    """Return corrections in which those of some keys are changed.

    Parameters
    ----------
    arrays : of all keys
    changed : of some of them; where one goes on beyond what training measured, there is room for that on all keys
    """
    if any(are_late(one, spec) for one in (arrays, *changed)):
        arrays, *changed = (with_room(one, spec) for one in (arrays, *changed))
    every = {name: getattr(arrays, name).copy() for name in COURSES} | {
        "onsets": arrays.onsets.copy() if arrays.onsets.size else np.zeros((len(arrays.key), MOMENTS), np.int8),
        "clock_ends": arrays.clock_ends.copy() if arrays.clock_ends.size else np.zeros(len(arrays.key), np.int64),
        "totals": arrays.totals.copy() if arrays.totals.size else np.zeros(arrays.courses.shape[:2], np.uint8),
        "release_rates": arrays.release_rates.copy()
        if arrays.release_rates.size
        else np.zeros((len(arrays.key), len(NONE)), np.int16),
    }
    places = {owner: row for row, owner in enumerate(arrays.owners)}
    for one in changed:
        rows = [places[owner] for owner in one.owners]
        for name, values in every.items():
            own = getattr(one, name)
            values[rows] = own if own.size else 0
    return replace(arrays, **{name: one if name in COURSES or one.any() else one[:0] for name, one in every.items()})


class _Fit(NamedTuple):
    """Courses at the moments that are followed.

    Attributes
    ----------
    codes : (L, R), of the courses that training measured
    gain : (L,), of all levels together
    course, shape : (L,) and (N,), of one with a shape
    """

    codes: NDArray[np.float64]
    gain: NDArray[np.float64]
    course: NDArray[np.float64]
    shape: NDArray[np.float64]


def continued(
    arrays: CorrectionArrays, late: Mapping[int, Late], spec: AudioSpec, applied: Applied
) -> CorrectionArrays:
    """Let keys ease from their last measured moment to what they should come to.

    Parameters
    ----------
    arrays : of which moments beyond those of training are forgotten
    late : by row
    applied : what it comes to

    Returns
    -------
    CorrectionArrays
        With `FURTHER` courses more, and `LATE_S` and `LAST_S` as the last moments.
    """
    fits = {row: _fitted(arrays, row, one) for row, one in late.items()}
    for _ in range(ROUNDS):
        now = applied(_with_fits(arrays, late, fits, spec), late)
        for row, one in late.items():
            missing = (one.total_db - now[row]) / spec.level_scale_db
            gain = np.clip(fits[row].gain + missing, -FURTHEST_LATE, FURTHEST_LIFT)
            fits[row] = fits[row]._replace(gain=gain)
    return _with_fits(arrays, late, fits, spec)


def _fitted(arrays: CorrectionArrays, row: int, late: Late) -> _Fit:
    """Return what comes near to the values of a key with the shapes of training and some more; the loud counts most.

    No course of training goes further than it can be coded, so the measured moments stay as they were.
    """
    weights = (late.weights / max(late.weights.max(), 1e-12)).astype(np.float64)
    rank = min(arrays.shapes.shape[1], RANK)
    largest = arrays.shapes[row, :rank] * (arrays.shape_scale[row] * arrays.course_scale[row])[:rank, None] * CODE_RANGE
    square = (largest * weights) @ largest.T
    square += np.eye(rank) * RIDGE * max(float(np.trace(square)) / rank, 1e-12)
    values = np.clip(late.values, -FURTHEST_LATE, FURTHEST_LIFT).astype(np.float64)
    gain = values @ weights / weights.sum()
    rest = values - gain[:, None]
    codes = np.clip(np.linalg.solve(square, (largest * weights) @ rest.T).T, -1.0, 1.0)
    rest -= codes @ largest
    left, strength, right = np.linalg.svd(rest * np.sqrt(weights), full_matrices=False)
    if strength[0] / np.sqrt(len(rest) * weights.sum()) < SIGNIFICANT:
        strength[0] = 0.0
    shape = right[0] / np.maximum(np.sqrt(weights), QUIETEST) * bool(strength[0])
    return _Fit(codes * CODE_RANGE, gain, left[:, 0] * strength[0], shape)


def _with_fits(
    arrays: CorrectionArrays, late: Mapping[int, Late], fits: Mapping[int, _Fit], spec: AudioSpec
) -> CorrectionArrays:
    """Return corrections that go on as fits say; those of other keys repeat their last moment."""
    ends = measured_ends(arrays, spec)
    late_at = np.round(np.array((*LATE_S, LAST_S)) / spec.hop_s).astype(np.int64)
    moments = np.concatenate([trained(arrays, spec), late_at])
    keys, rank = len(ends), min(arrays.shapes.shape[1], RANK)
    courses = np.zeros((keys, len(moments), rank + FURTHER), np.int8)
    shapes = np.zeros((keys, rank + FURTHER, arrays.shapes.shape[2]), np.int8)
    course_scale, shape_scale = (
        np.pad(one[:, :rank], ((0, 0), (0, FURTHER))) for one in (arrays.course_scale, arrays.shape_scale)
    )
    shapes[:, :rank] = arrays.shapes[:, :rank]
    clock_ends = np.zeros(keys, np.int64)
    for row, measured in enumerate(ends):
        end = int(measured)
        if row in late:
            clock_ends[row] = round(late[row].end_s / spec.hop_s)
            end = min(end, int(np.searchsorted(moments, clock_ends[row], "right")) - 1)
        last = arrays.courses[row, end, :rank]
        courses[row, : end + 1, :rank] = arrays.courses[row, : end + 1, :rank]
        courses[row, end + 1 :, :rank] = last
        if row not in late:
            continue
        fit, at_s = fits[row], moments * spec.hop_s
        share = np.clip((at_s - at_s[end]) / EASE_S, 0.0, 1.0)[end + 1 :, None]
        codes = _at(at_s[end + 1 :], late[row], fit.codes, False)
        courses[row, end + 1 :, :rank] = np.round(last + share * (codes - last))
        further = np.concatenate(
            [
                _at(at_s[end + 1 :], late[row], fit.gain[:, None], late[row].fades),
                _at(at_s[end + 1 :], late[row], fit.course[:, None], False),
            ],
            1,
        )
        both = np.stack([np.ones_like(fit.shape), fit.shape])
        course_scale[row, rank:] = np.abs(share * further).max(0) / CODE_RANGE
        shape_scale[row, rank:] = np.abs(both).max(1) / CODE_RANGE
        courses[row, end + 1 :, rank:] = rounded(share * further, course_scale[row, rank:])
        shapes[row, rank:] = rounded(both, shape_scale[row, rank:, None])
    return replace(
        arrays,
        moments=moments,
        courses=courses,
        shapes=shapes,
        course_scale=course_scale.astype(np.float32),
        shape_scale=shape_scale.astype(np.float32),
        clock_ends=clock_ends,
        totals=_totals_on(arrays, late, moments, ends, clock_ends, spec),
        softer=_softer_on(arrays, courses, ends, clock_ends),
    )


def _totals_on(
    arrays: CorrectionArrays,
    late: Mapping[int, Late],
    moments: NDArray[np.int64],
    ends: NDArray[np.intp],
    clock_ends: NDArray[np.int64],
    spec: AudioSpec,
) -> NDArray[np.uint8]:
    """Return the total levels that keys are grown at, beyond what training measured where their growth rests."""
    if not arrays.totals.size:
        return arrays.totals
    totals = np.zeros((len(ends), len(moments)), np.uint8)
    for row in np.flatnonzero(arrays.totals.any(1)).tolist():
        stopped = int(np.searchsorted(moments, clock_ends[row], "right")) - 1 if clock_ends[row] else len(moments)
        end = min(int(ends[row]), stopped)
        totals[row, : end + 1] = arrays.totals[row, : end + 1]
        totals[row, end + 1 :] = arrays.totals[row, end]
        if row in late:
            grown = total_level(late[row].level, spec).astype(np.float64)
            at_s = moments[end + 1 :] * spec.hop_s
            totals[row, end + 1 :] = coded_totals(np.interp(at_s, late[row].moments_s, grown))
    return totals


def _softer_on(
    arrays: CorrectionArrays, courses: NDArray[np.int8], ends: NDArray[np.intp], clock_ends: NDArray[np.int64]
) -> NDArray[np.int8]:
    """Return the courses of softer layers, as far from the new ones of the loudest layer as where each key ended."""
    if not arrays.softer.size:
        return arrays.softer
    rank = arrays.softer.shape[2]
    softer = np.repeat(courses.swapaxes(1, 2)[:, None], arrays.softer.shape[1], 1)
    for row, measured in enumerate(ends.tolist()):
        stopped = int(np.searchsorted(arrays.moments, clock_ends[row], "right")) - 1 if clock_ends[row] else measured
        end = min(measured, stopped)
        old = arrays.softer[row].astype(np.int64)
        away = old[..., end] - arrays.courses[row, end].astype(np.int64)
        softer[row, :, :rank, : end + 1] = old[..., : end + 1]
        on = courses[row, end + 1 :, :rank].T + away[..., None]
        softer[row, :, :rank, end + 1 :] = np.clip(on, -CODE_RANGE, CODE_RANGE)
    return softer


def _at(times_s: NDArray[np.float64], late: Late, followed: NDArray[np.float64], fades: bool) -> NDArray[np.float64]:
    """Return courses (K, R) at some times, of those at the moments that are followed (L, R); what fades goes on."""
    moments_s = np.array(late.moments_s)
    found = np.stack([np.interp(times_s, moments_s, course) for course in followed.T], 1)
    if fades:
        slope = np.minimum((followed[-1] - followed[-3]) / (moments_s[-1] - moments_s[-3]), 0.0)
        over_s = np.maximum(times_s - moments_s[-1], 0.0)[:, None]
        found = np.maximum(found + slope * over_s, np.minimum(found, -FURTHEST_LATE))
    return found
