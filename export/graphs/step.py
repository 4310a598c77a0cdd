"""The growth of a note as it is exported: the arithmetic of `training.spectral.nca.TNCA`, regrouped for speed.

Letters: V voices, F cells, C channels, H hidden units, N linear bins, R read-out units.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...training.config.models import ALPHA, LINEAR_LEVEL, LINEAR_TONALITY, MEL_TONALITY
from ...training.spectral.nca import ALIVE_ABOVE, SWELL_UNIT, TNCA

SPAN_CELLS = 16
"""Bins are read out in spans between so many cells: a product with the few cells around them, not with all."""


class Span(NamedTuple):
    """Neighbouring bins, the cells that they are read from, and how: bins first..last, cells low..high, a matrix."""

    bins: slice
    cells: slice
    weights: Tensor


def spans_of(low: Tensor, share: Tensor) -> list[Span]:
    """Cut bins into spans of few cells.

    Parameters
    ----------
    low : int64 (N,), rising, the cell below each bin
    share : (N,), how far the bin lies from there to the next cell
    """
    spans = []
    for first in range(0, int(low[-1]) + 1, SPAN_CELLS):
        rows = torch.nonzero((low >= first) & (low < first + SPAN_CELLS))[:, 0]
        if len(rows):
            cells = slice(int(low[rows[0]]), int(low[rows[-1]]) + 2)
            weights = torch.zeros(len(rows), cells.stop - cells.start)
            below = (low[rows] - cells.start)[:, None]
            weights.scatter_(1, below, 1.0 - share[rows, None])
            weights.scatter_(1, below + 1, share[rows, None])
            spans.append(Span(slice(int(rows[0]), int(rows[-1]) + 1), cells, weights))
    return spans


def fused(inputs: Tensor, weights: Tensor, added: Tensor) -> Tensor:
    """Return ``relu(weights @ inputs + added)`` for weights (O, I), inputs (V, I, L) and what is added (V, O, L).

    It is one operator of ONNX Runtime's, which a sum and a ReLU of their own would make half as slow again: it adds
    and rectifies in the processor's cache.
    """
    shape = (inputs.shape[0], weights.shape[0], inputs.shape[2])
    return torch.onnx.ops.symbolic(
        "com.microsoft::FusedConv", (inputs, weights[:, :, None], None, added),
        {"kernel_shape": [1], "activation": "Relu"}, dtype=inputs.dtype, shape=shape, version=1,
    )  # fmt: skip


def times_transposed(weights: Tensor, inputs: Tensor) -> Tensor:
    """Return ``weights @ inputs.T`` for weights (O, I) and inputs (V, L, I), in one operator of ONNX Runtime's."""
    shape = (inputs.shape[0], weights.shape[0], inputs.shape[1])
    return torch.onnx.ops.symbolic(
        "com.microsoft::FusedMatMul", (weights, inputs), {"transB": 1}, dtype=inputs.dtype, shape=shape, version=1
    )


def times_told(age_s: Tensor, release_age_s: Tensor, exponents: Tensor) -> tuple[Tensor, Tensor]:
    """Return what cells are told of ages (V,): seconds that their four rates act for (V, 4, 1), and clocks (V, I, 1).

    `exponents` (I - 1, 2) are those of the clocks, of the age and of the release age.
    """
    times = torch.stack([age_s, release_age_s.clamp_min(0.0)], 1)[..., None]
    age, since = times.split(1, 1)
    released = (release_age_s >= 0.0).to(age_s.dtype)[:, None, None]
    clocks = torch.cat([torch.exp(exponents @ times), released], 1)
    return torch.cat([age, age, since, since], 1), clocks


class StepGraph(nn.Module):
    """One hop of growth: state in, state and fields out.

    Inside, cells are the last axis, so that what all channels share (life, fire, clocks) is added and multiplied by
    whole rows. The four maps into the hidden layer are one matrix product, the clocks' bias is the seed's.
    `export.parity` holds it together with `TNCA.step`.
    """

    into_hidden: Tensor
    clock_exponents: Tensor
    to_bins: Tensor

    def __init__(self, model: TNCA) -> None:
        super().__init__()
        self.model, self.config = model, model.config
        swells = model.swells.weight / SWELL_UNIT
        maps = (model.perceive.weight, model.envelopes.weight, swells, model.clocks.weight)
        self.register_buffer("into_hidden", torch.cat([weight.detach() for weight in maps], 1))
        exponents = torch.zeros(len(model.clock_rates) + len(model.release_rates), 2)
        exponents[: len(model.clock_rates), 0] = -model.clock_rates
        exponents[len(model.clock_rates) :, 1] = -model.release_rates
        self.register_buffer("clock_exponents", exponents)
        if self.config.representation == "dual":
            self.spans = spans_of(model.bin_low, model.bin_mix[:, 0])
            to_bins = torch.zeros(self.config.cells, len(model.bin_low))
            for span in self.spans:
                to_bins[span.cells, span.bins] = span.weights.T
            self.register_buffer("to_bins", to_bins)
            for index, span in enumerate(self.spans):
                self.register_buffer(f"span_{index}", span.weights)

    def forward(self, *state: Tensor) -> tuple[Tensor, ...]:
        """From the genome, age, release age, fire mask and swell, return the grown state.

        That is the grid (V, F, C), whether anything lives (V,), and the fields (V, 2, F) or (V, 2, N) with level >= 0
        and tonality in 0..1.
        """
        *genome, age_s, release_age_s, fire_mask, swell = state
        planted = dict(zip(self.config.genome_names, genome, strict=True))
        driven = self._driven(planted["rates"], age_s, release_age_s, swell[:, None])
        swelling = swell[:, None] * self.model.swelling[:, None]
        cells = planted["grid"].transpose(1, 2)
        for k in range(self.config.steps_per_hop):
            inputs = torch.cat([F.pad(cells, (1, -1)), cells, F.pad(cells, (-1, 1)), driven], 1)
            hidden = fused(inputs, self.into_hidden, planted["cell"])
            out = F.conv1d(hidden, self.model.update.weight[:, :, None], self.model.update.bias)
            target, gate = out.split(self.config.channels, 1)
            fires = torch.sigmoid(gate) * fire_mask[:, k : k + 1]
            grown = cells + fires * (target + swelling - cells)
            lives = torch.minimum(_vitality(cells), _vitality(grown)) > ALIVE_ABOVE
            cells = grown * lives.to(grown.dtype)
        grid = cells.transpose(1, 2)
        fields = [cells[:, : MEL_TONALITY + 1]]
        if "bin" in planted:
            fields.append(self._linear(grid, cells, planted["bin"]))
        alive = (cells[:, ALPHA : ALPHA + 1].amax((1, 2)) > ALIVE_ABOVE).to(cells.dtype)
        return (grid, alive, *(bounded(field) for field in fields))

    def _driven(self, rates: Tensor, age_s: Tensor, release_age_s: Tensor, swell: Tensor) -> Tensor:
        """Return what drives the cells beside their neighbours: decays, swell and clocks, (V, inputs, F)."""
        fading, clocks = times_told(age_s, release_age_s, self.clock_exponents)
        return torch.cat([torch.exp(rates * fading), swell, clocks.expand(-1, -1, rates.shape[2])], 1)

    def _linear(self, grid: Tensor, cells: Tensor, genes: Tensor) -> Tensor:
        """Return `TNCA.linear`: what bins read is linear in the cells, so cells are mapped first, which are fewer."""
        model = self.model
        state = grid @ model.read_state.weight.T
        pair = cells[:, LINEAR_LEVEL : LINEAR_TONALITY + 1]
        parts = genes.split([span.bins.stop - span.bins.start for span in self.spans], 1)
        read = []
        for index, (span, part) in enumerate(zip(self.spans, parts, strict=True)):
            hidden = fused(state[:, span.cells], self.get_buffer(f"span_{index}"), part)
            read.append(times_transposed(model.read_out.weight, hidden))
        return torch.cat(read, 2) + (pair @ self.to_bins + model.read_out.bias[:, None])


def _vitality(cells: Tensor) -> Tensor:
    """Return the highest alpha (V, 1, F) of each cell of (V, C, F) and its two neighbours."""
    return F.max_pool1d(cells[:, ALPHA : ALPHA + 1], 3, 1, 1)


def bounded(pair: Tensor) -> Tensor:
    """Clip a level and tonality pair (..., 2, F), or levels alone (..., 1, F), to what they can mean."""
    return torch.minimum(pair.clamp_min(0.0), pair.new_tensor([[float("inf")], [1.0]])[: pair.shape[-2]])
