"""How fast a note begins."""

from __future__ import annotations

import numpy as np

from ...engine.arrays import FloatArray

WINDOW_S = 0.001
"""Over which the power is averaged."""
LOOKED_AT_S = 0.25
RISE_SHARES = (0.1, 0.9)
SILENT = 1e-6


def rise_ms(audio: FloatArray, sample_rate: int) -> float:
    """Return the 10 to 90 % rise time of a note in ms; nan if it is silent.

    That is the time between the moments at which the RMS level under a window of 1 ms first reaches these shares of
    its maximum in the first quarter of a second.
    """
    head = np.square(audio[: round(LOOKED_AT_S * sample_rate)], dtype=np.float64)
    width = max(1, round(WINDOW_S * sample_rate))
    total = np.cumsum(np.pad(head, (width, width)))
    level = np.sqrt(np.maximum(total[width:] - total[:-width], 0.0) / width)
    peak = float(level.max(initial=0.0))
    if peak < SILENT:
        return float("nan")
    first, last = (int(np.argmax(level >= share * peak)) for share in RISE_SHARES)
    return 1e3 * (last - first) / sample_rate
