"""The vibrato of the modulation wheel."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

VIBRATO_HZ: Final = 5.5
PITCH_RANGE: Final = (0.0, 135.0)
"""MIDI pitches that tuning and bends cannot leave."""


def with_vibrato(
    pitch: NDArray[np.float64], depth: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return pitch (R, V) that swings by `depth` semitones; every note begins in the middle, going up."""
    if not depth.any():
        return pitch
    return np.clip(pitch + depth * np.sin(2.0 * np.pi * VIBRATO_HZ * time_s), *PITCH_RANGE)
