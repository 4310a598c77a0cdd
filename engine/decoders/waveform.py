"""The direct decoder: the waveform grid grows a hop of sound from what the column grew, its past cells kept per slot.

Letters: V voices, T hops, K numbers in a frame of conditions, S slots.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..models.facts import MAX_SIZE, check_kind, facts_of, spec_in, state_shapes
from ..models.onnx_runtime import inputs_of, open_session, read_metadata, run_model
from ..spectra.fields import Fields
from ..spectra.pitch import MAX_PARTIALS
from ..spectra.tone import ToneLevels
from ..values import member, whole
from .base import Decoder, NoteControls
from .codec import NEXT_STATE, STATE
from .parts.excitation import Excitation


class WaveformGridDecoder(Decoder):
    """Decoder of the waveform representation; see `Decoder`.

    A hop glides from one frame of conditions to the next, so the newest frame waits for the next call.

    Parameters
    ----------
    model : contents of a file that `export.codec.waveform` wrote
    num_slots : S

    Attributes
    ----------
    levels : what of its field is levels, that colour can change
    """

    name = "direct"
    lead_in = 2
    consumes = ("waveform",)
    lookahead = 1

    def __init__(self, model: bytes, num_slots: int, provider: str = "cpu") -> None:
        self._session = open_session(model, provider)
        metadata = read_metadata(self._session)
        with facts_of("direct decoder"):
            check_kind(metadata, "direct")
            self.spec = spec_in(metadata)
            conditions = whole(*member(metadata, "conditions"), 1, MAX_SIZE)
            noise_bands = whole(*member(metadata, "noise_bands"), 0, MAX_SIZE)
            shapes = state_shapes(inputs_of(self._session), STATE)
        self._states = {name: np.zeros((num_slots, *shape), np.float32) for name, shape in shapes.items()}
        self._outputs = ["audio", *(NEXT_STATE + name.removeprefix(STATE) for name in self._states)]
        self._source = Excitation(self.spec.sample_rate, self.spec.hop_length, num_slots)
        self._newest = np.zeros((num_slots, conditions), np.float32)
        self._f0_hz = np.zeros(num_slots)
        noise = slice(MAX_PARTIALS, MAX_PARTIALS + noise_bands)
        self.levels = {"waveform": (ToneLevels(slice(0, MAX_PARTIALS), True), ToneLevels(noise, False))}

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first frame; see `Decoder.begin`."""
        for state in self._states.values():
            state[slots] = 0.0
        self._source.begin(slots, seeds)
        self._newest[slots] = fields["waveform"][:, 0, 0]
        self._f0_hz[slots] = controls.f0_hz[:, 0]

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T frames; see `Decoder.decode`."""
        field = np.concatenate([self._newest[slots][:, None], fields["waveform"][:, :, 0]], 1)
        f0_hz = np.concatenate([self._f0_hz[slots][:, None], controls.f0_hz], 1)
        mean_hz = 0.5 * (f0_hz[:, 1:] + f0_hz[:, :-1])
        inputs = {"field": field, **{name: state[slots] for name, state in self._states.items()}}
        inputs |= self._source.advance(slots, mean_hz, controls.inharmonicity)
        audio, *states = run_model(self._session, self._outputs, inputs)
        for kept, state in zip(self._states.values(), states, strict=True):
            kept[slots] = state
        self._newest[slots] = field[:, -1]
        self._f0_hz[slots] = controls.f0_hz[:, -1]
        sound: FloatArray = audio
        return sound
