"""Two decoders as one: a vocoder, and Griffin-Lim that takes its phases from the vocoder, so that their sum agrees.

Letters: V voices, T hops, N bins, M magnitude frames in the buffer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...spectra.fields import Fields
from ...spectra.spec import AudioSpec
from ..base import SECOND_SHARE, Decoder, NoteControls
from ..griffin_lim import GriffinLimDecoder, unit
from .delay import DelayedDecoder


class EnsembleDecoder(Decoder):
    """Sum of a leading decoder (0.7) and of Griffin-Lim (0.3, or what `NoteControls.blend` says); see `Decoder`.

    Two signals with the same magnitudes and different phases cancel in places. Here every frame of Griffin-Lim starts
    from the phases that the leader's signal has under its window; what it adds is the grown magnitude where the
    leader misses it.

    Parameters
    ----------
    leader : Decoder
        With a look-ahead of one frame.
    field : "linear" or "mel", from which Griffin-Lim takes its magnitudes
    """

    name = "ensemble"

    def __init__(self, leader: Decoder, spec: AudioSpec, num_slots: int, field: str) -> None:
        self._follower = GuidedGriffinLim(spec, num_slots, field)
        self.consumes = tuple(dict.fromkeys((*leader.consumes, field)))
        self.lookahead = self._follower.lookahead
        self._leader = DelayedDecoder(leader, num_slots, self.lookahead, spec.hop_length)
        self._share = np.zeros(num_slots, np.float32)  # of Griffin-Lim, at the end of the last hop
        self._rise = np.arange(1, spec.hop_length + 1, dtype=np.float32) / spec.hop_length

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first `lookahead` frames; see `Decoder.begin`."""
        led = self._leader.begin(slots, fields, controls, seeds)
        self._share[slots] = SECOND_SHARE if controls.blend is None else controls.blend[:, -1]
        silence = np.zeros_like(led[:, :1])
        self._follower.begin_guided(slots, fields, np.concatenate([silence, led], 1))

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T spectral frames; see `Decoder.decode`."""
        leading, led = self._leader.decode(slots, fields, controls)
        followed = self._follower.decode_guided(slots, fields, led)
        difference = followed.reshape(leading.shape) - leading
        return (leading + self._shares(slots, controls) * difference).reshape(len(slots), -1)

    def _shares(self, slots: NDArray[np.intp], controls: NoteControls) -> FloatArray:
        """Return the share of Griffin-Lim at every sample (V, T, hop_length), which glides from hop to hop."""
        ends = np.full((len(slots), controls.f0_hz.shape[1] + 1, 1), SECOND_SHARE, np.float32)
        ends[:, 0, 0] = self._share[slots]
        if controls.blend is not None:
            ends[:, 1:, 0] = controls.blend
        self._share[slots] = ends[:, -1, 0]
        glides: FloatArray = ends[:, :-1] + self._rise * (ends[:, 1:] - ends[:, :-1])
        return glides


class GuidedGriffinLim(GriffinLimDecoder):
    """Griffin-Lim that does not search for phases but takes those of another signal."""

    def __init__(self, spec: AudioSpec, num_slots: int, field: str) -> None:
        super().__init__(spec, num_slots, field)
        self._known_hops = self._overlap // 2 + self.lookahead - 1  # of the guide, under the buffer's windows
        self._guide = np.zeros((num_slots, spec.n_fft + self.lookahead * spec.hop_length), np.float32)

    def begin_guided(self, slots: NDArray[np.intp], fields: Fields, guide: FloatArray) -> None:
        """Start notes with their first frames; `guide` (V, T, hop_length) is the hop before each frame."""
        self.clear(slots)
        self._guide[slots] = 0.0
        self.decode_guided(slots, fields, guide)

    def decode_guided(self, slots: NDArray[np.intp], fields: Fields, guide: FloatArray) -> FloatArray:
        """Continue notes by T frames, each with the hop of the guide before it; return the hops that are final."""
        magnitudes = self._magnitudes(fields)
        hops = [self._push_guided(slots, magnitudes[:, t], guide[:, t]) for t in range(magnitudes.shape[1])]
        return np.concatenate(hops, 1)

    def _push_guided(self, slots: NDArray[np.intp], magnitude: FloatArray, newest: FloatArray) -> FloatArray:
        hop = self.spec.hop_length
        guide = np.concatenate([self._guide[slots][:, hop:], np.zeros_like(newest)], 1)
        guide[:, self._known_hops * hop : (self._known_hops + 1) * hop] = newest
        self._guide[slots] = guide
        wanted = np.concatenate([self._magnitude[slots][:, 1:], magnitude[:, None]], 1)
        return self._let_go(slots, wanted, wanted * unit(self._analyse(guide)), self._fixed[slots])
