"""What moves recorded notes, measured on the longest note of each recorded key, and kept where it is nobody else's.

Letters: T spectral frames, F bands, R courses, N codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.keys.stored.motion_arrays import MotionArrays
from ...engine.spectra.spec import AudioSpec
from .inharmonic_partials import LEAST_S, measure_inharmonic_partials
from .note_features import NoteFeatures
from .zones import SWAY_WEIGHT, Measured, correlation, number_takes, share

Reach = Mapping[tuple[str, int], int]
"""Timbre and recorded key -> the highest key that is heard from it."""
RANK = 12
FRAMES_PER_CODE = 2
LONGEST_S = 4.0
RELEASE_FRAMES = 3  # windows that reach beyond the release
SMOOTH_FRAMES = 15  # on either side, in the course that the growth itself should take
GROWING = 2  # a course is smoothed over as many frames as this fraction of its age, so that attacks stay in it
LOOP_S = (0.1, 2.0)
LOOP_EVIDENCE_S = 1.0
LOOP_LIKENESS = 0.8
CROSSFADE_S, PLAIN_LOOP_S = 0.25, 2.0
FADE_S = 0.5
CODE_RANGE = 63.0
"""The largest code. With 127 the distance to the recordings is 0.0004 less, and the file a seventh larger."""


def smooth_course(level: FloatArray) -> FloatArray:
    """Average levels (T, F) over frames about each, few in the attack and `SMOOTH_FRAMES` on each side later."""
    total = np.concatenate([np.zeros((1, level.shape[1])), np.cumsum(level, 0, dtype=np.float64)])
    at = np.arange(len(level))
    reach = np.minimum(np.minimum(SMOOTH_FRAMES, at // GROWING), len(level) - 1 - at)
    return ((total[at + reach + 1] - total[at - reach]) / (2 * reach + 1)[:, None]).astype(np.float32)


def measure_motion(level: FloatArray, sway: FloatArray, spec: AudioSpec, decays: bool) -> Measured:
    """Measure what moves a held note.

    Parameters
    ----------
    level : float32 (T, F), mel levels from the onset to the release
    sway : float32 (T,), semitones
    decays : whether the note fades out while held; its motion does, too

    Returns
    -------
    Measured
        The best R courses and shapes of the detail, in which loud bands count most.
    """
    detail = level - smooth_course(level)
    loudness = np.exp2((level.mean(0) * spec.level_scale_db - 60.0) / 20.0) + 0.05
    left, strength, right = np.linalg.svd(detail * loudness, full_matrices=False)
    rank = min(RANK, len(strength))
    courses = np.zeros((len(level), RANK), np.float32)
    shapes = np.zeros((RANK, level.shape[1]), np.float32)
    courses[:, :rank], shapes[:rank] = left[:, :rank] * strength[:rank], right[:rank] / loudness
    rate_hz = 1.0 / (spec.hop_s * FRAMES_PER_CODE)
    codes = np.concatenate([sway[:, None], courses], 1)[::FRAMES_PER_CODE]
    codes, loop = _faded(codes, rate_hz) if decays else _looped(codes, shapes * loudness, rate_hz)
    return Measured(codes[:, 0], codes[:, 1:], shapes, loop, loudness.astype(np.float32))


def _faded(codes: FloatArray, rate_hz: float) -> tuple[FloatArray, float]:
    count = min(len(codes), int(FADE_S * rate_hz))
    faded = codes.copy()
    faded[len(codes) - count :] *= np.linspace(1.0, 0.0, count)[:, None]
    return faded.astype(np.float32), 0.0


def _looped(codes: FloatArray, shapes: FloatArray, rate_hz: float) -> tuple[FloatArray, float]:
    """Return codes that can repeat, and how many of them do: the recording's own loop where it shows, else the last."""
    heard = np.concatenate([codes[:, :1] * SWAY_WEIGHT * np.sqrt(shapes.shape[1]), codes[:, 1:] @ shapes], 1)
    evidence = int(LOOP_EVIDENCE_S * rate_hz)
    lags = np.arange(int(LOOP_S[0] * rate_hz), min(int(LOOP_S[1] * rate_hz), len(codes) - evidence - 1) + 1)
    last = heard[len(heard) - evidence :]
    likeness = np.array([correlation(last, heard[len(heard) - evidence - lag : len(heard) - lag]) for lag in lags])
    peaks = [
        i
        for i in range(1, len(lags) - 1)
        if likeness[i] >= LOOP_LIKENESS and likeness[i] >= max(likeness[i - 1], likeness[i + 1])
    ]
    if peaks:
        best = next(i for i in peaks if likeness[i] >= likeness[peaks].max() - 0.05)
        a, b, c = likeness[best - 1 : best + 2]
        bent = a - 2.0 * b + c
        return codes, float(lags[best] + (0.5 * (a - c) / bent if bent < 0.0 else 0.0))
    loop = min(int(PLAIN_LOOP_S * rate_hz), len(codes) // 2)
    count = min(int(CROSSFADE_S * rate_hz), len(codes) - loop)
    rise = np.linspace(0.0, 1.0, count)[:, None]
    joined = codes.copy()
    joined[len(codes) - count :] += rise * (codes[len(codes) - loop - count : len(codes) - loop] - joined[-count:])
    return joined.astype(np.float32), float(loop)


def measure_motions(
    features: Sequence[NoteFeatures], spec: AudioSpec, decaying: Iterable[str], reach: Reach | None = None
) -> MotionArrays:
    """Measure every timbre and key that training may hear: the motion by its longest note, the modes by a loud one.

    `reach` says which is the highest key that is heard from a recorded one, where that is known.
    """
    longest: dict[tuple[str, int], NoteFeatures] = {}
    loudest: dict[tuple[str, int], NoteFeatures] = {}  # of those long enough
    for note in features:
        at = (note.instrument, note.pitch)
        if not note.held_out:
            longest[at] = max(longest.get(at, note), note, key=lambda one: one.hold_s)
            loudest[at] = max(loudest.get(at, note), note, key=lambda one: (one.hold_s >= LEAST_S, one.velocity))
    names = tuple(sorted({name for name, _ in longest}))
    ordered = sorted(longest)
    fading = frozenset(decaying)
    measured = []
    for name, key in ordered:
        note = longest[name, key]
        frames = max(int(min(note.hold_s, LONGEST_S) / spec.hop_s) - RELEASE_FRAMES, 2 * FRAMES_PER_CODE)
        level = note.mel[:frames, 0].astype(np.float32)
        measured.append(
            measure_motion(level, note.sway[:frames].astype(np.float32), spec, name.split(":")[0] in fading)
        )
    modes = [measure_inharmonic_partials(loudest[at], spec) for at in ordered]
    lends = np.array([not longest[at].told for at in ordered])
    arrays = _coded(names, ordered, measured, np.stack(modes), spec, lends)
    return replace(arrays, reach=reach_of(ordered, reach)) if reach else arrays


def reach_of(owners: Sequence[tuple[str, int]], known: Reach) -> NDArray[np.int64]:
    """Return the reach (K,) of recorded keys; of one that nothing is known of, itself."""
    return np.array([known.get(owner, owner[1]) for owner in owners], np.int64)


def _coded(
    names: tuple[str, ...],
    owners: list[tuple[str, int]],
    measured: list[Measured],
    modes: FloatArray,
    spec: AudioSpec,
    lends: NDArray[np.bool_],
) -> MotionArrays:
    shared = share(owners, measured, spec, lends)
    kept = [measured[row] for row in shared.source]
    codes = [np.concatenate([one.sway[:, None], one.courses], 1) for one in kept]
    course_steps, shape_steps = zip(*(steps(one.courses, one.shapes, CODE_RANGE) for one in kept), strict=True)
    sway_steps = [np.abs(one.sway).max(keepdims=True) / CODE_RANGE for one in kept]
    code_scale = np.concatenate([np.stack(sway_steps), np.stack(course_steps)], 1).astype(np.float32)
    shape_scale = np.stack(shape_steps).astype(np.float32)
    return MotionArrays(
        rate_hz=1.0 / (spec.hop_s * FRAMES_PER_CODE),
        codes=np.concatenate([rounded(part, scale) for part, scale in zip(codes, code_scale, strict=True)]),
        code_scale=code_scale,
        shapes=np.stack([rounded(one.shapes, scale[:, None]) for one, scale in zip(kept, shape_scale, strict=True)]),
        shape_scale=shape_scale,
        first=np.concatenate([[0], np.cumsum([len(part) for part in codes])]).astype(np.int64),
        loop=np.array([one.loop for one in kept], np.float32),
        source=shared.source,
        motion=shared.motion,
        pace=shared.pace,
        take=number_takes(owners, measured, spec),
        modes=modes,
        timbre=np.array([names.index(name) for name, _ in owners], np.int64),
        key=np.array([key for _, key in owners], np.int64),
        names=names,
    )


def steps(courses: NDArray[Any], shapes: NDArray[Any], largest: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what a code of 1 means in courses (N, R) and in their shapes (R, F), each (R,), for a largest code.

    Levels are their products, and each of R is told as closely as the others there. Shapes are alike in size, so all
    courses have one step; the shape of a weak course has a coarse one. Small codes make small files.
    """
    strength = np.linalg.norm(courses, axis=0)
    coarser = np.clip(strength.max() / np.maximum(strength, 1e-9), 1.0, largest)
    return np.full(len(shapes), np.abs(courses).max() / largest), np.abs(shapes).max(1) / largest * coarser


def rounded(values: NDArray[Any], scale: NDArray[Any]) -> NDArray[np.int8]:
    """Return codes of values for which a code of 1 means `scale`."""
    return np.round(values / np.maximum(scale, 1e-12)).astype(np.int8)
