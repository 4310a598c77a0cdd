"""A vocoder trained elsewhere, from an ONNX file of `tnca-synth vocoder import`.

Letters: V voices, T frames, N bins, M bands of the vocoder, S numbers that its network remembers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ....errors import UsageError
from ...arrays import FloatArray
from ...models.facts import check_kind, facts_of, state_shapes
from ...models.onnx_runtime import inputs_of, open_session, outputs_of, read_metadata, run_model
from ...spectra.fields import Fields
from ...spectra.spec import AudioSpec
from ...values import mapping, member, text, truth, whole
from ..base import Decoder, NoteControls
from ..parts.istft import InverseSTFT
from .magnitudes import BinMagnitudes
from .mel import ImportedMel

KIND = "imported vocoder"
MAX_LAG = 1024
"""Frames that a network can look ahead."""


@dataclass(eq=False)
class Stream:
    """Where V notes are between two frames.

    Attributes
    ----------
    magnitude : float32 (V, N), the frame before
    state : float32 (V, S), what the network remembers
    fresh : float32 (V,), 1 where there was only silence so far
    tail : float32 (V, samples), sound that later frames add to
    """

    magnitude: FloatArray
    state: FloatArray
    fresh: FloatArray
    tail: FloatArray

    def row(self, index: int) -> Stream:
        """Return one note."""
        return Stream(*(values[index].copy() for values in vars(self).values()))

    @staticmethod
    def stack(notes: list[Stream]) -> Stream:
        """Return several notes as one."""
        return Stream(*(np.stack(column) for column in zip(*(vars(note).values() for note in notes), strict=True)))


class ImportedDecoder(Decoder):
    """Decoder of the finest magnitudes that are grown; see `Decoder`.

    The network is not causal: a hop is final once all frames that it sees have come, which is the look-ahead. Where
    the import capped that, each hop is finished on a copy of the stream in which the last frame goes on unchanged;
    that takes as many frames more as the cap saves, for every hop.

    Parameters
    ----------
    spec : of what is grown
    field : "linear" or "mel"

    Raises
    ------
    UsageError
        The vocoder wants another sample rate, hop or FFT than what is grown has.
    """

    name = "imported"
    follows_f0 = False  # pitch is in the fields alone

    def __init__(self, model: bytes, spec: AudioSpec, field: str, provider: str = "cpu") -> None:
        self._session = open_session(model, provider)
        facts = read_metadata(self._session)
        with facts_of("imported vocoder"):
            check_kind(facts, KIND)
            architecture = text(*member(facts, "architecture"))
            self.mel = ImportedMel.from_dict(mapping(*member(facts, "mel"), 100))
            lag_frames = whole(*member(facts, "lag_frames"), 0, MAX_LAG)
            place, cap = member(facts, "lookahead")
            cap = None if cap is None else whole(place, cap, 0, MAX_LAG)
            place, centred = member(facts, "centred_window")
            centred = None if centred is None else truth(place, centred)
            self._state_size = state_shapes(inputs_of(self._session), "state").get("state", (0,))[0]
        differences = self.mel.differences(spec)
        if differences:
            raise UsageError(
                f"the imported {architecture} does not fit what is grown: it wants {'; '.join(differences)}"
            )
        self.consumes = (field,)
        self._magnitudes = BinMagnitudes(spec, field)
        self._half_hop = not self.mel.centred
        self._inverse = None if centred is None else InverseSTFT(spec.n_fft, spec.hop_length, centred)
        lag = self._half_hop + lag_frames + (self._inverse.lag_hops if self._inverse else 0)
        self.full_lookahead = lag
        self.lookahead = lag if cap is None else min(max(cap, 1), lag)
        self._outputs = [port.name for port in outputs_of(self._session)]
        self._streams: dict[int, Stream] = {}  # by slot; states are large, so there is none before a slot is used
        self._hop = spec.hop_length

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        """Start notes with their first `lookahead` frames; see `Decoder.begin`."""
        stream = self._silence(len(slots))
        self._advance(stream, self._magnitudes(fields[self.consumes[0]], controls))
        self._keep(slots, stream)

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        """Continue notes by T spectral frames; see `Decoder.decode`."""
        stream = Stream.stack([self._streams[int(slot)] for slot in slots])
        magnitudes = self._magnitudes(fields[self.consumes[0]], controls)
        held = self.full_lookahead - self.lookahead
        if held:
            hops = [self._foresee(stream, magnitudes[:, t : t + 1], held) for t in range(magnitudes.shape[1])]
            audio = np.concatenate(hops, 1)
        else:
            audio = self._advance(stream, magnitudes)
        self._keep(slots, stream)
        return audio

    def sound_silence(self) -> None:
        """Run the network once, on a frame of silence."""
        self._advance(self._silence(1), np.zeros((1, 1, self._magnitudes.spec.num_bins), np.float32))

    def _silence(self, voices: int) -> Stream:
        tail = self._inverse.tail_samples if self._inverse else 0
        sizes = (self._magnitudes.spec.num_bins, self._state_size, tail)
        magnitude, state, rest = (np.zeros((voices, size), np.float32) for size in sizes)
        return Stream(magnitude, state, np.ones(voices, np.float32), rest)

    def _keep(self, slots: NDArray[np.intp], stream: Stream) -> None:
        for index, slot in enumerate(slots):
            self._streams[int(slot)] = stream.row(index)

    def _foresee(self, stream: Stream, magnitude: FloatArray, held: int) -> FloatArray:
        """Advance by one frame; return the hop that would come if that frame were held."""
        self._advance(stream, magnitude)
        return self._advance(replace(stream), np.repeat(magnitude, held, 1))[:, -self._hop :]

    def _advance(self, stream: Stream, magnitudes: FloatArray) -> FloatArray:
        """Feed frames (V, T, N); return the hops that are final with them, (V, T * hop_length)."""
        frames = magnitudes
        if self._half_hop:
            before = np.concatenate([stream.magnitude[:, None], magnitudes[:, :-1]], 1)
            frames = 0.5 * (before + magnitudes)
        inputs = {"mel": self.mel.log_mel(frames), "state": stream.state, "fresh": stream.fresh}
        found = dict(zip(self._outputs, run_model(self._session, self._outputs, inputs), strict=True))
        stream.magnitude = magnitudes[:, -1]
        stream.state, stream.fresh = found["next_state"], np.zeros_like(stream.fresh)
        if self._inverse is None:
            return found["audio"]
        spectra = (found["magnitude"] * np.exp(1j * found["phase"])).astype(np.complex64)
        audio, stream.tail = self._inverse.push(spectra, stream.tail)
        return audio
