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


def test_an_operator_without_a_kernel_is_found() -> None:
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2])
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])
    graph = helper.make_graph([helper.make_node("Mean", ["x"], ["y"])], "g", [value], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    assert without_kernel(model) == {"Mean of float"}
