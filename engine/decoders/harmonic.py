"""Spectral modelling at the MIDI pitch: an oscillator per partial, and noise between them (Serra & Smith, 1990).

Letters: V voices, T hops, H partials, N bins of the spec's FFT, K bins of the noise FFT.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..seed import MAX_PARTIALS
from ..spec import AudioSpec
from ..spectral import FloatArray, hann
from .base import Fields, NoteControls, grown_power
from .noise import NoiseBank
from .oscillators import Comb, Oscillators

TONALITY_RANGE_DB = 40.0


def split_noise(pair: FloatArray, spec: AudioSpec) -> tuple[FloatArray, FloatArray]:
    """Split level and tonality (..., 2, N) into the power of partials and the power of noise, each (..., N)."""
    power = grown_power(pair[..., 0, :], spec)
    noise = power * np.float32(10.0) ** (pair[..., 1, :] * np.float32(-TONALITY_RANGE_DB / 10.0))
    return power - noise, noise


class HarmonicDecoder:
    """Training-free decoder of the linear representation; see `Decoder`.

    Each partial's amplitude is read off the tonal power around its frequency, divided by the lobes of all partials
    that reach there, and glides linearly from one spectral frame to the next. Partials begin in sine phase, so a
    note starts from zero. The window of the first frames reaches before the onset, where there is silence: what it
    misses there is made up for, which keeps attacks at their level.
    """

    name = "harmonic"
    consumes = ("linear",)
    lookahead = 1

    def __init__(self, spec: AudioSpec, num_slots: int) -> None:
        self.spec = spec
        self._noise = NoiseBank(2 * spec.hop_length)
        self._comb = Comb(spec, num_slots)
        self._oscillators = Oscillators(spec, num_slots)
        self._amplitude = np.zeros((num_slots, MAX_PARTIALS), np.float32)
        self._f0_hz = np.zeros(num_slots)
        self._tail = np.zeros((num_slots, spec.hop_length), np.float32)
        self._seed = np.zeros(num_slots, np.uint64)
        self._frame = np.zeros(num_slots, np.int64)
        self._onset_amplitude, self._onset_power = onset_coverage(spec)

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first spectral frame; see `Decoder.begin`."""
        self._oscillators.begin(slots)
        self._seed[slots] = seeds
        self._frame[slots] = 0
        amplitude, noise = self._measure(slots, fields["linear"], controls)
        self._amplitude[slots] = amplitude[:, 0]
        self._f0_hz[slots] = controls.f0_hz[:, 0]
        self._tail[slots] = noise[:, 0, self.spec.hop_length :]
        self._frame[slots] = 1

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T spectral frames; see `Decoder.decode`."""
        hop = self.spec.hop_length
        amplitude, noise = self._measure(slots, fields["linear"], controls)
        before = np.concatenate([self._amplitude[slots][:, None], amplitude[:, :-1]], 1)
        f0_before = np.concatenate([self._f0_hz[slots][:, None], controls.f0_hz[:, :-1]], 1)
        f0_hz = 0.5 * (f0_before + controls.f0_hz)
        audio = self._oscillators.sound(slots, before, amplitude, f0_hz, controls.inharmonicity)
        tails = np.concatenate([self._tail[slots][:, None], noise[:, :-1, hop:]], 1)
        audio += (tails + noise[:, :, :hop]).reshape(audio.shape)
        self._amplitude[slots] = amplitude[:, -1]
        self._f0_hz[slots] = controls.f0_hz[:, -1]
        self._tail[slots] = noise[:, -1, hop:]
        self._frame[slots] += controls.f0_hz.shape[1]
        return audio

    def _measure(
        self, slots: NDArray[np.intp], pair: FloatArray, controls: NoteControls
    ) -> tuple[FloatArray, FloatArray]:
        """Return partial amplitudes (V, T, MAX_PARTIALS) and windowed noise (V, T, 2 * hop_length)."""
        tone, noise = split_noise(pair, self.spec)
        pitched = (controls.f0_hz > 0.0)[..., None]
        noise = np.where(pitched, noise, noise + tone)
        frame = self._frame[slots][:, None] + np.arange(pair.shape[1])
        known = np.minimum(frame, len(self._onset_power) - 1)
        amplitude = self._amplitudes(slots, tone, controls) / self._onset_amplitude[known][..., None]
        magnitude = np.sqrt(noise / self._onset_power[known][..., None])
        return amplitude, self._noise.frames(magnitude, self._seed[slots], frame, self.spec)

    def _amplitudes(self, slots: NDArray[np.intp], tone: FloatArray, controls: NoteControls) -> FloatArray:
        places = self._comb.places(slots, controls.field_hz, controls.inharmonicity)
        power = np.take_along_axis(tone, places.low, 2) + np.take_along_axis(tone, places.low + 1, 2)
        squared = power * places.gain
        if controls.grown_hz is not None:  # what sounds higher than it was grown must not fold back
            bend = controls.f0_hz / np.maximum(controls.grown_hz, 1e-9)
            squared *= places.bin * bend[..., None].astype(np.float32) < self._comb.highest_bin
        amplitude = np.zeros((*tone.shape[:2], MAX_PARTIALS), np.float32)
        amplitude[..., : squared.shape[2]] = np.sqrt(squared)
        return amplitude


def onset_coverage(spec: AudioSpec) -> tuple[FloatArray, FloatArray]:
    """Share of the window's sum and of its energy that lies after the onset, for frames 0, 1, ... up to 1."""
    window = hann(spec.n_fft).astype(np.float64)
    frames = -(-spec.n_fft // 2 // spec.hop_length) + 1
    parts = [window[max(0, spec.n_fft // 2 - t * spec.hop_length) :] for t in range(frames)]
    amplitude = [part.sum() / window.sum() for part in parts]
    power = [(part**2).sum() / (window**2).sum() for part in parts]
    return np.array(amplitude, np.float32), np.array(power, np.float32)
