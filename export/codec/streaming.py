"""A codec as streaming ONNX models: what its layers remember goes in and comes out beside latents and sound.

Letters: V voices, T hops, D latent dimensions, N samples.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnx.helper
import torch
from torch import Tensor, nn

from ...engine.decoders.codec import NEXT_STATE, STATE
from ...engine.decoders.parts.excitation import NOISE_LENGTH, partial_turns
from ...engine.models.onnx_runtime import open_session
from ...engine.spectra.pitch import MAX_PARTIALS
from ...engine.spectra.spec import AudioSpec
from ...training.codec.codec import Codec
from ...training.codec.layers import Memory
from ...training.codec.source import ExcitationInput
from ...training.config.sound_models import CodecConfig
from ...version import __version__
from ..onnx_model import OPSET

SOURCE = ("start", "turn", "noise")
PARITY_LIMIT = 1e-4
PROBE_CALLS = (1, 5, 2)
"""Hops in the calls in which a file is compared with torch."""


class DecoderGraph(nn.Module):
    """The decoder of a codec with its memory as inputs and outputs."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.codec = codec
        self.num_source = len(SOURCE) if codec.config.head == "source" else 0

    def forward(self, latent: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Return sound (V, T * hop) and what to remember, from latents (V, T, D), the source and the past."""
        source = ExcitationInput(*rest[: self.num_source]) if self.num_source else None
        memory = Memory(rest[self.num_source :])
        return (self.codec.decode(latent.transpose(1, 2), source, memory), *memory.kept)


class EncoderGraph(nn.Module):
    """The encoder of a codec with a waveform front, its memory as inputs and outputs."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.codec = codec

    def forward(self, audio: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """Return latents (V, T, D) and what to remember, from sound (V, T * hop) and what was remembered."""
        memory = Memory(past)
        return (self.codec.encode(audio, memory=memory).transpose(1, 2), *memory.kept)


def source_of_silence(voices: int, hops: int, config: CodecConfig) -> ExcitationInput:
    """Return the source of unpitched voices without noise."""
    none = torch.zeros(voices, hops, MAX_PARTIALS)
    frames = hops * config.spec.hop_length // (NOISE_LENGTH // 2)
    return ExcitationInput(none, none.clone(), torch.zeros(voices, frames, 2, NOISE_LENGTH // 2 + 1))


@torch.no_grad()
def first_states(codec: Codec, voices: int, of_encoder: bool = False) -> tuple[Tensor, ...]:
    """Return what the decoder, or the encoder, remembers before anything was heard: zeros (voices, ...)."""
    config, memory = codec.config, Memory()
    hops = 2 * config.kernel
    if of_encoder:
        codec.encode(torch.zeros(voices, hops * config.spec.hop_length), memory=memory)
    else:
        source = source_of_silence(voices, hops, config) if config.head == "source" else None
        codec.decode(torch.zeros(voices, config.dimension, hops), source, memory)
    return tuple(torch.zeros_like(state) for state in memory.kept)


def export_decoder(codec: Codec, metadata: dict[str, Any]) -> bytes:
    """Serialise the decoder; voices, hops and, with a source, partials are dynamic."""
    config = codec.config
    graph = DecoderGraph(codec).eval()
    source = source_of_silence(2, 3, config)[: graph.num_source]
    inputs = dict(zip(("latent", *SOURCE), (torch.zeros(2, 3, config.dimension), *source), strict=False))
    return streaming_onnx(graph, inputs, first_states(codec, 2), "audio", facts(config) | metadata)


def export_encoder(codec: Codec, metadata: dict[str, Any]) -> bytes:
    """Serialise the encoder of a codec with a waveform front; voices and hops are dynamic."""
    audio = torch.zeros(2, 3 * codec.config.spec.hop_length)
    states = first_states(codec, 2, of_encoder=True)
    return streaming_onnx(
        EncoderGraph(codec).eval(), {"audio": audio}, states, "latent", facts(codec.config) | metadata
    )


def facts(config: CodecConfig) -> dict[str, Any]:
    """Return what a codec's files tell the engine."""
    return {
        "producer": f"tnca-synth {__version__}",
        "opset": OPSET,
        "kind": "codec",
        "spec": config.spec.to_dict(),
        "dimension": config.dimension,
        "codec": config.to_dict(),
    }


def streaming_onnx(
    graph: nn.Module, inputs: dict[str, Tensor], states: Sequence[Tensor], output: str, metadata: dict[str, Any]
) -> bytes:
    """Export by tracing: `onnx_model.to_onnx` unrolls recurrent layers, and takes a minute over lengths of signals."""
    names = [*inputs, *(f"{STATE}{n}" for n in range(len(states)))]
    outputs = [output, *(f"{NEXT_STATE}{n}" for n in range(len(states)))]
    axes = {name: {0: "voices"} for name in (*names, *outputs)}
    axes[output] |= {1: "time"}
    for name in inputs:
        axes[name] |= {1: f"{name}_time"} | ({2: "partials"} if name in ("start", "turn") else {})
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph, (*inputs.values(), *states), buffer,  # type: ignore[arg-type] # without dynamo it takes a buffer
            input_names=names, output_names=outputs, dynamic_axes=axes, opset_version=OPSET, dynamo=False,
            verbose=False,
        )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in metadata.items()}
    onnx.helper.set_model_props(model, texts)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def decoder_parity(codec: Codec, content: bytes, voices: int = 3) -> float:
    """Return the largest difference of an exported decoder from torch, over calls of several lengths."""
    generator = torch.Generator().manual_seed(0)
    graph = DecoderGraph(codec).eval()

    def inputs(hops: int) -> dict[str, Tensor]:
        latent = torch.rand(voices, hops, codec.config.dimension, generator=generator) * 2.0 - 1.0
        return {"latent": latent, **probe_source(voices, hops, codec.config.spec, generator, graph.num_source)}

    return streaming_parity(graph, content, inputs, first_states(codec, voices))


def encoder_parity(codec: Codec, content: bytes, voices: int = 3) -> float:
    """Return the largest difference of an exported encoder from torch; see `decoder_parity`."""
    generator = torch.Generator().manual_seed(0)

    def inputs(hops: int) -> dict[str, Tensor]:
        return {"audio": 0.3 * torch.randn(voices, hops * codec.config.spec.hop_length, generator=generator)}

    return streaming_parity(EncoderGraph(codec).eval(), content, inputs, first_states(codec, voices, of_encoder=True))


def probe_source(
    voices: int, hops: int, spec: AudioSpec, generator: torch.Generator, count: int = len(SOURCE)
) -> dict[str, Tensor]:
    """Return the first `count` inputs of the source of voices that differ in pitch and inharmonicity, by name."""
    step = np.linspace(0.002, 0.03, voices)[:, None] + np.zeros(hops)
    turns = partial_turns(step * np.arange(hops) * spec.hop_length, step, np.linspace(0.0, 3e-4, voices))
    frames = hops * spec.hop_length // (NOISE_LENGTH // 2)
    noise = torch.randn(voices, frames, 2, NOISE_LENGTH // 2 + 1, generator=generator)
    return dict(zip(SOURCE[:count], (*(torch.from_numpy(one) for one in turns), noise), strict=False))


@torch.no_grad()
def streaming_parity(
    graph: nn.Module, content: bytes, inputs: Callable[[int], dict[str, Tensor]], states: tuple[Tensor, ...]
) -> float:
    """Return the largest difference of a file from its graph over `PROBE_CALLS`, of whose hops `inputs` are given."""
    session = open_session(content, "cpu")
    names = [f"{STATE}{n}" for n in range(len(states))]
    ours, theirs = list(states), [state.numpy() for state in states]
    largest = 0.0
    for hops in PROBE_CALLS:
        given = inputs(hops)
        wanted, *ours = graph(*given.values(), *ours)
        fed = {name: value.numpy() for name, value in given.items()} | dict(zip(names, theirs, strict=True))
        found, *theirs = session.run(None, fed)
        difference = float(np.abs(wanted.numpy() - found).max())
        largest = max(largest, difference if np.isfinite(difference) else float("inf"))
    return largest
