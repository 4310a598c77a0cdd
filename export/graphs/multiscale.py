"""The growth of a multi-scale note as it is exported: the arithmetic of `MultiScaleNCA`, regrouped for speed.

Letters: V voices, A cells of all columns, F cells of one, F' of the next finer one, M mel bands, C channels, H hidden
units, I inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...training.config.models import ALPHA, MEL_LEVEL, MEL_TONALITY, ScaleConfig
from ...training.multiscale.nca import MultiScaleNCA, ScaleColumn
from ...training.spectral.nca import ALIVE_ABOVE, SWELL_UNIT
from .step import bounded, fused, times_told


def scale_genome(config: ScaleConfig) -> list[str]:
    """Return the names of the exported genome: columns apart, so that a step need not cut them out of one array."""
    return ["grid", *(f"{name}{bands}" for name in ("cell", "rates") for bands in config.bands)]


class ScaleSeedGraph(nn.Module):
    """MIDI to genome, laid out as `ScaleStepGraph` reads it.

    ``grid`` (V, A, C), then of each column ``cell`` (V, H, F), and of each ``rates`` (V, 4, F), negative.
    """

    def __init__(self, model: MultiScaleNCA) -> None:
        super().__init__()
        self.seed, self.bands = model.seed, model.config.bands

    def forward(self, *note: Tensor) -> tuple[Tensor, ...]:
        """Return the genome, in the order of `scale_genome`, of the arguments of `ScaleSeed.forward`."""
        planted = self.seed(*note)
        cells, rates = (planted[name].transpose(1, 2).split(self.bands, 2) for name in ("cell", "rates"))
        return planted["grid"], *cells, *(-of_column for of_column in rates)


def matrix_of(read: nn.Module, size: int) -> Tensor:
    """Return what reads rows of cells (V, I, size) as a `Between` does: a matrix (size, F)."""
    matrix: Tensor = read(torch.eye(size)[..., None])[..., 0]
    return matrix


class ColumnGraph(nn.Module):
    """One update of a column, as `Column.forward`, its cells along the last axis."""

    into_hidden: Tensor
    follows: Tensor

    def __init__(self, column: nn.Module) -> None:
        super().__init__()
        assert isinstance(column, ScaleColumn)
        self.update, self.guided = column.update, column.guided
        weights = column.perceive.weight.detach().clone()
        channels = len(column.follows)
        weights[:, (4 if column.guided else 3) * channels + 4] /= SWELL_UNIT
        self.register_buffer("into_hidden", weights)
        self.register_buffer("follows", column.follows[:, None])

    def forward(
        self,
        cells: Tensor,
        genes: Tensor,
        driven: Sequence[Tensor],
        raised: Tensor | None,
        fire: Tensor,
        guide: Tensor | None,
    ) -> Tensor:
        """Return the column (V, C, F) one update later.

        Parameters
        ----------
        cells, genes : (V, C, F) and (V, H, F)
        driven : each (V, I, F), what drives the cells beside their neighbours
        raised : (V, C, F), how far swells are off what the guide brings, or None
        fire : (V, 1, F)
        guide : (V, C, F), the coarser column as seen from here, or None
        """
        near = [F.pad(cells, (1, -1)), cells, F.pad(cells, (-1, 1))] + ([] if guide is None else [guide])
        hidden = fused(torch.cat([*near, *driven], 1), self.into_hidden, genes)
        out = F.conv1d(hidden, self.update.weight[:, :, None], self.update.bias)
        target, gate = out.split(cells.shape[1], 1)
        if raised is not None:
            target = target + raised
        if guide is not None:
            target = target + guide * self.follows
        grown = cells + torch.sigmoid(gate) * fire * (target - cells)
        vitality = torch.minimum(_vitality(cells), _vitality(grown))
        if guide is not None:
            vitality = torch.maximum(vitality, guide[:, ALPHA : ALPHA + 1])
        return grown * (vitality > ALIVE_ABOVE).to(grown.dtype)


class ScaleStepGraph(nn.Module):
    """One hop of all scales: state in, state and fields out.

    Columns see each other through matrices instead of gathers. What the finest column's swells add to those that its
    guide brings is nothing: both are read off the middle scale at the same places.
    """

    clock_exponents: Tensor
    read_swells: Tensor
    swelling: Tensor

    def __init__(self, model: MultiScaleNCA) -> None:
        super().__init__()
        self.config, bands = model.config, model.config.bands
        self.columns = nn.ModuleList(ColumnGraph(column) for column in model.columns)
        for index, (read, size) in enumerate(zip(model.guides, bands[:-1], strict=True)):
            self.register_buffer(f"guide_{index}", matrix_of(read, size))
        swells = [matrix_of(read, self.config.spec.num_mels) for read in model.swells]
        raised = swells[1] - swells[0] @ self.get_buffer("guide_0")
        self.register_buffer("read_swells", torch.cat([*swells, raised], 1))
        self.register_buffer("clock_exponents", model.clock_exponents.T.contiguous())
        swelling = torch.zeros(self.config.channels, 1)
        swelling[MEL_LEVEL] = 1.0
        self.register_buffer("swelling", swelling)

    def forward(self, *state: Tensor) -> tuple[Tensor, ...]:
        """Return the grid, whether anything lives (V,), and the fields, of the genome and `HOP_INPUTS`."""
        grid, *genome, age_s, release_age_s, fire_mask, swell = state
        bands, scales = self.config.bands, range(len(self.columns))
        driven, raised = self._driven(genome[len(bands) :], age_s, release_age_s, swell)
        columns = list(grid.transpose(1, 2).split(bands, 2))
        for k in range(self.config.steps_per_hop):
            fires = fire_mask[:, k : k + 1].split(bands, 2)
            for scale in scales:
                guide = columns[scale - 1] @ self.get_buffer(f"guide_{scale - 1}") if scale else None
                columns[scale] = self.columns[scale](
                    columns[scale], genome[scale], driven[scale], raised[scale], fires[scale], guide
                )
        cells = torch.cat(columns, 2)
        alive = (cells[:, ALPHA : ALPHA + 1].amax((1, 2)) > ALIVE_ABOVE).to(cells.dtype)
        return cells.transpose(1, 2), alive, *bounded(cells[:, : MEL_TONALITY + 1]).split(bands, 2)

    def _driven(
        self, rates: Sequence[Tensor], age_s: Tensor, release_age_s: Tensor, swell: Tensor
    ) -> tuple[list[list[Tensor]], list[Tensor | None]]:
        """Return of each column what drives its cells, each (V, I, F), and what is added to its targets, (V, C, F)."""
        fading, clocks = times_told(age_s, release_age_s, self.clock_exponents)
        *swells, extra = (swell[:, None] @ self.read_swells).split([*self.config.bands, self.config.bands[1]], 2)
        driven = [
            [torch.exp(rate * fading), own, clocks.expand(-1, -1, rate.shape[2])]
            for rate, own in zip(rates, swells, strict=True)
        ]
        return driven, [swells[0] * self.swelling, extra * self.swelling, None]


def _vitality(cells: Tensor) -> Tensor:
    """Return the highest alpha (V, 1, F) of each cell of (V, C, F) and its two neighbours.

    A slice ONNX Runtime would move before the transposition of the grid, and pick it out number by number.
    """
    return F.max_pool1d(cells.index_select(1, torch.tensor([ALPHA])), 3, 1, 1)
