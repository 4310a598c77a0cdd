"""When one pitch gives way to the next without a rest: where the partials of the new one rise."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ....engine.arrays import FloatArray
from ....engine.spectra.pitch import pitch_to_hz
from ....engine.spectra.stft import hann
from .curves import RATE

AROUND_S: Final = 0.12
SETTLED_S: Final = (0.04, 0.12)
HOP: Final = 32
PARTIALS: Final = 12
WINDOW: Final = 1024
APART_HZ: Final = 1.6 * RATE / WINDOW
BEFORE_STRIKE_S, AFTER_STRIKE_S = (0.09, 0.03), (0.04, 0.11)
LOUDER_DB: Final = 1.5
HEARD_DB: Final = 16.0
"""Below its later level, from where on the new pitch counts as begun."""


def settle(audio: FloatArray, at: int, before: float, after: float) -> int:
    """Return the sample at which a new pitch sets in.

    Parameters
    ----------
    audio : float32 (N,) at `RATE`
    at : about where it does, to within 0.1 s
    before, after : the two pitches, MIDI numbers with fractions
    """
    low = max(0, at - int(AROUND_S * RATE))
    part = audio[low : at + int((AROUND_S + SETTLED_S[1]) * RATE)]
    power = _power(part, _own_partials(before, after))
    if power is None:
        return at
    centre = (at - low) // HOP
    begin, end = (centre + int(seconds * RATE / HOP) for seconds in SETTLED_S)
    settled = power[begin:end]
    if not len(settled):
        return at
    below = np.flatnonzero(power[:begin] < np.median(settled) * 10 ** (-HEARD_DB / 10))
    return low + (int(below[-1]) + 1) * HOP if len(below) else at


def is_struck_anew(audio: FloatArray, at: int, key: float) -> bool:
    """Tell whether a pitch becomes louder at a sample, where a click beside it leaves it as it is."""
    before_s, after_s = BEFORE_STRIKE_S, AFTER_STRIKE_S
    low = max(0, at - int(before_s[0] * RATE))
    hz = pitch_to_hz(key) * np.arange(1, PARTIALS + 1)
    power = _power(audio[low : at + int(after_s[1] * RATE)], hz[hz < 0.4 * RATE])
    if power is None:
        return True
    centre = (at - low) // HOP
    before = power[: max(1, centre - int(before_s[1] * RATE / HOP))]
    after = power[centre + int(after_s[0] * RATE / HOP) :]
    return not len(after) or bool(after.mean() > before.mean() * 10 ** (LOUDER_DB / 10))


def _own_partials(before: float, after: float) -> NDArray[np.float64]:
    """Return the frequencies of the new pitch that lie clear of all of the old one's."""
    counts = np.arange(1, 4 * PARTIALS + 1)
    old, new = (pitch_to_hz(key) * counts for key in (before, after))
    new = new[:PARTIALS]
    clear = np.abs(new[:, None] - old).min(axis=1) > APART_HZ
    return np.asarray(new[clear & (new < 0.4 * RATE)], np.float64)


def _power(audio: FloatArray, hz: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the power of some frequencies together, every `HOP` samples."""
    if not len(hz):
        return None
    padded = np.pad(audio.astype(np.float64), WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    time = np.arange(WINDOW) / RATE
    basis = np.exp(-2j * np.pi * time[:, None] * hz) * hann(WINDOW)[:, None]
    return np.asarray((np.abs(windows @ basis) ** 2).sum(axis=1))
