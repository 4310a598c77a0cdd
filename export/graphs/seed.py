"""Planting a note as it is exported: the arithmetic of `training.spectral.nca.NoteSeed`, regrouped for speed.

Most of what planting a single note costs is calling some operator, not what it computes: so few are called, on rows
that lie side by side, and what is the same for all notes is computed when the model is exported.
Letters: V voices, F cells, N linear bins in whole bundles, C channels, H hidden units, R read-out units, G genes,
P points of an axis.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...engine.spectra.pitch import A4_HZ
from ...training.config.models import ALPHA
from ...training.spectral.nca import PARTIAL_AXIS, PITCH_AXIS, TNCA
from ...training.spectral.partials import FAR_BINS, LEAST_POWER, LEAST_STRETCH, MIDDLE_C, PITCH_PERIODS, PITCH_UNIT
from .lobes import lobes

A4_KEY = 69.0
BUNDLE = 8
"""Bins are computed in whole bundles, so that each is in the same place of a vector instruction whatever the number of
notes: logarithms are rounded otherwise in what is left over."""


class SeedGraph(nn.Module):
    """MIDI to genome, with explicit names for ONNX, laid out as `StepGraph` reads it.

    ``grid`` (V, F, C), ``cell`` (V, H, F) with the clocks' bias, ``rates`` (V, 4, F), negative, and ``bin`` (V, N, R).
    Tests hold it together with `NoteSeed.forward`.
    """

    turns: Tensor
    turned: Tensor
    bins: Tensor
    filterbank: Tensor
    band_octave: Tensor
    band_spacing: Tensor
    into_cells: Tensor
    cell_place: Tensor
    cell_bias: Tensor

    def __init__(self, model: TNCA) -> None:
        super().__init__()
        self.seed = seed = model.seed
        self.config = config = model.config
        spec = config.spec
        self.bin_hz = spec.sample_rate / spec.n_fft
        turns = torch.tensor(
            [2.0 * math.pi / period for period in PITCH_PERIODS for _ in range(2)], dtype=torch.float64
        )
        self.register_buffer("turns", turns)
        self.register_buffer("turned", torch.tensor([0.0, 0.5 * math.pi] * len(PITCH_PERIODS), dtype=torch.float64))
        num_bins = -(-spec.num_bins // BUNDLE) * BUNDLE
        self.register_buffer("bins", torch.arange(num_bins, dtype=torch.float64))
        bank = nn.functional.pad(seed.filterbank.T, (0, 0, 0, num_bins - spec.num_bins))
        self.register_buffer("filterbank", LEAST_POWER * bank)
        to_octaves = torch.log2(seed.mels_hz.double() / A4_HZ) + A4_KEY / 12.0
        self.register_buffer("band_octave", to_octaves.float())
        to_spacing = math.log2(A4_HZ) - A4_KEY / 12.0 - torch.log2(seed.bandwidth_hz.double())
        self.register_buffer("band_spacing", to_spacing.float())
        heads = (seed.to_hidden, seed.to_rates, seed.to_grid)
        weight, bias = (torch.cat([getattr(head, name).detach() for head in heads]) for name in ("weight", "bias"))
        bias = bias + torch.cat([model.clocks.bias.detach(), torch.zeros(len(bias) - config.hidden)])
        own = weight.shape[1] - seed.band_place.shape[1]
        self.register_buffer("into_cells", weight[:, :own].T.contiguous())
        self.register_buffer("cell_place", weight[:, own:].T.contiguous())
        self.register_buffer("cell_bias", bias)
        if config.reads_out:
            weight = seed.to_readout.weight.detach()
            own = weight.shape[1] - seed.bin_place.shape[1]
            self.register_buffer("into_bins", weight[:, :own].T.contiguous())
            self.register_buffer("bin_place", weight[:, own:].T.contiguous())

    def forward(self, *note: Tensor) -> tuple[Tensor, ...]:
        """Return the genome, in the order of `genome_names`, of the arguments of `NoteSeed.forward`."""
        pitch, velocity, timbre, pitched, stretch = (one[:, None] if one.ndim == 1 else one for one in note)
        seed, config = self.seed, self.config
        z = self._trunk(pitch, velocity, timbre, pitched)
        comb, number = self._comb(pitch, stretch, pitched[..., None])
        band = seed.band_head(z).view(-1, config.cells, config.band_genes)
        octave = (self.band_octave - pitch / 12.0).clamp_min(-2.0)
        relative = seed.pitch_head(z).view(-1, seed.pitch_points, config.pitch_genes)
        relative = read_at(relative, (octave - PITCH_AXIS[0]) * PITCH_AXIS[2])
        # A product for each note: with several in one, ONNX Runtime would round otherwise.
        power = torch.exp(comb[:, :1] * (4.0 * math.log(10.0))) @ self.filterbank
        lobe = torch.log(power[:, 0] + LEAST_POWER) * (0.25 / math.log(10.0)) + 1.0
        spacing = (self.band_spacing + pitch / 12.0).clamp(math.log2(0.06), 4.0) * 0.25
        shape = torch.stack([lobe, octave * 0.125, spacing], 2)
        cell = torch.cat([band, torch.cat([relative, shape], 2) * pitched[..., None]], 2) @ self.into_cells
        cell = cell + (seed.band_place @ self.cell_place + self.cell_bias)  # constant, and folded by the exporter
        hidden, rates, grid = cell.split([config.hidden, 4, config.channels], 2)
        below, alpha, above = grid.split([ALPHA, 1, config.channels - ALPHA - 1], 2)
        planted = {
            "grid": torch.cat([below, torch.sigmoid(alpha + 2.0), above], 2),
            "cell": hidden.transpose(1, 2),
            "rates": -torch.exp(rates.clamp(-4.0, 5.0)).transpose(1, 2),
        }
        if config.reads_out:
            genes = seed.partial_head(z).view(-1, seed.partial_points, config.partial_genes)
            genes = read_at(genes, number * PARTIAL_AXIS[1]) * pitched[..., None]
            told = torch.cat([genes, comb.transpose(1, 2)], 2)
            fixed = seed.bin_place @ self.get_buffer("bin_place") + seed.to_readout.bias
            planted["bin"] = (told @ self.get_buffer("into_bins"))[:, : len(fixed)] + fixed
        return tuple(planted[name] for name in config.genome_names)

    def _trunk(self, pitch: Tensor, velocity: Tensor, timbre: Tensor, pitched: Tensor) -> Tensor:
        """Return what the trunk makes of notes; all but the timbre (V, 1)."""
        high = (pitch - MIDDLE_C) * (1.0 / PITCH_UNIT)
        waves = torch.sin(pitch.double() * self.turns + self.turned)
        told = torch.cat([high, high * high, waves.to(pitch.dtype), velocity, velocity * velocity, pitched, timbre], 1)
        features: Tensor = self.seed.trunk(told)
        return features

    def _comb(self, pitch: Tensor, stretch: Tensor, pitched: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `comb_features` says, times how pitched a note is, (V, 3, N), and numbers of partials (V, N).

        Distances are differences of large numbers: up to them all is in double precision.
        """
        kind = pitch.dtype
        semitone = math.log(2.0) / 12.0
        f0 = torch.exp(pitch.double() * semitone + (math.log(A4_HZ / self.bin_hz) - A4_KEY * semitone))  # in bins
        b = stretch.double()
        floored = b.clamp_min(LEAST_STRETCH)
        twice = (2.0 + 2.0 * floored) / (f0 * f0)
        squares = twice * (self.bins * self.bins)
        number = torch.sqrt(squares / (1.0 + torch.sqrt(1.0 + (2.0 * floored) * squares)))
        partial = number.floor()[:, None] + torch.tensor([[0.0], [1.0]], dtype=torch.float64)
        square = f0 * f0 / (1.0 + b)
        at = partial * torch.sqrt((square * b)[..., None] * (partial * partial) + square[..., None])
        distance = (self.bins - at).to(kind)
        distance2 = torch.where(partial < 1.0, FAR_BINS**2, distance * distance).clamp_max(FAR_BINS**2)
        level = torch.log(lobes(distance2).square().sum(1) + LEAST_POWER) * (0.25 / math.log(10.0)) + 1.0
        nearest = torch.sqrt(distance2.amin(1)) * (1.0 / FAR_BINS)
        spacing = (pitch / 12.0 + (math.log2(A4_HZ / self.bin_hz) - A4_KEY / 12.0)).clamp(0.0, 8.0) * 0.125
        comb = torch.stack([level, nearest, spacing.expand_as(level)], 1) * pitched
        return comb, number.to(kind)


def read_at(values: Tensor, position: Tensor) -> Tensor:
    """Return what `training.spectral.partials.interpolate` does, by whole rows: (V, P, G) at (V, N) gives (V, N, G)."""
    points, genes = values.shape[1:]
    clamped = position.clamp(0.0, points - 1.001)
    low = clamped.floor()
    rows = low.long() + points * torch.arange(values.shape[0])[:, None]
    flat = values.reshape(-1, genes)
    below = flat[rows]
    return below + (clamped - low)[..., None] * (flat[rows + 1] - below)
