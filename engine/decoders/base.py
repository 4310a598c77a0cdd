"""What every decoder is: grown spectral frames in, audio out, state kept per voice slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...midi.messages import NEUTRAL_BLEND
from ..arrays import FloatArray
from ..spectra.fields import Fields
from ..spectra.tone import ToneLevels

SECOND_SHARE = NEUTRAL_BLEND / 127
"""Of the second part of an ensemble, where nobody asks for another."""


@dataclass(frozen=True, eq=False)
class NoteControls:
    """What a decoder knows of its notes beside the grown fields.

    Attributes
    ----------
    f0_hz : float64 (V, T), fundamental at each spectral frame; 0 for an unpitched voice
    inharmonicity : float64 (V,), stretch B of `engine.spectra.pitch.partial_hz`
    grown_hz : float64 (V, T), fundamental that the fields were grown for: vibrato and small bends are not in it; None
        where it is `f0_hz`
    has_pitch : bool (V,), whether notes have a pitch or may get one; None where their first `f0_hz` says it
    blend : float64 (V, T), share of the second part in an ensemble; None where it is `SECOND_SHARE`
    modes : float32 (V, MAX_INHARMONIC_PARTIALS), partials beside the series, over the fundamental, 0 for none;
        None where no voice
        has one. Decoders that are given bins can tell them from noise.
    """

    f0_hz: NDArray[np.float64]
    inharmonicity: NDArray[np.float64]
    grown_hz: NDArray[np.float64] | None = None
    has_pitch: NDArray[np.bool_] | None = None
    blend: NDArray[np.float64] | None = None
    modes: FloatArray | None = None

    @property
    def field_hz(self) -> NDArray[np.float64]:
        """Where the partials lie in the grown fields: the fundamental in Hz, float64 (V, T)."""
        return self.f0_hz if self.grown_hz is None else self.grown_hz

    @property
    def pitched(self) -> NDArray[np.bool_]:
        """Whether notes have a pitch or may get one, (V,)."""
        return self.f0_hz[:, 0] > 0.0 if self.has_pitch is None else self.has_pitch

    def during(self, span: slice) -> NoteControls:
        """Return the controls of some of the frames."""
        some: dict[str, Any] = {name: None if one is None else one[:, span] for name, one in self._over_time.items()}
        return replace(self, f0_hz=self.f0_hz[:, span], **some)

    def followed_by(self, later: NoteControls) -> NoteControls:
        """Return the controls of these frames and of the next ones of the same voices."""
        others = later._over_time
        both: dict[str, Any] = {
            name: None if one is None else np.concatenate([one, others[name]], 1)
            for name, one in self._over_time.items()
        }
        return replace(self, f0_hz=np.concatenate([self.f0_hz, later.f0_hz], 1), **both)

    def of(self, rows: NDArray[np.intp]) -> NoteControls:
        """Return the controls of some of the voices."""
        optional = {**self._over_time, "has_pitch": self.has_pitch, "modes": self.modes}
        own: dict[str, Any] = {name: None if one is None else one[rows] for name, one in optional.items()}
        return replace(self, f0_hz=self.f0_hz[rows], inharmonicity=self.inharmonicity[rows], **own)

    @property
    def _over_time(self) -> dict[str, Any]:
        return {"grown_hz": self.grown_hz, "blend": self.blend}


LEAD_IN_HOPS = 4
"""Hops that a decoder has sounded before it is heard in the midst of a note: as long as windows reach back.

Most decoders name fewer of their own, which costs less when many notes go over at once; the first 20 ms of a note are
then off by 0.1 to 0.5 dB more."""
_SPECTRA_ALONE: Mapping[str, Sequence[ToneLevels]] = MappingProxyType({})


class Decoder(Protocol):
    """Turns grown frames into audio, hop by hop or many hops at once: the samples are the same.

    Hop ``t`` of a note (samples ``t * hop_length`` up to the next hop) needs spectral frames up to
    ``t + lookahead``. Frames are generated, so looking ahead costs a growth step, not a delay.

    Decoders derive from it, so that they say only where they differ from what stands here.

    Attributes
    ----------
    name : as the command line names it
    consumes : names of the fields it needs
    lookahead : frames beyond the current one that a hop needs, at least 1
    lead_in : hops that it has sounded before it is heard in the midst of a note
    follows_f0 : whether it sounds the pitch that it is told; else the pitch is in the fields alone
    levels : which numbers of its fields can be coloured, by field, where `spectra.tone.levels_of` does not say it
    """

    name: str
    consumes: tuple[str, ...]
    lookahead: int
    lead_in: int = LEAD_IN_HOPS
    follows_f0: bool = True
    levels: Mapping[str, Sequence[ToneLevels]] = _SPECTRA_ALONE

    @property
    def unpitched_lookahead(self) -> int:
        """As `lookahead`, for notes without a pitch."""
        return self.lookahead

    @property
    def unpitched_lead_in(self) -> int:
        """As `lead_in`, for notes without a pitch."""
        return self.lead_in

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start new notes in `slots` (V,) with their first `lookahead` frames; `seeds` (V,) seed their noise.

        Thread: producer.
        """
        ...

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue the notes in `slots` (V,) by T frames; return float32 (V, T * hop_length).

        Thread: producer.
        """
        ...


def lookahead_of(decoder: Decoder, has_pitch: bool) -> int:
    """Return how many frames beyond the current one a decoder needs for a note with a pitch, or for one without."""
    return decoder.lookahead if has_pitch else decoder.unpitched_lookahead


def lead_in_of(decoder: Decoder, has_pitch: bool) -> int:
    """Return how many hops a decoder must have sounded before it is heard in the midst of a note."""
    return decoder.lead_in if has_pitch else decoder.unpitched_lead_in
