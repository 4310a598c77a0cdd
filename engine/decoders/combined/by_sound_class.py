"""Decoders by the kind of sound: notes with a pitch have partials, others resonances that only a search finds, or none.

Letters: V voices, T hops, N bins.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...spectra.fields import Fields
from ...spectra.spec import AudioSpec
from ..base import Decoder, NoteControls
from .delay import DelayedDecoder

PITCHED, RESONANT, NOISY = 0, 1, 2
LOOKED_AT = 2
"""First frames that tell resonances from noise."""
LOUD_DB = 5.0
"""Bins count half as much for each step of this that they are below the loudest."""
EVEN_DB = 0.5
"""How far the loud bins of noise are off the line through their neighbours, twice, at most. Grown surf has 0.1 to 0.3,
cymbals 0.3 to 0.4: they are nearer to their recordings as noise. What has more, from a closed hi-hat (0.6) to a tom
(1.0 and more), is nearer as resonances."""

Levels = Callable[[Fields, NoteControls], FloatArray]
"""Gives the levels (V, T, N) of the bins of first frames."""


class SoundClassDecoder(Decoder):
    """Sounds notes with a pitch, resonances and noise by a decoder each; see `Decoder`.

    Partials of a pitch are all that spectral modelling can tell from noise: a tom or a bell of a drum kit, whose
    resonances are no multiples of anything, would be a burst of noise. A search for phases, on the other hand, makes
    surf and cymbals rougher than they are, and costs more.

    Parameters
    ----------
    spec, num_slots
        See `catalogue.Parts`.
    pitched, resonant, noisy : Decoder
        With as many slots; of the same fields. `noisy` looks no further ahead than `resonant` and may be `pitched`.
    levels : callable
        What tells noise from resonances.

    Attributes
    ----------
    pitched, resonant : Decoder
        As given.
    """

    def __init__(
        self, spec: AudioSpec, num_slots: int, pitched: Decoder, resonant: Decoder, noisy: Decoder, levels: Levels
    ) -> None:
        self.name, self.pitched, self.resonant = pitched.name, pitched, resonant
        self.consumes = pitched.consumes
        self.lookahead, self.lead_in = pitched.lookahead, pitched.lead_in
        self._decoders = (pitched, resonant)
        self._noisy = DelayedDecoder(noisy, num_slots, resonant.lookahead, spec.hop_length)
        self._levels, self._scale_db = levels, spec.level_scale_db
        self._kind = np.zeros(num_slots, np.int8)

    @property
    def unpitched_lookahead(self) -> int:
        """As `lookahead`, for notes without a pitch."""
        return self.resonant.unpitched_lookahead

    @property
    def unpitched_lead_in(self) -> int:
        """As `lead_in`, for notes without a pitch."""
        return self.resonant.unpitched_lead_in

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first frames; see `Decoder.begin`."""
        self._kind[slots] = np.where(controls.pitched, PITCHED, RESONANT)
        unpitched = np.flatnonzero(~controls.pitched)
        if unpitched.size:
            levels = self._levels(*_of_voices(fields, controls, unpitched))[:, :LOOKED_AT]
            self._kind[slots[unpitched[is_noise(levels * np.float32(self._scale_db))]]] = NOISY
        for kind, rows in self._shares(slots):
            part, own = _of_voices(fields, controls, rows)
            if kind == NOISY:
                self._noisy.begin(slots[rows], part, own, seeds[rows])
            else:
                self._decoders[kind].begin(slots[rows], part, own, seeds[rows])

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T spectral frames; see `Decoder.decode`."""
        shares = self._shares(slots)
        if len(shares) == 1:
            return self._decode(shares[0][0], slots, fields, controls)
        parts = [self._decode(kind, slots[rows], *_of_voices(fields, controls, rows)) for kind, rows in shares]
        audio = np.empty((len(slots), parts[0].shape[1]), np.float32)
        for (_, rows), part in zip(shares, parts, strict=True):
            audio[rows] = part
        return audio

    def _decode(self, kind: int, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        if kind != NOISY:
            return self._decoders[kind].decode(slots, fields, controls)
        due, _ = self._noisy.decode(slots, fields, controls)
        return due.reshape(len(slots), -1)

    def _shares(self, slots: NDArray[np.intp]) -> list[tuple[int, NDArray[np.intp]]]:
        """Return who decodes which of the voices, without those that have nothing to do."""
        kinds = self._kind[slots]
        return [(kind, rows) for kind in range(3) if (rows := np.flatnonzero(kinds == kind)).size]


def is_noise(level_db: FloatArray) -> NDArray[np.bool_]:
    """Return which of V sounds are nothing but noise, by the levels (V, T, N) of their first frames."""
    weight = np.exp2((level_db - level_db.max(2, keepdims=True)) / LOUD_DB)[..., 1:-1]
    bend = np.abs(level_db[..., :-2] - 2.0 * level_db[..., 1:-1] + level_db[..., 2:])
    even: NDArray[np.bool_] = ((weight * bend).sum(2) / weight.sum(2)).mean(1) < EVEN_DB
    return even


def _of_voices(fields: Fields, controls: NoteControls, rows: NDArray[np.intp]) -> tuple[Fields, NoteControls]:
    return {name: values[rows] for name, values in fields.items()}, controls.of(rows)
