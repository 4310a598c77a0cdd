"""The codec's decoder: grown latents become sound, a hop at a time, with what its layers remember kept per slot.

Letters: V voices, T hops, D latent dimensions, H partials, S slots.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..models.facts import MAX_SIZE, check_kind, facts_of, spec_in, state_shapes
from ..models.onnx_runtime import inputs_of, open_session, read_metadata, run_model
from ..spectra.fields import Fields
from ..values import member, whole
from .base import Decoder, NoteControls
from .parts.excitation import Excitation

STATE, NEXT_STATE = "state_", "next_state_"
"""Before the number of each thing that a layer remembers."""


class CodecDecoder(Decoder):
    """Decoder of the latent representation; see `Decoder`.

    A codec with a source is told where its partials stand and what noise to shape; one without, such as EnCodec,
    sounds its latents alone. Frame t of a note is its hop t, so the newest frame waits for the next call.

    Parameters
    ----------
    model : contents of a file that `export.codec.streaming` wrote
    num_slots : S
    """

    name = "latent"
    lead_in = 3
    consumes = ("latent",)
    lookahead = 1

    def __init__(self, model: bytes, num_slots: int, provider: str = "cpu") -> None:
        self._session = open_session(model, provider)
        metadata = read_metadata(self._session)
        inputs = inputs_of(self._session)
        with facts_of("latent decoder"):
            check_kind(metadata, "codec")
            self.spec = spec_in(metadata)
            self.dimension = whole(*member(metadata, "dimension"), 1, MAX_SIZE)
            shapes = state_shapes(inputs, STATE)
        self._states = {name: np.zeros((num_slots, *shape), np.float32) for name, shape in shapes.items()}
        self._outputs = ["audio", *(NEXT_STATE + name.removeprefix(STATE) for name in self._states)]
        has_source = any(port.name == "turn" for port in inputs)
        self._source = Excitation(self.spec.sample_rate, self.spec.hop_length, num_slots) if has_source else None
        self._newest = np.zeros((num_slots, self.dimension), np.float32)
        self._f0_hz = np.zeros(num_slots)

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first frame; see `Decoder.begin`."""
        for state in self._states.values():
            state[slots] = 0.0
        if self._source is not None:
            self._source.begin(slots, seeds)
        self._newest[slots] = fields["latent"][:, 0, 0]
        self._f0_hz[slots] = controls.f0_hz[:, 0]

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T frames; see `Decoder.decode`."""
        latent = np.concatenate([self._newest[slots][:, None], fields["latent"][:, :, 0]], 1)
        inputs = {"latent": latent[:, :-1], **{name: state[slots] for name, state in self._states.items()}}
        if self._source is not None:
            f0_hz = np.concatenate([self._f0_hz[slots][:, None], controls.f0_hz], 1)
            mean_hz = 0.5 * (f0_hz[:, 1:] + f0_hz[:, :-1])
            inputs |= self._source.advance(slots, mean_hz, controls.inharmonicity)
        audio, *states = run_model(self._session, self._outputs, inputs)
        for kept, state in zip(self._states.values(), states, strict=True):
            kept[slots] = state
        self._newest[slots] = latent[:, -1]
        self._f0_hz[slots] = controls.f0_hz[:, -1]
        sound: FloatArray = audio
        return sound
