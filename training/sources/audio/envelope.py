"""Where a recorded note begins, where it is released and where it ends, read from its level."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ....engine.arrays import FloatArray
from ....errors import AudioFileError
from ..soundfont import PEAK_SILENT
from .checks import too_short

PRE_ROLL_S: Final = 0.002
TAIL_S: Final = 1.0
ONSET_RANGE_DB: Final = (-40.0, -20.0)
ONSET_OVER_NOISE_DB: Final = 10.0
ONSET_HOP_S, ONSET_WINDOW_S, ONSET_DIP_S = 0.001, 0.004, 0.02
HOP_S: Final = 0.005
WINDOW_S: Final = 0.03
RANGE_DB: Final = 60.0
MIN_SEGMENT: Final = 3
# A level that drops sooner is a struck note's own attack.
MIN_HOLD_S: Final = 0.12
RELEASE_FALL_DB: Final = 15.0
RELEASE_STEEPER: Final = 1.4
RELEASE_SLOPE_DB_PER_S: Final = -12.0
# What fades slower may as well be a bow that tires or a bellows, and what is held shorter tells nothing.
FADING_SLOPE_DB_PER_S: Final = -3.0
SLOW_SLOPE_DB_PER_S: Final = -1.0
FADING_FROM_S: Final = 0.05
LEAST_HELD_S: Final = 0.25


def trim(audio: FloatArray, sample_rate: int) -> tuple[FloatArray, int]:
    """Cut a note to its onset, less 2 ms, and to at most a second after it has died away.

    Returns
    -------
    (audio, samples cut off at the start)

    Raises
    ------
    AudioFileError
        Less than 50 ms lie between onset and end.
    """
    start = onset(audio, sample_rate)
    end = int(sound_end_s(audio, sample_rate) * sample_rate)
    reason = too_short(max(0, end - start), sample_rate)
    if reason:
        raise AudioFileError(reason)
    return audio[start : end + int(TAIL_S * sample_rate)], start


def onset(audio: FloatArray, sample_rate: int) -> int:
    """Return the sample 2 ms before the note stands out of what is before it.

    From where the level of 4 ms first comes within 20 dB of the loudest, that is as far back as it stays above 1 % of
    the loudest, and 10 dB above the noise, but for dips of 20 ms, which low tones have. The noise is the quietest
    30 ms: single samples of it, and short parts of a hum, go far beyond it.
    """
    levels = levels_db(audio, sample_rate, ONSET_HOP_S, ONSET_WINDOW_S)
    quietest = levels_db(audio, sample_rate).min()
    low, high = (levels.max() + share_db for share_db in ONSET_RANGE_DB)
    threshold = max(float(np.clip(quietest + ONSET_OVER_NOISE_DB, low, high)), 20 * np.log10(PEAK_SILENT / 2))
    loud = int(np.argmax(levels >= max(high, threshold)))
    above = np.flatnonzero(levels[: loud + 1] >= threshold)
    gaps = np.flatnonzero(np.diff(above) > ONSET_DIP_S / ONSET_HOP_S)
    hop, reach = int(ONSET_HOP_S * sample_rate), int(ONSET_WINDOW_S * sample_rate) // 2
    begin = max(0, int(above[gaps[-1] + 1 if len(gaps) else 0]) * hop - reach)
    part = np.abs(audio[begin : begin + 2 * reach])
    return max(0, begin + int(np.argmax(part >= 10 ** (threshold / 20))) - int(PRE_ROLL_S * sample_rate))


def levels_db(
    audio: FloatArray, sample_rate: int, hop_s: float = HOP_S, window_s: float = WINDOW_S
) -> NDArray[np.float64]:
    """Return RMS levels in dBFS every `hop_s`, float64 (T,), of `window_s` each, centred; what lies inside counts."""
    hop, window = int(hop_s * sample_rate), int(window_s * sample_rate)
    energy = np.concatenate([[0.0], np.cumsum(np.square(audio, dtype=np.float64))])
    centre = np.arange(0, len(audio), hop)
    low, high = np.maximum(centre - window // 2, 0), np.minimum(centre + window // 2, len(audio))
    return 10 * np.log10(np.maximum((energy[high] - energy[low]) / (high - low), 1e-12))


def sound_end_s(audio: FloatArray, sample_rate: int) -> float:
    """Return when a note has died away: 60 dB below its loudest, or 6 dB above the noise where that is more."""
    levels = levels_db(audio, sample_rate)
    return min(len(audio) / sample_rate, (_last_audible(levels) + 1) * HOP_S)


def _last_audible(levels: NDArray[np.float64]) -> int:
    loudest = levels.max()
    noise = np.partition(levels, len(levels) // 50)[len(levels) // 50]
    floor = max(loudest - RANGE_DB, min(noise + 6.0, loudest - 20.0))
    return int(np.flatnonzero(levels >= floor)[-1])


def find_hold_s(audio: FloatArray, sample_rate: int) -> float:
    """Find how long a note was held: where its level, in dB, begins to fall more steeply for good.

    Two straight lines are fitted to the level from the loud part to the end, with the break where they fit best.
    A second line clearly steeper than the first is a release, unless it comes in the first 0.12 s. A note without
    one (a plucked string left to ring, a recording cut off) was held to its end.

    Parameters
    ----------
    audio : float32 (N,), the onset at sample 0

    Returns
    -------
    Seconds from onset to release, above 0.
    """
    levels = levels_db(audio, sample_rate)
    end = _last_audible(levels) + 1
    begin = int(np.argmax(levels >= levels.max() - 6.0))
    whole_s = min(len(audio) / sample_rate, end * HOP_S)
    curve = levels[begin:end]
    if len(curve) < 2 * MIN_SEGMENT + 2:
        return whole_s
    at, first, second = _best_break(curve)
    limit = min(RELEASE_SLOPE_DB_PER_S, RELEASE_STEEPER * min(first, 0.0) - 10.0)
    hold_s = (begin + at) * HOP_S
    released = second < limit and curve[at] - curve[-1] >= RELEASE_FALL_DB and hold_s >= MIN_HOLD_S
    return hold_s if released else whole_s


def fades_while_held(audio: FloatArray, hold_s: float, sample_rate: int) -> bool:
    """Tell whether a note fades out while its key is held, as a plucked string does.

    A straight line through its level from the loudest moment to the release falls by 3 dB a second or more. Where
    that is no more than a quarter of a second, a fall by 15 dB tells it. So does a line that falls by so much in all,
    and by 1 dB a second: low strings of a piano take half a minute.

    Parameters
    ----------
    audio : float32 (N,), the onset at sample 0
    hold_s : seconds from onset to release
    """
    levels = levels_db(audio[: max(1, int(hold_s * sample_rate))], sample_rate)
    end = _last_audible(levels) + 1
    begin = int(np.argmax(levels[:end])) + int(FADING_FROM_S / HOP_S)
    curve = levels[begin:end]
    if len(curve) * HOP_S < LEAST_HELD_S:
        return bool(levels.max() - levels[-1] >= RELEASE_FALL_DB)
    slope = np.polyfit(np.arange(len(curve)) * HOP_S, curve, 1)[0]
    falls = -slope * len(curve) * HOP_S >= RELEASE_FALL_DB and slope <= SLOW_SLOPE_DB_PER_S
    return bool(slope <= FADING_SLOPE_DB_PER_S or falls)


def _best_break(curve: NDArray[np.float64]) -> tuple[int, float, float]:
    """Return (break, slope before, slope after) of the two-line fit of least squared error, slopes in dB/s."""
    count = len(curve)
    breaks = np.arange(MIN_SEGMENT, count - MIN_SEGMENT)
    before_error, before_slope = _line_fits(curve, np.zeros_like(breaks), breaks)
    after_error, after_slope = _line_fits(curve, breaks, np.full_like(breaks, count))
    best = int(np.argmin(before_error + after_error))
    return int(breaks[best]), float(before_slope[best] / HOP_S), float(after_slope[best] / HOP_S)


def _line_fits(
    curve: NDArray[np.float64], begin: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (squared error, slope) of the straight-line fit to each stretch `begin`..`end`, from running sums."""
    time = np.arange(len(curve), dtype=np.float64)
    columns = np.stack([time, time**2, curve, time * curve, curve**2])
    sums = np.concatenate([np.zeros((5, 1)), np.cumsum(columns, axis=1)], axis=1)
    t, tt, y, ty, yy = sums[:, end] - sums[:, begin]
    n = end - begin
    slope = (ty - t * y / n) / np.maximum(tt - t * t / n, 1e-9)
    return yy - y * y / n - slope * (ty - t * y / n), slope
