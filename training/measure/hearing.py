"""How far a sound is from its recording as ears judge it, by Zimtohrli, a model of hearing.

https://github.com/google/zimtohrli compares two sounds with what is known of hearing. It does not mind the pitch much,
which has a judge of its own. ViSQOL is in `training.validation.opinion`: it needs a package that is compiled.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import soxr

from ...engine.arrays import FloatArray
from .distance import match_rms

HEARING_RATE = 48_000
"""Rate in Hz at which models of hearing listen."""
SHORTEST_S = 1.0
"""Shorter sounds get silence at their end: ViSQOL wants 0.9 s, and Zimtohrli fails below 0.1 s."""


def hearing_distance(recording: FloatArray, rendered: FloatArray, sample_rate: int) -> float:
    """Return how far a sound is from its recording as ears judge it, by Zimtohrli; 0 is the same, 0.01 is far.

    The sound is scaled to the RMS of the recording over the whole length. The recording keeps its level: full scale
    counts as 78 dB SPL, and what is quiet is judged mildly. Shorter sounds are padded with zeros at their end.

    Parameters
    ----------
    recording, rendered : float32 (N,) and (M,), mono, beginning at the same moment
    sample_rate : of both, in Hz; other rates than 48 kHz are resampled
    """
    pair = as_heard(recording, rendered, sample_rate)
    return float(_zimtohrli().distance(*pair))


def as_heard(recording: FloatArray, rendered: FloatArray, sample_rate: int) -> tuple[FloatArray, FloatArray]:
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
