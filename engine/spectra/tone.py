"""Colouring grown spectra: brightness, resonance and fading in, as additions to level.

Level is logarithmic, so that a tilt or a gain is a sum. What is silent stays silent, and where nothing is asked for,
nothing is touched. Letters: V voices, T frames, F bands or bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from .fields import QUIET_LEVEL, Fields
from .pitch import partial_hz
from .spec import AudioSpec
from .stft import mel_edges_hz

PIVOT_HZ = 200.0
"""Below this, and below the fundamental, a tilt leaves the level alone."""
MAX_BOOST_DB = 12.0
MAX_CUT_DB = 60.0
RESONANT_PARTIAL = 4.0
RESONANCE_HZ = (600.0, 4000.0)
"""Resonance lies at this partial of the note, but within this range; for an unpitched voice in its middle."""
RESONANCE_OCTAVES = 0.5
"""Standard deviation of the resonance's bell."""


LEVEL_AND_TONALITY = 2
"""Rows of a field whose levels can be coloured; latents have one."""
PARTIALS = "partials"
"""The field whose levels are those of partials, not of bands or bins."""


class ToneLevels(NamedTuple):
    """Which numbers of a field's first row are levels, and whether they are those of partials."""

    where: slice
    of_partials: bool


def levels_of(name: str, pair: FloatArray) -> tuple[ToneLevels, ...]:
    """Return what can be coloured of a field (V, T, rows, F) that is like those of spectra; nothing of others."""
    return (ToneLevels(slice(None), name == PARTIALS),) if pair.shape[2] == LEVEL_AND_TONALITY else ()


def coloured(
    fields: Fields,
    levels: Mapping[str, Sequence[ToneLevels]],
    spec: AudioSpec,
    f0_hz: NDArray[np.float64],
    colour: NDArray[np.float64],
) -> Fields:
    """Return fields with coloured levels.

    Parameters
    ----------
    fields : by name, float32 (V, T, rows, F)
    levels : what of each field is levels
    f0_hz : (V, T)
    colour : (3, V, T), tilt, resonance and gain of `shape`
    """
    tilt_db, resonance_db, gain_db = colour
    found = dict(fields)
    for name in (one for one in fields if levels[one]):
        found[name] = fields[name].copy()
        for where, of_partials in levels[name]:
            level = fields[name][:, :, 0, where]
            shaped = shape(level, spec, f0_hz, tilt_db, resonance_db, gain_db, of_partials)
            found[name][:, :, 0, where] = shaped
    return found


def shape(
    level: FloatArray,
    spec: AudioSpec,
    f0_hz: NDArray[np.float64],
    tilt_db: NDArray[np.float64],
    resonance_db: NDArray[np.float64],
    gain_db: NDArray[np.float64],
    of_partials: bool = False,
) -> FloatArray:
    """Return levels with a tilt, a resonance and a gain.

    Parameters
    ----------
    level : float32 (V, T, F), bands or bins, or partials of the fundamental
    f0_hz : (V, T), where tilting begins; 0 for an unpitched voice
    tilt_db : (V, T), dB per octave above there
    resonance_db : (V, T), gain at the top of a bell
    gain_db : (V, T)
    of_partials : whether F are partials
    """
    octaves = _partial_octaves(f0_hz, level.shape[-1]) if of_partials else _octaves(spec, level.shape[-1])
    change_db = np.repeat(_column(gain_db), level.shape[-1], axis=-1)
    if tilt_db.any():
        above = np.maximum(octaves - _column(np.log2(np.maximum(f0_hz, PIVOT_HZ))), 0.0)
        change_db += np.minimum(np.maximum(_column(tilt_db) * above, -MAX_CUT_DB), MAX_BOOST_DB)
    if resonance_db.any():
        distance = (octaves - _column(np.log2(resonance_hz(f0_hz)))) * np.float32(1.0 / RESONANCE_OCTAVES)
        change_db += _column(resonance_db) * np.exp(np.float32(-0.5) * distance * distance)
    shaped = np.maximum(level + change_db * np.float32(1.0 / spec.level_scale_db), np.float32(0.0))
    return np.where(level > QUIET_LEVEL, shaped, level)


def _column(values: NDArray[np.float64]) -> FloatArray:
    """Return values (V, T) as float32 (V, T, 1)."""
    return values[..., None].astype(np.float32)


def resonance_hz(f0_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the resonance of notes lies, any shape."""
    low, high = RESONANCE_HZ
    return np.where(f0_hz > 0.0, np.clip(RESONANT_PARTIAL * f0_hz, low, high), np.sqrt(low * high))


@lru_cache
def frequencies_hz(spec: AudioSpec, size: int) -> NDArray[np.float64]:
    """Return the frequency of each band or bin of a field with `size` of them."""
    if size == spec.num_bins:
        return np.linspace(0.0, spec.sample_rate / 2.0, size)
    return np.asarray(mel_edges_hz(replace(spec, num_mels=size))[1:-1], np.float64)


def _partial_octaves(f0_hz: NDArray[np.float64], count: int) -> FloatArray:
    """Return where partials lie, (V, T, F); how far stiffness moves them hardly matters here."""
    return np.log2(np.maximum(partial_hz(f0_hz, 0.0, count), 1.0)).astype(np.float32)


@lru_cache
def _octaves(spec: AudioSpec, size: int) -> FloatArray:
    return np.log2(np.maximum(frequencies_hz(spec, size), 1.0)).astype(np.float32)
