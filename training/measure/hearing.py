"""How far a sound is from its recording as ears judge it: two models of hearing.

Zimtohrli (https://github.com/google/zimtohrli) and ViSQOL (https://github.com/google/visqol) compare two sounds with
what is known of hearing. Neither minds the pitch much, which has a judge of its own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import soxr

from ...engine.arrays import FloatArray
from .distance import match_rms

HEARING_RATE = 48_000
"""Rate in Hz at which both models listen."""
SHORTEST_S = 1.0
"""Shorter sounds get silence at their end: ViSQOL wants 0.9 s, and Zimtohrli fails below 0.1 s."""
WORST_MOS = 1.0


def hearing_distance(recording: FloatArray, rendered: FloatArray, sample_rate: int) -> float:
    """Return how far a sound is from its recording as ears judge it, by Zimtohrli; 0 is the same, 0.01 is far.

    The sound is scaled to the RMS of the recording over the whole length. The recording keeps its level: full scale
    counts as 78 dB SPL, and what is quiet is judged mildly. Shorter sounds are padded with zeros at their end.

    Parameters
    ----------
    recording, rendered : float32 (N,) and (M,), mono, beginning at the same moment
    sample_rate : of both, in Hz; other rates than 48 kHz are resampled
    """
    pair = _as_heard(recording, rendered, sample_rate)
    return float(_zimtohrli().distance(*pair))


def visqol_mos(recording: FloatArray, rendered: FloatArray, sample_rate: int) -> float:
    """Return the mean opinion score that ViSQOL expects of a sound, from 1 to 4.73, the recording itself.

    It runs in its audio mode, at 48 kHz; arguments and levels are those of `hearing_distance`. Nan for a silent
    recording.
    """
    first, second = (one.astype(np.float64) for one in _as_heard(recording, rendered, sample_rate))
    if not first.any():
        return float("nan")
    return float(_visqol().measure_from_arrays(first, second, HEARING_RATE).moslqo) if second.any() else WORST_MOS


def _as_heard(recording: FloatArray, rendered: FloatArray, sample_rate: int) -> tuple[FloatArray, FloatArray]:
    """Return both sounds at 48 kHz, equally long and equally loud."""
    first, second = (_at_hearing_rate(one, sample_rate) for one in (recording, rendered))
    length = max(len(first), len(second), round(SHORTEST_S * HEARING_RATE))
    first, second = (np.pad(one, (0, length - len(one))) for one in (first, second))
    return first, match_rms(second, first)


def _at_hearing_rate(audio: FloatArray, sample_rate: int) -> FloatArray:
    if sample_rate == HEARING_RATE:
        return np.asarray(audio, np.float32)
    resampled: FloatArray = soxr.resample(audio, sample_rate, HEARING_RATE, quality="VHQ").astype(np.float32)
    return resampled


@lru_cache(maxsize=1)
def _zimtohrli() -> Any:
    from zimtohrli import Pyohrli

    return Pyohrli()


@lru_cache(maxsize=1)
def _visqol() -> Any:
    from visqol import VisqolApi

    judge = VisqolApi()
    judge.create(mode="audio")
    return judge
