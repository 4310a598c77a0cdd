"""Where in a take something new may begin: attacks, and changes of pitch without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import find_peaks

from ....engine.arrays import FloatArray
from .curves import HOP_S, RATE, Curves

STRIKE_FLUX_DB: Final = 2.0
DIP_DB: Final = 6.0
BEAT_S, TREMOLO_S = 0.22, 0.35
LESSER: Final = 0.4
"""Share of a dip's depth from which others around it tell that the sound swings by itself."""
MOST_LESSER, SWING_S = 2, 0.4
"""More of them within so many seconds are vibrato, which moves partials over resonances."""
DIP_FALL_S, DIP_RISE_S = 0.12, 0.15
RISE_COUNTS_MORE_DB: Final = 1.5
APART_S: Final = 0.08
"""Attacks closer than this are one: a hammer and its string."""
CONFIDENT: Final = 0.4
TRACK_S: Final = 0.016
CHANGE: Final = 0.6
CHANGE_FRAMES: Final = ((10, 0.9), (5, 0.2))
"""Frames on either side that are compared, and how far their pitches may spread: of short notes only steady ones."""
MOST_STEP: Final = 1.5
MOST_BLOCK_S: Final = 60.0
AROUND_S: Final = 0.5

Mean = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Track:
    """The pitch along a take, every 16 ms.

    Attributes
    ----------
    key : float64 (F,), MIDI numbers with fractions; nan where nothing has a pitch
    confidence : float64 (F,), 0..1
    """

    key: NDArray[np.float64]
    confidence: NDArray[np.float64]

    def part(self, begin_s: float, end_s: float) -> NDArray[np.float64]:
        """Return the pitches between two moments, nan where there is none."""
        return self.key[max(0, round(begin_s / TRACK_S)) : max(0, round(end_s / TRACK_S))]


def track_pitch(audio: FloatArray) -> Track:
    """Follow the pitch of a take, float32 (N,) at `RATE`, with SwiftF0 (46..2093 Hz)."""
    from swift_f0 import SwiftF0

    tracker = SwiftF0(threads=1, spin=False)
    peak = max(float(np.abs(audio).max(initial=0.0)), 1e-9)
    block, around = int(MOST_BLOCK_S / TRACK_S), int(AROUND_S / TRACK_S)
    num_frames = int(len(audio) / RATE / TRACK_S) + 1
    hz, confidence = np.zeros(num_frames), np.zeros(num_frames)
    for at in range(0, num_frames, block):
        begin = max(0, at - around)
        part = audio[int(begin * TRACK_S * RATE) : int((at + block + around) * TRACK_S * RATE)]
        found = tracker.detect(part * (0.5 / peak), RATE)
        count = min(block, num_frames - at, len(found.pitch_hz) - (at - begin))
        hz[at : at + count] = found.pitch_hz[at - begin :][:count]
        confidence[at : at + count] = found.confidence[at - begin :][:count]
    key = 69 + 12 * np.log2(np.maximum(hz, 1.0) / 440)
    return Track(np.where(confidence >= CONFIDENT, key, np.nan), confidence)


def strikes(curves: Curves) -> dict[int, float]:
    """Return the frames at which much of the spectrum rises at once, and how clearly: 1 where it is only just one."""
    flux, _ = find_peaks(curves.flux_db, height=STRIKE_FLUX_DB, prominence=STRIKE_FLUX_DB / 2)
    return _apart({int(t): float(curves.flux_db[t]) / STRIKE_FLUX_DB for t in flux})


def dips(curves: Curves) -> dict[int, float]:
    """Return the frames at which the level comes out of a dip, and how clearly, as a bow or a tongue makes it.

    One at once after another is a beat, and those that follow each other fast are a tremolo. One among others that are
    not much less deep is vibrato.
    """
    valleys, depths = _valleys(curves)
    runs: list[list[tuple[int, float]]] = []
    for t, depth in zip(valleys.tolist(), depths.tolist(), strict=True):
        around = (np.abs(valleys - t) * HOP_S < SWING_S) & (depths >= LESSER * depth)
        if depth < DIP_DB or np.count_nonzero(around) - 1 > MOST_LESSER:
            continue
        if runs and (t - runs[-1][-1][0]) * HOP_S < BEAT_S:
            continue
        if runs and (t - runs[-1][-1][0]) * HOP_S < TREMOLO_S:
            runs[-1].append((t, depth))
        else:
            runs.append([(t, depth)])
    return {t: depth / DIP_DB for run in runs if len(run) == 1 for t, depth in run}


def _valleys(curves: Curves) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the lowest points (D,) of dips in the level, as frames, and their depths: the lesser of fall and rise."""
    level = np.maximum(curves.level_db, curves.floor_db + 3.0)
    valleys, _ = find_peaks(-level, distance=int(APART_S / HOP_S))
    before, after = int(DIP_FALL_S / HOP_S), int(DIP_RISE_S / HOP_S)
    depths = [
        min(level[max(0, t - before) : t + 1].max(), level[t : t + after].max() + RISE_COUNTS_MORE_DB) - level[t]
        for t in valleys
    ]
    return valleys, np.array(depths, np.float64)


def _apart(found: dict[int, float]) -> dict[int, float]:
    """Of attacks closer than 80 ms keep the clearest."""
    kept: dict[int, float] = {}
    for t in sorted(found, key=lambda one: -found[one]):
        if all(abs(t - other) * HOP_S >= APART_S for other in kept):
            kept[t] = found[t]
    return dict(sorted(kept.items()))


def changes(track: Track) -> list[int]:
    """Return the frames of curves at which the pitch goes from one key to another.

    Octaves do not count: a tracker takes a partial for the pitch now and then, and what truly leaps sets in anew.
    """
    step = np.zeros(len(track.key))
    for frames, most_spread in CHANGE_FRAMES:
        after, before = _means(track.key, frames)
        is_steady = (after[1] < most_spread) & (before[1] < most_spread)
        apart = np.abs((after[0] - before[0] + 6.0) % 12.0 - 6.0)
        step = np.maximum(step, np.where(is_steady, np.nan_to_num(apart), 0.0))
    peaks, _ = find_peaks(maximum_filter1d(np.minimum(step, MOST_STEP), 3), height=CHANGE, distance=4, plateau_size=1)
    return [round(t * TRACK_S / HOP_S) for t in peaks]


def _means(key: NDArray[np.float64], frames: int) -> tuple[Mean, Mean]:
    """Return (mean, deviation) of the pitches after each frame and before it, within an octave; nan: few are known."""
    turned = np.exp(2j * np.pi * np.pad(key, frames, constant_values=np.nan) / 12)
    windows = np.lib.stride_tricks.sliding_window_view(turned, frames)
    known = np.isfinite(windows).sum(axis=1)
    mean = np.nansum(windows, axis=1) / np.maximum(known, 1)
    enough = known >= (frames + 1) // 2
    where = np.where(enough, np.angle(mean) * 12 / (2 * np.pi), np.nan)
    spread = np.sqrt(-2 * np.log(np.clip(np.abs(mean), 1e-6, 1.0))) * 12 / (2 * np.pi)
    count = len(key)
    return (where[frames:][:count], spread[frames:][:count]), (where[:count], spread[:count])
