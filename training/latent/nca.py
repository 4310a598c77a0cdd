"""The TNCA of codec latents: a column with a cell for each latent dimension, planted from MIDI, grown hop by hop.

Latent dimensions have no neighbours by nature; those of a column learn what to make of theirs. Letters: B notes,
F cells = latent dimensions, C channels, H hidden units, G genes, M mel bands.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..config.models import ALPHA
from ..config.sound_models import LATENT_REPRESENTATION, LatentConfig
from ..spectral.nca import CLOCK_TIMES_S, NUM_KEYS, RELEASE_CLOCK_TIMES_S, TNCA, timbre_vectors
from ..spectral.partials import PITCH_PERIODS

LATENT = 0
LATENT_RANGE = 1.2
"""Latents are those of a tanh; the decoder learned them with noise, which reaches a little further."""


class LatentSeed(nn.Module):
    """From MIDI to the static side of a note: the initial grid and the genes every cell reads while it lives."""

    def __init__(self, config: LatentConfig) -> None:
        super().__init__()
        self.config = config
        inputs = 2 + 2 * len(PITCH_PERIODS) + 4 + config.timbre_size + config.key_size
        self.trunk = nn.Sequential(
            nn.Linear(inputs, config.seed_hidden), nn.SiLU(),
            nn.Linear(config.seed_hidden, config.seed_hidden), nn.SiLU(),
        )  # fmt: skip
        self.to_genes = nn.Linear(config.seed_hidden, config.genes * config.dimension)
        self.to_hidden = nn.Linear(config.genes, config.hidden)
        self.to_rates = nn.Linear(config.genes, 4)
        self.to_grid = nn.Linear(config.genes, config.channels)

    def forward(
        self,
        pitch: Tensor,
        velocity: Tensor,
        timbre: Tensor,
        pitched: Tensor,
        stretch: Tensor,
        jitter: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Plant notes; arguments as those of `NoteSeed.forward`.

        Returns
        -------
        grid (B, F, C), cell (B, F, H) and rates (B, F, 4).
        """
        shown = (pitch, velocity) if jitter is None else (pitch + jitter[:, 0], velocity + jitter[:, 1])
        z = self.trunk(torch.cat([self._note_features(*shown, pitched, stretch), timbre], 1))
        genes = self.to_genes(z).view(-1, self.config.dimension, self.config.genes)
        grid = self.to_grid(genes)
        alpha = torch.sigmoid(grid[..., ALPHA : ALPHA + 1] + 2.0)
        return {
            "grid": torch.cat([grid[..., :ALPHA], alpha, grid[..., ALPHA + 1 :]], 2),
            "cell": self.to_hidden(genes),
            "rates": torch.exp(self.to_rates(genes).clamp(-4.0, 5.0)),
        }

    @staticmethod
    def _note_features(pitch: Tensor, velocity: Tensor, pitched: Tensor, stretch: Tensor) -> Tensor:
        p = (pitch - 60.0) / 24.0
        waves = [f(2 * np.pi * pitch / period) for period in PITCH_PERIODS for f in (torch.sin, torch.cos)]
        return torch.stack([p, p * p, *waves, velocity, velocity * velocity, pitched, 1e3 * stretch], 1)


class LatentNCA(nn.Module):
    """A causal column NCA with a life mask, a fire rate and gated updates; see `TNCA`."""

    clock_rates: Tensor
    release_rates: Tensor
    silence: Tensor
    alive = staticmethod(TNCA.alive)

    def __init__(self, config: LatentConfig, num_timbres: int) -> None:
        super().__init__()
        self.config = config
        self.timbres = nn.Embedding(num_timbres, config.timbre_size)
        nn.init.normal_(self.timbres.weight, std=0.5)
        self.keys = nn.Embedding(num_timbres * NUM_KEYS, config.key_size)
        nn.init.zeros_(self.keys.weight)
        self.seed = LatentSeed(config)
        self.perceive = nn.Linear(3 * config.channels + 4 + config.swell_genes, config.hidden, bias=False)
        self.clocks = nn.Linear(len(CLOCK_TIMES_S) + len(RELEASE_CLOCK_TIMES_S) + 1, config.hidden)
        self.swells = nn.Linear(config.spec.num_mels, config.dimension * config.swell_genes, bias=False)
        nn.init.normal_(self.swells.weight, std=0.02)
        self.update = nn.Linear(config.hidden, 2 * config.channels)
        nn.init.zeros_(self.update.weight)
        with torch.no_grad():
            self.update.bias.zero_()
            self.update.bias[ALPHA] = 0.5
            self.update.bias[config.channels :] = 1.0
        self.register_buffer("silence", torch.zeros(config.dimension))  # the codec's, as the trainer finds it
        self.register_buffer("clock_rates", 1.0 / torch.tensor(CLOCK_TIMES_S), persistent=False)
        self.register_buffer("release_rates", 1.0 / torch.tensor(RELEASE_CLOCK_TIMES_S), persistent=False)

    def timbre(self, timbre: Tensor, low: Tensor, high: Tensor, mix: Tensor) -> Tensor:
        """Return timbre vectors (B, timbre_size + key_size); see `TNCA.timbre`."""
        return timbre_vectors(self.timbres, self.keys, timbre, low, high, mix)

    def step(
        self,
        grid: Tensor,
        planted: dict[str, Tensor],
        age_s: Tensor,
        release_age_s: Tensor,
        fire_mask: Tensor,
        swell: Tensor,
    ) -> Tensor:
        """Grow one hop.

        Parameters
        ----------
        grid : (B, F, C)
        planted : what `LatentSeed` returned
        age_s, release_age_s : (B,), the latter -1 while held
        fire_mask : (B, steps_per_hop, F), 1 where a cell updates
        swell : (B, M), how far mel levels are off their smooth course

        Returns
        -------
        The grid one hop later, (B, F, C).
        """
        released = (release_age_s >= 0.0).to(grid.dtype)[:, None]
        since = release_age_s.clamp_min(0.0)
        clocks = [torch.exp(-age_s[:, None] * self.clock_rates), torch.exp(-since[:, None] * self.release_rates)]
        drive = planted["cell"] + self.clocks(torch.cat([*clocks, released], 1))[:, None]
        times = torch.stack([age_s, age_s, since, since], 1)[:, None]
        decays = torch.exp(-times * planted["rates"])
        moved = torch.cat([decays, self.swells(swell).view(-1, self.config.dimension, self.config.swell_genes)], 2)
        for k in range(self.config.steps_per_hop):
            padded = F.pad(grid, (0, 0, 1, 1))
            inputs = torch.cat([padded[:, :-2], grid, padded[:, 2:], moved], 2)
            target, gate = self.update(F.relu(self.perceive(inputs) + drive)).split(self.config.channels, 2)
            grown = grid + fire_mask[:, k, :, None] * torch.sigmoid(gate) * (target - grid)
            grid = grown * (self.alive(grid) * self.alive(grown))
        return grid

    def fields(self, grid: Tensor, planted: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return latents (B, 1, F), clipped to what the decoder knows."""
        return {LATENT_REPRESENTATION: self.latent(grid)[:, None].clamp(-LATENT_RANGE, LATENT_RANGE)}

    def latent(self, grid: Tensor) -> Tensor:
        """Return the latents (B, F) of grids (B, F, C); where no cell lives, those of silence, which are not 0."""
        return self.silence + self.alive(grid)[..., 0] * (grid[..., LATENT] - self.silence)
