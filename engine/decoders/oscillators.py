"""Partials: where they lie in grown fields, and the oscillators that sound them. Both remember what a pitch needs.

Letters: V voices, T hops, H partials, S slots, N tables (one per voice whose pitch stands, else one per hop).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..seed import MAX_PARTIALS, partial_hz
from ..spec import AudioSpec
from ..spectral import FloatArray

LOBE_REACH = 2  # neighbouring partials on either side whose main lobes can overlap one bin
SINE_PHASE = -0.25  # of a cosine, in cycles: every partial starts at zero, so an onset does not click
COARSE = (
    16  # hop samples are split n = COARSE * i + j, so that a hop costs 2 * COARSE phasors a partial, not hop_length
)
LEAST_DENSITY = 0.1

ComplexArray = NDArray[np.complex64]


def lobe_power(offset_bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of a Hann window's main lobe at an offset in bins, 1 at the centre, 0 beyond 2 bins.

    The transform of a periodic Hann window is ``sinc(x) + (sinc(x - 1) + sinc(x + 1)) / 2`` (Harris, 1978).
    """
    x = np.abs(offset_bins)
    value = np.sinc(x) + 0.5 * (np.sinc(x - 1.0) + np.sinc(x + 1.0))
    return np.where(x < 2.0, value * value, 0.0)


class Places(NamedTuple):
    """Where partials lie, each (V, T or 1, H): real-valued bin, the bin below, and what turns power into amplitude²."""

    bin: FloatArray
    low: NDArray[np.intp]
    gain: FloatArray


class Comb:
    """Finds partials in the bins of grown fields; a pitch that stands is looked up, not computed.

    Parameters
    ----------
    spec : AudioSpec
    num_slots : S
    """

    def __init__(self, spec: AudioSpec, num_slots: int) -> None:
        self._bin_hz = spec.sample_rate / spec.n_fft
        self.highest_bin = spec.num_bins - 2.0
        self._known = np.full((num_slots, 2), np.nan)  # pitch in Hz and inharmonicity of what follows
        self._bin = np.zeros((num_slots, MAX_PARTIALS), np.float32)
        self._low = np.zeros((num_slots, MAX_PARTIALS), np.intp)
        self._gain = np.zeros((num_slots, MAX_PARTIALS), np.float32)

    def places(self, slots: NDArray[np.intp], hz: NDArray[np.float64], stretch: NDArray[np.float64]) -> Places:
        """Return where the partials of voices in `slots` (V,) lie, trimmed to the highest audible one.

        Parameters
        ----------
        hz : (V, T), fundamentals; 0 for unpitched voices, which have no audible partial
        stretch : (V,), inharmonicity B
        """
        if not (hz == hz[:, :1]).all():
            return _trimmed(self._measure(hz, stretch[:, None]))
        wanted = np.stack([hz[:, 0], stretch], 1)
        stale = (self._known[slots] != wanted).any(1)
        if stale.any():
            rows = slots[stale]
            found = self._measure(hz[stale, 0], stretch[stale])
            self._bin[rows], self._low[rows], self._gain[rows] = found
            self._known[rows] = wanted[stale]
        return _trimmed(Places(self._bin[slots][:, None], self._low[slots][:, None], self._gain[slots][:, None]))

    def _measure(self, hz: NDArray[np.float64], stretch: NDArray[np.float64]) -> Places:
        sounding = np.where(hz > 0.0, hz, self._bin_hz * 1e6)
        place = (partial_hz(sounding, stretch, MAX_PARTIALS) / self._bin_hz).astype(np.float32)
        audible = place < self.highest_bin
        low = np.where(audible, place, 0.0).astype(np.intp)
        spacing = (sounding / self._bin_hz).astype(np.float32)[..., None]
        density = np.zeros_like(place)
        for neighbour in range(-LOBE_REACH, LOBE_REACH + 1):
            offset = (low - place + neighbour * spacing).astype(np.float32)
            density += _lobe_table(offset) + _lobe_table(offset + 1.0)
        gain = np.where(audible, 1.0 / np.maximum(density, LEAST_DENSITY), 0.0).astype(np.float32)
        return Places(place, low, gain)


def _trimmed(places: Places) -> Places:
    count = max(1, int((places.gain > 0.0).sum(-1).max(initial=0)))
    return Places(places.bin[..., :count], places.low[..., :count], places.gain[..., :count])


class Oscillators:
    """One oscillator per partial and slot; phases run on from call to call.

    Parameters
    ----------
    spec : AudioSpec
    num_slots : S
    """

    def __init__(self, spec: AudioSpec, num_slots: int) -> None:
        self._hop = spec.hop_length
        self._rate = spec.sample_rate
        self._cycles = np.zeros(num_slots)  # of the fundamental since the onset; partials are multiples of it
        self._known = np.full((num_slots, 2), np.nan)  # cycles per sample and inharmonicity of the tables
        self._coarse = np.zeros((num_slots, self._hop // COARSE, MAX_PARTIALS), np.complex64)
        self._fine = np.zeros((num_slots, 2, MAX_PARTIALS, COARSE), np.float32)
        self._ramp = (np.arange(self._hop, dtype=np.float32) / np.float32(self._hop)).reshape(-1, COARSE)

    def begin(self, slots: NDArray[np.intp]) -> None:
        """Let all partials of new notes start at zero."""
        self._cycles[slots] = 0.0

    def sound(
        self,
        slots: NDArray[np.intp],
        before: FloatArray,
        after: FloatArray,
        f0_hz: NDArray[np.float64],
        stretch: NDArray[np.float64],
    ) -> FloatArray:
        """Sum partials gliding from amplitude `before` to `after` (V, T, H) over each hop; (V, T * hop_length).

        Parameters
        ----------
        f0_hz : (V, T), mean fundamental in each hop
        stretch : (V,), inharmonicity B
        """
        used = np.asarray((before > 0.0).any((0, 1)) | (after > 0.0).any((0, 1)))
        count = int(used.nonzero()[0].max()) + 1 if used.any() else 1
        amplitude = np.stack([before[..., :count], after[..., :count]], 2)
        step = f0_hz / self._rate
        stands = (step == step[:, :1]).all(1)
        audio = np.empty((len(slots), step.shape[1] * self._hop), np.float32)
        for rows, tables in ((stands, self._kept_tables), (~stands, self._moving_tables)):
            if rows.any():
                start = self._start_phasors(slots[rows], step[rows], stretch[rows], count)
                coarse, fine = tables(slots[rows], step[rows], stretch[rows], count)
                audio[rows] = self._sum(start, amplitude[rows], coarse, fine)
        return audio

    def _start_phasors(
        self, slots: NDArray[np.intp], step: NDArray[np.float64], stretch: NDArray[np.float64], count: int
    ) -> ComplexArray:
        """Return the phasors (V, T, H) at the first sample of each hop, and move the phases on."""
        turns = np.cumsum(step * self._hop, 1)
        at = self._cycles[slots][:, None] + turns - step * self._hop
        self._cycles[slots] += turns[:, -1]
        return _phasor(partial_hz(1.0, stretch[:, None], count) * at[..., None] + SINE_PHASE)

    def _kept_tables(
        self, slots: NDArray[np.intp], step: NDArray[np.float64], stretch: NDArray[np.float64], count: int
    ) -> tuple[ComplexArray, FloatArray]:
        wanted = np.stack([step[:, 0], stretch], 1)
        stale = (self._known[slots] != wanted).any(1)
        if stale.any():
            rows = slots[stale]
            self._coarse[rows], self._fine[rows] = self._tables(step[stale, 0], stretch[stale], MAX_PARTIALS)
            self._known[rows] = wanted[stale]
        return self._coarse[slots, None, :, :count], self._fine[slots, :, :count]

    def _moving_tables(
        self, _slots: NDArray[np.intp], step: NDArray[np.float64], stretch: NDArray[np.float64], count: int
    ) -> tuple[ComplexArray, FloatArray]:
        coarse, fine = self._tables(step.ravel(), np.repeat(stretch, step.shape[1]), count)
        return coarse.reshape(*step.shape, *coarse.shape[1:]), fine

    def _tables(
        self, step: NDArray[np.float64], stretch: NDArray[np.float64], count: int
    ) -> tuple[ComplexArray, FloatArray]:
        """Return how phasors turn from a hop's start: every COARSE samples (N, I, H), and within (N, 2, H, COARSE)."""
        partial = partial_hz(1.0, stretch, count) * step[:, None]
        fine = _powers(_phasor(partial), COARSE)
        coarse = _powers(_phasor(COARSE * partial), self._hop // COARSE)
        return np.ascontiguousarray(coarse.swapaxes(1, 2)), np.stack([fine.real, fine.imag], 1)

    def _sum(self, start: ComplexArray, amplitude: FloatArray, coarse: ComplexArray, fine: FloatArray) -> FloatArray:
        """Sum partials with amplitude (V, T, 2, H), before and after each hop; fine is (V or V * T, 2, H, COARSE)."""
        voices, hops, _, count = amplitude.shape
        turned = coarse * start[:, :, None]
        left = np.empty((voices, hops, 2, turned.shape[2], 2, count), np.float32)
        np.multiply(turned.real[:, :, None], amplitude[:, :, :, None], out=left[..., 0, :])
        np.multiply(turned.imag[:, :, None], -amplitude[:, :, :, None], out=left[..., 1, :])
        ends = np.matmul(left.reshape(len(fine), -1, 2 * count), fine.reshape(len(fine), 2 * count, COARSE))
        ends = ends.reshape(voices, hops, 2, -1, COARSE)
        mixed: FloatArray = ends[:, :, 0] + self._ramp * (ends[:, :, 1] - ends[:, :, 0])
        return mixed.reshape(voices, -1)


def _phasor(cycles: NDArray[np.float64]) -> ComplexArray:
    """Return exp(2 pi i cycles); whole turns are dropped in double precision."""
    angle = ((cycles - np.floor(cycles)) * (2.0 * np.pi)).astype(np.float32)
    phasor = np.empty(cycles.shape, np.complex64)
    np.cos(angle, out=phasor.real)
    np.sin(angle, out=phasor.imag)
    return phasor


def _powers(base: ComplexArray, count: int) -> ComplexArray:
    """Return base^0 .. base^(count - 1) along a new last axis; `count` is a power of two."""
    powers = np.ones((*base.shape, count), np.complex64)
    square, filled = base, 1
    while filled < count:
        powers[..., filled : 2 * filled] = powers[..., :filled] * square[..., None]
        square, filled = square * square, 2 * filled
    return powers


_LOBE_STEPS_PER_BIN = 512
_LOBE = lobe_power(np.arange(2 * _LOBE_STEPS_PER_BIN + 2) / _LOBE_STEPS_PER_BIN).astype(np.float32)


def _lobe_table(offset_bins: FloatArray) -> FloatArray:
    """`lobe_power` by table: it is asked for ten offsets of every partial."""
    index = np.minimum(np.abs(offset_bins) * _LOBE_STEPS_PER_BIN + 0.5, len(_LOBE) - 1).astype(np.intp)
    return _LOBE[index]
