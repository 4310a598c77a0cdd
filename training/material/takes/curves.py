"""What changes along a take, every 128 samples at 22,050 Hz: level, noise, how much sound begins, pitch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, median_filter

from ....engine.arrays import FloatArray
from ....engine.spectra.spec import AudioSpec
from ....engine.spectra.stft import mel_filterbank, power_spectrogram
from ...sources.audio.envelope import levels_db

SPEC: Final = AudioSpec(sample_rate=22050, n_fft=1024, hop_length=128, num_mels=80)
RATE: Final = SPEC.sample_rate
"""Of takes while they are split."""
HOP: Final = SPEC.hop_length
HOP_S: Final = SPEC.hop_s
LEVEL_S: Final = 0.02
BLOCK_FRAMES: Final = 8192
FLUX_LAG: Final = 3
NEIGHBOURS: Final = 3
QUIET_SHARE: Final = 5
"""Percent of a take that are quieter than its noise is taken to be."""
CLEAR_OF_NOISE_DB: Final = 25.0
LOUD_SHARE: Final = 98
LEAST_ABOVE_NOISE_DB: Final = 12.0
UNVOICED: Final = 0.2
LEAST_RESTS_S: Final = 0.2
LEAST_FLOOR_DB: Final = -90.0

Curve = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of a take, float64 (T,), a value every `HOP` samples.

    Attributes
    ----------
    level_db : RMS of 20 ms, in dBFS
    flux_db : how much sound begins: what 80 bands rise within 17 ms, on average
    floor_db : the level of the noise between the notes
    """

    level_db: Curve
    flux_db: Curve
    floor_db: float


def measure(audio: FloatArray, confidence: Curve, frame_s: float) -> Curves:
    """Measure a take, float32 (N,) at `RATE`; `confidence` says every `frame_s` how surely something has a pitch."""
    level = levels_db(audio, RATE, HOP_S, LEVEL_S)
    voiced = np.interp(np.arange(len(level)) * HOP_S, np.arange(len(confidence)) * frame_s, confidence)
    return Curves(level, _flux(audio, len(level)), _floor(level, voiced))


def _floor(level: Curve, voiced: Curve) -> float:
    """Return the level of the noise: of the rests, or else of what has no pitch.

    A take without either does not show it, and then all of it sounds.
    """
    quiet, loud = (float(np.percentile(level, share)) for share in (QUIET_SHARE, LOUD_SHARE))
    if quiet < loud - CLEAR_OF_NOISE_DB:
        return max(LEAST_FLOOR_DB, quiet)
    rests = level[(voiced < UNVOICED) & (level < loud - LEAST_ABOVE_NOISE_DB)]
    if len(rests) * HOP_S < LEAST_RESTS_S:
        return max(LEAST_FLOOR_DB, float(level.min()) - 6.0)
    return max(LEAST_FLOOR_DB, float(np.percentile(rests, 20)))


def _flux(audio: FloatArray, length: int) -> Curve:
    """Return the rise of level against the loudest neighbouring band a moment before, after Boeck and Widmer (2013).

    So vibrato, which moves partials between bands, counts for little. Levels end at the noise of each band.
    """
    levels = np.concatenate([_bands_db(audio, at) for at in range(0, length, BLOCK_FRAMES)])[:length]
    noise = np.maximum(np.percentile(levels, 10, axis=0), levels.max() - 70.0)
    noise = np.minimum(noise, levels.max() - 30.0) + 6.0
    levels = np.maximum(levels, noise)
    before = maximum_filter1d(levels, NEIGHBOURS, axis=1)
    rise = np.zeros_like(levels)
    rise[FLUX_LAG:] = np.maximum(levels[FLUX_LAG:] - before[:-FLUX_LAG], 0.0)
    return median_filter(rise.mean(axis=1), 3)


def _bands_db(audio: FloatArray, at: int) -> Curve:
    """Return the levels of the bands of a block of frames, float64 (frames, bands)."""
    margin = SPEC.n_fft // HOP
    begin = max(0, at - margin)
    part = audio[begin * HOP : (at + BLOCK_FRAMES + margin) * HOP]
    power = power_spectrogram(part, SPEC) @ mel_filterbank(SPEC).T
    return 10 * np.log10(np.maximum(power, 1e-11))[at - begin : at - begin + BLOCK_FRAMES].astype(np.float64)
