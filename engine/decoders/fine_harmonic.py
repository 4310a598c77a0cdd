"""The harmonic decoder on fine mel bands, which tell partials apart nearly as well as bins do; no training either.

Letters: V voices, T hops, H partials, F bands, N bins, K bins of the noise FFT.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..spectra.pitch import MAX_PARTIALS, partial_hz
from ..spectra.spec import AudioSpec
from ..spectra.stft import bins_among_bands, mel_edges_hz, mel_filterbank
from .base import NoteControls
from .harmonic import HarmonicDecoder
from .parts.oscillators import LEAST_DENSITY, Comb, Places

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

    def _measure(self, hz: NDArray[np.float64], stretch: NDArray[np.float64], modes: FloatArray | None) -> Places:
        sounding = np.where(hz > 0.0, hz, self._bin_hz * 1e6)
        partials = partial_hz(sounding, stretch, MAX_PARTIALS)
        place = (partials / self._bin_hz).astype(np.float32)
        around, gain = np.zeros((*hz.shape, 2, MAX_PARTIALS), np.intp), np.zeros(place.shape, np.float32)
        around[..., 1, :] = 1
        audible = place < self.highest_bin
        count = max(int(audible.sum(-1).max()), 1)
        audible = audible[..., :count]
        left = self._comb_power(place[..., :count], audible) @ self._to_bands
        bands = left.shape[-1]
        at = np.interp(partials[..., :count], self._centres_hz, np.arange(bands))
        low = np.where(audible, np.minimum(at, bands - 2), 0.0).astype(np.intp)
        around[..., :count] = np.stack([low, low + 1], -2)
        index = low + np.arange(0, left.size, bands).reshape(*hz.shape, 1)
        density = left.ravel().take(index) + left.ravel().take(index + 1)
        gain[..., :count] = audible / np.maximum(density, LEAST_DENSITY)
        return Places(place, around, gain)

    def _comb_power(self, place: FloatArray, audible: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the power (..., N) that partials of amplitude 1 at bins (..., H) leave in bins, those audible."""
        flat = place.reshape(-1, place.shape[-1]).astype(np.float64)
        below = np.floor(flat)
        power = lobes_around(flat - below)
        power *= audible.reshape(flat.shape)
        bins = np.arange(-1, LOBE_BINS - 1)[:, None, None] + np.minimum(below, self._num_bins).astype(np.intp)
        index = np.arange(len(flat))[:, None] * self._num_bins + np.clip(bins, 0, self._num_bins - 1)
        found = np.bincount(index.ravel(), power.ravel(), minlength=len(flat) * self._num_bins)
        return found.reshape(*place.shape[:-1], self._num_bins).astype(np.float64)


def lobes_around(beyond: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `oscillators.lobe_power` at the LOBE_BINS bins around partials that lie (...) beyond the second of them.

    The lobe at x is ``sin(pi x) / (pi x (1 - x^2))``. At offsets a whole bin apart the sines differ in sign alone, and
    so one of them, divided by what all four have in common, is enough.
    """
    past = np.clip(beyond, 1e-8, 1.0 - 1e-8)
    shared = np.sin(np.pi * past) / (np.pi * past * (1.0 - past))
    lobes = np.empty((LOBE_BINS, *past.shape))
    np.divide(shared, 1.0 + past, out=lobes[1])
    np.divide(shared, 2.0 - past, out=lobes[2])
    lobes[0] = lobes[1] * (1.0 - past) / (2.0 + past)
    lobes[3] = lobes[2] * past / (3.0 - past)
    lobes *= lobes
    return lobes


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

    def _modes(self, controls: NoteControls) -> None:
        """Return none: bands blur them."""

    def _noisy(self, pair: FloatArray) -> tuple[FloatArray, FloatArray]:
        around = pair[..., self._low], pair[..., self._low + 1]
        at_bins = around[0] + self._share * (around[1] - around[0])
        return np.maximum(at_bins[:, :, 0] - self._width, np.float32(0.0)), at_bins[:, :, 1]
