"""The seed network of the multi-scale TNCA: the same genes on the axes of band, pitch and partial, read by every scale.

Letters: B notes, F cells of one column, A cells of all, C channels, H hidden units, G genes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import bands_among_bands, mel_edges_hz, mel_filterbank
from ..config.models import ALPHA
from ..spectral.nca import PARTIAL_AXIS, PITCH_AXIS
from ..spectral.partials import PITCH_PERIODS, comb_features, interpolate, note_features, partial_number

if TYPE_CHECKING:
    from ..config.models import ScaleConfig

NUM_SHAPES, NUM_PLACES = 3, 3


class Genes(NamedTuple):
    """What the trunk has to say of notes, on its three axes.

    Attributes
    ----------
    band : (B, num_mels, G), by absolute frequency
    relative : (B, P, G), by frequency relative to the pitch
    partial : (B, P', G), by number of partial
    f0, stretch : float64 (B,)
    comb : (B, N), power of the partials' lobes at linear bins
    pitched : (B, 1, 1)
    """

    band: Tensor
    relative: Tensor
    partial: Tensor
    f0: Tensor
    stretch: Tensor
    comb: Tensor
    pitched: Tensor


class ColumnSeed(nn.Module):
    """Reads the genes at the cells of one scale."""

    hz: Tensor
    bandwidth_hz: Tensor
    filterbank: Tensor
    place: Tensor
    band_at: Tensor

    def __init__(self, config: ScaleConfig, spec: AudioSpec) -> None:
        super().__init__()
        inputs = config.band_genes + config.pitch_genes + config.partial_genes + NUM_SHAPES + NUM_PLACES
        self.to_hidden = nn.Linear(inputs, config.hidden)
        self.to_rates = nn.Linear(inputs, 4)
        self.to_grid = nn.Linear(inputs, config.channels)
        edges = mel_edges_hz(spec)
        band = torch.arange(spec.num_mels) / (spec.num_mels - 1)
        low, share = bands_among_bands(config.spec, spec.num_mels)
        constants = {
            "hz": torch.tensor(edges[1:-1], dtype=torch.float64),
            "bandwidth_hz": torch.tensor(np.diff(edges)[:-1], dtype=torch.float64),
            "filterbank": torch.tensor(mel_filterbank(spec)),
            "place": torch.stack([band, torch.sin(np.pi * band), torch.cos(np.pi * band)], 1),
            "band_at": torch.tensor(low + share, dtype=torch.float32),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, genes: Genes) -> tuple[Tensor, Tensor, Tensor]:
        """Return the initial grid (B, F, C), genes (B, F, H) and rates of decay (B, F, 4)."""
        kind = genes.band.dtype
        f0 = genes.f0[:, None]
        octave = torch.log2((self.hz / f0).clamp_min(0.25)).to(kind)
        number = partial_number(self.hz, genes.f0, genes.stretch).to(kind)
        spacing = torch.log2((f0 / self.bandwidth_hz).clamp(0.06, 16.0)).to(kind) / 4.0
        lobes = torch.log10(genes.comb @ self.filterbank.T + 1e-4) / 4.0 + 1.0
        tuned = [
            interpolate(genes.relative, (octave - PITCH_AXIS[0]) * PITCH_AXIS[2]),
            interpolate(genes.partial, number * PARTIAL_AXIS[1]),
            torch.stack([lobes, octave / 8.0, spacing], 2),
        ]
        band = interpolate(genes.band, self.band_at + 0.0 * octave)
        cell = torch.cat([band, torch.cat(tuned, 2) * genes.pitched, self.place + 0.0 * octave[..., None]], 2)
        grid = self.to_grid(cell)
        alpha = torch.sigmoid(grid[..., ALPHA : ALPHA + 1] + 2.0)
        planted = torch.cat([grid[..., :ALPHA], alpha, grid[..., ALPHA + 1 :]], 2)
        return planted, self.to_hidden(cell), torch.exp(self.to_rates(cell).clamp(-4.0, 5.0))


class ScaleSeed(nn.Module):
    """From MIDI to the static side of a note; trunk and heads are shaped and named as those of `NoteSeed`."""

    bins_hz: Tensor

    def __init__(self, config: ScaleConfig) -> None:
        super().__init__()
        self.config = config
        spec, width = config.spec, config.seed_hidden
        inputs = 2 + 2 * len(PITCH_PERIODS) + 3 + config.timbre_size + config.key_size
        self.trunk = nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.pitch_points = int((PITCH_AXIS[1] - PITCH_AXIS[0]) * PITCH_AXIS[2]) + 1
        self.partial_points = PARTIAL_AXIS[0] * PARTIAL_AXIS[1] + 1
        self.band_head = nn.Linear(width, config.band_genes * spec.num_mels)
        self.pitch_head = nn.Linear(width, config.pitch_genes * self.pitch_points)
        self.partial_head = nn.Linear(width, config.partial_genes * self.partial_points)
        self.columns = nn.ModuleList(ColumnSeed(config, config.spec_of(bands)) for bands in config.bands)
        bins_hz = torch.arange(spec.num_bins, dtype=torch.float64) * spec.sample_rate / spec.n_fft
        self.register_buffer("bins_hz", bins_hz, persistent=False)

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
        grid (B, A, C), cell (B, A, H) and rates (B, A, 4).
        """
        _, genes = self.read(pitch, velocity, timbre, pitched, stretch, jitter)
        parts = [column(genes) for column in self.columns]
        return {
            name: torch.cat(part, 1)
            for name, part in zip(("grid", "cell", "rates"), zip(*parts, strict=True), strict=True)
        }

    def read(
        self,
        pitch: Tensor,
        velocity: Tensor,
        timbre: Tensor,
        pitched: Tensor,
        stretch: Tensor,
        jitter: Tensor | None = None,
    ) -> tuple[Tensor, Genes]:
        """Return the trunk's features (B, seed_hidden) of notes and the genes that its heads make of them."""
        config = self.config
        shown = (pitch, velocity) if jitter is None else (pitch + jitter[:, 0], velocity + jitter[:, 1])
        z = self.trunk(torch.cat([note_features(*shown, pitched), timbre], 1))
        f0 = 440.0 * torch.exp2((pitch.double() - 69.0) / 12.0)
        lobes = comb_features(self.bins_hz, f0, stretch.double())[..., 0]
        return z, Genes(
            band=self.band_head(z).view(-1, config.spec.num_mels, config.band_genes),
            relative=self.pitch_head(z).view(-1, self.pitch_points, config.pitch_genes),
            partial=self.partial_head(z).view(-1, self.partial_points, config.partial_genes),
            f0=f0,
            stretch=stretch.double(),
            comb=10.0 ** (4.0 * (lobes.to(pitch.dtype) - 1.0)),
            pitched=pitched[:, None, None],
        )
