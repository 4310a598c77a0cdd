"""What listeners would say of a sound beside its recording, by ViSQOL (https://github.com/google/visqol)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ...engine.arrays import FloatArray
from ..measure.hearing import HEARING_RATE, as_heard

WORST_MOS = 1.0


def visqol_mos(recording: FloatArray, rendered: FloatArray, sample_rate: int) -> float:
    """Return the mean opinion score that ViSQOL expects of a sound, from 1 to 4.73, the recording itself.

    It runs in its audio mode, at 48 kHz; arguments and levels are those of `hearing_distance`. Nan for a silent
    recording.
    """
    first, second = (one.astype(np.float64) for one in as_heard(recording, rendered, sample_rate))
    if not first.any():
        return float("nan")
    return float(_visqol().measure_from_arrays(first, second, HEARING_RATE).moslqo) if second.any() else WORST_MOS


@lru_cache(maxsize=1)
def _visqol() -> Any:
    from visqol import VisqolApi

    judge = VisqolApi()
    judge.create(mode="audio")
    return judge
