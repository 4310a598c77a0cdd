"""Colouring grown spectra: brightness, contrast and fading in, as additions to level.

Level is logarithmic, so that a tilt or a gain is a sum. What is silent stays silent, and where nothing is asked for,
nothing is touched. Letters: V voices, T frames, F bands or bins.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .decoders.base import QUIET_LEVEL
from .spec import AudioSpec
from .spectral import FloatArray, mel_edges_hz

PIVOT_HZ = 200.0
"""Below this, and below the fundamental, a tilt leaves the level alone."""
MAX_BOOST_DB = 18.0
MAX_CUT_DB = 60.0
CONTRAST_REACH_HZ = 500.0
"""Half the width of the surroundings that contrast is measured against."""
MAX_CONTRAST_DB = 15.0


def shape(
    level: FloatArray,
    spec: AudioSpec,
    f0_hz: NDArray[np.float64],
    tilt_db: NDArray[np.float64],
    contrast: NDArray[np.float64],
    gain_db: NDArray[np.float64],
) -> FloatArray:
    """Return levels with a tilt, a contrast and a gain.

    Parameters
    ----------
    level : float32 (V, T, F), bands or bins
    f0_hz : (V, T), where tilting begins; 0 for an unpitched voice
    tilt_db : (V, T), dB per octave above there
    contrast : (V, T), above -1; 0 changes nothing
    gain_db : (V, T)
    """
    change = np.repeat(gain_db[..., None] / spec.level_scale_db, level.shape[-1], axis=-1)
    if tilt_db.any():
        octaves = np.maximum(_octaves(spec, level.shape[-1]) - np.log2(np.maximum(f0_hz, PIVOT_HZ))[..., None], 0.0)
        change += np.clip(tilt_db[..., None] * octaves, -MAX_CUT_DB, MAX_BOOST_DB) / spec.level_scale_db
    if contrast.any():
        change += _contrasted(level, spec, contrast)
    shaped = np.maximum(level + change, 0.0).astype(np.float32)
    return np.where(level > QUIET_LEVEL, shaped, level)


def _contrasted(level: FloatArray, spec: AudioSpec, contrast: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what to add so that levels depart further from their surroundings, with the largest as large as before."""
    low, high = _surroundings(spec, level.shape[-1])
    sums = np.concatenate([np.zeros((*level.shape[:-1], 1)), np.cumsum(level, axis=-1, dtype=np.float64)], axis=-1)
    mean = (sums[..., high] - sums[..., low]) / (high - low)
    limit = MAX_CONTRAST_DB / spec.level_scale_db
    change: NDArray[np.float64] = np.clip(contrast[..., None] * (level - mean), -limit, limit)
    return change - ((level + change).max(axis=-1) - level.max(axis=-1))[..., None]


@lru_cache
def frequencies_hz(spec: AudioSpec, size: int) -> NDArray[np.float64]:
    """Return the frequency of each band or bin of a field with `size` of them."""
    if size == spec.num_mels:
        return np.asarray(mel_edges_hz(spec)[1:-1], np.float64)
    return np.linspace(0.0, spec.sample_rate / 2.0, size)


@lru_cache
def _octaves(spec: AudioSpec, size: int) -> NDArray[np.float64]:
    return np.log2(np.maximum(frequencies_hz(spec, size), 1.0))


@lru_cache
def _surroundings(spec: AudioSpec, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first and one past the last neighbour of each band or bin, two on either side at least."""
    hz, index = frequencies_hz(spec, size), np.arange(size)
    low = np.minimum(np.searchsorted(hz, hz - CONTRAST_REACH_HZ), index - 2)
    high = np.maximum(np.searchsorted(hz, hz + CONTRAST_REACH_HZ, side="right"), index + 3)
    return np.clip(low, 0, size), np.clip(high, 0, size)
