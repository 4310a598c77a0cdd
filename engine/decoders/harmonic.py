"""Spectral modelling at the MIDI pitch: an oscillator per partial, and noise between them (Serra & Smith, 1990).

Letters: V voices, T hops, H partials, N bins of the spec's FFT, K bins of the noise FFT.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..seed import MAX_PARTIALS, partial_hz
from ..spec import AudioSpec
from ..spectral import FloatArray, hann
from .base import Fields, NoteControls, grown_power
from .noise import NoiseBank

TONALITY_RANGE_DB = 40.0
LOBE_REACH = 2  # neighbouring partials on either side whose main lobes can overlap one bin
SINE_PHASE = -0.25  # of a cosine, in cycles: every partial starts at zero, so an onset does not click
COARSE = (
    16  # hop samples are split n = COARSE * i + j, so that a hop costs 2 * COARSE phasors a partial, not hop_length
)


def lobe_power(offset_bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of a Hann window's main lobe at an offset in bins, 1 at the centre, 0 beyond 2 bins.

    The transform of a periodic Hann window is ``sinc(x) + (sinc(x - 1) + sinc(x + 1)) / 2`` (Harris, 1978).
    """
    x = np.abs(offset_bins)
    value = np.sinc(x) + 0.5 * (np.sinc(x - 1.0) + np.sinc(x + 1.0))
    return np.where(x < 2.0, value * value, 0.0)


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
        self._cycles = np.zeros(num_slots)  # of the fundamental since the onset; partials are multiples of it
        self._amplitude = np.zeros((num_slots, MAX_PARTIALS), np.float32)
        self._f0_hz = np.zeros(num_slots)
        self._tail = np.zeros((num_slots, spec.hop_length), np.float32)
        self._seed = np.zeros(num_slots, np.uint64)
        self._frame = np.zeros(num_slots, np.int64)
        self._onset_amplitude, self._onset_power = onset_coverage(spec)

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first spectral frame; see `Decoder.begin`."""
        self._cycles[slots] = 0.0
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
        audio = self._oscillate(slots, before, amplitude, 0.5 * (f0_before + controls.f0_hz), controls.inharmonicity)
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
        amplitude = self._amplitudes(tone, controls) / self._onset_amplitude[known][..., None]
        magnitude = np.sqrt(noise / self._onset_power[known][..., None])
        return amplitude, self._noise.frames(magnitude, self._seed[slots], frame, self.spec)

    def _amplitudes(self, tone: FloatArray, controls: NoteControls) -> FloatArray:
        bin_hz = self.spec.sample_rate / self.spec.n_fft
        sounding = np.where(controls.field_hz > 0.0, controls.field_hz, self.spec.sample_rate)
        place = partial_hz(sounding, controls.inharmonicity[:, None], MAX_PARTIALS) / bin_hz
        count = max(1, int((place < self.spec.num_bins - 2.0).sum(-1).max()))
        place = place[..., :count].astype(np.float32)
        audible = place < self.spec.num_bins - 2.0
        if controls.grown_hz is not None:  # what sounds higher than it was grown must not fold back
            bend = np.where(controls.f0_hz > 0.0, controls.f0_hz / sounding, 1.0)
            audible &= place * bend[..., None] < self.spec.num_bins - 2.0
        low = np.where(audible, place, 0.0).astype(np.intp)
        spacing = (sounding / bin_hz).astype(np.float32)[..., None]
        power = np.take_along_axis(tone, low, 2) + np.take_along_axis(tone, low + 1, 2)
        density = np.zeros_like(place)
        for neighbour in range(-LOBE_REACH, LOBE_REACH + 1):
            offset = (low - place + neighbour * spacing).astype(np.float32)
            density += _lobe_table(offset) + _lobe_table(offset + 1.0)
        amplitude = np.zeros((*tone.shape[:2], MAX_PARTIALS), np.float32)
        amplitude[..., :count] = np.sqrt(np.where(audible, power / np.maximum(density, 0.1), 0.0))
        return amplitude

    def _oscillate(
        self,
        slots: NDArray[np.intp],
        before: FloatArray,
        after: FloatArray,
        f0_hz: NDArray[np.float64],
        inharmonicity: NDArray[np.float64],
    ) -> FloatArray:
        """Sum partials (V, T, H) gliding from amplitude `before` to `after` over each hop; (V, T * hop_length)."""
        hop = self.spec.hop_length
        used = np.asarray((before > 0.0).any((0, 1)) | (after > 0.0).any((0, 1)))
        count = int(used.nonzero()[0].max()) + 1 if used.any() else 1
        before, after = before[..., :count], after[..., :count]
        ratio = partial_hz(1.0, inharmonicity[:, None], count)
        step = f0_hz / self.spec.sample_rate
        turns = np.cumsum(step * hop, 1)
        start = ratio * (self._cycles[slots][:, None] + turns - step * hop)[..., None] + SINE_PHASE
        self._cycles[slots] += turns[:, -1]
        step = ratio * step[..., None]
        fine = _powers(_phasor(step), COARSE)
        coarse = _powers(_phasor(COARSE * step), hop // COARSE) * _phasor(start)[..., None]
        slope = (after - before) / np.float32(hop)
        steps = np.arange(0, hop, COARSE, dtype=np.float32)
        level = before[..., None] + slope[..., None] * steps
        x, y = coarse * level, coarse * slope[..., None]
        left = np.concatenate([x.real, -x.imag, y.real, -y.imag], 2)
        ramp = np.arange(COARSE, dtype=np.float32)
        right = np.concatenate([fine.real, fine.imag, fine.real * ramp, fine.imag * ramp], 2)
        return np.matmul(left.swapaxes(2, 3), right).reshape(len(slots), -1)


def _phasor(cycles: NDArray[np.float64]) -> NDArray[np.complex64]:
    """Return exp(2 pi i cycles); whole turns are dropped in double precision."""
    angle = ((cycles - np.floor(cycles)) * (2.0 * np.pi)).astype(np.float32)
    phasor = np.empty(cycles.shape, np.complex64)
    np.cos(angle, out=phasor.real)
    np.sin(angle, out=phasor.imag)
    return phasor


def _powers(base: NDArray[np.complex64], count: int) -> NDArray[np.complex64]:
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
    """`lobe_power` by table: it is asked for ten offsets of every partial of every hop."""
    index = np.minimum(np.abs(offset_bins) * _LOBE_STEPS_PER_BIN + 0.5, len(_LOBE) - 1).astype(np.intp)
    return _LOBE[index]


def onset_coverage(spec: AudioSpec) -> tuple[FloatArray, FloatArray]:
    """Share of the window's sum and of its energy that lies after the onset, for frames 0, 1, ... up to 1."""
    window = hann(spec.n_fft).astype(np.float64)
    frames = -(-spec.n_fft // 2 // spec.hop_length) + 1
    parts = [window[max(0, spec.n_fft // 2 - t * spec.hop_length) :] for t in range(frames)]
    amplitude = [part.sum() / window.sum() for part in parts]
    power = [(part**2).sum() / (window**2).sum() for part in parts]
    return np.array(amplitude, np.float32), np.array(power, np.float32)
