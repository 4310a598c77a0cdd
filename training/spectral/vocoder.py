"""The mel vocoder's network: mel frames and the pitch in, linear level and tonality out.

Letters: B voices, T frames, K history frames, F bands, N bins.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...engine.spectra.stft import bins_among_bands
from ..config.models import VocoderConfig
from .partials import comb_features

SILENT_F0_HZ = 1e5  # a comb beyond Nyquist, for unpitched voices


class MelVocoder(nn.Module):
    """Causal: a frame is read from itself and `history_frames` before it."""

    bins_hz: Tensor
    bin_low: Tensor
    bin_mix: Tensor
    bin_place: Tensor

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        spec = config.spec
        inputs = 2 * spec.num_mels * (config.history_frames + 1)
        self.bands = nn.Sequential(
            nn.Linear(inputs, config.hidden), nn.SiLU(),
            nn.Linear(config.hidden, config.hidden), nn.SiLU(),
            nn.Linear(config.hidden, config.band_features * spec.num_mels),
        )  # fmt: skip
        self.bins = nn.Sequential(
            nn.Linear(2 + config.band_features + 3 + 2, config.bin_hidden), nn.SiLU(), nn.Linear(config.bin_hidden, 2)
        )
        bins_hz = np.arange(spec.num_bins) * spec.sample_rate / spec.n_fft
        low, share = bins_among_bands(spec)
        place = np.linspace(0.0, 1.0, spec.num_bins)
        self.register_buffer("bins_hz", torch.tensor(bins_hz, dtype=torch.float32), persistent=False)
        self.register_buffer("bin_low", torch.tensor(low), persistent=False)
        self.register_buffer("bin_mix", torch.tensor(share)[:, None], persistent=False)
        place_features = np.stack([place, np.sqrt(place)], 1)
        self.register_buffer("bin_place", torch.tensor(place_features, dtype=torch.float32), persistent=False)

    def forward(self, mel: Tensor, f0_hz: Tensor, stretch: Tensor) -> Tensor:
        """Estimate the linear side.

        Parameters
        ----------
        mel : (B, K + T, 2, F)
            Level and tonality, with K frames of history first (zeros at a note's onset).
        f0_hz : (B, T)
            0 for an unpitched voice.
        stretch : (B,)

        Returns
        -------
        (B, T, 2, N), level and tonality.
        """
        frames, spec = f0_hz.shape[1], self.config.spec
        steps = range(self.config.history_frames + 1)
        stacked = torch.cat([mel[:, k : k + frames].flatten(2) for k in steps], 2)
        now = mel[:, self.config.history_frames :].transpose(2, 3)
        features = torch.cat([now, self.bands(stacked).unflatten(2, (spec.num_mels, -1))], 3).flatten(0, 1)
        here = features[:, self.bin_low] * (1.0 - self.bin_mix) + features[:, self.bin_low + 1] * self.bin_mix
        pitched = (f0_hz > 0.0).flatten().to(mel.dtype)[:, None, None]
        f0 = torch.where(f0_hz > 0.0, f0_hz, SILENT_F0_HZ).flatten()
        comb = comb_features(self.bins_hz, f0, (stretch[:, None] + 0.0 * f0_hz).flatten()) * pitched
        place = self.bin_place + 0.0 * comb[..., :1]
        correction = self.bins(torch.cat([here, comb, place], 2))
        return (here[..., :2] + correction).transpose(1, 2).unflatten(0, (-1, frames))

    @staticmethod
    def with_history(mel: Tensor, history_frames: int) -> Tensor:
        """Put zeros before the first frame of (B, T, 2, F)."""
        return F.pad(mel, (0, 0, 0, 0, history_frames, 0))
