"""Every operator of the shipped models has a kernel in ONNX Runtime's CUDA provider, for the types that it is given.

`cuda_kernels.json` has the facts, from ONNX Runtime's own list. Without a kernel a node runs on the CPU, between two
copies, and no CUDA graph can be made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, shape_inference

from tnca_synth.engine.kernel.graph.hop import HopGraph, Wanted
from tnca_synth.engine.kernel.weights import Weights, read_weights
from tnca_synth.engine.models.graph import check_model
from tnca_synth.engine.spectra.spec import AudioSpec

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "instruments").glob("*.onnx"))
KNOWN = json.loads((Path(__file__).parent / "cuda_kernels.json").read_text())
FOLDED = {"Constant"}
"""Taken into the graph when a model is opened."""
INDEX_INPUTS = {"Where": 1, "ConstantOfShape": 0}
"""Which input's type is the kernel's, where it is not the first one."""


def types_of(model: onnx.ModelProto) -> dict[str, str]:
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    found = {one.name: one.type.tensor_type.elem_type for one in (*graph.input, *graph.output, *graph.value_info)}
    found |= {one.name: one.data_type for one in graph.initializer}
    return {name: np.dtype(helper.tensor_dtype_to_np_dtype(kind)).name for name, kind in found.items() if kind}


def without_kernel(model: onnx.ModelProto) -> set[str]:
    """Return the operators that the CUDA provider cannot run, and on what."""
    kernels: dict[str, Any] = KNOWN["kernels"]
    types = types_of(model)
    missing = set()
    for node in model.graph.node:
        name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}:{node.op_type}"
        if name in FOLDED:
            continue
        given = types.get(node.input[INDEX_INPUTS.get(name, 0)], "float32").replace("float32", "float")
        given = {"float64": "double"}.get(given, given)
        if name not in kernels or given not in kernels[name]["types"]:
            missing.add(f"{name} of {given}")
    return missing


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_shipped_model_runs_on_cuda_alone(path: Path) -> None:
    model = onnx.load(path)
    assert {one.domain: one.version for one in model.opset_import}[""] == KNOWN["opset"]
    assert without_kernel(model) == set()


@pytest.mark.parametrize("path", [one for one in MODELS if one.stem.endswith(".step")], ids=lambda path: path.stem)
def test_a_step_has_no_shapes_to_work_out_on_the_cpu(path: Path) -> None:
    """These nodes' results lie in the CPU's memory: a CUDA graph cannot hold them."""
    on_cpu = {"Shape", "Size", "ConstantOfShape", "Range", "NonZero", "If", "Loop", "Scan"}
    assert {node.op_type for node in onnx.load(path).graph.node} & on_cpu == set()


@pytest.fixture(
    scope="module", params=sorted((ROOT / "instruments").rglob("dual.step.onnx")), ids=lambda path: path.parent.name
)
def step(request: pytest.FixtureRequest) -> tuple[Weights, AudioSpec]:
    content = request.param.read_bytes()
    facts = {one.key: one.value for one in onnx.load_from_string(content).metadata_props}
    spec = AudioSpec.from_dict(json.loads(facts["spec"]))
    weights = read_weights(content, spec)
    assert weights is not None
    return weights, spec


@pytest.mark.parametrize(
    "wanted", [Wanted(), Wanted(coloured=True, tended=True), Wanted(False, True, True)], ids=["plain", "all", "fields"]
)
def test_the_graph_of_a_hop_runs_on_cuda_alone(step: tuple[Weights, AudioSpec], wanted: Wanted) -> None:
    content = HopGraph(*step, True, wanted).model()
    check_model(content)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert {one.domain: one.version for one in model.opset_import}[""] == KNOWN["opset"]
    assert without_kernel(model) == set()


def test_an_operator_without_a_kernel_is_found() -> None:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2])
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])
    graph = helper.make_graph([helper.make_node("Mean", ["x"], ["y"])], "g", [value], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    assert without_kernel(model) == {"Mean of float"}
