"""The mel vocoder as it is exported: the arithmetic of `training.spectral.vocoder.MelVocoder`, regrouped for speed.

Letters: V voices, T frames, K history frames, F bands, N bins, B = V * T frames of all voices.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...training.spectral.partials import FAR_BINS, LEAST_POWER, LEAST_STRETCH
from ...training.spectral.vocoder import SILENT_F0_HZ, MelVocoder
from .lobes import lobes
from .step import bounded

PIECE_BINS = 64
"""Bins are read in pieces of about so many: what a piece keeps between two operators stays in the processor's cache."""
FAR_PARTIAL = -1e4
"""Stands for a partial that is not there: it would lie further away than any bin sees."""


class VocoderGraph(nn.Module):
    """The mel vocoder, its output bounded like every field.

    Inside, bins are the last axis, so that few rows are joined and multiplied rather than many short ones. What bins
    read of the bands is a product with a small matrix for each piece. What the comb says is joined to it as numbers
    that are cheap to have; the first layer's weights make up for it. All operators are standard ones, which any
    provider has. `export.parity` holds it together with `MelVocoder.forward`.
    """

    into_hidden: Tensor
    bins: Tensor
    place: Tensor
    feature_weights: Tensor
    feature_bias: Tensor
    level_out: Tensor
    tonality_out: Tensor
    out_bias: Tensor

    def __init__(self, vocoder: MelVocoder) -> None:
        super().__init__()
        self.vocoder, self.config = vocoder, vocoder.config
        bands = vocoder.config.spec.num_mels
        last, out = vocoder.bands[4], vocoder.bins[2]
        assert isinstance(last, nn.Linear)
        assert isinstance(out, nn.Linear)
        by_band = torch.arange(last.out_features).view(bands, -1).T.flatten()
        self.register_buffer("feature_weights", last.weight.detach()[by_band])
        self.register_buffer("feature_bias", last.bias.detach()[by_band])
        self.register_buffer("level_out", out.weight.detach()[:1])
        self.register_buffer("tonality_out", out.weight.detach()[1:])
        self.register_buffer("out_bias", out.bias.detach()[:, None])
        self.register_buffer("into_hidden", _into_hidden(vocoder))
        bins = torch.arange(len(vocoder.bins_hz), dtype=torch.float32)
        self.register_buffer("bins", bins)
        self.register_buffer("place", torch.cat([vocoder.bin_place.T, torch.ones(1, len(bins))])[None])
        self.bin_hz = float(vocoder.bins_hz[1])
        self.sizes = [len(piece) for piece in bins.tensor_split(max(1, len(bins) // PIECE_BINS))]
        self.pieces = _pieces(vocoder, self.sizes)
        for index, (_, weights) in enumerate(self.pieces):
            self.register_buffer(f"piece_{index}", weights)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the linear field (V, T, 2, N) of the arguments of `MelVocoder.forward`."""
        mel, f0_hz, stretch = inputs
        frames = f0_hz.shape[1]
        seen = self._seen(mel, f0_hz)
        comb = self._comb(f0_hz[..., None], stretch[:, None, None])
        told = torch.cat([comb, self.place.expand(comb.shape[0], -1, -1)], 1).split(self.sizes, 2)
        linear = [self._read(index, seen, rows) for index, rows in enumerate(told)]
        return bounded((torch.cat(linear, 2) + self.out_bias).unflatten(0, (-1, frames)))

    def _seen(self, mel: Tensor, f0_hz: Tensor) -> Tensor:
        """Return what bins interpolate, (B, rows, F): mel pair, features of bands, octaves between partials."""
        vocoder, frames, history = self.vocoder, f0_hz.shape[1], self.config.history_frames
        stacked = torch.cat([mel[:, k : k + frames].flatten(2) for k in range(history + 1)], 2).flatten(0, 1)
        hidden = vocoder.bands[:4](stacked)
        features = F.linear(hidden, self.feature_weights, self.feature_bias)
        octaves = torch.log2((f0_hz / self.bin_hz).clamp(1.0, 256.0)).flatten()[:, None, None]
        pair = mel[:, history:].flatten(0, 1)
        return torch.cat([pair, features.unflatten(1, (-1, pair.shape[2])), octaves.expand(-1, -1, pair.shape[2])], 1)

    def _comb(self, f0_hz: Tensor, stretch: Tensor) -> Tensor:
        """Return the logarithm of the lobes' power and the distance in bins to the nearest partial, (B, 2, N).

        Parameters
        ----------
        f0_hz : (V, T, 1)
        stretch : (V, 1, 1)
        """
        f0 = torch.where(f0_hz > 0.0, f0_hz, SILENT_F0_HZ) / self.bin_hz
        below = self._partial_below(f0, stretch.clamp_min(LEAST_STRETCH))
        partials = torch.stack([torch.where(below < 1.0, FAR_PARTIAL, below), below + 1.0])
        square = f0 * f0 / (1.0 + stretch)
        distance = self.bins - partials * torch.sqrt(square + square * stretch * (partials * partials))
        distance2 = distance * distance
        lobe = lobes(distance2)
        first, second = (lobe * lobe).split(1)
        nearer, other = distance2.split(1)
        farthest = torch.where(f0_hz > 0.0, FAR_BINS**2, 0.0)
        nearest = torch.minimum(torch.minimum(nearer, other), farthest)
        told = torch.cat([torch.log(first + second + LEAST_POWER), torch.sqrt(nearest)])
        return told.flatten(1, 2).transpose(0, 1)

    def _partial_below(self, f0: Tensor, stretch: Tensor) -> Tensor:
        """Return the number (V, T, N) of the last partial not above each bin; f0 in bins. See `partial_number`."""
        scale = 2.0 * (1.0 + stretch) / (f0 * f0)
        bins2 = self.bins * self.bins
        return torch.sqrt(scale * bins2 / (1.0 + torch.sqrt(1.0 + 2.0 * stretch * scale * bins2))).floor()

    def _read(self, index: int, seen: Tensor, told: Tensor) -> Tensor:
        """Return level and tonality (B, 2, bins of the piece), without bias and not yet bounded.

        Two products of one row each: ONNX Runtime need not copy what they read, as it does for one product of two rows.
        """
        bands, _ = self.pieces[index]
        here = seen[:, :, bands] @ self.get_buffer(f"piece_{index}")
        hidden = F.conv1d(torch.cat([here, told], 1), self.into_hidden[:, :, None])
        active = hidden * torch.sigmoid(hidden)  # one operator in ONNX Runtime, QuickGelu
        correction = torch.cat([self.level_out @ active, self.tonality_out @ active], 1)
        return here[:, :2] + correction


def _into_hidden(vocoder: MelVocoder) -> Tensor:
    """Return the first layer of bins for the rows that the graph joins: its inputs, scaled back, and its bias."""
    first = vocoder.bins[0]
    assert isinstance(first, nn.Linear)
    here, level, nearest, spacing, place = first.weight.detach().split([first.in_features - 5, 1, 1, 1, 2], 1)
    bias = first.bias.detach()[:, None] + level
    return torch.cat([here, spacing / 8.0, level / (4.0 * math.log(10.0)), nearest / FAR_BINS, place, bias], 1)


def _pieces(vocoder: MelVocoder, sizes: list[int]) -> list[tuple[slice, Tensor]]:
    """Return for each piece the bands that its bins read, and how: a matrix (bands, bins)."""
    low, share = vocoder.bin_low, vocoder.bin_mix[:, 0]
    pieces = []
    for below, mix in zip(low.split(sizes), share.split(sizes), strict=True):
        bands = slice(int(below[0]), int(below[-1]) + 2)
        weights = torch.zeros(bands.stop - bands.start, len(below))
        weights.scatter_(0, (below - bands.start)[None], (1.0 - mix)[None])
        weights.scatter_(0, (below + 1 - bands.start)[None], mix[None])
        pieces.append((bands, weights))
    return pieces
