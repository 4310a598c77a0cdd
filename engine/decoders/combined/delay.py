"""Decoding earlier than needed: for a decoder beside one that looks further ahead.

Letters: V voices, T hops.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...spectra.fields import Fields
from ..base import Decoder, NoteControls


class DelayedDecoder:
    """Decodes hops as soon as their frames are there, and keeps them until those of a further look-ahead are due.

    Parameters
    ----------
    decoder : Decoder
    num_slots : int
    lookahead : frames that notes begin with, as many as `decoder` needs or more
    hop_length : samples in a hop
    """

    def __init__(self, decoder: Decoder, num_slots: int, lookahead: int, hop_length: int) -> None:
        self._decoder, self._hop = decoder, hop_length
        self._waiting = np.zeros((num_slots, lookahead - decoder.lookahead, hop_length), np.float32)

    def begin(
        self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]
    ) -> FloatArray:
        """Start notes with their first `lookahead` frames; return the hops that are known then, (V, T, hop_length)."""
        first, rest = slice(None, self._decoder.lookahead), slice(self._decoder.lookahead, None)
        self._decoder.begin(slots, self._of(fields, first), controls.during(first), seeds)
        if self._waiting.shape[1]:
            self._waiting[slots] = self._hops(slots, self._of(fields, rest), controls.during(rest))
        return self._waiting[slots]

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> tuple[FloatArray, FloatArray]:
        """Continue notes by T frames; return the hops that are due and the newest ones, each (V, T, hop_length)."""
        newest = self._hops(slots, self._of(fields, slice(None)), controls)
        line = np.concatenate([self._waiting[slots], newest], 1)
        self._waiting[slots] = line[:, newest.shape[1] :]
        return line[:, : newest.shape[1]], newest

    def _hops(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        return self._decoder.decode(slots, fields, controls).reshape(len(slots), -1, self._hop)

    def _of(self, fields: Fields, span: slice) -> Fields:
        return {name: fields[name][:, span] for name in self._decoder.consumes}
