"""A streaming polyphase resampler with a short, constant look-ahead.

Why not soxr: every quality of soxr's stream that reaches a stop-band of -90 dB works in FFT blocks and needs its
input up to 42 ms early, whereas the 48 taps here need 1.1 ms. Offline use of recordings may well use soxr.
"""

from __future__ import annotations

from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .spectral import FloatArray

MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 192_000
_TAPS = 48  # at the lower of the two rates: from 22,050 Hz flat to 10 kHz, and -80 dB from 12.5 kHz on
_STOP_BAND_DB = 80.0
_MAX_PHASES = 2048  # beyond these, filters are interpolated
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


class Resampler:
    """Turns samples into frames of another rate; output frame n is the sound at second n / out_rate.

    Parameters
    ----------
    in_rate, out_rate : int
        Hz; equal rates pass the samples through.
    num_signals : int
        Signals C resampled side by side.

    Raises
    ------
    UsageError
        If `out_rate` is not in 8,000..192,000 Hz.
    """

    def __init__(self, in_rate: int, out_rate: int, num_signals: int) -> None:
        if not MIN_RATE_HZ <= out_rate <= MAX_RATE_HZ:
            raise UsageError(f"sample_rate must be in {MIN_RATE_HZ}..{MAX_RATE_HZ} Hz, got {out_rate}")
        shared = gcd(in_rate, out_rate)
        self._phases, self._stride = out_rate // shared, in_rate // shared  # out / in = phases / stride
        self.is_identity = in_rate == out_rate
        cutoff = min(1.0, out_rate / in_rate)
        self._half = 0 if self.is_identity else ceil(_TAPS / 2 / cutoff)
        self._table = self._build_table(cutoff)
        self._num_frames = 0  # made so far
        self._num_samples = 0  # taken so far
        self._history = np.zeros((num_signals, max(2 * self._half - 1, 0)), np.float32)

    def _build_table(self, cutoff: float) -> FloatArray:
        """Return the filters: tap k is for sample k - half + 1 after the floor of a frame's time.

        Float32 (phases, taps) in the order in which frames meet them, repeated so that any run of a chunk's length
        is a slice; or (_MAX_PHASES + 1, taps) by phase if there are too many.
        """
        if self.is_identity:
            return np.empty((0, 0), np.float32)
        if self._phases <= _MAX_PHASES:
            phase = np.arange(self._phases) * self._stride % self._phases / self._phases
        else:
            phase = np.arange(_MAX_PHASES + 1) / _MAX_PHASES
        distance = np.arange(2 * self._half) - (self._half - 1) - phase[:, None]
        table = windowed_sinc(distance, cutoff, self._half)
        table = (table / table.sum(axis=1, keepdims=True)).astype(np.float32)
        if self._phases > _MAX_PHASES:
            return table
        return np.ascontiguousarray(np.resize(table, (self._phases + _CHUNK_FRAMES, table.shape[1])))

    @property
    def look_ahead_samples(self) -> int:
        """Input samples needed beyond the time of an output frame."""
        return self._half

    @property
    def look_ahead_frames(self) -> int:
        """Frames after which an input sample, rounded to the nearest, has surely not been asked for yet."""
        return 0 if self.is_identity else ceil((self._half + 1.5) * self._phases / self._stride)

    def samples_needed(self, num_frames: int) -> int:
        """Return how many samples `process` must be given to make `num_frames` more frames."""
        last = self._num_frames + num_frames - 1
        return max(last * self._stride // self._phases + self._half + 1 - self._num_samples, 0)

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
        next_tap = self._num_frames * self._stride // self._phases - self._half + 1
        self._history = buffer[:, next_tap - first :].copy()
        return out

    def _fill(self, out: FloatArray, buffer: FloatArray, first: int) -> None:
        """Compute at most a chunk of frames from samples of which the first has the absolute number `first`."""
        num_taps = 2 * self._half
        origin, phase = divmod(self._num_frames * self._stride, self._phases)
        start = origin - self._half + 1 - first
        steps = phase + np.arange(out.shape[1], dtype=np.int64) * self._stride
        for line, samples in zip(out, buffer, strict=True):
            if not samples.any():
                line[:] = 0.0
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
            frames[:] = np.correlate(samples[begin : begin + len(frames) + 2 * self._half - 1], self._table[row])

    def _taps(self, phases: NDArray[np.int64]) -> FloatArray:
        """Return the filters of the next frames, whose phases (N,) are given: float32 (N, taps)."""
        if self._phases <= _MAX_PHASES:
            place = self._num_frames % self._phases
            return self._table[place : place + len(phases)]
        position = phases * (_MAX_PHASES / self._phases)
        index = position.astype(np.int64)
        fraction = (position - index).astype(np.float32)[:, None]
        return self._table[index] * (1.0 - fraction) + self._table[index + 1] * fraction
