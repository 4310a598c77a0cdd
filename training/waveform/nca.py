"""The direct waveform representation: a column that grows what a sound is made of, and the waveform grid it conditions.

The column is a TNCA whose linear side is read out at the note's partials and no longer at bins. Letters: B notes,
F cells (mel bands), C channels, H partials, N noise bands, D tones, K numbers in the field.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...engine.spectra.pitch import MAX_PARTIALS
from ...engine.spectra.stft import hz_to_mel
from ..codec.layers import Memory
from ..codec.source import ExcitationInput
from ..config.models import ALPHA, LINEAR_LEVEL
from ..config.sound_models import WAVEFORM_REPRESENTATION, WaveformConfig
from ..spectral.nca import ALIVE_ABOVE, PARTIAL_AXIS, TNCA, NoteSeed
from ..spectral.partials import interpolate
from .grid import WaveformGrid

NO_TONE = 0.03  # of the power at a partial: what noise leaves of it at least; less makes rounding errors large


class PartialSeed(NoteSeed):
    """A note seed whose genes between the cells are those of partials, (B, H, readout_hidden)."""

    def read_out_genes(
        self, z: Tensor, f0: Tensor, stretch: Tensor, pitched: Tensor, comb: Tensor
    ) -> dict[str, Tensor]:
        """Return the genes of partials, and where they lie among the cells, place (B, H); see `NoteSeed`."""
        spec = self.config.spec
        number = torch.arange(1.0, MAX_PARTIALS + 1.0, dtype=torch.float64, device=f0.device)
        b = stretch.double()[:, None]
        hz = f0[:, None] * number * torch.sqrt((1.0 + b * number**2) / (1.0 + b))
        genes = self.partial_head(z).view(-1, self.partial_points, self.config.partial_genes)
        at = (number * PARTIAL_AXIS[1]).to(z.dtype) + 0.0 * comb[:, :1, 0]
        share = (hz / (0.5 * spec.sample_rate)).clamp_max(1.0).to(z.dtype)
        spacing = torch.log2((f0 * spec.n_fft / spec.sample_rate).clamp(1.0, 256.0)).to(z.dtype) / 8.0
        shape = torch.stack([torch.ones_like(share), torch.zeros_like(share), spacing[:, None] + 0.0 * share], 2)
        own = torch.cat([interpolate(genes, at), shape], 2) * pitched[:, None, None]
        return {
            "bin": self.to_readout(torch.cat([own, torch.stack([share, share.sqrt()], 2)], 2)),
            "place": _bands_at(hz, spec.sample_rate, spec.num_mels).to(z.dtype),
        }


class WaveformNCA(TNCA):
    """The column TNCA, what is read out of it, and the waveform grid (`wave`) that this conditions."""

    mels_to_noise: Tensor

    def __init__(self, config: WaveformConfig, num_timbres: int) -> None:
        super().__init__(config, num_timbres)
        self.config: WaveformConfig = config
        self.seed = PartialSeed(config)
        self.to_tone = nn.Linear(config.cells * config.channels, config.tones)
        self.noise_offset = nn.Parameter(torch.zeros(config.noise_bands))
        self.wave = WaveformGrid(config, config.spec)
        spread = _mels_to_noise(config.spec.num_mels, config.noise_bands)
        self.register_buffer("mels_to_noise", spread, persistent=False)

    def fields(self, grid: Tensor, planted: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return mel (B, 2, F) and waveform (B, 1, K): what `WaveformGrid` is conditioned by, all of it >= 0."""
        alive = (grid[..., ALPHA].amax(1, keepdim=True) / ALIVE_ABOVE).clamp(0.0, 1.0)
        tone = torch.sigmoid(self.to_tone(grid.flatten(1)))
        parts = [self.partial_levels(grid, planted), self.noise_levels(grid), tone, alive]
        return {"mel": self.mel(grid), WAVEFORM_REPRESENTATION: torch.cat(parts, 1)[:, None].clamp_min(0.0)}

    def partial_levels(self, grid: Tensor, planted: dict[str, Tensor]) -> Tensor:
        """Read the levels of partials out of a grid, (B, H), without the noise around them."""
        here = interpolate(grid, planted["place"])
        pair = here[..., LINEAR_LEVEL : LINEAR_LEVEL + 2] + self.read_out(
            F.relu(self.read_state(here) + planted["bin"])
        )
        return tonal(pair[..., 0], pair[..., 1])

    def noise_levels(self, grid: Tensor) -> Tensor:
        """Return the levels of what is not partials, (B, N): tonality says how far partials stand above it."""
        mel = self.mel(grid)
        return (mel[:, 0] - mel[:, 1].clamp(0.0, 1.0)) @ self.mels_to_noise + self.noise_offset

    def sound(self, field: Tensor, source: ExcitationInput, memory: Memory | None = None) -> Tensor:
        """Return the sound (B, T * hop) of frames (B, T + 1, K) of the waveform field."""
        return self.wave(field, source, memory or Memory())


def tonal(level: Tensor, tonality: Tensor) -> Tensor:
    """Return the level of the tonal part of what has a level and a tonality, in units of 40 dB."""
    share = (1.0 + NO_TONE - 10.0 ** (-4.0 * tonality.clamp(0.0, 1.0))) / (1.0 + NO_TONE)
    return level + 0.25 * torch.log10(share)


def _bands_at(hz: Tensor, sample_rate: int, num_mels: int) -> Tensor:
    """Return where frequencies lie among the centres of mel bands, in bands; see `engine.spectra.stft.mel_edges_hz`."""
    mel = torch.where(hz < 1000.0, hz * 3.0 / 200.0, 15.0 + torch.log(hz / 1000.0) * (27.0 / np.log(6.4)))
    return mel * ((num_mels + 1) / float(hz_to_mel(sample_rate / 2.0))) - 1.0


def _mels_to_noise(num_mels: int, bands: int) -> Tensor:
    """Return the means of mel bands around each noise band, (F, N)."""
    centre = np.arange(bands) / (bands - 1) * (num_mels + 1) - 1.0
    width = num_mels / bands
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(num_mels)[:, None] - centre.clip(0, num_mels - 1)) / width)
    return torch.tensor(weights / weights.sum(0), dtype=torch.float32)
