"""Spectral modelling at the MIDI pitch: an oscillator per partial, and noise between them (Serra & Smith, 1990).

Letters: V voices, T hops, H partials, N bins of the spec's FFT, K bins of the noise FFT.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..spectra.fields import QUIET_LEVEL, Fields
from ..spectra.pitch import MAX_PARTIALS
from ..spectra.spec import AudioSpec
from ..spectra.stft import hann
from .base import Decoder, NoteControls
from .parts.noise import NoiseBank
from .parts.oscillators import BUNDLE, Comb, Oscillators

TONALITY_RANGE_DB = 40.0
_LOBE = np.arange(-1, 3)
"""Bins of a main lobe, from the one below its centre on."""
TILE_HOPS = 96
"""Hops of voices that are decoded together: larger arrays leave the processor's cache and are dear to allocate."""


class Split:
    """Splits level and tonality into partials and noise, without the power of bins that nobody asks for.

    Silent levels have no power at all (see `decoders.base.QUIET_LEVEL`).
    """

    def __init__(self, spec: AudioSpec) -> None:
        decibel = np.log(10.0) / 20.0  # of amplitude, as a natural logarithm
        self._level, self._floor = np.float32(spec.level_scale_db * decibel), np.float32(spec.floor_db * decibel)
        self._tonality = np.float32(-TONALITY_RANGE_DB * decibel)

    def noise(self, level: FloatArray, tonality: FloatArray, pitched: NDArray[np.bool_]) -> FloatArray:
        """Return the magnitude of the noise, of any shape; it is all there is where nothing is pitched."""
        exponent = tonality * (self._tonality * pitched)
        exponent += level * self._level
        exponent += self._floor
        magnitude: FloatArray = np.exp(exponent, out=exponent)
        magnitude *= level >= QUIET_LEVEL
        return magnitude

    def tone(self, level: FloatArray, tonality: FloatArray) -> FloatArray:
        """Return the power of the partials, of any shape."""
        power: FloatArray = np.exp(np.float32(2.0) * (level * self._level + self._floor))
        power *= level >= QUIET_LEVEL
        power *= np.float32(1.0) - np.exp(tonality * (np.float32(2.0) * self._tonality))
        return power


class HarmonicDecoder(Decoder):
    """Training-free decoder of the linear representation; see `Decoder`.

    Each partial's amplitude is read off the tonal power around its frequency, divided by the lobes of all partials
    that reach there, and glides linearly from one spectral frame to the next. Partials begin in sine phase, so a
    note starts from zero. The window of the first frames reaches before the onset, where there is silence: what it
    misses there is made up for, which keeps attacks at their level: of noise all, of partials half, since they take
    some milliseconds to rise (measured: 1.9 % nearer to recordings of a piano than all, 0.2 % in the mean).
    """

    name = "harmonic"
    consumes = ("linear",)
    lookahead = 1
    lead_in = 2
    """The first two frames are made up for as those of an onset."""

    def __init__(self, spec: AudioSpec, num_slots: int, comb: Comb | None = None) -> None:
        self.spec = spec
        self._split = Split(spec)
        self._noise = NoiseBank(spec)
        self._comb = Comb(spec, num_slots) if comb is None else comb
        self._oscillators = Oscillators(spec, num_slots)
        self._amplitude = np.zeros((num_slots, MAX_PARTIALS), np.float32)
        self._count = np.zeros(num_slots, np.intp)  # of partials in it; the others are silent
        self._f0_hz = np.zeros(num_slots)
        self._tail = np.zeros((num_slots, spec.hop_length), np.float32)
        self._seed = np.zeros(num_slots, np.uint64)
        self._frame = np.zeros(num_slots, np.int64)
        self._begun: tuple[NDArray[np.intp], FloatArray, NoteControls] | None = None  # last, and not gone on since
        amplitude, self._onset_power = onset_coverage(spec)
        self._onset_amplitude = np.sqrt(amplitude)  # half of it in decibels: no string is at its height at once

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first spectral frame; see `Decoder.begin`."""
        self._settle()
        self._oscillators.begin(slots)
        self._seed[slots] = seeds
        self._frame[slots] = 0
        self._amplitude[slots] = 0.0
        self._count[slots] = 0
        # Mostly the next frames come at once: measured with them, the first one costs next to nothing.
        self._begun = (slots.copy(), fields[self.consumes[0]].copy(), controls)

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T spectral frames; see `Decoder.decode`."""
        pair = fields[self.consumes[0]]
        voices, hops = controls.f0_hz.shape
        if voices * hops <= TILE_HOPS:
            return self._decode(slots, pair, controls)
        self._settle()
        audio = np.empty((voices, hops * self.spec.hop_length), np.float32)
        # Voices of a tile have as many partials as the one with most: those with equally many go together.
        order = np.argsort(self._comb.reach[slots], kind="stable")
        for rows in np.array_split(order, min(voices, -(-voices * hops // TILE_HOPS))):
            audio[rows] = self._decode(slots[rows], pair[rows], controls.of(rows))
        return audio

    def _settle(self) -> None:
        """Measure the first frames of notes that have begun without going on."""
        if self._begun is not None:
            slots, pair, controls = self._begun
            self._begun = None
            ends, noise = self._measure(slots, pair, controls)
            self._count[slots] = _last_used(ends)
            self._keep(slots, ends, noise, controls)

    def first_levels(self, fields: Fields, controls: NoteControls) -> FloatArray:
        """Return the levels (V, T, num_bins) of first frames."""
        levels: FloatArray = fields[self.consumes[0]][:, :, 0]
        return levels

    def _decode(self, slots: NDArray[np.intp], pair: FloatArray, controls: NoteControls) -> FloatArray:
        hop = self.spec.hop_length
        if self._begun is not None and np.array_equal(self._begun[0], slots):
            ends, noise = self._measure_from_onset(slots, pair, controls)
        else:
            self._settle()
            ends, noise = self._measure(slots, pair, controls)
        f0_hz = controls.f0_hz.copy()
        f0_hz[:, 1:] += controls.f0_hz[:, :-1]
        f0_hz[:, 0] += self._f0_hz[slots]
        f0_hz *= 0.5
        self._count[slots] = count = _last_used(ends)
        audio = self._oscillators.sound(slots, ends[..., :count], f0_hz, controls.inharmonicity, self._modes(controls))
        audio += noise[:, :, :hop]
        audio[:, 1:] += noise[:, :-1, hop:]
        audio[:, 0] += self._tail[slots]
        self._keep(slots, ends, noise, controls)
        return audio.reshape(len(slots), -1)

    def _keep(self, slots: NDArray[np.intp], ends: FloatArray, noise: FloatArray, controls: NoteControls) -> None:
        """Remember what the next hop begins with."""
        self._amplitude[slots, : ends.shape[2]] = ends[:, -1]
        self._f0_hz[slots] = controls.f0_hz[:, -1]
        self._tail[slots] = noise[:, -1, self.spec.hop_length :]
        self._frame[slots] += controls.f0_hz.shape[1]

    def _measure_from_onset(
        self, slots: NDArray[np.intp], pair: FloatArray, controls: NoteControls
    ) -> tuple[FloatArray, FloatArray]:
        """Do what `_settle` and then `_measure` would do, in one go."""
        assert self._begun is not None
        _, first, before = self._begun
        self._begun = None
        ends, noise = self._measure(slots, np.concatenate([first, pair], 1), before.followed_by(controls))
        ahead = first.shape[1]
        self._f0_hz[slots] = before.f0_hz[:, -1]
        self._tail[slots] = noise[:, ahead - 1, self.spec.hop_length :]
        self._frame[slots] += ahead
        return ends[:, ahead:], noise[:, ahead:]

    def _measure(
        self, slots: NDArray[np.intp], pair: FloatArray, controls: NoteControls
    ) -> tuple[FloatArray, FloatArray]:
        """Return amplitudes before, between and after the hops (V, T + 1, H), and windowed noise of the frames."""
        frame = self._frame[slots][:, None] + np.arange(pair.shape[1])
        pair = self._with_modes(pair, controls)
        ends = self._amplitudes(slots, pair, controls)
        pitched = (controls.f0_hz > 0.0)[..., None]
        magnitude = self._split.noise(*self._noisy(pair), pitched)
        if frame[:, 0].min() < len(self._onset_power) - 1:
            known = np.minimum(frame, len(self._onset_power) - 1)
            ends[:, 1:] /= self._onset_amplitude[known][..., None]
            magnitude /= np.sqrt(self._onset_power[known])[..., None]
        return ends, self._noise.frames(magnitude, self._seed[slots], frame)

    def _modes(self, controls: NoteControls) -> FloatArray | None:
        return controls.modes

    def _with_modes(self, pair: FloatArray, controls: NoteControls) -> FloatArray:
        """Return fields (V, T, 2, N) in which modes are tonal: what is grown takes all beside the series for noise."""
        modes = self._modes(controls)
        if modes is None or not modes.any():
            return pair
        rows = np.flatnonzero(modes.any(1))
        own = modes[rows]
        own = np.where(own > 0.0, own, own.max(1, keepdims=True))  # where there are fewer, one of them again
        place = controls.field_hz[rows][..., None] * own[:, None] * (self.spec.n_fft / self.spec.sample_rate)
        lobe = np.floor(place)[..., None].astype(np.intp) + _LOBE
        lobe = np.minimum(np.maximum(lobe, 0), pair.shape[3] - 1).reshape(len(rows), -1, own.shape[1] * len(_LOBE))
        pair = pair.copy()
        pair[rows[:, None, None], np.arange(pair.shape[1])[:, None], 1, lobe] = 1.0
        return pair

    def _noisy(self, pair: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return level and tonality (V, T, K) at the bins of the noise."""
        bins = self._noise.bins
        return pair[:, :, 0, bins], pair[:, :, 1, bins]

    def _amplitudes(self, slots: NDArray[np.intp], pair: FloatArray, controls: NoteControls) -> FloatArray:
        """Return the amplitudes (V, T + 1, H) that were kept and those that are read off the frames."""
        voices, hops, _, num_bins = pair.shape
        places = self._comb.places(slots, controls.field_hz, controls.inharmonicity, self._modes(controls))
        first = np.arange(0, pair.size, num_bins).reshape(voices, hops, 2, 1, 1)
        around = np.ascontiguousarray(pair).reshape(-1).take(first + places.around[:, :, None], mode="clip")
        tone = self._split.tone(around[:, :, 0], around[:, :, 1])
        squared = (tone[:, :, 0] + tone[:, :, 1]) * places.gain
        if controls.grown_hz is not None:  # what sounds higher than it was grown must not fold back
            bend = controls.f0_hz / np.maximum(controls.grown_hz, 1e-9)
            squared *= places.bin * bend[..., None].astype(np.float32) < self._comb.highest_bin
        count = max(squared.shape[2], int(self._count[slots].max()))
        ends = np.zeros((voices, hops + 1, -(-count // BUNDLE) * BUNDLE), np.float32)
        ends[:, 0] = self._amplitude[slots, : ends.shape[2]]
        np.sqrt(squared, out=ends[:, 1:, : squared.shape[2]])
        return ends


def _last_used(amplitude: FloatArray) -> int:
    """Return the number of partials (V, T, H) up to the last that sounds, in whole bundles, at least one."""
    used = np.flatnonzero(amplitude.any((0, 1)))
    return (int(used[-1]) // BUNDLE + 1) * BUNDLE if used.size else BUNDLE


def onset_coverage(spec: AudioSpec) -> tuple[FloatArray, FloatArray]:
    """Share of the window's sum and of its energy that lies after the onset, for frames 0, 1, ... up to 1."""
    window = hann(spec.n_fft).astype(np.float64)
    frames = -(-spec.n_fft // 2 // spec.hop_length) + 1
    parts = [window[max(0, spec.n_fft // 2 - t * spec.hop_length) :] for t in range(frames)]
    amplitude = [part.sum() / window.sum() for part in parts]
    power = [(part**2).sum() / (window**2).sum() for part in parts]
    return np.array(amplitude, np.float32), np.array(power, np.float32)
