"""What a source-filter decoder is told beside what was grown: the phases of its partials, and noise to shape.

Letters: V voices, T hops, H partials, K bins of the noise FFT, S slots.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...spectra.pitch import MAX_PARTIALS, partial_hz
from ...spectra.stft import hz_to_mel
from .noise import noise_spectra, table_rows

NOISE_LENGTH = 256
"""Samples of a frame of noise; frames overlap by half."""
SINE_PHASE = -0.25
"""Of a cosine, in cycles: every partial starts at zero."""


def partial_turns(
    cycles: NDArray[np.float64], step: NDArray[np.float64], stretch: NDArray[np.float64]
) -> tuple[FloatArray, FloatArray]:
    """Return where partials stand at the start of each hop, and how they turn in it.

    Parameters
    ----------
    cycles : (V, T), of the fundamental since the onset
    step : (V, T), cycles of the fundamental per sample, 0 for an unpitched voice
    stretch : (V,), inharmonicity B

    Returns
    -------
    start : float32 (V, T, H), cycles in 0..1, as a cosine
    turn : float32 (V, T, H), cycles per sample
    """
    ratio = partial_hz(1.0, stretch, MAX_PARTIALS)[:, None]
    start = ratio * cycles[..., None] + SINE_PHASE
    return (start - np.floor(start)).astype(np.float32), (ratio * step[..., None]).astype(np.float32)


def bands_to_bins(bands: int, sample_rate: int, length: int = NOISE_LENGTH) -> FloatArray:
    """Return what spreads levels of `bands`, equal steps of the mel scale, over bins of `length` samples (bands, K)."""
    hz = np.arange(length // 2 + 1) * sample_rate / length
    place = hz_to_mel(hz) / hz_to_mel(sample_rate / 2.0) * (bands - 1)
    return np.maximum(0.0, 1.0 - np.abs(np.arange(bands)[:, None] - place)).astype(np.float32)


class Excitation:
    """Phases and noise of all slots.

    Parameters
    ----------
    sample_rate, hop_length : of the sound
    num_slots : S
    """

    def __init__(self, sample_rate: int, hop_length: int, num_slots: int) -> None:
        self._rate, self._hop = sample_rate, hop_length
        self._cycles = np.zeros(num_slots)
        self._frame = np.zeros(num_slots, np.int64)
        self._seed = np.zeros(num_slots, np.uint64)
        spectra = noise_spectra(NOISE_LENGTH)
        self._table: FloatArray = np.stack([spectra.real, spectra.imag], 1)

    def begin(self, slots: NDArray[np.intp], seeds: NDArray[np.uint64]) -> None:
        """Start new notes."""
        self._cycles[slots] = 0.0
        self._frame[slots] = 0
        self._seed[slots] = seeds

    def advance(
        self, slots: NDArray[np.intp], f0_hz: NDArray[np.float64], stretch: NDArray[np.float64]
    ) -> dict[str, FloatArray]:
        """Return what the next T hops need, and go on to their end.

        Parameters
        ----------
        f0_hz : (V, T), mean fundamental in each hop, 0 for an unpitched voice
        stretch : (V,)

        Returns
        -------
        start and turn (V, T, H) of `partial_turns`, and noise (V, T * hop / (NOISE_LENGTH / 2), 2, K), spectra that
        depend on each note's seed and the frame alone.
        """
        step = f0_hz / self._rate
        turns = np.cumsum(step * self._hop, 1)
        start, turn = partial_turns(self._cycles[slots][:, None] + turns - step * self._hop, step, stretch)
        self._cycles[slots] += turns[:, -1]
        count = f0_hz.shape[1] * self._hop // (NOISE_LENGTH // 2)
        frame = self._frame[slots][:, None] + np.arange(count)
        self._frame[slots] += count
        rows = table_rows(self._seed[slots], frame, len(self._table))
        return {"start": start, "turn": turn, "noise": self._table[rows]}
