"""What moves recorded notes, measured: one motion per recorded key, of its longest note.

Letters: T spectral frames, F bands, R courses, N codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..engine.motions import MotionArrays, transposed
from ..engine.spec import AudioSpec
from ..engine.spectral import FloatArray
from .features import NoteFeatures

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
CODE_RANGE = 127.0


@dataclass(frozen=True, eq=False)
class Measured:
    """One note's motion before it is coded: sway (N,), courses (N, R), shapes (R, F) and codes that repeat."""

    sway: FloatArray
    courses: FloatArray
    shapes: FloatArray
    loop: float

    @property
    def detail(self) -> FloatArray:
        """Levels off the smooth course, (N, F)."""
        return self.courses @ self.shapes


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
    return Measured(codes[:, 0], codes[:, 1:], shapes, loop)


def _faded(codes: FloatArray, rate_hz: float) -> tuple[FloatArray, float]:
    count = min(len(codes), int(FADE_S * rate_hz))
    faded = codes.copy()
    faded[len(codes) - count :] *= np.linspace(1.0, 0.0, count)[:, None]
    return faded.astype(np.float32), 0.0


def _looped(codes: FloatArray, shapes: FloatArray, rate_hz: float) -> tuple[FloatArray, float]:
    """Return codes that can repeat, and how many of them do: the recording's own loop where it shows, else the last."""
    heard = np.concatenate([codes[:, :1] * np.sqrt(shapes.shape[1]) * 0.1, codes[:, 1:] @ shapes], 1)
    evidence = int(LOOP_EVIDENCE_S * rate_hz)
    lags = np.arange(int(LOOP_S[0] * rate_hz), min(int(LOOP_S[1] * rate_hz), len(codes) - evidence - 1) + 1)
    last = heard[len(heard) - evidence :]
    likeness = np.array([_likeness(last, heard[len(heard) - evidence - lag : len(heard) - lag]) for lag in lags])
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


def _likeness(one: FloatArray, other: FloatArray) -> float:
    """Normalised correlation, -1..1."""
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum() / norm) if norm > 1e-9 else 0.0


def measure_motions(features: Sequence[NoteFeatures], spec: AudioSpec, decaying: Iterable[str]) -> MotionArrays:
    """Measure the motion of every timbre and key that training may hear, by its longest note."""
    longest: dict[tuple[str, int], NoteFeatures] = {}
    for note in features:
        at = (note.instrument, note.pitch)
        if not note.held_out and (at not in longest or note.hold_s > longest[at].hold_s):
            longest[at] = note
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
    return _coded(names, ordered, measured, spec)


def _coded(
    names: tuple[str, ...], ordered: list[tuple[str, int]], measured: list[Measured], spec: AudioSpec
) -> MotionArrays:
    codes = [np.concatenate([one.sway[:, None], one.courses], 1) for one in measured]
    code_scale = np.array([np.abs(part).max(0) / CODE_RANGE for part in codes], np.float32)
    shape_scale = np.array([np.abs(one.shapes).max(1) / CODE_RANGE for one in measured], np.float32)
    pairs = zip(ordered, ordered[1:], measured, measured[1:], strict=False)
    alike = [
        _alike(low, high, later - key, spec) if name == other else 0.0
        for (name, key), (other, later), low, high in pairs
    ]
    return MotionArrays(
        rate_hz=1.0 / (spec.hop_s * FRAMES_PER_CODE),
        codes=np.concatenate([rounded(part, scale) for part, scale in zip(codes, code_scale, strict=True)]),
        code_scale=code_scale,
        shapes=np.stack([
            rounded(one.shapes, scale[:, None]) for one, scale in zip(measured, shape_scale, strict=True)
        ]),
        shape_scale=shape_scale,
        first=np.concatenate([[0], np.cumsum([len(part) for part in codes])]).astype(np.int64),
        loop=np.array([one.loop for one in measured], np.float32),
        likeness=np.array([*alike, 0.0], np.float32),
        timbre=np.array([names.index(name) for name, _ in ordered], np.int64),
        key=np.array([key for _, key in ordered], np.int64),
        names=names,
    )  # fmt: skip


def rounded(values: FloatArray, scale: FloatArray) -> NDArray[np.int8]:
    """Return codes of values for which a code of 1 means `scale`."""
    return np.round(values / np.maximum(scale, 1e-12)).astype(np.int8)


def _alike(low: Measured, high: Measured, semitones: int, spec: AudioSpec) -> float:
    """Likeness of two keys' details, the lower one's transposed up to the higher key."""
    ratio = 2.0 ** (semitones / 12.0)
    detail, other = transposed(low.detail, spec, ratio), high.detail
    at = np.arange(len(other)) * ratio
    at = at[at < len(detail) - 1]
    index = at.astype(np.intp)
    mix = (at - index)[:, None].astype(np.float32)
    return _likeness(detail[index] + mix * (detail[index + 1] - detail[index]), other[: len(at)])
