"""A waveform model as the files of a bank: seed and step of its column, and its grid as the decoder `direct`.

Letters: V voices, T hops, F cells, C channels, K numbers in a frame of conditions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...engine.decoders.parts.excitation import NOISE_LENGTH
from ...engine.models.growth_model import FIELD_PREFIX
from ...engine.spectra.pitch import MAX_PARTIALS
from ...errors import BankError
from ...training.codec.layers import Memory
from ...training.codec.source import ExcitationInput
from ...training.config.sound_models import WAVEFORM_REPRESENTATION
from ...training.loop.checkpoint import Checkpoint
from ...training.waveform.nca import WaveformNCA
from ..graphs.step import bounded
from ..model_files import growth_facts, metadata, played_model
from ..onnx_model import HOP_INPUTS, in_half_precision, to_onnx
from .streaming import PARITY_LIMIT, probe_source, streaming_onnx, streaming_parity


class WaveformSeedGraph(nn.Module):
    """The seed network, from MIDI to a genome."""

    def __init__(self, model: WaveformNCA) -> None:
        super().__init__()
        self.seed, self.names = model.seed, model.config.genome_names

    def forward(self, *note: Tensor) -> tuple[Tensor, ...]:
        """Return the genome of the arguments of `NoteSeed.forward`."""
        planted = self.seed(*note)
        return tuple(planted[name] for name in self.names)


class WaveformStepGraph(nn.Module):
    """One hop of the column, and what it gives the grid."""

    def __init__(self, model: WaveformNCA) -> None:
        super().__init__()
        self.model = model

    def forward(self, *state: Tensor) -> tuple[Tensor, ...]:
        """Return the next grid (V, F, C), whether any cell lives (V,), and the fields mel and waveform.

        `state` are the genome, age_s, release_age_s, fire_mask and swell of `TNCA.step`.
        """
        *genome, age_s, release_age_s, fire_mask, swell = state
        planted = dict(zip(self.model.config.genome_names, genome, strict=True))
        grid = self.model.step(planted["grid"], planted, age_s, release_age_s, fire_mask, swell)
        fields = self.model.fields(grid, planted)
        alive = self.model.alive(grid)[..., 0].amax(1)
        return grid, alive, bounded(fields["mel"]), fields[WAVEFORM_REPRESENTATION]


class GridGraph(nn.Module):
    """The waveform grid with its past cells as inputs and outputs."""

    def __init__(self, model: WaveformNCA) -> None:
        super().__init__()
        self.wave = model.wave

    def forward(self, field: Tensor, start: Tensor, turn: Tensor, noise: Tensor, *past: Tensor) -> tuple[Tensor, ...]:
        """Return sound (V, T * hop) and what to remember, from conditions (V, T + 1, K), the source and the past."""
        memory = Memory(past)
        return (self.wave(field, ExcitationInput(start, turn, noise), memory), *memory.kept)


def waveform_files(checkpoint: Checkpoint, metrics: dict[str, Any]) -> tuple[str, dict[str, bytes]]:
    """Export a waveform checkpoint's column like `model_files.growth_files`."""
    model = _played(checkpoint)
    facts, planting = growth_facts(model, checkpoint, metrics)
    return WAVEFORM_REPRESENTATION, {"seed": _seed_file(model, planting), "step": _step_file(model, facts)}


def _played(checkpoint: Checkpoint) -> WaveformNCA:
    model = played_model(checkpoint)
    assert isinstance(model, WaveformNCA)
    return model


def _note(model: WaveformNCA) -> tuple[Tensor, ...]:
    ones = torch.ones(2)
    timbre = torch.zeros(2, model.config.timbre_size + model.config.key_size)
    return 60.0 * ones, 0.5 * ones, timbre, ones.clone(), 0.0 * ones


def _seed_file(model: WaveformNCA, facts: dict[str, Any]) -> bytes:
    names = ["pitch", "velocity", "timbre", "pitched", "stretch"]
    graph = WaveformSeedGraph(model)
    return in_half_precision(to_onnx(graph, _note(model), names, list(graph.names), facts))


def _step_file(model: WaveformNCA, facts: dict[str, Any]) -> bytes:
    config = model.config
    with torch.no_grad():
        genome = WaveformSeedGraph(model)(*_note(model))
    mask = torch.ones(2, config.steps_per_hop, config.cells)
    inputs = (*genome, torch.zeros(2), -torch.ones(2), mask, torch.zeros(2, config.spec.num_mels))
    outputs = ["next_grid", "alive", *(FIELD_PREFIX + name for name in config.field_names)]
    return to_onnx(WaveformStepGraph(model), inputs, [*config.genome_names, *HOP_INPUTS], outputs, facts)


def grid_file(checkpoint: Checkpoint, metrics: dict[str, Any]) -> bytes:
    """Export the grid of a waveform checkpoint: the bank's decoder "direct"; `BankError` if it differs from torch."""
    model = _played(checkpoint)
    content = export_grid(model, metadata(checkpoint, metrics))
    difference = grid_parity(model, content)
    if not difference <= PARITY_LIMIT:
        raise BankError(f"the exported grid differs from torch by {difference:.2g}, more than {PARITY_LIMIT:g}")
    return content


def export_grid(model: WaveformNCA, facts: dict[str, Any]) -> bytes:
    """Serialise the grid; voices, hops and partials are dynamic."""
    config, hops = model.config, 3
    sizes = {"conditions": config.conditions, "noise_bands": config.noise_bands}
    told = {"kind": "direct", "spec": config.spec.to_dict(), **sizes}
    frames = hops * config.spec.hop_length // (NOISE_LENGTH // 2)
    inputs = {
        "field": torch.zeros(2, hops + 1, config.conditions),
        "start": torch.zeros(2, hops, MAX_PARTIALS),
        "turn": torch.zeros(2, hops, MAX_PARTIALS),
        "noise": torch.zeros(2, frames, 2, NOISE_LENGTH // 2 + 1),
    }
    return streaming_onnx(GridGraph(model).eval(), inputs, first_states(model, 2), "audio", facts | told)


@torch.no_grad()
def first_states(model: WaveformNCA, voices: int) -> tuple[Tensor, ...]:
    """Return what the grid remembers before anything sounded: zeros (voices, ...)."""
    config, memory = model.config, Memory()
    none = torch.zeros(1, 1, MAX_PARTIALS)
    noise = torch.zeros(1, config.spec.hop_length // (NOISE_LENGTH // 2), 2, NOISE_LENGTH // 2 + 1)
    model.wave(torch.zeros(1, 2, config.conditions), ExcitationInput(none, none, noise), memory)
    return tuple(torch.zeros(voices, *state.shape[1:]) for state in memory.kept)


def grid_parity(model: WaveformNCA, content: bytes, voices: int = 3) -> float:
    """Return the largest difference of an exported grid from torch, over calls of several lengths."""
    generator = torch.Generator().manual_seed(0)

    def inputs(hops: int) -> dict[str, Tensor]:
        field = 2.0 * torch.rand(voices, hops + 1, model.config.conditions, generator=generator)
        field[..., -1] = 1.0
        return {"field": field, **probe_source(voices, hops, model.config.spec, generator)}

    return streaming_parity(GridGraph(model).eval(), content, inputs, first_states(model, voices))
