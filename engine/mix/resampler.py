"""A streaming polyphase resampler with a short, constant look-ahead.

The filter is one of minimum phase: it has the magnitude of a symmetric filter, and needs its input 0.1 to 0.3 ms early
where that one needs half its length, 1.1 ms. In return it delays what lies just below half the lower rate more than all
else (at 48 kHz by 0.3 ms at 10 kHz), and rings only after a sound, never before it.

Why not soxr: every quality of soxr's stream that reaches a stop-band of -90 dB works in FFT blocks and needs its
input up to 42 ms early. Offline use of recordings may well use soxr.
"""

from __future__ import annotations

from math import ceil, gcd, log2

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ..arrays import FloatArray
from ..kernel.library import address, library

MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 192_000
_TAPS = 48  # at the lower of the two rates: from 22,050 Hz flat to 10 kHz, and -80 dB from 12.5 kHz on
_STOP_BAND_DB = 80.0
_LEAST_MAGNITUDE = 1e-9  # of what a logarithm is taken: between two ripples of the stop-band there is nothing
_MAX_PHASES = 2048  # beyond these, filters are interpolated
_LEAST_POINTS = 64  # of a filter in a sample: its delay is whole in them
_FEW_PHASES = 4
_CHUNK_FRAMES = 2048


def windowed_sinc(distance: NDArray[np.float64], cutoff: float, half_width: float) -> NDArray[np.float64]:
    """Return a Kaiser-windowed sinc at distances in input samples.

    Parameters
    ----------
    distance : from the centre of the filter
    cutoff : relative to the input's Nyquist frequency
    half_width : where the window ends

    Notes
    -----
    The window's shape follows from the stop-band attenuation (Kaiser, 1974).
    """
    beta = 0.1102 * (_STOP_BAND_DB - 8.7)
    window = np.i0(beta * np.sqrt(np.clip(1.0 - (distance / half_width) ** 2, 0.0, None))) / np.i0(beta)
    return cutoff * np.sinc(cutoff * distance) * window


def minimum_phase(filter_taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the filter (N,) of the same length and magnitude whose energy comes as early as can be.

    Notes
    -----
    The real cepstrum of its magnitude, folded to positive times (Oppenheim and Schafer, 1975).
    """
    size = 1 << ceil(log2(8 * len(filter_taps)))
    magnitude = np.abs(np.fft.rfft(filter_taps, size))
    cepstrum = np.fft.irfft(np.log(np.maximum(magnitude, _LEAST_MAGNITUDE * magnitude.max())))
    cepstrum[1 : size // 2] *= 2.0
    cepstrum[size // 2 + 1 :] = 0.0
    folded: NDArray[np.float64] = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)))[: len(filter_taps)]
    return folded


class Resampler:
    """Turns samples into frames of another rate; output frame n is the sound at second n / out_rate.

    Parameters
    ----------
    in_rate, out_rate : int
        Hz; equal rates pass the samples through.
    num_signals : int
        Signals C resampled side by side.
    compiled : bool
        Whether the kernel's library does the filtering, if there is one.

    Raises
    ------
    UsageError
        If `out_rate` is not in 8,000..192,000 Hz.
    """

    def __init__(self, in_rate: int, out_rate: int, num_signals: int, compiled: bool = False) -> None:
        if not MIN_RATE_HZ <= out_rate <= MAX_RATE_HZ:
            raise UsageError(f"sample_rate must be in {MIN_RATE_HZ}..{MAX_RATE_HZ} Hz, got {out_rate}")
        shared = gcd(in_rate, out_rate)
        self._phases, self._stride = out_rate // shared, in_rate // shared  # out / in = phases / stride
        self.is_identity = in_rate == out_rate
        self._library = library() if compiled else None
        cutoff = min(1.0, out_rate / in_rate)
        self._num_taps = 0 if self.is_identity else ceil(_TAPS / cutoff)
        self._ahead = 0  # how many samples after the floor of a frame's time the last tap is for
        self._table = np.empty((0, 0), np.float32) if self.is_identity else self._build_table(cutoff)
        self._num_frames = 0  # made so far
        self._num_samples = 0  # taken so far
        self._history = np.zeros((num_signals, max(self._num_taps - 1 - self._ahead, 0)), np.float32)

    def _build_table(self, cutoff: float) -> FloatArray:
        """Return the filters: the last tap is for `ahead` samples after the floor of a frame's time.

        Float32 (phases, taps) in the order in which frames meet them, repeated so that any run of a chunk's length
        is a slice; or (_MAX_PHASES + 1, taps) by phase if there are too many.
        """
        is_whole = self._phases <= _MAX_PHASES
        fine = self._phases * ceil(_LEAST_POINTS / self._phases) if is_whole else _MAX_PHASES  # points in a sample
        distance = (np.arange(self._num_taps * fine) - 0.5 * (self._num_taps * fine - 1)) / fine
        points = minimum_phase(windowed_sinc(distance, cutoff, 0.5 * self._num_taps))
        delay = round(float(np.arange(len(points)) @ points / points.sum()))  # of the lowest frequencies, in points
        self._ahead = ceil(delay / fine)
        order = np.arange(self._phases) * self._stride % self._phases * (fine // self._phases)
        phase = order if is_whole else np.arange(fine + 1)
        behind = np.arange(self._num_taps - 1, -1, -1) - self._ahead  # samples from a tap to the floor
        table = np.pad(points, (fine, 1))[phase[:, None] + delay + behind * fine + fine]
        table = (table / table.sum(axis=1, keepdims=True)).astype(np.float32)
        if not is_whole:
            return table
        return np.ascontiguousarray(np.resize(table, (self._phases + _CHUNK_FRAMES, table.shape[1])))

    @property
    def tail_samples(self) -> int:
        """Input samples for whose length frames ring on after the last that sounded."""
        return self._num_taps - self._ahead

    @property
    def look_ahead_frames(self) -> int:
        """Frames after which an input sample, rounded to the nearest, has surely not been asked for yet."""
        return 0 if self.is_identity else ceil((self._ahead + 1.5) * self._phases / self._stride)

    def samples_needed(self, num_frames: int) -> int:
        """Return how many samples `process` must be given to make `num_frames` more frames."""
        last = self._num_frames + num_frames - 1
        return max(last * self._stride // self._phases + self._ahead + 1 - self._num_samples, 0)

    def process(self, samples: FloatArray, num_frames: int) -> FloatArray:
        """Take samples, float32 (C, samples_needed(num_frames)), and return float32 (C, num_frames)."""
        self._num_samples += samples.shape[1]
        if self.is_identity:
            self._num_frames += num_frames
            return samples
        buffer = np.concatenate((self._history, samples), axis=1)
        first = self._num_samples - buffer.shape[1]  # absolute number of the buffer's first sample
        out = np.empty((buffer.shape[0], num_frames), np.float32)
        for start in range(0, num_frames, _CHUNK_FRAMES):
            self._fill(out[:, start : start + _CHUNK_FRAMES], buffer, first)
        next_tap = self._num_frames * self._stride // self._phases + self._ahead + 1 - self._num_taps
        self._history = buffer[:, next_tap - first :].copy()
        return out

    def _fill(self, out: FloatArray, buffer: FloatArray, first: int) -> None:
        """Compute at most a chunk of frames from samples of which the first has the absolute number `first`."""
        num_taps = self._num_taps
        origin, phase = divmod(self._num_frames * self._stride, self._phases)
        start = origin + self._ahead + 1 - num_taps - first
        steps = phase + np.arange(out.shape[1], dtype=np.int64) * self._stride
        for line, samples in zip(out, buffer, strict=True):
            if not samples.any():
                line[:] = 0.0
            elif self._library is not None and self._phases <= _MAX_PHASES:
                filters = self._table[self._num_frames % self._phases :]
                self._library.tnca_resample(
                    address(samples) + 4 * start, address(filters), num_taps, phase, self._stride, self._phases,
                    len(line), address(line),
                )  # fmt: skip
            elif self._stride == 1 and self._phases <= _FEW_PHASES:
                self._correlate(line, samples, start, phase)
            else:
                num_windows = len(samples) - num_taps + 1
                windows = np.ndarray((num_windows, num_taps), np.float32, samples, strides=samples.strides * 2)
                rows = windows[steps // self._phases + start]
                np.einsum("nk,nk->n", rows, self._taps(steps % self._phases), out=line)
        self._num_frames += out.shape[1]

    def _correlate(self, line: FloatArray, samples: FloatArray, start: int, phase: int) -> None:
        """Fill a line where a phase returns with every next sample."""
        for index in range(min(self._phases, len(line))):
            carry, row = divmod(phase + index, self._phases)
            frames = line[index :: self._phases]
            begin = start + carry
            frames[:] = np.correlate(samples[begin : begin + len(frames) + self._num_taps - 1], self._table[row])

    def _taps(self, phases: NDArray[np.int64]) -> FloatArray:
        """Return the filters of the next frames, whose phases (N,) are given: float32 (N, taps)."""
        if self._phases <= _MAX_PHASES:
            place = self._num_frames % self._phases
            return self._table[place : place + len(phases)]
        position = phases * (_MAX_PHASES / self._phases)
        index = position.astype(np.int64)
        fraction = (position - index).astype(np.float32)[:, None]
        return self._table[index] * (1.0 - fraction) + self._table[index + 1] * fraction
