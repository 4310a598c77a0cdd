"""Grown fields: level and tonality of spectral frames."""

from __future__ import annotations

import numpy as np

from ..arrays import FloatArray
from .spec import AudioSpec
from .stft import power_from_level

Fields = dict[str, FloatArray]
"""Grown fields by name, each float32 (V, T, 2, F): level and tonality of T spectral frames of V voices."""
QUIET_LEVEL = 0.02
"""Below this (0.8 dB above the floor) grown levels are silence: a model is never exactly at its floor, and what it
leaves there would be heard as hiss beneath every tail."""


def grown_power(level: FloatArray, spec: AudioSpec) -> FloatArray:
    """Return the power of grown levels, 0 for what is as good as silent."""
    return power_from_level(np.where(level < QUIET_LEVEL, np.float32(0.0), level), spec)
