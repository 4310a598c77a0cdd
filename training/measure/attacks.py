"""How fast a note begins, and how long one has to look to tell its level at a moment.

Letters: N samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.spectra.pitch import pitch_to_hz

LOOKED_AT_S = 0.1
"""An attack has reached its peak within that, or it is a swell."""
RISE_SHARES = (0.1, 0.9)
SILENT = 1e-6
WINDOW_S = (0.001, 0.025)
LOWEST_HZ = 30.0
STRONG = 0.1
"""Power, beside the strongest bin, of what counts as a sound's lowest tone."""
N_FFT = 16384


def level_window_s(recording: FloatArray, sample_rate: int, key: int | None) -> float:
    """Return the time over which the level of a sound is told: a period of its lowest tone, 1 ms at least.

    Within a period the power of a waveform goes up and down with its phases, which nobody hears. Piano
    recordings whose partials are all turned by 90 degrees have another rise time by more than 2 ms in two of five keys
    where 1 ms is looked at, and in one of seven where it is a period.

    Parameters
    ----------
    key : MIDI key of a sound with a pitch; None without: then it is the lowest strong bin of the first 0.1 s
    """
    if key is not None:
        return float(np.clip(1.0 / float(pitch_to_hz(key)), *WINDOW_S))
    head = recording[: round(LOOKED_AT_S * sample_rate)]
    power = np.abs(np.fft.rfft(head * np.hanning(len(head)), N_FFT)) ** 2
    hz = np.fft.rfftfreq(N_FFT, 1.0 / sample_rate)
    power[hz < LOWEST_HZ] = 0.0
    lowest = hz[int(np.argmax(power >= STRONG * power.max()))]
    return float(np.clip(1.0 / max(lowest, LOWEST_HZ), *WINDOW_S))


def rise_ms(audio: FloatArray, sample_rate: int, window_s: float) -> float:
    """Return the 10 to 90 % rise time of a note in ms; nan if it is silent.

    That is the time between the moments at which the RMS level under a window first reaches these shares of its
    maximum in the first 0.1 s.
    """
    level = _level(audio[: round(LOOKED_AT_S * sample_rate)], max(1, round(window_s * sample_rate)))
    peak = float(level.max(initial=0.0))
    if peak < SILENT:
        return float("nan")
    first, last = (int(np.argmax(level >= share * peak)) for share in RISE_SHARES)
    return 1e3 * (last - first) / sample_rate


def _level(audio: FloatArray, width: int) -> NDArray[np.float64]:
    """Return the RMS of the last `width` samples at each of N."""
    total = np.cumsum(np.pad(np.square(audio, dtype=np.float64), (width, 0)))
    return np.sqrt(np.maximum(total[width:] - total[:-width], 0.0) / width)
