"""torch to ONNX: a seed model run when a note starts or bends, and a step model run once per hop."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from torch import Tensor, nn

from ..engine.models.growth_model import FIELD_PREFIX
from ..training.hierarchical.nca import HierarchicalNCA
from ..training.multiscale.nca import MultiScaleNCA
from ..training.spectral.nca import TNCA
from ..training.spectral.vocoder import MelVocoder
from .graphs.hierarchical import FineSeedGraph, FineStepGraph, fine_genome
from .graphs.multiscale import ScaleSeedGraph, ScaleStepGraph, scale_genome
from .graphs.seed import SeedGraph
from .graphs.step import StepGraph
from .graphs.vocoder import VocoderGraph

SpectralModel = TNCA | MultiScaleNCA
OPSET = 18
HOP_INPUTS = ("age_s", "release_age_s", "fire_mask", "swell")
HALF_FROM = 4096
"""Seed weights of so many numbers or more are stored in half precision, and widened when the model is opened."""


def export_seed(model: SpectralModel, metadata: dict[str, Any]) -> bytes:
    """Serialise the seed model."""
    graph, names = _seed_graph(model), _genome_names(model)
    input_names = ["pitch", "velocity", "timbre", "pitched", "stretch"]
    return in_half_precision(to_onnx(graph, _any_note(model), input_names, names, metadata))


def _seed_graph(model: SpectralModel) -> nn.Module:
    if isinstance(model, HierarchicalNCA):
        return FineSeedGraph(model)
    return SeedGraph(model) if isinstance(model, TNCA) else ScaleSeedGraph(model)


def _step_graph(model: SpectralModel) -> nn.Module:
    if isinstance(model, HierarchicalNCA):
        return FineStepGraph(model)
    return StepGraph(model) if isinstance(model, TNCA) else ScaleStepGraph(model)


def _genome_names(model: SpectralModel) -> list[str]:
    if isinstance(model, HierarchicalNCA):
        return fine_genome(model.config.genome_names)
    return list(model.config.genome_names) if isinstance(model, TNCA) else scale_genome(model.config)


def _any_note(model: SpectralModel) -> tuple[Tensor, ...]:
    """Return the inputs of a seed model for two notes."""
    ones, config = torch.ones(2), model.config
    return 60.0 * ones, 0.5 * ones, torch.zeros(2, config.timbre_size + config.key_size), ones.clone(), 0.0 * ones


def in_half_precision(content: bytes) -> bytes:
    """Store large weights that half precision holds exactly in it; what the model computes stays the same."""
    model = onnx.load_from_string(content)
    graph = model.graph
    for weights in [one for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT]:
        values = onnx.numpy_helper.to_array(weights)
        half = values.astype(np.float16)
        if values.size < HALF_FROM or not np.array_equal(half.astype(np.float32), values):
            continue
        name = weights.name
        weights.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}.half"))
        graph.node.insert(0, onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def export_step(model: SpectralModel, metadata: dict[str, Any]) -> bytes:
    """Serialise the step model."""
    config = model.config
    graph = _step_graph(model)
    with torch.no_grad():
        genome = _seed_graph(model)(*_any_note(model))
    mask = torch.ones(2, config.steps_per_hop, config.cells)
    inputs = (*genome, torch.zeros(2), -torch.ones(2), mask, torch.zeros(2, config.spec.num_mels))
    outputs = ["next_grid", "alive", *(FIELD_PREFIX + name for name in config.field_names)]
    return to_onnx(graph, inputs, [*_genome_names(model), *HOP_INPUTS], outputs, metadata)


def to_onnx(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    input_names: list[str],
    output_names: list[str],
    metadata: dict[str, Any],
    shapes: tuple[Any, ...] | None = None,
) -> bytes:
    """Export a module, with `metadata` as JSON strings in the file.

    `shapes` names the dynamic axes of the inputs; by default the first axis of each is the voices.
    """
    if shapes is None:
        axis = torch.export.Dim("voices", min=1, max=4096)
        shapes = (tuple({0: axis} for _ in inputs),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(), inputs, input_names=input_names, output_names=output_names, dynamic_shapes=shapes,
            opset_version=OPSET, dynamo=True, verbose=False,
        )  # fmt: skip
    assert program is not None  # it is only without dynamo
    graph = program.model_proto
    for node in graph.graph.node:  # which lines of code operators come from, and the paths of those
        del node.metadata_props[:]
    onnx.checker.check_model(graph, full_check=True)
    for key, value in metadata.items():
        entry = graph.metadata_props.add()
        entry.key, entry.value = key, value if isinstance(value, str) else json.dumps(value)
    return graph.SerializeToString()


def export_vocoder(vocoder: MelVocoder, metadata: dict[str, Any]) -> bytes:
    """Serialise the mel vocoder; the frames axis is dynamic beside the voices."""
    config = vocoder.config
    mel = torch.zeros(2, config.history_frames + 3, 2, config.spec.num_mels)
    inputs = (mel, torch.full((2, 3), 220.0), torch.zeros(2))
    voices, frames = torch.export.Dim("voices", min=1, max=4096), torch.export.Dim("frames", min=1, max=4096)
    shapes = ({0: voices, 1: frames + config.history_frames}, {0: voices, 1: frames}, {0: voices})
    graph = VocoderGraph(vocoder)
    return to_onnx(graph, inputs, ["mel", "f0_hz", "stretch"], [FIELD_PREFIX + "linear"], metadata, (shapes,))
