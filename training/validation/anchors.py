"""What everybody knows the sound of: recordings without their treble, and through Opus. Scales to read distances by."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from ...engine.arrays import FloatArray

LOW_PASS_HZ: Final = (3_500.0, 10_500.0)
"""A telephone's band, and what models at 22,050 Hz can reach."""
OPUS_KBPS: Final = (12, 16, 24, 32, 48)
OPUS_RATE: Final = 48_000
"""Rate in Hz that Opus works at."""
LOW_PASS_ORDER: Final = 12
STOP_BAND_DB: Final = 80.0
_OPUS_RANGE_KBPS: Final = (6.0, 256.0)
"""Rates for one audio channel between which libsndfile's compression level goes from 1 to 0."""
_NO_DISTANCE: Final = 1e-9


def low_pass_name(cutoff_hz: float) -> str:
    """Return how tables call a recording without what is above a frequency."""
    return f"low-pass {cutoff_hz / 1e3:g} kHz"


def opus_name(kbps: int) -> str:
    """Return how tables call a recording through Opus."""
    return f"Opus {kbps} kb/s"


ANCHORS: Final = (*map(low_pass_name, LOW_PASS_HZ), *map(opus_name, OPUS_KBPS))
"""Their names."""


def anchors(recording: FloatArray) -> dict[str, FloatArray]:
    """Return the anchors of a recording, float32 (N,) at 48 kHz, by name: low-passed, then through Opus."""
    low = {low_pass_name(hz): low_passed(recording, hz) for hz in LOW_PASS_HZ}
    return low | {opus_name(kbps): through_opus(recording, kbps) for kbps in OPUS_KBPS}


def low_passed(audio: FloatArray, cutoff_hz: float) -> FloatArray:
    """Return audio at 48 kHz without what is above a frequency: Chebyshev filters that delay nothing."""
    from scipy.signal import cheby2, sosfiltfilt

    # Forwards and backwards: half of the stop band's attenuation each.
    filters = cheby2(LOW_PASS_ORDER, STOP_BAND_DB / 2.0, 1.1 * cutoff_hz, fs=OPUS_RATE, output="sos")
    filtered: FloatArray = sosfiltfilt(filters, audio).astype(np.float32)
    return filtered


def through_opus(audio: FloatArray, kbps: int) -> FloatArray:
    """Return audio at 48 kHz after Opus at a rate in kb/s, as long as before and at the same time."""
    lowest, highest = _OPUS_RANGE_KBPS
    file = io.BytesIO()
    level = 1.0 - (kbps - lowest) / (highest - lowest)
    soundfile.write(file, audio, OPUS_RATE, format="OGG", subtype="OPUS", compression_level=level)
    file.seek(0)
    decoded: FloatArray = soundfile.read(file, dtype="float32")[0]
    return np.pad(decoded, (0, max(0, len(audio) - len(decoded))))[: len(audio)]


def opus_rate(distance: float, by_anchor: Mapping[str, float]) -> float:
    """Return at which Opus rate in kb/s recordings are as far from themselves as `distance` says.

    Between the known rates both rate and distance run on logarithmic scales. A rate that came out worse than a lower
    one counts as that.

    Parameters
    ----------
    distance : by `hearing_distance`, a mean over notes
    by_anchor : name of an anchor -> its mean distance over the same notes

    Returns
    -------
    float
        0 below the lowest rate, infinity above the highest one, nan where an anchor is missing.
    """
    of_rates = [by_anchor.get(opus_name(kbps), math.nan) for kbps in OPUS_KBPS]
    if math.isnan(sum(of_rates) + distance):
        return math.nan
    rates: NDArray[np.float64] = np.array(OPUS_KBPS, np.float64)
    nearest = np.minimum.accumulate(np.maximum(of_rates, _NO_DISTANCE))
    if distance > nearest[0]:
        return 0.0
    if distance < nearest[-1]:
        return math.inf
    return float(np.exp(np.interp(-math.log(max(distance, _NO_DISTANCE)), -np.log(nearest), np.log(rates))))


def opus_text(kbps: float) -> str:
    """Return a rate of `opus_rate` as tables say it: "21", "below 12" or "above 48"; "-" for nan."""
    if math.isnan(kbps):
        return "-"
    if kbps <= 0.0:
        return f"below {OPUS_KBPS[0]}"
    return f"{kbps:.0f}" if math.isfinite(kbps) else f"above {OPUS_KBPS[-1]}"
