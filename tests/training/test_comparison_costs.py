"""Costs: multiplications counted on graphs whose number is known, and on the tiny bank."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import tiny
from onnx import TensorProto, helper, numpy_helper

from tnca_synth.training.comparison.costs import count_macs, count_parameters, path_costs

pytestmark = pytest.mark.slow


def graph(
    nodes: list[onnx.NodeProto], inputs: dict[str, list[object]], weights: dict[str, tuple[int, ...]]
) -> onnx.ModelProto:
    """Return a model of nodes; its output is the last node's."""
    shaped = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    initial = [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in weights.items()]
    made = helper.make_graph(nodes, "known", shaped, [output], initial)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_matrix_products_of_one_voice_and_frame() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Relu", ["y"], ["z"]),
        helper.make_node("MatMul", ["z", "v"], ["out"]),
    ]
    model = graph(nodes, {"x": ["voices", "frames + 2", 80, 16]}, {"w": (16, 32), "v": (32, 2)})
    assert count_macs(model) == 3 * 80 * (16 * 32 + 32 * 2)
    assert count_parameters(model) == 16 * 32 + 32 * 2


@pytest.mark.parametrize(("turned", "shape"), [(0, ["voices", 10]), (1, [10, "voices"])])
def test_a_gemm(turned: int, shape: list[object]) -> None:
    node = helper.make_node("Gemm", ["x", "w", "b"], ["out"], transA=turned, transB=1)
    assert count_macs(graph([node], {"x": shape}, {"w": (7, 10), "b": (7,)})) == 70


def test_convolutions() -> None:
    forth = helper.make_node("Conv", ["x", "w"], ["out"], strides=[2])
    assert count_macs(graph([forth], {"x": ["voices", 4, 21]}, {"w": (6, 4, 5)})) == 9 * 6 * 4 * 5
    grouped = helper.make_node("Conv", ["x", "w"], ["out"], strides=[2], group=2)
    assert count_macs(graph([grouped], {"x": ["voices", 4, 21]}, {"w": (6, 2, 5)})) == 9 * 6 * 2 * 5
    back = helper.make_node("ConvTranspose", ["x", "w"], ["out"], strides=[2])
    assert count_macs(graph([back], {"x": ["voices", 4, 9]}, {"w": (4, 6, 5)})) == 9 * 4 * 6 * 5


def test_recurrent_layers() -> None:
    lstm = helper.make_node("LSTM", ["x", "w", "r"], ["out"], hidden_size=5)
    weights = {"w": (1, 20, 3), "r": (1, 20, 5)}
    assert count_macs(graph([lstm], {"x": ["frames", "voices", 3]}, weights)) == 20 * (3 + 5)


def test_a_graph_without_products_costs_nothing() -> None:
    assert count_macs(graph([helper.make_node("Relu", ["x"], ["out"])], {"x": ["voices"]}, {})) == 0


def test_timbres_in_the_metadata_are_parameters() -> None:
    model = graph([helper.make_node("Relu", ["x"], ["out"])], {"x": ["voices"]}, {})
    facts = {"timbres": {"reed": [0.1, 0.2]}, "key_codes": {"reed": {"keys": [60, 61], "codes": [[1.0], [2.0]]}}}
    for key, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    assert count_parameters(model) == 4


def test_a_path_costs_what_its_own_models_cost() -> None:
    bank, files = tiny.bank(), tiny.bank_files()
    grown = len(files["mel.seed.onnx"]) + len(files["mel.step.onnx"])
    alone, decoded = path_costs(bank, "mel", "griffin-lim"), path_costs(bank, "mel", "vocoder")
    assert alone.bytes == grown
    assert decoded.bytes == grown + len(files["vocoder.onnx"])
    assert decoded.gmac_per_second > alone.gmac_per_second > 0.0
    assert decoded.parameters > alone.parameters
    assert alone.seed_mmac == decoded.seed_mmac > 0.0
    assert path_costs(bank, "dual", "harmonic").bytes == path_costs(bank, "dual", "griffin-lim").bytes


def test_training_is_told_once_for_a_run_with_two_files() -> None:
    once = path_costs(tiny.bank(), "mel", "griffin-lim")
    assert (once.iterations, round(once.training_s)) == (123, 46)
    both = path_costs(tiny.bank(), "mel", "vocoder")
    assert (both.iterations, round(both.training_s)) == (246, 92)
