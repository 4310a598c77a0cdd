"""The weights of a step model, found in its graph; see `export/graphs/step.py`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import FloatArray
from ..spectra.spec import AudioSpec
from ..spectra.stft import bins_among_bands
from .onnx_file import Graph, Node, read_graph

CLOCKS = 8
"""Clocks of the age and of the release age."""
DRIVEN = 5
"""Decays and swell, which are told to each cell beside its neighbourhood."""
ROWS = 4
"""Rows of a matrix whose weights lie side by side."""


class Weights(NamedTuple):
    """What one hop of growth is computed with, in the layout of `hop.h`.

    Attributes
    ----------
    into_hidden : float32 (H / 4, 3 C + 5, 4)
    from_clocks : float32 (CLOCKS + 1, H)
    clock_rates : float64 (CLOCKS, 2)
    update, update_bias : float32 (2 C / 4, H, 4) and (2 C,)
    swelling : float32 (C,)
    read_state, read_out, read_bias : float32 (C, U), (2, U) and (2,)
    """

    into_hidden: FloatArray
    from_clocks: FloatArray
    clock_rates: np.ndarray
    update: FloatArray
    update_bias: FloatArray
    swelling: FloatArray
    read_state: FloatArray
    read_out: FloatArray
    read_bias: FloatArray

    @property
    def channels(self) -> int:
        """C of a cell."""
        return len(self.swelling)

    @property
    def hidden(self) -> int:
        """H of a cell."""
        return self.from_clocks.shape[1]

    @property
    def readout(self) -> int:
        """U of a bin."""
        return self.read_out.shape[1]


def read_weights(step_model: bytes, spec: AudioSpec) -> Weights | None:
    """Return the weights of a step model of the dual representation; None if it computes anything else."""
    graph = read_graph(step_model)
    found = _find(graph)
    if found is None or not _reads_out_as_known(graph, spec):
        return None
    into_hidden, clock_rates, update, update_bias, swelling, read_state, read_out, read_bias = found
    inputs = 3 * len(swelling) + DRIVEN
    fits = (
        into_hidden.shape[1] == inputs + CLOCKS + 1
        and clock_rates.shape == (CLOCKS, 2)
        and update.shape == (2 * len(swelling), into_hidden.shape[0])
        and read_state.shape == (len(swelling), read_out.shape[1])
        and read_out.shape[0] == len(read_bias) == 2
        and not any(size % 8 for size in (len(into_hidden), len(update), read_out.shape[1]))
    )
    if not fits:
        return None
    return Weights(
        _in_rows(into_hidden[:, :inputs]),
        np.ascontiguousarray(into_hidden[:, inputs:].T),
        clock_rates.astype(np.float64),
        _in_rows(update),
        np.ascontiguousarray(update_bias),
        np.ascontiguousarray(swelling),
        np.ascontiguousarray(read_state),
        np.ascontiguousarray(read_out),
        np.ascontiguousarray(read_bias),
    )


def _find(graph: Graph) -> tuple[FloatArray, ...] | None:
    """Return the constants in the order of their use, None where the graph has others or more."""
    constants = graph.constants

    def of(kind: str, rank: int, position: int = 1) -> list[FloatArray]:
        nodes = [node for node in graph.nodes if node.kind == kind and len(node.inputs) > position]
        known = [constants[node.inputs[position]] for node in nodes if node.inputs[position] in constants]
        return [values for values in known if values.ndim == rank]

    into_hidden, update, update_bias = of("FusedConv", 3)[:1], of("Conv", 3), of("Conv", 1, 2)
    clock_rates, products = of("MatMul", 2, 0), of("MatMul", 2)
    swelling, read_bias, read_out = of("Mul", 2), of("Add", 2), of("FusedMatMul", 2, 0)[:1]
    groups = (into_hidden, clock_rates, update, update_bias, swelling, products[:1], read_out, read_bias)
    if any(len(group) != 1 for group in groups) or len(products) != 2:
        return None
    flat = [group[0] for group in groups]
    for index in (0, 2):
        flat[index] = flat[index][:, :, 0]
    for index in (4, 7):
        flat[index] = flat[index][:, 0]
    return tuple(flat)


def _reads_out_as_known(graph: Graph, spec: AudioSpec) -> bool:
    """Return whether bins are read between the two cells around them, and all else is as `StepGraph` has it."""
    last = [node for node in graph.nodes if node.kind == "MatMul"][-1:]
    to_bins = graph.constants.get(last[0].inputs[1]) if last else None
    if to_bins is None or to_bins.shape != (spec.num_mels, spec.num_bins):
        return False
    low, share = bins_among_bands(spec)
    wanted, bins = np.zeros(to_bins.shape, np.float32), np.arange(spec.num_bins)
    wanted[low, bins], wanted[low + 1, bins] = 1.0 - share, share
    return np.allclose(wanted, to_bins, atol=1e-5) and _kinds(graph.nodes) == EXPECTED


def _kinds(nodes: tuple[Node, ...]) -> dict[str, int]:
    """Return how many operators there are of each kind that computes, without those of one span of bins more."""
    counts: dict[str, int] = {}
    for node in nodes:
        if node.kind not in _MOVING:
            counts[node.kind] = counts.get(node.kind, 0) + 1
    counts["FusedConv"] = counts.get("FusedConv", 0) - counts.get("FusedMatMul", 0)
    counts.pop("FusedMatMul", None)
    return counts


_MOVING = (
    "Unsqueeze",
    "Concat",
    "Split",
    "Slice",
    "Expand",
    "Pad",
    "Transpose",
    "Cast",
    "Constant",
    "Shape",
    "Reshape",
)
EXPECTED = {
    "Clip": 3, "GreaterOrEqual": 1, "MatMul": 3, "Exp": 2, "Mul": 5, "FusedConv": 1, "Conv": 1, "Sigmoid": 1, "Add": 4,
    "Sub": 1, "MaxPool": 2, "Min": 3, "Greater": 2, "ReduceMax": 1,
}  # fmt: skip
"""Operators of one update of the cells and of what is read of them."""


def _in_rows(matrix: FloatArray) -> FloatArray:
    """Return a matrix (N, K) as (N / 4, K, 4)."""
    return np.ascontiguousarray(matrix.reshape(-1, ROWS, matrix.shape[1]).transpose(0, 2, 1))
