"""Where in a take something new may begin: attacks, and changes of pitch without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.signal import find_peaks

from ....engine.arrays import FloatArray
from .curves import HOP_S, RATE, Curves

ATTACK_FLUX_DB: Final = 2.0
FAINT_FLUX_DB: Final = 0.8
RISE_DB: Final = 4.0
RISE_S: Final = 0.06
APART_S: Final = 0.08
"""Attacks closer than this are one: a hammer and its string."""
CONFIDENT: Final = 0.4
TRACK_S: Final = 0.016
CHANGE: Final = 0.6
CHANGE_FRAMES: Final = (10, 5)
STEADY: Final = 0.2
MOST_BLOCK_S: Final = 60.0
AROUND_S: Final = 0.5


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


def attacks(curves: Curves) -> dict[int, float]:
    """Return the frames at which a sound sets in, and how clearly: 1 where it is only just one."""
    flux, _ = find_peaks(curves.flux_db, height=FAINT_FLUX_DB, prominence=FAINT_FLUX_DB / 2)
    clear = {int(t): float(curves.flux_db[t]) / ATTACK_FLUX_DB for t in flux}
    for t, rise in _rises(curves.level_db, curves.floor_db):
        near = [other for other in clear if abs(other - t) * HOP_S < APART_S]
        if near:
            best = max(near, key=lambda other: clear[other])
            clear[best] = max(clear[best], rise / RISE_DB)
        else:
            clear[t] = rise / RISE_DB
    found = {t: clearness for t, clearness in clear.items() if clearness >= 1}
    return _apart(found)


def _rises(level: NDArray[np.float64], floor: float) -> list[tuple[int, float]]:
    """Return (frame, dB) where the level climbs within 60 ms out of a dip."""
    reach = int(RISE_S / HOP_S)
    audible = np.maximum(level, floor + 3.0)
    before = minimum_filter1d(audible, reach, origin=(reach - 1) // 2)
    rise = audible - before
    peaks, _ = find_peaks(rise, height=RISE_DB, distance=int(APART_S / HOP_S))
    begins = []
    for t in peaks:
        low = max(0, int(t) - reach)
        begins.append((low + int(np.argmin(audible[low : t + 1])), float(rise[t])))
    return begins


def _apart(found: dict[int, float]) -> dict[int, float]:
    """Of attacks closer than 80 ms keep the clearest."""
    kept: dict[int, float] = {}
    for t in sorted(found, key=lambda one: -found[one]):
        if all(abs(t - other) * HOP_S >= APART_S for other in kept):
            kept[t] = found[t]
    return dict(sorted(kept.items()))


def changes(track: Track) -> list[int]:
    """Return the frames of curves at which the pitch goes from one key to another."""
    step = np.zeros(len(track.key))
    for frames in CHANGE_FRAMES:
        after, before = _means(track.key, frames)
        steady = np.inf if frames == CHANGE_FRAMES[0] else STEADY
        is_steady = (after[1] < steady) & (before[1] < steady)
        step = np.maximum(step, np.where(is_steady, np.nan_to_num(np.abs(after[0] - before[0])), 0.0))
    capped = np.minimum(step, 1.5)
    peaks, _ = find_peaks(maximum_filter1d(capped, 3), height=CHANGE, distance=4, plateau_size=1)
    return [round(t * TRACK_S / HOP_S) for t in peaks]


def _means(
    key: NDArray[np.float64], frames: int
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return (mean, deviation) of the pitches after each frame, and of those before it; nan where few are known."""
    padded = np.pad(key, frames, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, frames)
    known = np.isfinite(windows).sum(axis=1)
    total = np.nansum(windows, axis=1)
    mean = np.where(known >= (frames + 1) // 2, total / np.maximum(known, 1), np.nan)
    squares = np.nansum((windows - mean[:, None]) ** 2, axis=1)
    spread = np.sqrt(squares / np.maximum(known, 1))
    count = len(key)
    return (mean[frames:][:count], spread[frames:][:count]), (mean[:count], spread[:count])
