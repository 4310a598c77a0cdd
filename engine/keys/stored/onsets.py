"""Envelopes of attacks, finer than a spectral frame: what the level of a recorded key lacks in its first moments.

A frame spreads an attack over the window that it is read from. How much too loud or too soft the grown sound is at each
moment of the attack is measured once for each recorded key, and set right in its samples. Letters: M keys, E moments.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray

MOMENTS: Final = 32
"""E."""
STEP_S: Final = 0.002
"""From moment to moment; the first one is the onset."""
LENGTH_S: Final = MOMENTS * STEP_S
"""Where an envelope has ended: beyond its last moment it is a line to no change."""
CODE_DB: Final = 0.5
_AT_S: Final = np.arange(MOMENTS + 1) * STEP_S


def no_onsets() -> NDArray[np.int8]:
    """Return the envelopes of what was measured without them."""
    return np.zeros((0, 0), np.int8)


def check_onsets(onsets: NDArray[np.int8], keys: int) -> None:
    """Raise `ValueError` for envelopes that are neither of `keys` keys nor none."""
    if onsets.size and onsets.shape != (keys, MOMENTS):
        raise ValueError(f"onsets of {onsets.shape} do not fit {keys} keys of {MOMENTS} moments")


def coded(levels_db: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return envelopes in dB (..., E) as they are stored."""
    return np.clip(np.round(levels_db / CODE_DB), -127, 127).astype(np.int8)


def decoded(onsets: NDArray[np.int8]) -> FloatArray:
    """Return envelopes as they are read, float32 (..., E + 1) in dB; the last moment changes nothing."""
    room = [(0, 0)] * (onsets.ndim - 1) + [(0, 1)]
    return np.pad(onsets * np.float32(CODE_DB), room).astype(np.float32)


def onset_db(levels_db: FloatArray, age_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gain in dB of one key's envelope (E + 1,) at ages (N,) since the onset."""
    return np.interp(age_s, _AT_S, levels_db)
