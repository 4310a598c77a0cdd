"""By how much recorded keys fall once they are let go.

Samplers go on with a note as if it were held, and take its level down in a line of decibels. A key may have such a rate
for soft, middle and loud notes: SoundFonts let loud notes ring for longer. Letters: M keys, W velocities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

VELOCITIES: Final = (60, 92, 124)
"""W: where rates are told. Between them the time that a fall takes is a line, beyond them it stays."""
HIGHEST: Final = 6000.0
"""dB a second, 60 dB in 10 ms: as fast as samplers let go at all; faster ones would click on low tones."""
STEP: Final = 0.2
"""dB a second, what a stored rate of 1 means."""
MOST: Final = round(HIGHEST / STEP)
Numbers = Sequence[float] | NDArray[np.float64]
NONE: Final = (0.0,) * len(VELOCITIES)
"""The rates of a key whose notes are ended by its growth."""


def no_releases() -> NDArray[np.int16]:
    """Return the rates of what was measured without them."""
    return np.zeros((0, 0), np.int16)


def check_releases(rates: NDArray[np.int16], keys: int) -> None:
    """Raise `ValueError` for rates that are neither of `keys` keys nor none, or out of range."""
    if rates.size and rates.shape != (keys, len(VELOCITIES)):
        raise ValueError(f"release_rates of {rates.shape} do not fit {keys} keys at {len(VELOCITIES)} velocities")
    if np.any((rates < 0) | (rates > MOST)) or np.any((rates > 0).any(-1) != (rates > 0).all(-1)):
        raise ValueError(f"release_rates of a key must all be in 1..{MOST}, or all 0")


def coded_releases(db_per_s: NDArray[np.float64]) -> NDArray[np.int16]:
    """Return rates as they are stored: what does not fall at all falls as slowly as can be told."""
    return np.round(np.clip(db_per_s, STEP, HIGHEST) / STEP).astype(np.int16)


def rates_between(known: Numbers, rates: Numbers, wanted: Sequence[float]) -> NDArray[np.float64]:
    """Return rates at velocities that are wanted, of those at rising ones that are known; all above 0."""
    return np.asarray(1.0 / np.interp(wanted, known, 1.0 / np.asarray(rates, np.float64)))


def release_rate(rates: Sequence[float], velocity: float) -> float:
    """Return by how much a note of a velocity 0..1 falls, in dB a second, by the rates (W,) of its key; 0 of none."""
    return float(rates_between(VELOCITIES, rates, [127.0 * velocity])[0]) if rates[0] > 0.0 else 0.0
