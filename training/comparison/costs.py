"""What a path costs: numbers to store, bytes, multiplications, and how long its models were trained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx

from ...engine.bank.bank import CORRECTION, Bank
from ...engine.decoders.catalogue import Parts, make_decoder
from ...engine.models.onnx_runtime import open_session

MAC_OPERATORS = ("MatMul", "FusedMatMul", "Gemm", "Conv", "FusedConv", "ConvTranspose", "LSTM", "GRU")
GATES = {"LSTM": 4, "GRU": 3}
SEED_MODEL = "seed"
"""The part of a representation that runs once per note; the others run once per hop."""


@dataclass(frozen=True)
class Costs:
    """Costs of one path, its growth models and its decoder's together.

    Attributes
    ----------
    parameters : numbers in the models, timbre vectors and key codes among them
    bytes : size of the files
    gmac_per_second : 1e9 multiplications and additions in matrix products and convolutions, per voice and second
    seed_mmac : 1e6 of them, once per note
    training_s, iterations : of the growth model and the decoder's models, summed
    """

    parameters: int
    bytes: int
    gmac_per_second: float
    seed_mmac: float
    training_s: float
    iterations: int


class Asked(Mapping[str, bytes]):
    """A mapping that remembers which of its values were asked for."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> bytes:
        self.asked.add(name)
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def path_costs(bank: Bank, representation: str, decoder: str) -> Costs:
    """Count what a path of a bank costs."""
    growth = bank.growth_model(representation, "cpu")
    available = Asked(bank.home(representation).decoder_models)
    make_decoder(decoder, Parts(available, growth, 1))
    parts = bank.models_of(representation)
    grown = {part: onnx.load_from_string(content) for part, content in parts.items() if part != CORRECTION}
    decoding = [onnx.load_from_string(available[name]) for name in sorted(available.asked)]
    hourly = [model for part, model in grown.items() if part != SEED_MODEL] + decoding
    runs = {
        facts.get("preset"): facts for facts in map(_facts, (*grown.values(), *decoding))
    }  # seed and step share one
    files = [*parts.values(), *(available[name] for name in sorted(available.asked))]
    return Costs(
        parameters=sum(count_parameters(model) for model in (*grown.values(), *decoding)),
        bytes=sum(len(content) for content in files),
        gmac_per_second=sum(count_macs(model) for model in hourly) / growth.spec.hop_s / 1e9,
        seed_mmac=count_macs(grown[SEED_MODEL]) / 1e6 if SEED_MODEL in grown else 0.0,
        training_s=float(sum(float(facts.get("training_seconds", "nan")) for facts in runs.values())),
        iterations=sum(int(facts.get("iterations", 0)) for facts in runs.values()),
    )


def count_parameters(model: onnx.ModelProto) -> int:
    """Return how many numbers a model holds: its floating-point initialisers, and the timbres in its metadata."""
    floating = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    weights = sum(prod(one.dims) for one in model.graph.initializer if one.data_type in floating)
    facts = _facts(model)
    vectors = json.loads(facts.get("timbres", "{}")).values()
    codes = [code for table in json.loads(facts.get("key_codes", "{}")).values() for code in table["codes"]]
    return weights + sum(map(len, vectors)) + sum(map(len, codes))


HOP_EXTENTS = {"field_time": 2, "noise_time": 2}
"""Of streaming decoders: a hop glides from one frame of the field to the next, and has two frames of noise."""


def count_macs(model: onnx.ModelProto) -> int:
    """Return the multiplications with addition of one run for one voice and one spectral frame.

    Counted are matrix products, convolutions and recurrent layers. The shapes are those of a real run with every
    named dimension at 1.
    """
    nodes = [node for node in model.graph.node if node.op_type in MAC_OPERATORS]
    names = list(dict.fromkeys(name for node in nodes for name in (*node.input, *node.output) if name))
    feeds = {one.name: _ones(one) for one in model.graph.input}
    known = {one.name: tuple(one.dims) for one in model.graph.initializer}
    run = [name for name in names if name not in known and name not in feeds]
    known |= {name: value.shape for name, value in feeds.items()}
    known |= dict(zip(run, _shapes(model, run, feeds), strict=True))
    return sum(_node_macs(node, known) for node in nodes)


def _shapes(model: onnx.ModelProto, names: list[str], feeds: dict[str, Any]) -> list[tuple[int, ...]]:
    if not names:
        return []
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = open_session(watched.SerializeToString(), "cpu")
    return [value.shape for value in session.run(names, feeds)]


def _ones(value: onnx.ValueInfoProto) -> np.ndarray:
    kind = value.type.tensor_type
    shape = [_extent(one) for one in kind.shape.dim]
    return np.ones(shape, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))


def _extent(dimension: onnx.TensorShapeProto.Dimension) -> int:
    """Return a dimension's size with every name at 1: 1 for "voices", 3 for "frames + 2"."""
    if not dimension.dim_param:
        return dimension.dim_value
    if dimension.dim_param in HOP_EXTENTS:
        return HOP_EXTENTS[dimension.dim_param]
    terms = re.split(r"\s*\+\s*", dimension.dim_param)
    return sum(int(term) if term.isdecimal() else 1 for term in terms)


def _node_macs(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    first, second = (shapes[name] for name in node.input[:2])
    if node.op_type in GATES:  # X (steps, batch, inputs), W (directions, gates * hidden, inputs)
        hidden = second[1] // GATES[node.op_type]
        return first[0] * first[1] * second[0] * second[1] * (first[2] + hidden)
    if node.op_type == "ConvTranspose":  # every input value meets the whole kernel
        return prod(first) * prod(second[1:])
    out = prod(shapes[node.output[0]])
    if node.op_type in ("Conv", "FusedConv"):
        return out * prod(second[1:])
    is_turned = any(one.name == "transA" and one.i for one in node.attribute)
    return out * (first[0] if is_turned else first[-1])


def _facts(model: onnx.ModelProto) -> dict[str, str]:
    return {one.key: one.value for one in model.metadata_props}
