"""Two decoders by the kind of sound: notes with a pitch have partials, others resonances that only a search finds.

Letters: V voices, T hops.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..spectral import FloatArray
from .base import Decoder, Fields, NoteControls


class TwofoldDecoder:
    """Sounds notes with a pitch by one decoder and all others by another; see `Decoder`.

    Partials of a pitch are all that spectral modelling can tell from noise: a tom or a bell of a drum kit, whose
    resonances are no multiples of anything, would be a burst of noise.

    Parameters
    ----------
    pitched, unpitched : Decoder
        With as many slots; of the same fields.
    """

    def __init__(self, pitched: Decoder, unpitched: Decoder, num_slots: int) -> None:
        self.name = pitched.name
        self.consumes = pitched.consumes
        self.lookahead, self.unpitched_lookahead = pitched.lookahead, unpitched.lookahead
        self.pitched, self.unpitched = pitched, unpitched
        self._is_pitched = np.ones(num_slots, np.bool_)

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first frames; see `Decoder.begin`."""
        self._is_pitched[slots] = controls.pitched
        for decoder, rows in self._shares(slots):
            decoder.begin(slots[rows], *_of_voices(fields, controls, rows), seeds[rows])

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T spectral frames; see `Decoder.decode`."""
        shares = self._shares(slots)
        if len(shares) == 1:
            return shares[0][0].decode(slots, fields, controls)
        parts = [decoder.decode(slots[rows], *_of_voices(fields, controls, rows)) for decoder, rows in shares]
        audio = np.empty((len(slots), parts[0].shape[1]), np.float32)
        for (_, rows), part in zip(shares, parts, strict=True):
            audio[rows] = part
        return audio

    def _shares(self, slots: NDArray[np.intp]) -> list[tuple[Decoder, NDArray[np.intp]]]:
        """Return who decodes which of the voices, without those that have nothing to do."""
        is_pitched = self._is_pitched[slots]
        both = (self.pitched, np.flatnonzero(is_pitched)), (self.unpitched, np.flatnonzero(~is_pitched))
        return [(decoder, rows) for decoder, rows in both if rows.size]


def _of_voices(fields: Fields, controls: NoteControls, rows: NDArray[np.intp]) -> tuple[Fields, NoteControls]:
    return {name: values[rows] for name, values in fields.items()}, controls.of(rows)
