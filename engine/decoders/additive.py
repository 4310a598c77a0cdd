"""The decoder of refined levels: partials and noise bands glide from level to level; no network, no training.

Letters: V voices, T hops, H partials, N noise bands, K bins of the noise FFT, S slots.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..spectra.fields import Fields, grown_power
from ..spectra.pitch import MAX_PARTIALS, partial_hz
from ..spectra.spec import AudioSpec
from .base import Decoder, NoteControls
from .parts.excitation import bands_to_bins
from .parts.noise import NoiseBank
from .parts.oscillators import BUNDLE, Oscillators

POINTS = 2
"""Levels per hop: at its end, which was grown, and halfway there, which is between, but for the rise that was grown."""
HIGHEST_TURN = 0.49
"""Cycles per sample of the highest partial that sounds."""
QUIETEST = 1e-7


class AdditiveDecoder(Decoder):
    """Decoder of the hierarchical representation; see `Decoder`.

    Partials start in sine phase, and noise depends on a note's seed and the frame alone.
    """

    name = "glides"
    lead_in = 2
    consumes = ("partials", "noise")
    lookahead = 1

    def __init__(self, spec: AudioSpec, num_slots: int) -> None:
        self.spec = spec
        half = replace(spec, hop_length=spec.hop_length // POINTS)
        self._oscillators, self._noise = Oscillators(half, num_slots), NoiseBank(half)
        self._spread: FloatArray | None = None
        self._ends = np.zeros((num_slots, MAX_PARTIALS), np.float32)
        self._bands = np.zeros((num_slots, 0), np.float32)
        self._tail = np.zeros((num_slots, half.hop_length), np.float32)
        self._f0_hz = np.zeros(num_slots)
        self._seed = np.zeros(num_slots, np.uint64)
        self._point = np.zeros(num_slots, np.int64)

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first frame; see `Decoder.begin`."""
        bands = _amplitude(fields["noise"][:, 0, 0], self.spec)
        if self._spread is None:
            self._spread = bands_to_bins(bands.shape[1], self.spec.sample_rate, POINTS * self._tail.shape[1])
            self._bands = np.zeros((len(self._ends), bands.shape[1]), np.float32)
        self._oscillators.begin(slots)
        self._seed[slots], self._point[slots] = seeds, 0
        self._f0_hz[slots] = controls.f0_hz[:, 0]
        self._ends[slots] = _amplitude(fields["partials"][:, 0, 0], self.spec)
        self._bands[slots] = bands
        self._tail[slots] = self._noise_frames(slots, bands[:, None])[:, 0, self._tail.shape[1] :]

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T frames; see `Decoder.decode`."""
        f0_hz = np.concatenate([self._f0_hz[slots][:, None], controls.f0_hz], 1)
        mean_hz = 0.5 * (f0_hz[:, 1:] + f0_hz[:, :-1])
        ends = _points(self._ends[slots], fields["partials"], self.spec)
        bands = _points(self._bands[slots], fields["noise"], self.spec)
        audio = self._partials(slots, ends, np.repeat(mean_hz, POINTS, 1), controls.inharmonicity)
        frames = self._noise_frames(slots, bands[:, 1:])
        half = self._tail.shape[1]
        audio += frames[:, :, :half]
        audio[:, 1:] += frames[:, :-1, half:]
        audio[:, 0] += self._tail[slots]
        self._ends[slots], self._bands[slots] = ends[:, -1], bands[:, -1]
        self._tail[slots] = frames[:, -1, half:]
        self._f0_hz[slots] = controls.f0_hz[:, -1]
        return audio.reshape(len(slots), -1)

    def _partials(
        self, slots: NDArray[np.intp], ends: FloatArray, hz: NDArray[np.float64], stretch: NDArray[np.float64]
    ) -> FloatArray:
        """Sound partials of amplitudes (V, T * POINTS + 1, H) that are heard at all."""
        turn = partial_hz(hz / self.spec.sample_rate, stretch[:, None], MAX_PARTIALS)
        audible = ((turn < HIGHEST_TURN) & (turn > 0.0)).astype(np.float32)
        reach = int(audible.sum(2).max(initial=0.0))
        count = max(BUNDLE, -(-reach // BUNDLE) * BUNDLE)
        shown = ends[:, :, :count].copy()
        shown[:, 1:] *= audible[..., :count]
        shown[:, 0] *= audible[:, 0, :count]
        return self._oscillators.sound(slots, shown, hz, stretch)

    def _noise_frames(self, slots: NDArray[np.intp], bands: FloatArray) -> FloatArray:
        """Return windowed noise (V, points, 2 half hops) of band magnitudes (V, points, N)."""
        assert self._spread is not None
        magnitude = np.exp(np.log(np.maximum(bands, QUIETEST)) @ self._spread)
        magnitude *= bands.any(2, keepdims=True)
        point = self._point[slots][:, None] + np.arange(bands.shape[1])
        self._point[slots] += bands.shape[1]
        return self._noise.frames(magnitude, self._seed[slots], point)


def _amplitude(level: FloatArray, spec: AudioSpec) -> FloatArray:
    amplitude: FloatArray = np.sqrt(grown_power(level, spec))
    return amplitude


def _points(before: FloatArray, pair: FloatArray, spec: AudioSpec) -> FloatArray:
    """Return amplitudes (V, T * POINTS + 1, F): what was before, and those of grown level and rise (V, T, 2, F)."""
    ends = np.concatenate([before[:, None], _amplitude(pair[:, :, 0], spec)], 1)
    rise = np.float32(np.log(10.0) / 20.0 * spec.level_scale_db) * np.minimum(pair[:, :, 1], np.float32(1.0))
    halfway = np.float32(0.5) * (ends[:, :-1] + ends[:, 1:]) * np.exp(rise)
    voices, hops, size = halfway.shape
    points = np.empty((voices, POINTS * hops + 1, size), np.float32)
    points[:, ::POINTS], points[:, 1::POINTS] = ends, halfway
    return points
