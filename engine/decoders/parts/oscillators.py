"""Partials: where they lie in grown fields, and the oscillators that sound them.

Letters: V voices, T hops, H partials, S slots, N tables a voice has: one while its pitch stands, else one for each hop.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...spectra.pitch import MAX_INHARMONIC_PARTIALS, MAX_PARTIALS, partial_ratios
from ...spectra.spec import AudioSpec

LOBE_REACH = 2  # neighbouring partials on either side whose main lobes can overlap one bin
CLEAR_BINS = 3.0  # apart, partials have no bin in common: of the two bins around one, the next is 2 bins away
FINE = 32  # hop samples are split n = FINE * i + j, so that a partial costs FINE + hop_length / FINE phasors a hop
LEAST_DENSITY = 0.1
BUNDLE = 16
"""Partials are summed in multiples of this: however many silent ones follow, BLAS gives the same sum to the bit. With
AVX2 multiples of 8 would do; kernels for AVX-512 take 16 at a time."""

ComplexArray = NDArray[np.complex64]


def lobe_power(offset_bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of a Hann window's main lobe at an offset in bins, 1 at the centre, 0 beyond 2 bins.

    The transform of a periodic Hann window is ``sinc(x) + (sinc(x - 1) + sinc(x + 1)) / 2`` (Harris, 1978).
    """
    x = np.abs(offset_bins)
    value = np.sinc(x) + 0.5 * (np.sinc(x - 1.0) + np.sinc(x + 1.0))
    return np.where(x < 2.0, value * value, 0.0)


class Places(NamedTuple):
    """Where partials lie in the fields of V voices.

    Attributes
    ----------
    bin : float32 (V, T or 1, H), real-valued
    around : intp (V, T or 1, 2, H), the bins below and above
    gain : float32 (V, T or 1, H), turns the sum of their powers into amplitude squared; 0 for inaudible partials
    """

    bin: FloatArray
    around: NDArray[np.intp]
    gain: FloatArray


class Comb:
    """Finds partials in the bins of grown fields; a pitch that stands is looked up, not computed.

    Parameters
    ----------
    spec : AudioSpec
    num_slots : S

    Attributes
    ----------
    reach : intp (S,), how many partials were audible at the last pitch that stood, at least 1
    """

    def __init__(self, spec: AudioSpec, num_slots: int) -> None:
        self._bin_hz = spec.sample_rate / spec.n_fft
        self.highest_bin = spec.num_bins - 2.0
        self.reach = np.ones(num_slots, np.intp)
        self._hz, self._stretch = np.full((2, num_slots), np.nan)  # what the following is for
        self._modes, self._has_modes = np.zeros((num_slots, MAX_INHARMONIC_PARTIALS), np.float32), False
        self._bin = np.zeros((num_slots, MAX_PARTIALS), np.float32)
        self._around = np.zeros((num_slots, 2, MAX_PARTIALS), np.intp)
        self._gain = np.zeros((num_slots, MAX_PARTIALS), np.float32)

    def places(
        self,
        slots: NDArray[np.intp],
        hz: NDArray[np.float64],
        stretch: NDArray[np.float64],
        modes: FloatArray | None = None,
    ) -> Places:
        """Return where the partials of voices in `slots` (V,) lie, trimmed to the highest audible one.

        Parameters
        ----------
        hz : (V, T), fundamentals; 0 for unpitched voices, which have no audible partial
        stretch : (V,), inharmonicity B
        modes : (V, MAX_INHARMONIC_PARTIALS), further partials; see `seed.partial_ratios`
        """
        if hz.shape[1] > 1 and not (hz == hz[:, :1]).all():
            places = self._measure(hz, stretch[:, None], None if modes is None else modes[:, None])
            count = int(_reach(places.gain).max())
            return Places(places.bin[..., :count], places.around[..., :count], places.gain[..., :count])
        stale = (self._hz[slots] != hz[:, 0]) | (self._stretch[slots] != stretch)
        if modes is not None or self._has_modes:
            self._has_modes = True
            stale |= _differ(self._modes, slots, modes)
        if stale.any():
            rows = slots[stale]
            found = self._measure(hz[stale, 0], stretch[stale], None if modes is None else modes[stale])
            self._modes[rows] = 0.0 if modes is None else modes[stale]
            self._bin[rows], self._around[rows], self._gain[rows] = found
            self._hz[rows], self._stretch[rows], self.reach[rows] = hz[stale, 0], stretch[stale], _reach(found.gain)
        count = int(self.reach[slots].max())
        kept = (self._bin[slots, :count], self._around[slots, :, :count], self._gain[slots, :count])
        return Places(kept[0][:, None], kept[1][:, None], kept[2][:, None])

    def _measure(self, hz: NDArray[np.float64], stretch: NDArray[np.float64], modes: FloatArray | None) -> Places:
        sounding = np.where(hz > 0.0, hz, self._bin_hz * 1e6)
        ratios = partial_ratios(stretch, modes, MAX_PARTIALS)
        place = (sounding[..., None] * ratios / self._bin_hz).astype(np.float32)
        audible = place < self.highest_bin
        low = np.where(audible, place, 0.0).astype(np.intp)
        spacing = (sounding / self._bin_hz).astype(np.float32)[..., None]
        reach = LOBE_REACH if spacing.min() < CLEAR_BINS else 0
        neighbours = np.arange(-reach, reach + 1).reshape(-1, *[1] * place.ndim)
        offset = (low - place + neighbours * spacing).astype(np.float32)  # of the neighbours' centres
        density = _lobe_table(np.stack([offset, offset + np.float32(1.0)], 1)).sum(1).sum(0)
        gain = np.where(audible, 1.0 / np.maximum(density, LEAST_DENSITY), 0.0).astype(np.float32)
        return Places(place, np.stack([low, low + 1], -2), gain)


def _differ(known: FloatArray, slots: NDArray[np.intp], modes: FloatArray | None) -> NDArray[np.bool_]:
    """Return whether the modes (V, M) are others than those known (S, M) of the slots (V,)."""
    return np.asarray((known[slots] != (np.float32(0.0) if modes is None else modes)).any(1))


def _reach(gain: FloatArray) -> NDArray[np.intp]:
    return np.maximum((gain > 0.0).sum(-1), 1)


class Oscillators:
    """One oscillator per partial and slot; phases run on from call to call.

    A partial's phase is split at every FINE samples, exp(i (a + b)) = exp(i a) exp(i b), so that summing partials
    is a matrix product of the phasors there with a table of how they turn in between.

    Parameters
    ----------
    spec : AudioSpec
    num_slots : S
    """

    def __init__(self, spec: AudioSpec, num_slots: int) -> None:
        self._hop = spec.hop_length
        self._rate = spec.sample_rate
        self._cycles = np.zeros(num_slots)  # of the fundamental since the onset; partials are multiples of it
        self._stretch = np.zeros(num_slots)
        self._modes, self._has_modes = np.zeros((num_slots, MAX_INHARMONIC_PARTIALS), np.float32), False
        # (S, H), of that stretch and those modes
        self._ratios = np.tile(partial_ratios(np.zeros(()), None, MAX_PARTIALS), (num_slots, 1))
        self._ramp = np.arange(self._hop, dtype=np.float32) / np.float32(self._hop)

    def begin(self, slots: NDArray[np.intp]) -> None:
        """Let all partials of new notes start at zero, in sine phase, so that an onset does not click."""
        self._cycles[slots] = 0.0

    def sound(
        self,
        slots: NDArray[np.intp],
        amplitude: FloatArray,
        f0_hz: NDArray[np.float64],
        stretch: NDArray[np.float64],
        modes: FloatArray | None = None,
    ) -> FloatArray:
        """Sum partials that glide over each hop from one amplitude to the next; float32 (V, T, hop_length).

        Parameters
        ----------
        amplitude : float32 (V, T + 1, H), before, between and after the hops; H is a multiple of BUNDLE
        f0_hz : (V, T), mean fundamental in each hop
        stretch : (V,), inharmonicity B
        modes : (V, MAX_INHARMONIC_PARTIALS), further partials; see `seed.partial_ratios`
        """
        voices, hops = f0_hz.shape
        step = f0_hz / self._rate
        at = self._advance(slots, step)
        if hops > 1 and (step == step[:, :1]).all():
            step = step[:, :1]
        ratios = self._known_ratios(slots, stretch, modes)[:, : amplitude.shape[2]]
        phasors = _phasor(np.concatenate([at, FINE * step, -step], 1)[..., None] * ratios[:, None])
        start, tables = phasors[:, :hops], step.shape[1]
        coarse = _powers(phasors[:, hops : hops + tables], 1.0, self._hop // FINE)
        fine = _powers(phasors[:, hops + tables :], 1.0j, FINE)
        left = np.empty((voices, hops, 2, *coarse.shape[2:]), np.complex64)
        for end, level in enumerate((amplitude[:, :-1], amplitude[:, 1:])):
            np.multiply((start * level)[:, :, None], coarse, out=left[:, :, end])
        # The imaginary part of left times conj(fine / i): pairs of real and imaginary parts side by side.
        right = fine.view(np.float32)
        # One product for each hop, so that it is the same among any others.
        ends = np.matmul(left.view(np.float32).reshape(voices, hops, -1, right.shape[3]), right.swapaxes(2, 3))
        ends = ends.reshape(voices, hops, 2, self._hop)
        before, after = ends[:, :, 0], ends[:, :, 1]
        after -= before
        after *= self._ramp
        after += before
        return after

    def _advance(self, slots: NDArray[np.intp], step: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the cycles (V, T) at the first sample of each hop, and move the phases on."""
        turns = step * self._hop
        ends = self._cycles[slots][:, None] + np.cumsum(turns, 1)
        self._cycles[slots] = ends[:, -1]
        return ends - turns

    def _known_ratios(
        self, slots: NDArray[np.intp], stretch: NDArray[np.float64], modes: FloatArray | None
    ) -> NDArray[np.float64]:
        """Return what multiples of the fundamental the partials are, (V, MAX_PARTIALS)."""
        stale = self._stretch[slots] != stretch
        if modes is not None or self._has_modes:
            self._has_modes = True
            stale |= _differ(self._modes, slots, modes)
        if stale.any():
            rows, own = slots[stale], None if modes is None else modes[stale]
            self._ratios[rows] = partial_ratios(stretch[stale], own, MAX_PARTIALS)
            self._stretch[rows], self._modes[rows] = stretch[stale], 0.0 if own is None else own
        return self._ratios[slots]


def _phasor(cycles: NDArray[np.float64]) -> ComplexArray:
    """Return exp(2 pi i cycles); whole turns are dropped in double precision."""
    turns = cycles - np.rint(cycles)
    angle = np.multiply(turns, 2.0 * np.pi, out=np.empty(cycles.shape, np.float32), casting="same_kind")
    phasor = np.empty(cycles.shape, np.complex64)
    phasor.real, phasor.imag = np.cos(angle), np.sin(angle)
    return phasor


def _powers(base: ComplexArray, first: complex, count: int) -> ComplexArray:
    """Return ``first * base^n`` (V, N, count, H) for n below `count`, a power of two."""
    powers = np.empty((*base.shape[:2], count, base.shape[2]), np.complex64)
    powers[:, :, 0] = first
    filled = 1
    while filled < count:
        np.multiply(powers[:, :, :filled], base[:, :, None], out=powers[:, :, filled : 2 * filled])
        base, filled = base * base, 2 * filled
    return powers


LOBE_STEPS_PER_BIN = 512
LOBE = lobe_power(np.arange(2 * LOBE_STEPS_PER_BIN + 2) / LOBE_STEPS_PER_BIN).astype(np.float32)


def _lobe_table(offset_bins: FloatArray) -> FloatArray:
    """`lobe_power` by table: it is asked for ten offsets of every partial."""
    index = np.minimum(np.abs(offset_bins) * LOBE_STEPS_PER_BIN + 0.5, len(LOBE) - 1).astype(np.intp)
    return LOBE[index]
