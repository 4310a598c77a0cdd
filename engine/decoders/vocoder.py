"""The mel vocoder: a small causal network tells what lies between mel bands, given the pitch; partials sound it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..models.facts import facts_of, spec_in
from ..models.onnx_runtime import open_session, read_metadata, run_model
from ..spectra.fields import Fields
from ..values import member, whole
from .base import Decoder, NoteControls

MAX_HISTORY = 256
"""Frames before the first."""


class VocoderDecoder(Decoder):
    """Decoder of the mel representation; see `Decoder`.

    The network maps mel frames (and `history` frames before them) to linear level and tonality, which another decoder
    turns into sound.

    Parameters
    ----------
    model : contents of the vocoder's file
    sounding : Decoder
        Of the field "linear".
    num_slots, provider
        See `catalogue.Parts`.
    """

    name = "vocoder"
    lead_in = 2
    consumes = ("mel",)

    def __init__(self, model: bytes, sounding: Decoder, num_slots: int, provider: str = "cpu") -> None:
        self._session = open_session(model, provider)
        facts = read_metadata(self._session)
        with facts_of("vocoder model"):
            spec = spec_in(facts)
            history = whole(*member(facts, "history_frames"), 0, MAX_HISTORY)
        self._sounding = sounding
        self.lookahead = sounding.lookahead
        self._history = np.zeros((num_slots, history, 2, spec.num_mels), np.float32)

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first spectral frame; see `Decoder.begin`."""
        self._history[slots] = 0.0
        controls = replace(controls, modes=None)  # bands blur them
        self._sounding.begin(slots, self._linear(slots, fields, controls), controls, seeds)

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T spectral frames; see `Decoder.decode`."""
        controls = replace(controls, modes=None)
        return self._sounding.decode(slots, self._linear(slots, fields, controls), controls)

    def first_levels(self, fields: Fields, controls: NoteControls) -> FloatArray:
        """Return the levels (V, T, num_bins) of first frames."""
        silence = np.zeros((len(fields["mel"]), *self._history.shape[1:]), np.float32)
        levels: FloatArray = self._spread(np.concatenate([silence, fields["mel"]], 1), controls)[:, :, 0]
        return levels

    def _linear(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> Fields:
        mel = np.concatenate([self._history[slots], fields["mel"]], 1)
        linear = self._spread(mel, controls)
        self._history[slots] = mel[:, -self._history.shape[1] :]
        return {"linear": linear}

    def _spread(self, mel: FloatArray, controls: NoteControls) -> FloatArray:
        """Return the linear field (V, T, 2, num_bins) of mel frames with their history."""
        inputs = {
            "mel": mel,
            "f0_hz": controls.field_hz.astype(np.float32),
            "stretch": controls.inharmonicity.astype(np.float32),
        }
        linear: FloatArray = run_model(self._session, ["field_linear"], inputs)[0]
        return linear
