"""Spectral fields of one pitch, read for another."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from .spec import AudioSpec
from .stft import mel_edges_hz


@lru_cache(maxsize=512)
def transposed_bands(spec: AudioSpec, ratio: float) -> tuple[NDArray[np.intp], FloatArray]:
    """Return where each mel band's sound comes from when a sound is transposed by a frequency ratio.

    That is the band below that place, and how far it lies towards the next one, each (num_mels,). Bands beyond the
    ends take the outermost one.
    """
    hz = mel_edges_hz(spec)[1:-1]
    at = np.interp(hz / ratio, hz, np.arange(spec.num_mels))
    low = np.minimum(at.astype(np.intp), spec.num_mels - 2)
    return low, (at - low).astype(np.float32)


def transposed_field_bands(spec: AudioSpec, num_bands: int, ratio: float) -> tuple[NDArray[np.intp], FloatArray]:
    """Return `transposed_bands` of a scale of `num_bands` mel bands."""
    return transposed_bands(spec if num_bands == spec.num_mels else replace(spec, num_mels=num_bands), ratio)


@lru_cache(maxsize=256)
def transposed_bins(spec: AudioSpec, ratio: float) -> tuple[NDArray[np.intp], FloatArray]:
    """Return where each linear bin's sound comes from when a sound is transposed; see `transposed_bands`."""
    at = np.minimum(np.arange(spec.num_bins) / ratio, spec.num_bins - 1.0)
    low = np.minimum(at.astype(np.intp), spec.num_bins - 2)
    return low, (at - low).astype(np.float32)


def between(values: FloatArray, low: NDArray[np.intp], share: FloatArray) -> FloatArray:
    """Return values (..., F) read between: at places (N,), the index below each and how far it is to the next."""
    below: FloatArray = values[..., low]
    return below + share * (values[..., low + 1] - below)


def between_each(values: FloatArray, low: NDArray[np.intp], share: FloatArray) -> FloatArray:
    """Return what `between` does of values (V, T, C, F), read at places of each of V, (V, N): the same to the bit."""
    voices, frames, channels, width = values.shape
    first = np.arange(0, values.size, width).reshape(voices, frames * channels, 1)
    at = first + low[:, None]
    flat = np.ascontiguousarray(values).reshape(-1)
    below = flat.take(at, mode="clip")  # sure to lie inside; the other modes check
    at += 1
    read: FloatArray = flat.take(at, mode="clip")
    read -= below
    read *= share[:, None]
    read += below
    return read.reshape(voices, frames, channels, -1)


LINEAR, BANDS = "linear", "mel"
Place = tuple[NDArray[np.intp], FloatArray]
"""Where values are read between others: the index below each, and how far it is to the next, each (N,)."""
LOBE_DIP_DB = 5.7
"""Of a partial read at a share s between two bins, times s (1 - s): a line cuts the top of a Hann window's lobe off."""
AROUND_BANDS = 8
"""On either side of a band, over which transposed bands keep their power."""
FAINT = np.float32(np.log(100.0))
"""Bands 20 dB below the mean around them, as a natural logarithm, have no part in it."""


def sources(name: str, spec: AudioSpec, width: int, ratio: float) -> Place | None:
    """Return where each of `width` values of a field comes from when its sound is transposed by a frequency ratio.

    See `spectral.transposed_bands`; None for what is no spectrum.
    """
    if name == LINEAR:
        return transposed_bins(spec, ratio)
    return transposed_field_bands(spec, width, ratio) if name.startswith(BANDS) else None


def transposed_field(name: str, pair: FloatArray, spec: AudioSpec, ratio: float) -> FloatArray:
    """Return a field's frames (T, 2, N) transposed by a frequency ratio; what is no spectrum stays as it is."""
    places = sources(name, spec, pair.shape[2], ratio)
    return pair if places is None else read_at(name, pair[None], [places], spec)[0]


def read_at(name: str, pairs: FloatArray, places: list[Place], spec: AudioSpec) -> FloatArray:
    """Return a field of voices (V, T, 2, N) read at places of each of them; partials keep height and bands power.

    Half-way between two bands, of which one holds a tone, lies half of all its decibels, but 3 dB less are due in both.
    Power read between would be right, but blur what lies between partials; so it is what the bands around sum to.
    """
    low, share = (np.concatenate(parts).reshape(len(places), -1) for parts in zip(*places, strict=True))
    read = between_each(pairs, low, share)
    if name.startswith(BANDS):
        scale = np.float32(spec.level_scale_db * np.log(10.0) / 10.0)
        wanted = _mean_around(between_each(np.exp(pairs[:, :, :1] * scale), low, share)[:, :, 0])
        power = np.exp(read[:, :, 0] * scale)
        found = _mean_around(power)
        holds = np.clip(1.0 + np.log(power / found) / FAINT, 0.0, 1.0)
        read[:, :, 0] += np.log(wanted / found) * holds / scale
    if name == LINEAR:
        dip = share * (np.float32(1.0) - share)
        dip *= np.float32(LOBE_DIP_DB / spec.level_scale_db)
        read[:, :, 0] += dip[:, None] * read[:, :, 1]
    return read


def _mean_around(power: FloatArray) -> FloatArray:
    """Return the mean power (V, T, N) over `AROUND_BANDS` neighbours on either side."""
    total = np.pad(np.cumsum(power, 2, dtype=np.float64), ((0, 0), (0, 0), (1, 0)))
    at = np.arange(power.shape[2])
    above, below = np.minimum(at + AROUND_BANDS + 1, len(at)), np.maximum(at - AROUND_BANDS, 0)
    return ((total[..., above] - total[..., below]) / (above - below)).astype(np.float32)


def transposed(bands: FloatArray, spec: AudioSpec, ratio: float) -> FloatArray:
    """Return values of mel bands (..., F) as they are when the sound is transposed by a frequency ratio."""
    return between(bands, *transposed_bands(spec, ratio))
