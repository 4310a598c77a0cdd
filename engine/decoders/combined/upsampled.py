"""Sounding at a multiple of a decoder's own rate: for paths beside others that are finer.

Letters: V voices, T hops, H samples of a hop at the decoder's rate, K times as many at the higher one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...spectra.fields import Fields
from ...spectra.spec import AudioSpec
from ..base import Decoder, NoteControls

REACH: Final = 32
"""Samples on either side that a new one is made of: flat to 10.3 kHz of 11.025, below -80 dB from 12 kHz on."""
_KAISER_BETA: Final = 0.1102 * (80.0 - 8.7)
"""For a stop-band of -80 dB (Kaiser, 1974)."""


def at_rate(decoder: Decoder, own: AudioSpec, wanted: AudioSpec, num_slots: int) -> Decoder:
    """Return a decoder of a spec's fields that sounds at the rate of another one."""
    times = wanted.sample_rate // own.sample_rate
    return decoder if times == 1 else UpsampledDecoder(decoder, own.hop_length, times, num_slots)


class UpsampledDecoder(Decoder):
    """A decoder whose sound is brought to a whole multiple of its rate, without delay: it looks a frame further ahead.

    Parameters
    ----------
    decoder : Decoder
    hop_length : int
        H, at least `REACH`.
    times : int
        K, by which the rate grows.
    num_slots : int
    """

    def __init__(self, decoder: Decoder, hop_length: int, times: int, num_slots: int) -> None:
        self._decoder = decoder
        self.name, self.consumes, self.levels = decoder.name, decoder.consumes, decoder.levels
        self.follows_f0, self.lead_in = decoder.follows_f0, decoder.lead_in
        self.lookahead = decoder.lookahead + 1
        self._filters = [_filter(phase / times) for phase in range(1, times)]
        # What new samples still reach back to, and the hop that waits for what comes after it.
        self._line = np.zeros((num_slots, REACH + hop_length), np.float32)

    @property
    def unpitched_lookahead(self) -> int:
        """As `lookahead`, for notes without a pitch."""
        return self._decoder.unpitched_lookahead + 1

    @property
    def unpitched_lead_in(self) -> int:
        """As `lead_in`, for notes without a pitch."""
        return self._decoder.unpitched_lead_in

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start new notes in `slots` (V,); see `Decoder.begin`."""
        first, rest = slice(None, -1), slice(-1, None)
        self._decoder.begin(slots, _part(fields, first), controls.during(first), seeds)
        self._line[slots, :REACH] = 0.0
        self._line[slots, REACH:] = self._decoder.decode(slots, _part(fields, rest), controls.during(rest))

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T frames; return float32 (V, T * H * K)."""
        newest = self._decoder.decode(slots, fields, controls)
        line = np.concatenate([self._line[slots], newest], axis=1)
        self._line[slots] = line[:, newest.shape[1] :]
        due = newest.shape[1]
        finer = np.empty((len(slots), due, 1 + len(self._filters)), np.float32)
        finer[..., 0] = line[:, REACH : REACH + due]  # samples that are there stay as they are
        for samples, room in zip(line, finer, strict=True):
            if samples.any():
                for phase, taps in enumerate(self._filters, 1):
                    room[:, phase] = np.correlate(samples[1 : due + 2 * REACH], taps)
            else:
                room[:, 1:] = 0.0
        return finer.reshape(len(slots), -1)


def _filter(fraction: float) -> FloatArray:
    """Return what 2 * REACH samples count for one that lies `fraction` of a sample after the last of their first half.

    A sinc in a Kaiser window (Kaiser, 1974).
    """
    distance = np.arange(2 * REACH) - (REACH - 1) - fraction
    window = np.i0(_KAISER_BETA * np.sqrt(1.0 - (distance / REACH) ** 2)) / np.i0(_KAISER_BETA)
    taps = np.sinc(distance) * window
    return np.asarray(taps / taps.sum(), np.float32)


def _part(fields: Fields, span: slice) -> Fields:
    return {name: values[:, span] for name, values in fields.items()}
