"""The growth of a hierarchical note as it is exported: the arithmetic of `HierarchicalNCA`, regrouped for speed.

Letters: V voices, F coarse cells, K fine cells, C channels, I inputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...engine.spectra.pitch import MAX_PARTIALS
from ...training.config.models import ALPHA, MEL_LEVEL, MEL_TONALITY
from ...training.hierarchical.nca import LOUDEST_LEVEL, HierarchicalNCA
from ...training.spectral.nca import ALIVE_ABOVE, SWELL_UNIT, TNCA
from .step import bounded, fused

READ, READ_SWELL = "read", "read_swell"
"""What the exported genome has in place of where fine cells lie: how they read the coarse column and the swells."""


class FineSeedGraph(nn.Module):
    """MIDI to genome, laid out as `FineStepGraph` reads it: fine cells along the last axis."""

    def __init__(self, model: HierarchicalNCA) -> None:
        super().__init__()
        self.seed, self.config = model.seed, model.config

    def forward(self, *note: Tensor) -> tuple[Tensor, ...]:
        """Return the genome, in the order of `fine_genome`, of the arguments of `HierarchicalSeed.forward`."""
        planted = self.seed(*note)
        facts = planted["facts"].transpose(1, 2)
        coarse, swells = self.config.bands[0], self.config.spec.num_mels
        finer = (facts[:, :1] + 1.0) * ((swells + 1.0) / (coarse + 1.0)) - 1.0
        laid_out = [planted[name].transpose(1, 2) for name in ("fine", "heard", "decays")]
        readers = [reader(facts[:, :1], coarse), reader(finer, swells)]
        return planted["grid"], planted["cell"], planted["rates"], facts[:, 1:], *laid_out, *readers


def fine_genome(names: tuple[str, ...]) -> list[str]:
    """Return the names of the exported genome, of those of the trained one."""
    return [*names, READ, READ_SWELL]


def reader(place: Tensor, size: int) -> Tensor:
    """Return what reads values (V, I, size) at real places (V, 1, K): a matrix (V, size, K)."""
    clamped = place.clamp(0.0, size - 1.001)
    return (1.0 - (clamped - torch.arange(size, dtype=place.dtype)[:, None]).abs()).clamp_min(0.0)


class FineStepGraph(nn.Module):
    """One hop of growth: state in, state and fields out.

    Fine cells are the last axis; clocks are inputs of the hidden layers like all else, so that each is one operator.
    """

    into_fine: Tensor
    into_heard: Tensor

    def __init__(self, model: HierarchicalNCA) -> None:
        super().__init__()
        self.model, self.config = model, model.config
        refinement, decoder = model.refinement, model.decoder
        self.register_buffer("into_fine", torch.cat([refinement.see.weight, refinement.clocks.weight], 1).detach())
        self.register_buffer("into_heard", torch.cat([decoder.see.weight, decoder.clocks.weight], 1).detach())

    def forward(self, *state: Tensor) -> tuple[Tensor, ...]:
        """Return the grid, whether anything lives (V,), and the fields, of the genome and `HOP_INPUTS`."""
        grid, cell, rates, facts, fine, heard, decays, read, read_swell, *hop = state
        age_s, release_age_s, fire_mask, swell = hop
        model, bands = self.model, self.config.bands[0]
        planted = {"cell": cell, "rates": rates}
        coarse = model.grow(grid[:, :bands], planted, age_s, release_age_s, fire_mask[:, :, :bands], swell)
        drive = model._drive(age_s, release_age_s)
        near = model.swells[0](swell[..., None])
        whole = torch.cat([coarse, TNCA.alive(coarse), near], 2).transpose(1, 2) @ read
        channels = self.config.channels
        seen, life = whole[:, :channels], (whole[:, channels : channels + 1] > 0.0).to(grid.dtype)
        raised = swell[:, None] @ read_swell - whole[:, channels + 1 :]
        fading = torch.exp(-decays * drive.times[:, [0, 1, 2], None])
        clocks = drive.clocks.transpose(1, 2) + 0.0 * raised
        hidden = fused(torch.cat([seen, fading, raised / SWELL_UNIT, clocks], 1), self.into_fine, fine)
        detail = model.refinement.detail
        delta, gate = (detail.weight @ hidden + detail.bias[:, None]).split(1, 1)
        taken = facts[:, 1:] * seen[:, MEL_TONALITY : MEL_TONALITY + 1]
        aim = seen[:, MEL_LEVEL : MEL_LEVEL + 1] + facts[:, :1] - taken + raised + delta
        old = grid[:, None, bands:, MEL_LEVEL]
        level = (old + torch.sigmoid(gate) * fire_mask[:, -1:, bands:] * (aim - old)) * life
        padded = F.pad(level, (1, 1))
        inputs = torch.cat([seen, fading, padded[..., :-2], level, padded[..., 2:], clocks], 1)
        change = model.decoder.change
        moved = change.weight @ fused(inputs, self.into_heard, heard) + change.bias[:, None]
        sound = torch.cat([(level + moved[:, :1]).clamp(max=LOUDEST_LEVEL), moved[:, 1:]], 1) * life
        alpha = seen[:, ALPHA : ALPHA + 1]
        spare = 0.0 * seen[:, ALPHA + 1 :]
        cells = torch.cat([level, 0.0 * level, sound, alpha * life, spare], 1).transpose(1, 2)
        alive = (coarse[..., ALPHA].amax(1) > ALIVE_ABOVE).to(grid.dtype)
        bands_field = coarse[..., : MEL_TONALITY + 1].transpose(1, 2)
        fields = (bands_field, sound[..., :MAX_PARTIALS], sound[..., MAX_PARTIALS:])
        return torch.cat([coarse, cells], 1), alive, *(bounded(field) for field in fields)
