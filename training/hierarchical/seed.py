"""The seed network of the hierarchical TNCA: that of the coarse column, and what each partial and noise band is.

Letters: B notes, F cells of the coarse column, K fine cells, H partials, C channels, G genes, D detail genes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ...engine.spectra.pitch import MAX_PARTIALS
from ...engine.spectra.stft import hz_to_mel, mel_filterbank, mel_to_hz
from ..multiscale.seed import Genes, ScaleSeed
from ..spectral.nca import PARTIAL_AXIS, PITCH_AXIS
from ..spectral.partials import interpolate, partial_number

if TYPE_CHECKING:
    from ..config.models import HierarchicalConfig

NUM_PLACES = 7
FINE_RATES = 3
LEAST_DENSITY = 0.05


class FineSeed(nn.Module):
    """Tells every fine cell what it is: H partials of the note, then bands of noise."""

    number: Tensor
    noise_hz: Tensor
    filterbank: Tensor
    width: Tensor

    def __init__(self, config: HierarchicalConfig) -> None:
        super().__init__()
        self.config = config
        spec = config.spec_of(config.bands[0])
        self.detail = nn.Linear(config.seed_hidden, config.detail_genes * config.fine_cells)
        inputs = config.band_genes + config.pitch_genes + config.partial_genes + config.detail_genes + NUM_PLACES
        self.of_partials, self.of_noise = (nn.Linear(inputs, config.fine_hidden + FINE_RATES) for _ in range(2))
        self.heard_partials, self.heard_noise = (nn.Linear(inputs, config.decoder_hidden) for _ in range(2))
        self.top_mel = float(hz_to_mel(spec.sample_rate / 2.0))
        bank = mel_filterbank(spec)
        noise_hz = mel_to_hz(np.linspace(0.0, self.top_mel, config.noise_bands))
        constants = {
            "number": torch.arange(1, MAX_PARTIALS + 1, dtype=torch.float64),
            "noise_hz": torch.tensor(noise_hz, dtype=torch.float64),
            "filterbank": torch.tensor(bank),
            "width": _in_levels(torch.tensor(bank.sum(1)))[None, :, None],
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, z: Tensor, genes: Genes) -> dict[str, Tensor]:
        """Return what the fine cells of notes are.

        Returns
        -------
        facts (B, K, 3): place among the coarse bands, level beside theirs, and what tonality takes of it; fine
        (B, K, fine_hidden) and heard (B, K, decoder_hidden), genes of refinement and decoder; decays (B, K, 3).
        """
        kind, config = genes.band.dtype, self.config
        f0, b = genes.f0[:, None], genes.stretch[:, None]
        partial_hz = f0 * self.number * torch.sqrt((1.0 + b * self.number**2) / (1.0 + b))
        hz = torch.cat([partial_hz, self.noise_hz + 0.0 * f0], 1)
        at = self._place(hz, config.bands[0]).to(kind)
        gap = self._gap(genes, at)
        octave = torch.log2((hz / f0).clamp_min(0.25)).to(kind)
        number = partial_number(hz, genes.f0, genes.stretch).to(kind)
        tuned = [
            interpolate(genes.relative, (octave - PITCH_AXIS[0]) * PITCH_AXIS[2]),
            interpolate(genes.partial, number * PARTIAL_AXIS[1]),
            torch.stack([octave / 8.0, number / 48.0], 2),
        ]
        place = at / config.bands[0]
        own = [
            interpolate(genes.band, self._place(hz, config.spec.num_mels).to(kind)),
            self.detail(z).view(-1, config.fine_cells, config.detail_genes),
            torch.stack([place, torch.sin(np.pi * place), gap, gap * gap, 0.0 * gap + genes.pitched[:, 0]], 2),
        ]
        cell = torch.cat([torch.cat(tuned, 2) * genes.pitched, *own], 2)
        tones, bands = cell[:, :MAX_PARTIALS], cell[:, MAX_PARTIALS:]
        refined = torch.cat([self.of_partials(tones), self.of_noise(bands)], 1)
        heard = torch.cat([self.heard_partials(tones), self.heard_noise(bands)], 1)
        hidden, rates = refined.split([config.fine_hidden, FINE_RATES], 2)
        noisy = torch.cat([torch.zeros_like(at[:, :MAX_PARTIALS]), 1.0 + 0.0 * at[:, MAX_PARTIALS:]], 1)
        facts = torch.stack([at, gap, noisy * genes.pitched[:, 0]], 2)
        return {"facts": facts, "fine": hidden, "heard": heard, "decays": torch.exp(rates.clamp(-4.0, 5.0))}

    def _place(self, hz: Tensor, bands: int) -> Tensor:
        """Return where frequencies lie among mel bands, as real numbers."""
        high = 15.0 + torch.log(hz.clamp_min(1000.0) / 1000.0) * (27.0 / float(np.log(6.4)))
        mel = torch.where(hz < 1000.0, hz * (3.0 / 200.0), high)
        return (mel * ((bands + 1) / self.top_mel) - 1.0).clamp(0.0, bands - 1.0)

    def _gap(self, genes: Genes, at: Tensor) -> Tensor:
        """Return how far a cell's level is from its band's, if all partials there are alike, and all noise is."""
        comb = _in_levels((genes.comb @ self.filterbank.T).clamp_min(LEAST_DENSITY))[..., None]
        tones = interpolate(comb, at[:, :MAX_PARTIALS])
        noise = interpolate(self.width + 0.0 * comb, at[:, MAX_PARTIALS:])
        return -torch.cat([tones, noise], 1)[..., 0]


def _in_levels(power: Tensor) -> Tensor:
    """Return how much a level changes when power is multiplied by this."""
    return torch.log10(power) * 0.25  # a level of 1 is 40 dB


class HierarchicalSeed(ScaleSeed):
    """From MIDI to the static side of a note: the coarse column's, and that of the fine cells."""

    def __init__(self, config: HierarchicalConfig) -> None:
        super().__init__(config)
        self.fine = FineSeed(config)

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
        grid (B, F + K, C), cell (B, F, hidden units), rates (B, F, 4), and what `FineSeed` returns.
        """
        z, genes = self.read(pitch, velocity, timbre, pitched, stretch, jitter)
        coarse, cell, rates = self.columns[0](genes)
        fine = self.fine(z, genes)
        silent = (0.0 * fine["facts"][..., :1]).expand(-1, -1, coarse.shape[2])
        return {"grid": torch.cat([coarse, silent], 1), "cell": cell, "rates": rates, **fine}
