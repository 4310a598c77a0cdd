"""The hierarchical TNCA: a coarse mel column, a refinement that knows partials and noise, and a waveform decoder.

Letters: B notes, W hops, F coarse cells, K fine cells, H partials, C channels, A cells of a grid = F + K.
A grid holds the coarse column, then a cell per partial, then one per band of noise. Channel map of the coarse cells:
`multiscale`. Of the fine ones: 0 the refined level, 2 and 3 the level that sounds and its rise, 4 alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...engine.spectra.pitch import MAX_PARTIALS
from ..config.models import ALPHA, MEL_LEVEL, MEL_TONALITY, HierarchicalConfig
from ..multiscale.nca import NUM_CLOCKS, MultiScaleNCA
from ..spectral.nca import SWELL_UNIT, TNCA
from ..spectral.partials import interpolate
from .seed import FINE_RATES, HierarchicalSeed

SOUND, RISE = 2, 3
LOUDEST_LEVEL = 2.6  # 4 dB over full scale
STARTING_GATE = 3.0


@dataclass(frozen=True)
class Guide:
    """What the fine cells of W hops are told.

    Attributes
    ----------
    seen : (B, K, W, C), the coarse column where they lie
    life : (B, K, W), 1 where a coarse cell around lives
    raised : (B, K, W), the part of the swell that the coarse column does not bring
    decays : (B, K, W, FINE_RATES)
    clocks : (B, 1, W, NUM_CLOCKS)
    """

    seen: Tensor
    life: Tensor
    raised: Tensor
    decays: Tensor
    clocks: Tensor


class Refinement(nn.Module):
    """From the coarse column to levels of partials and noise: those read there, and learned detail.

    Cells glide towards what the network aims at, each through its own gate; the network does not see where they are,
    so all hops of a window are computed at once.
    """

    def __init__(self, config: HierarchicalConfig) -> None:
        super().__init__()
        self.see = nn.Linear(config.channels + FINE_RATES + 1, config.fine_hidden, bias=False)
        self.clocks = nn.Linear(NUM_CLOCKS, config.fine_hidden, bias=False)
        self.detail = nn.Linear(config.fine_hidden, 2)
        nn.init.zeros_(self.detail.weight)
        with torch.no_grad():
            self.detail.bias.copy_(torch.tensor([0.0, STARTING_GATE]))

    def forward(self, guide: Guide, facts: Tensor, genes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the levels that cells aim at and how fast, both (B, K, W), of facts and genes (B, K, ...)."""
        inputs = torch.cat([guide.seen, guide.decays, guide.raised[..., None] / SWELL_UNIT], 3)
        hidden = F.relu(self.see(inputs) + self.clocks(guide.clocks) + genes[:, :, None])
        delta, gate = self.detail(hidden).unbind(3)
        taken = facts[:, :, None, 2] * guide.seen[..., MEL_TONALITY]
        base = guide.seen[..., MEL_LEVEL] + facts[:, :, None, 1] - taken + guide.raised
        return base + delta, torch.sigmoid(gate)


class WaveformDecoder(nn.Module):
    """From refined levels to those that oscillators and noise play: at each hop's end, and the rise halfway there."""

    def __init__(self, config: HierarchicalConfig) -> None:
        super().__init__()
        self.see = nn.Linear(config.channels + FINE_RATES + 3, config.decoder_hidden, bias=False)
        self.clocks = nn.Linear(NUM_CLOCKS, config.decoder_hidden, bias=False)
        self.change = nn.Linear(config.decoder_hidden, 2)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def forward(self, guide: Guide, level: Tensor, genes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the level that sounds and its rise, both (B, K, W), of refined levels (B, K, W)."""
        padded = F.pad(level, (0, 0, 1, 1))
        near = torch.stack([padded[:, :-2], level, padded[:, 2:]], 3)
        inputs = torch.cat([guide.seen, guide.decays, near], 3)
        hidden = F.relu(self.see(inputs) + self.clocks(guide.clocks) + genes[:, :, None])
        change, rise = self.change(hidden).unbind(3)
        return (level + change).clamp(max=LOUDEST_LEVEL), rise


class HierarchicalNCA(MultiScaleNCA):
    """A coarse column as `MultiScaleNCA` grows it; refinement and waveform decoder run once per hop behind it."""

    config: HierarchicalConfig

    def __init__(self, config: HierarchicalConfig, num_timbres: int) -> None:
        super().__init__(config, num_timbres)
        self.seed = HierarchicalSeed(config)
        self.refinement = Refinement(config)
        self.decoder = WaveformDecoder(config)
        coarse = config.bands[0]
        ends = (0, coarse, coarse + MAX_PARTIALS, config.cells)
        self.spans = tuple(slice(first, last) for first, last in pairwise(ends))

    def step(
        self,
        grid: Tensor,
        planted: dict[str, Tensor],
        age_s: Tensor,
        release_age_s: Tensor,
        fire_mask: Tensor,
        swell: Tensor,
        scales: int = 1,
    ) -> Tensor:
        """Grow one hop; see `MultiScaleNCA.step`.

        `planted` is what `HierarchicalSeed` returned, and the fire mask (B, steps_per_hop, A).
        """
        coarse = self.grow(grid, planted, age_s, release_age_s, fire_mask, swell)[:, self.spans[0]]
        guide = self.guide(coarse[:, None], planted, age_s[:, None], release_age_s[:, None], swell[:, None])
        fired = fire_mask[:, -1, self.spans[0].stop :, None]
        fine = self.refine(grid[:, self.spans[0].stop :, MEL_LEVEL], planted, guide, fired)
        return torch.cat([coarse, self.cells_of(guide, fine, planted)[:, :, 0]], 1)

    def grow(
        self,
        grid: Tensor,
        planted: dict[str, Tensor],
        age_s: Tensor,
        release_age_s: Tensor,
        fire_mask: Tensor,
        swell: Tensor,
    ) -> Tensor:
        """Grow the coarse column of a grid (B, F or A, C) by one hop; fine cells, if there are any, stay."""
        return super().step(grid, planted, age_s, release_age_s, fire_mask, swell, 1)

    def guide(
        self, coarse: Tensor, planted: dict[str, Tensor], age_s: Tensor, release_age_s: Tensor, swell: Tensor
    ) -> Guide:
        """Read coarse columns (B, W, F, C) for the fine cells; ages (B, W), swell (B, W, num_mels)."""
        batch, window, cells, channels = coarse.shape
        at, rates = planted["facts"][..., 0], planted["decays"]
        alive = TNCA.alive(coarse.flatten(0, 1)).view(batch, window, cells, 1)
        near = self.swells[0](swell.flatten(0, 1)[..., None]).view(batch, window, cells, 1)
        whole = torch.cat([coarse, alive, near], 3).transpose(1, 2).flatten(2)
        seen = interpolate(whole, at).view(batch, -1, window, channels + 2)
        scale = (self.config.spec.num_mels + 1.0) / (cells + 1.0)
        finer = interpolate(swell.transpose(1, 2), (at + 1.0) * scale - 1.0)
        drive = self._drive(age_s.flatten(), release_age_s.flatten())
        since = drive.times.view(batch, 1, window, 4)
        times = torch.cat([since[..., :2], since[..., 2:3]], 3)
        return Guide(
            seen=seen[..., :channels],
            life=(seen[..., channels] > 0.0).to(coarse.dtype),
            raised=finer - seen[..., channels + 1],
            decays=torch.exp(-rates[:, :, None] * times),
            clocks=drive.clocks.view(batch, 1, window, NUM_CLOCKS),
        )

    def refine(self, level: Tensor, planted: dict[str, Tensor], guide: Guide, fired: Tensor) -> Tensor:
        """Return refined levels (B, K, W) of hops that follow the level (B, K); `fired` (B, K, W)."""
        aim, gate = self.refinement(guide, planted["facts"], planted["fine"])
        share, levels = gate * fired, []
        for w in range(aim.shape[2]):
            level = (level + share[..., w] * (aim[..., w] - level)) * guide.life[..., w]
            levels.append(level)
        return torch.stack(levels, 2)

    def cells_of(self, guide: Guide, level: Tensor, planted: dict[str, Tensor]) -> Tensor:
        """Return the fine cells (B, K, W, C) of refined levels (B, K, W)."""
        sound, rise = self.decoder(guide, level, planted["heard"])
        alpha = guide.seen[..., ALPHA].detach()
        spare = 0.0 * level
        cells = [level, spare, sound, rise, alpha, *[spare] * (self.config.channels - ALPHA - 1)]
        return torch.stack(cells, 3) * guide.life[..., None]

    def fields(self, grid: Tensor, planted: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return level and tonality of the coarse bands, level and rise of the fine cells, each (B, 2, F or ...)."""
        pairs = (grid[:, self.spans[0], : MEL_TONALITY + 1], *(grid[:, s, SOUND : RISE + 1] for s in self.spans[1:]))
        return {name: pair.transpose(1, 2) for name, pair in zip(self.config.field_names, pairs, strict=True)}
