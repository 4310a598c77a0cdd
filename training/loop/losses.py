"""What training minimises: level, loudness, tonality, life and overflow."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ...engine.spectra.spec import AudioSpec
from ..config.run import LossConfig

OVERFLOW_ABOVE = 3.0
SOUNDING_LEVEL = 0.05
LOUDNESS_SCALES = (1, 2, 4)
LOUDEST_LEVEL = 2.6  # 4 dB over full scale
CONVERGENCE_FLOOR = 1e-3  # of a full-scale sine
MASKED_BELOW_DB, THRESHOLD_DB, SOFT_DB = 55.0, 15.0, 6.0
"""Below the loudest band of a frame; above the floor; over how many dB audibility fades."""


def band_weights(num_bands: int, frequency_weight: float) -> Tensor:
    """Weights rising linearly from 1 in the lowest band to `frequency_weight` in the top one, mean 1."""
    weights = torch.linspace(1.0, frequency_weight, num_bands)
    return weights / weights.mean()


def weighted_mean(error: Tensor, valid: Tensor) -> Tensor:
    """Mean over valid frames of error (B, W, F) with valid (B, W)."""
    return (error.mean(2) * valid).sum() / valid.sum().clamp_min(1.0)


def loudness(level: Tensor, scale_db: float) -> Tensor:
    """Specific loudness up to a constant: doubling every 10 dB (Stevens, 1955), 1 at 60 dB above the floor."""
    return torch.exp2((level.clamp_min(0.0) * scale_db - 60.0) / 10.0)


def perceptual_loss(level: Tensor, target: Tensor, valid: Tensor, scale_db: float) -> Tensor:
    """Loudness error and its change in time, over 1, 2 and 4 times coarser time and frequency; inputs (B, W, F)."""
    grown = loudness(level, scale_db) * valid[..., None]
    wanted = loudness(target, scale_db) * valid[..., None]
    total = level.new_zeros(())
    for scale in LOUDNESS_SCALES:
        a = F.avg_pool2d(grown[:, None], scale)
        b = F.avg_pool2d(wanted[:, None], scale)
        total = total + (a - b).abs().mean() + (a.diff(dim=2) - b.diff(dim=2)).abs().mean()
    return total / len(LOUDNESS_SCALES)


def convergence_loss(level: Tensor, target: Tensor, valid: Tensor, spec: AudioSpec) -> Tensor:
    """Spectral convergence, |A - B| / |B| in Frobenius norm, averaged over notes (Arik, Jun & Diamos, 2018).

    Levels (B, W, F) are all alike in dB; the ear, and this, hears the loudest partials. Windows quieter than
    `CONVERGENCE_FLOOR` count less.
    """
    grown, wanted = (
        10.0 ** ((side.clamp(0.0, LOUDEST_LEVEL) * spec.level_scale_db + spec.floor_db) / 20.0) * valid[..., None]
        for side in (level, target)
    )
    error = (grown - wanted).square().sum((1, 2)).add(1e-12).sqrt()
    return (error / (wanted.square().sum((1, 2)).sqrt() + CONVERGENCE_FLOOR)).mean()


def audibility(level: Tensor, scale_db: float) -> Tensor:
    """Return how far levels (..., F) are heard beside the loudest one of their frame, 0..1.

    What lies far below a loud sound is masked, and what lies near the floor is below the threshold of hearing; both are
    crude, of the kind of the simplest models of hearing.
    """
    loudest = level.amax(-1, keepdim=True)
    heard_from = torch.maximum(loudest - MASKED_BELOW_DB / scale_db, level.new_tensor(THRESHOLD_DB / scale_db))
    return torch.sigmoid((level - heard_from) * (scale_db / SOFT_DB))


def audible_error(grown: Tensor, wanted: Tensor, valid: Tensor, scale_db: float) -> NDArray[np.float64]:
    """Return the mean error of audible levels (B, W, F) of each note in its valid frames (B, W), (B,)."""
    heard = audibility(wanted, scale_db) * valid[..., None]
    error = ((grown - wanted).abs() * heard).sum((1, 2)) / heard.sum((1, 2)).clamp_min(1e-3)
    found: NDArray[np.float64] = error.double().cpu().numpy()
    return found


def pair_loss(
    grown: Tensor, target: Tensor, valid: Tensor, config: LossConfig, scale_db: float = 40.0
) -> tuple[Tensor, Tensor]:
    """Return the L1 errors of level and tonality (B, W, 2, F); tonality counts where there is sound."""
    weights = band_weights(grown.shape[3], config.frequency_weight).to(grown)
    sounding = (target[:, :, 0] > SOUNDING_LEVEL).to(grown)
    if config.hearing > 0.0:
        heard = torch.maximum(audibility(target[:, :, 0], scale_db), audibility(grown[:, :, 0].detach(), scale_db))
        counts = 1.0 - config.hearing * (1.0 - heard)
        weights, sounding = weights * counts, sounding * counts
    level = weighted_mean((grown[:, :, 0] - target[:, :, 0]).abs() * weights, valid)
    tonality = weighted_mean((grown[:, :, 1] - target[:, :, 1]).abs() * sounding, valid)
    return level, tonality


def alpha_loss(alpha: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Squared error of alpha (B, W, F)."""
    return weighted_mean((alpha - target) ** 2, valid)


def overflow_loss(grids: Tensor) -> Tensor:
    """How far channels leave their range: what keeps long rollouts bounded."""
    return (grids.abs() - OVERFLOW_ABOVE).clamp_min(0.0).mean()
