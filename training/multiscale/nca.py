"""The multi-scale TNCA: three columns of cells, each twice as fine as the one before, which guides it hop by hop.

Letters: B notes, S scales, F cells of one column, A cells of all, C channels, H hidden units, G genes. Columns lie one
after the other in a grid, the coarsest first. Channel map: 0-1 level and tonality, 4 alpha, the others hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ...engine.arrays import FloatArray
from ...engine.spectra.stft import bands_among_bands
from ..config.models import ALPHA, MEL_LEVEL, MEL_TONALITY, ScaleConfig
from ..spectral.nca import ALIVE_ABOVE, CLOCK_TIMES_S, NUM_KEYS, RELEASE_CLOCK_TIMES_S, SWELL_UNIT, TNCA
from .seed import ScaleSeed

NUM_CLOCKS = len(CLOCK_TIMES_S) + len(RELEASE_CLOCK_TIMES_S) + 1


class Between(nn.Module):
    """Reads the cells of one column where those of another lie: the index below each, and how far it is to the next."""

    low: Tensor
    share: Tensor

    def __init__(self, low: NDArray[np.intp], share: FloatArray) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(low), persistent=False)
        self.register_buffer("share", torch.tensor(share)[:, None], persistent=False)

    def forward(self, cells: Tensor) -> Tensor:
        """Return cells (B, F, C) of the one column as seen from the other, (B, F', C)."""
        low = cells.index_select(1, self.low)
        return low + self.share * (cells.index_select(1, self.low + 1) - low)


@dataclass(frozen=True)
class Drive:
    """What drives all columns in one hop: clocks (B, 1, NUM_CLOCKS), and ages twice and times since release twice."""

    clocks: Tensor
    times: Tensor


class ScaleColumn(nn.Module):
    """The automaton of one scale."""

    follows: Tensor

    def __init__(self, config: ScaleConfig, guided: bool) -> None:
        super().__init__()
        channels, self.guided = config.channels, guided
        inputs = (4 if guided else 3) * channels + 4 + 1 + NUM_CLOCKS
        self.perceive = nn.Linear(inputs, config.hidden, bias=False)
        self.update = nn.Linear(config.hidden, 2 * channels)
        nn.init.zeros_(self.update.weight)
        with torch.no_grad():
            self.update.bias.zero_()
            self.update.bias[ALPHA] = 0.0 if guided else 0.5
            self.update.bias[channels:] = 1.0
        follows = torch.zeros(channels)
        follows[[MEL_LEVEL, MEL_TONALITY, ALPHA] if guided else []] = 1.0
        self.register_buffer("follows", follows, persistent=False)

    def forward(
        self,
        grid: Tensor,
        genes: Tensor,
        rates: Tensor,
        guide: Tensor,
        drive: Drive,
        fire_mask: Tensor,
        swell: Tensor,
        raised: Tensor,
    ) -> Tensor:
        """Update every cell that fires.

        Parameters
        ----------
        grid : (B, F, C)
        genes, rates : (B, F, H) and (B, F, 4)
        guide : (B, F, C), the coarser column as seen from here; ignored by the coarsest
        drive : Drive
        fire_mask : (B, F)
        swell : (B, F, 1), how far levels should be off their smooth course
        raised : (B, F, 1), the part of it that the guide does not bring

        Returns
        -------
        The column one update later, (B, F, C).
        """
        padded = F.pad(grid, (0, 0, 1, 1))
        near = [padded[:, :-2], grid, padded[:, 2:]] + ([guide] if self.guided else [])
        decays = torch.exp(-rates * drive.times[:, None])
        clocks = drive.clocks + 0.0 * grid[..., :1]
        inputs = torch.cat([*near, decays, swell / SWELL_UNIT, clocks], 2)
        hidden = F.relu(torch.addmm(genes.flatten(0, 1), inputs.flatten(0, 1), self.perceive.weight.T))
        target, gate = self.update(hidden).view(-1, grid.shape[1], 2 * grid.shape[2]).chunk(2, 2)
        level = target[..., : MEL_LEVEL + 1] + raised
        target = torch.cat([level, target[..., MEL_LEVEL + 1 :]], 2)
        if self.guided:
            target = target + guide * self.follows
        grown = grid + fire_mask[..., None] * torch.sigmoid(gate) * (target - grid)
        return grown * (self._alive(grid, guide) * self._alive(grown, guide))

    def _alive(self, grid: Tensor, guide: Tensor) -> Tensor:
        """Return 1 where a cell, a neighbour of it, or what guides it lives, (B, F, 1)."""
        own = TNCA.alive(grid)
        if not self.guided:
            return own
        return torch.maximum(own, (guide[..., ALPHA : ALPHA + 1].detach() > ALIVE_ABOVE).to(own.dtype))


class MultiScaleNCA(nn.Module):
    """Three columns of a causal NCA; the coarsest updates first, and each finer one sees the one before as it is now.

    A finer column aims at the interpolated coarser one plus its own detail, and lives where that lives.
    """

    clock_exponents: Tensor
    timbre = TNCA.timbre

    def __init__(self, config: ScaleConfig, num_timbres: int) -> None:
        super().__init__()
        self.config = config
        bands = config.bands
        self.timbres = nn.Embedding(num_timbres, config.timbre_size)
        nn.init.normal_(self.timbres.weight, std=0.5)
        self.keys = nn.Embedding(num_timbres * NUM_KEYS, config.key_size)
        nn.init.zeros_(self.keys.weight)
        self.seed = ScaleSeed(config)
        self.columns = nn.ModuleList(ScaleColumn(config, guided=scale > 0) for scale in range(len(bands)))
        self.guides = nn.ModuleList(
            Between(*bands_among_bands(config.spec_of(coarse), fine)) for coarse, fine in pairwise(bands)
        )
        self.swells = nn.ModuleList(Between(*bands_among_bands(config.spec, one)) for one in bands)
        exponents = torch.zeros(2, NUM_CLOCKS - 1)
        exponents[0, : len(CLOCK_TIMES_S)] = -1.0 / torch.tensor(CLOCK_TIMES_S)
        exponents[1, len(CLOCK_TIMES_S) :] = -1.0 / torch.tensor(RELEASE_CLOCK_TIMES_S)
        self.register_buffer("clock_exponents", exponents, persistent=False)
        ends = [sum(bands[: scale + 1]) for scale in range(len(bands))]
        self.spans = tuple(slice(end - size, end) for end, size in zip(ends, bands, strict=True))

    def step(
        self,
        grid: Tensor,
        planted: dict[str, Tensor],
        age_s: Tensor,
        release_age_s: Tensor,
        fire_mask: Tensor,
        swell: Tensor,
        scales: int = 3,
    ) -> Tensor:
        """Grow one hop.

        Parameters
        ----------
        grid : (B, A, C)
        planted : what `ScaleSeed` returned
        age_s, release_age_s : (B,), the latter -1 while held
        fire_mask : (B, steps_per_hop, A), 1 where a cell updates
        swell : (B, num_mels), how far levels of the middle scale should be off their smooth course
        scales : how many columns grow, the coarsest first; the others stay

        Returns
        -------
        The grid one hop later, (B, A, C).
        """
        drive = self._drive(age_s, release_age_s)
        swells = [read(swell[..., None]) for read in self.swells]
        columns = [grid[:, span] for span in self.spans]
        for k in range(self.config.steps_per_hop):
            for scale in range(scales):
                span, column = self.spans[scale], columns[scale]
                guide, raised = column, swells[scale]
                if scale:
                    read = self.guides[scale - 1]
                    guide, raised = read(columns[scale - 1]), raised - read(swells[scale - 1])
                columns[scale] = self.columns[scale](
                    column, planted["cell"][:, span], planted["rates"][:, span], guide, drive,
                    fire_mask[:, k, span], swells[scale], raised,
                )  # fmt: skip
        return torch.cat(columns, 1)

    def _drive(self, age_s: Tensor, release_age_s: Tensor) -> Drive:
        since_s = release_age_s.clamp_min(0.0)
        released = (release_age_s >= 0.0).to(age_s.dtype)[:, None]
        clocks = torch.cat([torch.exp(torch.stack([age_s, since_s], 1) @ self.clock_exponents), released], 1)
        return Drive(clocks[:, None], torch.stack([age_s, age_s, since_s, since_s], 1))

    def alive(self, grid: Tensor) -> Tensor:
        """Return 1 where a cell or a neighbour of it in its column lives, (B, A, 1)."""
        return torch.cat([TNCA.alive(grid[:, span]) for span in self.spans], 1)

    def fields(self, grid: Tensor, planted: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return level and tonality of every scale by name, each (B, 2, F); see `TNCA.fields`."""
        pairs = grid[..., : MEL_TONALITY + 1].transpose(1, 2)
        return {name: pairs[..., span] for name, span in zip(self.config.field_names, self.spans, strict=True)}
