"""Narrowing a trained TNCA: the hidden units that matter least for the loss are left out.

How much a unit matters is the square of the first-order change of the loss were it silent, in the mean over windows
of training notes (Molchanov et al., "Importance Estimation for Neural Network Pruning", CVPR 2019). What is left is a
start for further training, which has to make up for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

WINDOWS = 40


@dataclass(frozen=True)
class PrunedLayer:
    """A hidden layer: the weight that reads its units along its last axis, and all that write them along the first."""

    read: str
    written: tuple[str, ...]


LAYERS: Final[Mapping[str, PrunedLayer]] = {
    "hidden": PrunedLayer(
        "update.weight",
        (
            "perceive.weight", "clocks.weight", "clocks.bias", "envelopes.weight", "swells.weight",
            "seed.to_hidden.weight", "seed.to_hidden.bias",
        ),
    ),
    "readout_hidden": PrunedLayer(
        "read_out.weight", ("read_state.weight", "seed.to_readout.weight", "seed.to_readout.bias")
    ),
}  # fmt: skip
"""Hidden layers by the setting of `NCAConfig` that says how wide they are."""


def widths(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Return how wide the hidden layers of trained weights are."""
    return {name: weights[layer.read].shape[1] for name, layer in LAYERS.items() if layer.read in weights}


def importance(model: nn.Module, window_loss: Callable[[], Tensor], windows: int = WINDOWS) -> dict[str, Tensor]:
    """Return how much each unit of each hidden layer matters, 1-D tensors by `LAYERS`' names.

    Parameters
    ----------
    window_loss : returns the loss of another window at each call
    """
    parameters = dict(model.named_parameters())
    read = {name: parameters[layer.read] for name, layer in LAYERS.items() if layer.read in parameters}
    matters = {name: torch.zeros(weight.shape[1], device=weight.device) for name, weight in read.items()}
    for _ in range(windows):
        slopes = torch.autograd.grad(window_loss(), list(read.values()))
        for (name, weight), slope in zip(read.items(), slopes, strict=True):
            matters[name] += (weight.detach() * slope).sum(0) ** 2
    return matters


def narrowed(
    weights: Mapping[str, Tensor], matters: Mapping[str, Tensor], wanted: Mapping[str, int]
) -> dict[str, Tensor]:
    """Return weights with the units that matter most, as many of each layer as are wanted, in their order."""
    result = dict(weights)
    for name, scores in matters.items():
        kept = torch.topk(scores, min(wanted[name], len(scores))).indices.sort().values.to("cpu")
        layer = LAYERS[name]
        result[layer.read] = weights[layer.read][:, kept]
        result |= {one: weights[one][kept] for one in layer.written}
    return result
