"""Streaming Griffin-Lim: phases found hop by hop (RTISI-LA; Zhu, Beauregard & Wyse, 2007) with momentum.

Letters: V voices, T hops, N bins, M magnitude frames in the buffer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..spectra.fields import Fields, grown_power
from ..spectra.spec import AudioSpec
from ..spectra.stft import hann, mel_edges_hz, mel_filterbank
from .base import Decoder, NoteControls

ITERATIONS = 6
MEL_ITERATIONS = 8
MOMENTUM = 0.7  # Perraudin, Balazs & Sondergaard (2013) give 0.99 offline; few iterations over few frames want less


class GriffinLimDecoder(Decoder):
    """Decoder of magnitudes without phases; see `Decoder`.

    A hop is final once all windows that reach it have been fitted: with windows of four hops that takes the next frame
    and one more. The buffer holds those frames and some to spare; each new one starts from the phases that the signal
    found so far has under its window.

    Parameters
    ----------
    spec, num_slots
        See `catalogue.Parts`.
    field : "linear" or "mel"
    iterations : of the search in each hop
    spare_frames : beyond those whose windows reach a hop, fitted together with them

    Attributes
    ----------
    window, inverse_window : float32 (n_fft,), of the analysis and the synthesis
    scale : magnitude of a full-scale sine
    """

    name = "griffin-lim"
    follows_f0 = False  # pitch is in the fields alone
    lead_in = 2

    def __init__(
        self,
        spec: AudioSpec,
        num_slots: int,
        field: str = "linear",
        iterations: int = ITERATIONS,
        spare_frames: int = 1,
    ) -> None:
        self.spec, self.iterations = spec, iterations
        self.consumes = (field,)
        self._overlap = spec.n_fft // spec.hop_length
        self.lookahead = self._overlap // 2 + spare_frames
        self.window = hann(spec.n_fft)
        self._norm = np.float32(1.0 / (self.window**2).reshape(self._overlap, -1).sum(0).mean())
        self.inverse_window = self.window * self._norm
        self.scale = np.float32(self.window.sum() / 2.0)
        self._to_linear = MelInverse(spec) if field == "mel" else None
        frames = self.lookahead + 1
        self._magnitude = np.zeros((num_slots, frames, spec.num_bins), np.float32)
        self._spectrum = np.zeros((num_slots, frames, spec.num_bins), np.complex64)
        self._fixed = np.zeros((num_slots, spec.n_fft), np.float32)  # what frames past the buffer left under it
        length = spec.hop_length // 2
        self._onward = np.zeros((num_slots, length), np.float32)  # how the last hop would have gone on
        self._rise = np.arange(length, dtype=np.float32) / np.float32(length)

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first `lookahead` frames; see `Decoder.begin`."""
        self.clear(slots)
        for magnitude in self._magnitudes(fields).swapaxes(0, 1):
            self._push(slots, magnitude)

    def clear(self, slots: NDArray[np.intp]) -> None:
        """Forget what sounded in `slots` before."""
        self._magnitude[slots] = 0.0
        self._spectrum[slots] = 0.0
        self._fixed[slots] = 0.0
        self._onward[slots] = 0.0

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T spectral frames; see `Decoder.decode`."""
        hops = [self._push(slots, magnitude) for magnitude in self._magnitudes(fields).swapaxes(0, 1)]
        return np.concatenate(hops, 1)

    def _magnitudes(self, fields: Fields) -> FloatArray:
        """Return STFT magnitudes (V, T, N) of the consumed field's levels."""
        power = grown_power(fields[self.consumes[0]][:, :, 0], self.spec)
        if self._to_linear is not None:
            power = self._to_linear(power)
        return np.sqrt(power) * self.scale

    def _push(self, slots: NDArray[np.intp], magnitude: FloatArray) -> FloatArray:
        """Take one more frame (V, N), refine the buffer, and let its oldest hop go (V, hop_length)."""
        wanted = np.concatenate([self._magnitude[slots][:, 1:], magnitude[:, None]], 1)
        spectrum, fixed = np.roll(self._spectrum[slots], -1, 1), self._fixed[slots]
        found_so_far = self._overlap_add(spectrum[:, :-1], fixed)[:, -self.spec.n_fft :]
        newest = np.fft.rfft(found_so_far * self.window, axis=-1).astype(np.complex64, copy=False)
        spectrum[:, -1] = magnitude * unit(newest)
        previous = spectrum
        for _ in range(self.iterations):
            found = self._analyse(self._overlap_add(spectrum, fixed))
            previous *= np.float32(-MOMENTUM)
            previous += np.float32(1.0 + MOMENTUM) * found
            spectrum, previous = wanted * unit(previous), found
        return self._let_go(slots, wanted, spectrum, fixed)

    def _let_go(
        self, slots: NDArray[np.intp], wanted: FloatArray, spectrum: NDArray[np.complex64], fixed: FloatArray
    ) -> FloatArray:
        """Keep the buffered frames (V, M, N) without the oldest, and return the hop that is final.

        What the search finds for a hop is not what it found one frame before. So a hop begins as the last one would
        have gone on, and glides over; else there would be a step at every hop.
        """
        hop = self.spec.hop_length
        signal = self._overlap_add(spectrum, fixed)
        done = np.zeros_like(fixed)
        frame = np.fft.irfft(spectrum[:, 0], axis=-1).astype(np.float32, copy=False) * self.inverse_window
        done[:, :-hop] = (fixed + frame)[:, hop:]
        self._fixed[slots], self._magnitude[slots], self._spectrum[slots] = done, wanted, spectrum
        middle, length = self.spec.n_fft // 2, len(self._rise)
        beginning = signal[:, middle : middle + length]
        beginning -= (1.0 - self._rise) * (beginning - self._onward[slots])
        self._onward[slots] = signal[:, middle + hop : middle + hop + length]
        return signal[:, middle : middle + hop]

    def _overlap_add(self, spectrum: NDArray[np.complex64], fixed: FloatArray) -> FloatArray:
        """Sum frames (V, M or fewer, N) and what went before into (V, n_fft + (M - 1) * hop_length)."""
        hop, n_fft = self.spec.hop_length, self.spec.n_fft
        signal = np.zeros((len(fixed), n_fft + self.lookahead * hop), np.float32)
        signal[:, :n_fft] = fixed
        pieces = np.fft.irfft(spectrum, axis=-1).astype(np.float32, copy=False)
        pieces *= self.inverse_window
        for m in range(spectrum.shape[1]):
            signal[:, m * hop : m * hop + n_fft] += pieces[:, m]
        return signal

    def _analyse(self, signal: FloatArray) -> NDArray[np.complex64]:
        """Return the spectra (V, M, N) of the buffered frames' windows."""
        each, sample = signal.strides
        shape = (len(signal), self.lookahead + 1, self.spec.n_fft)
        frames = np.lib.stride_tricks.as_strided(signal, shape, (each, self.spec.hop_length * sample, sample))
        return np.fft.rfft(frames * self.window, axis=-1).astype(np.complex64, copy=False)


def unit(spectrum: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Return the phases, as complex numbers of magnitude 1; phase 0 where there is nothing to have one."""
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    silent = power < 1e-24
    phases: NDArray[np.complex64] = np.divide(spectrum, np.sqrt(np.maximum(power, np.float32(1e-24))))
    phases[silent] = 1.0
    return phases


class MelInverse:
    """Finds power at the bins that explains the power of the bands.

    It starts from a spectrum without detail and corrects it by the ratio of wanted to found bands, which keeps it
    positive (Richardson, 1972).
    """

    def __init__(self, spec: AudioSpec) -> None:
        bank = mel_filterbank(spec)
        bins_hz = np.arange(spec.num_bins) * spec.sample_rate / spec.n_fft
        centres_hz = mel_edges_hz(spec)[1:-1]
        between = [np.interp(bins_hz, centres_hz, band) for band in np.eye(spec.num_mels)]
        self._flat = (np.array(between) / bank.sum(1, keepdims=True)).astype(np.float32)
        self._bank, self._to_bands = bank, np.ascontiguousarray(bank.T)
        self._share = 1.0 / np.maximum(bank.sum(0), np.float32(1e-3))

    def __call__(self, bands: FloatArray, shape: FloatArray | None = None) -> FloatArray:
        """Return power at the bins, float32 (V, T, N), of band powers (V, T, num_mels).

        `shape` (V, T, N) is the detail to start with, up to a factor that varies slowly; none by default.
        """
        power = _each_times(bands, self._flat)
        if shape is not None:
            power *= shape
        for _ in range(MEL_ITERATIONS):
            found = np.maximum(_each_times(power, self._to_bands), np.float32(1e-20))
            ratio: FloatArray = (bands / found).astype(np.float32)
            power *= _each_times(ratio, self._bank) * self._share
        return power


def _each_times(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """Multiply (..., A) by (A, B), every row by itself: among others BLAS rounds it differently.

    The search for phases would make that audible, and the sound depend on how many voices and hops a call has.
    """
    return np.matmul(rows[..., None, :], matrix)[..., 0, :]
