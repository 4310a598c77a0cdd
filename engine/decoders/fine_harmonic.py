"""The harmonic decoder on fine mel bands, which tell partials apart nearly as well as bins do; no training either.

Letters: V voices, T hops, H partials, F bands, N bins, K bins of the noise FFT.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..seed import MAX_PARTIALS, partial_hz
from ..spec import AudioSpec
from ..spectral import FloatArray, bins_among_bands, mel_edges_hz, mel_filterbank
from .harmonic import HarmonicDecoder
from .oscillators import LEAST_DENSITY, Comb, Places, lobe_power

LOBE_BINS = 4
"""Bins that a partial's main lobe can reach."""


class MelComb(Comb):
    """Finds partials in mel bands; see `Comb`.

    The two bands around a partial hold its power and what its neighbours spill there: as much as a comb of partials
    of amplitude 1 leaves in them is what their power is divided by.
    """

    def __init__(self, spec: AudioSpec, num_slots: int) -> None:
        super().__init__(spec, num_slots)
        self._num_bins = spec.num_bins
        self._to_bands = np.ascontiguousarray(mel_filterbank(spec).T.astype(np.float64))
        self._centres_hz = mel_edges_hz(spec)[1:-1]

    def _measure(self, hz: NDArray[np.float64], stretch: NDArray[np.float64]) -> Places:
        sounding = np.where(hz > 0.0, hz, self._bin_hz * 1e6)
        partials = partial_hz(sounding, stretch, MAX_PARTIALS)
        place = (partials / self._bin_hz).astype(np.float32)
        audible = place < self.highest_bin
        left = self._comb_power(place) @ self._to_bands
        at = np.interp(partials, self._centres_hz, np.arange(len(self._centres_hz)))
        low = np.where(audible, np.minimum(at, len(self._centres_hz) - 2), 0.0).astype(np.intp)
        around = np.stack([low, low + 1], -2)
        density = np.take_along_axis(left, low, -1) + np.take_along_axis(left, low + 1, -1)
        gain = np.where(audible, 1.0 / np.maximum(density, LEAST_DENSITY), 0.0).astype(np.float32)
        return Places(place, around, gain)

    def _comb_power(self, place: FloatArray) -> NDArray[np.float64]:
        """Return the power (..., N) that partials of amplitude 1 at bins (..., H) leave in bins."""
        flat = place.reshape(-1, place.shape[-1]).astype(np.float64)
        flat = np.where(flat < self.highest_bin, flat, np.nan)
        bins = np.floor(flat)[..., None] + np.arange(-1, LOBE_BINS - 1)
        power = np.nan_to_num(lobe_power(bins - flat[..., None]))
        rows = np.arange(len(flat))[:, None, None] * self._num_bins
        index = rows + np.clip(np.nan_to_num(bins), 0, self._num_bins - 1).astype(np.intp)
        found = np.bincount(index.ravel(), power.ravel(), minlength=len(flat) * self._num_bins).astype(np.float64)
        return found.reshape(*place.shape[:-1], self._num_bins)


class FineHarmonicDecoder(HarmonicDecoder):
    """Training-free decoder of the multi-scale representation; see `HarmonicDecoder`.

    Parameters
    ----------
    spec : AudioSpec
        Of the middle scale; decoded is the finest, of twice as many bands.
    """

    name = "fine-harmonic"

    def __init__(self, spec: AudioSpec, num_slots: int) -> None:
        fine = replace(spec, num_mels=2 * spec.num_mels)
        self.consumes = (f"mel{fine.num_mels}",)
        super().__init__(fine, num_slots, MelComb(fine, num_slots))
        low, share = (values[self._noise.bins] for values in bins_among_bands(fine))
        self._low, self._share = low, share
        width_db = 10.0 * np.log10(mel_filterbank(fine).sum(1))  # by which flat noise is louder in a band than in a bin
        width = (width_db / fine.level_scale_db).astype(np.float32)
        self._width = width[low] + share * (width[low + 1] - width[low])

    def _noisy(self, pair: FloatArray) -> tuple[FloatArray, FloatArray]:
        around = pair[..., self._low], pair[..., self._low + 1]
        at_bins = around[0] + self._share * (around[1] - around[0])
        return np.maximum(at_bins[:, :, 0] - self._width, np.float32(0.0)), at_bins[:, :, 1]
