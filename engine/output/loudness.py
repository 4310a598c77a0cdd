"""Integrated loudness after ITU-R BS.1770-4, measured block by block.

The two filters of the K-weighting run as one long finite filter, by FFT: what it leaves out is below -120 dB.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray

HOP_S = 0.1
HOPS_IN_BLOCK = 4
"""A block of the gating is 0.4 s long; every 0.1 s one begins."""
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
OFFSET_LU = -0.691
"""So that a sine of 997 Hz at full scale in one audio channel is at -3.01 LUFS."""

Biquad = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Numerator and denominator, of z^0, z^-1 and z^-2."""

_CHUNK_HOPS = 8
_RESPONSE_S = 0.2  # the high-pass has fallen by more than 200 dB then


def k_weighting(sample_rate: int) -> tuple[Biquad, Biquad]:
    """Return the shelf and the high-pass of the K-weighting at a sample rate in Hz.

    Notes
    -----
    BS.1770-4 gives them at 48 kHz; these are the analogue filters behind its numbers, by the bilinear transform.
    """
    k, q = math.tan(math.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    high = 10.0 ** (3.999843853973347 / 20.0)
    band = high**0.4996667741545416
    a0 = 1.0 + k / q + k * k
    shelf: Biquad = (
        ((high + band * k / q + k * k) / a0, 2.0 * (k * k - high) / a0, (high - band * k / q + k * k) / a0),
        (1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0),
    )
    k, q = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    a0 = 1.0 + k / q + k * k
    return shelf, ((1.0, -2.0, 1.0), (1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0))


class LoudnessMeter:
    """Measures what is written to it.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    num_channels : int
        Audio channels, all of weight 1: mono or stereo.
    """

    def __init__(self, sample_rate: int, num_channels: int = 2) -> None:
        self._hop = round(HOP_S * sample_rate)
        self._overlap = round(_RESPONSE_S * sample_rate)
        self._chunk = _CHUNK_HOPS * self._hop
        self._size = 1 << (self._overlap + self._chunk - 1).bit_length()
        turn = np.exp(-2j * np.pi * np.arange(self._size // 2 + 1) / self._size)
        powers = np.stack([np.ones_like(turn), turn, turn * turn])
        response = np.ones_like(turn)
        for numerator, denominator in k_weighting(sample_rate):
            response *= (np.array(numerator) @ powers) / (np.array(denominator) @ powers)
        self._response = response[:, None]
        self._past = np.zeros((self._overlap, num_channels))
        self._waiting: list[FloatArray] = []
        self._num_waiting = 0
        self._energies: list[NDArray[np.float64]] = []  # of hops, summed over audio channels

    def write(self, block: FloatArray) -> None:
        """Measure a block, float32 (N, num_channels), full scale 1."""
        self._waiting.append(np.array(block))
        self._num_waiting += len(block)
        while self._num_waiting >= self._chunk:
            self._measure(self._chunk)

    @property
    def integrated_lufs(self) -> float:
        """Loudness of all that was written, gated; minus infinity for silence and for less than 0.4 s."""
        self._measure(self._num_waiting // self._hop * self._hop)
        hops = np.concatenate([np.zeros(0), *self._energies])
        if len(hops) < HOPS_IN_BLOCK:
            return -math.inf
        power = np.convolve(hops, np.ones(HOPS_IN_BLOCK), "valid") / (HOPS_IN_BLOCK * self._hop)
        power = power[power > _power(ABSOLUTE_GATE_LUFS)]
        if not power.size:
            return -math.inf
        gate = power.mean() * 10.0 ** (RELATIVE_GATE_LU / 10.0)
        return OFFSET_LU + 10.0 * math.log10(power[power > gate].mean())

    def _measure(self, num_frames: int) -> None:
        """Filter so many of the frames that wait: whole hops, at most a chunk."""
        if not num_frames:
            return
        waiting = np.concatenate(self._waiting)
        line = np.concatenate([self._past, waiting[:num_frames]])
        self._waiting, self._num_waiting = [waiting[num_frames:]], len(waiting) - num_frames
        self._past = line[num_frames:]
        heard = np.fft.irfft(np.fft.rfft(line, self._size, axis=0) * self._response, self._size, axis=0)
        heard = heard[self._overlap : self._overlap + num_frames]
        self._energies.append((heard**2).sum(axis=1).reshape(-1, self._hop).sum(axis=1))


def _power(lufs: float) -> float:
    return 10.0 ** ((lufs - OFFSET_LU) / 10.0)
