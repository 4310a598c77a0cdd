"""Notes and where their partials lie, as the networks see them.

Letters: B notes, N frequencies (linear bins), P points of an axis, G genes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

FAR_BINS = 8.0
PITCH_PERIODS = (64.0, 32.0, 16.0)
MIDDLE_C, PITCH_UNIT = 60.0, 24.0  # the key and the semitones that networks see as 0 and 1
LEAST_STRETCH = 1e-7
LEAST_POWER = 1e-4
"""That a comb's level tells of: 0 is 40 dB below 1."""


def note_features(pitch: Tensor, velocity: Tensor, pitched: Tensor) -> Tensor:
    """Return what seed networks are told of notes beside their timbres, (B, 5 + 2 per pitch period)."""
    p = (pitch - MIDDLE_C) / PITCH_UNIT
    waves = [f(2 * np.pi * pitch / period) for period in PITCH_PERIODS for f in (torch.sin, torch.cos)]
    return torch.stack([p, p * p, *waves, velocity, velocity * velocity, pitched], 1)


def interpolate(values: Tensor, position: Tensor) -> Tensor:
    """Read `values` (B, P, G) linearly interpolated at real positions (B, N) clamped to 0..P - 1; gives (B, N, G)."""
    clamped = position.clamp(0.0, values.shape[1] - 1.001)
    low = clamped.floor()
    mix = (clamped - low)[..., None]
    index = low.long()[..., None].expand(-1, -1, values.shape[2])
    return values.gather(1, index) * (1.0 - mix) + values.gather(1, index + 1) * mix


def partial_number(hz: Tensor, f0: Tensor, stretch: Tensor) -> Tensor:
    """Real-valued partial number (B, N) at frequencies (N,): the inverse of `engine.spectra.pitch.partial_hz`."""
    ratio2 = (hz / f0[:, None]) ** 2
    b = stretch[:, None].clamp_min(LEAST_STRETCH)
    return torch.sqrt(2.0 * (1.0 + b) * ratio2 / (1.0 + torch.sqrt(1.0 + 4.0 * b * (1.0 + b) * ratio2)))


def comb_features(hz: Tensor, f0: Tensor, stretch: Tensor) -> Tensor:
    """Describe the comb of partials at evenly spaced bins.

    Parameters
    ----------
    hz : (N,), the bins' frequencies
    f0, stretch : (B,)

    Returns
    -------
    (B, N, 3): lobe power of the partials there (0 dB is 1, -40 dB is 0), distance in bins to the nearest partial
    over 8, and the spacing of partials on a logarithmic scale.
    """
    bin_hz = hz[1] - hz[0]
    below = partial_number(hz, f0, stretch).floor()
    h, b = torch.stack([below, below + 1.0], 1), stretch[:, None, None]
    at_hz = f0[:, None, None] * h * torch.sqrt((1.0 + b * h * h) / (1.0 + b))
    x = ((hz - at_hz).abs() / bin_hz).clamp_max(FAR_BINS)
    x = torch.where(h < 1.0, FAR_BINS, x)
    level = 1.0 + torch.log10(lobe(x).square().sum(1) + LEAST_POWER) / 4.0
    spacing = torch.log2((f0[:, None] / bin_hz).clamp(1.0, 256.0)) / 8.0
    return torch.stack([level, x.amin(1) / FAR_BINS, spacing.expand_as(level)], 2)


def lobe(x: Tensor) -> Tensor:
    """Return the amplitude of a Hann window's main lobe at offsets of 0 bins or more, see `oscillators.lobe_power`.

    ``sinc(x) + (sinc(x - 1) + sinc(x + 1)) / 2 = sinc(x) / (1 - x^2) = sinc(1 - x) / (x + x^2)``, with one sine instead
    of three; near 1 the second form does not lose its digits.
    """
    is_second = (x - 1.0).abs() < 0.25
    value = torch.sinc(torch.where(is_second, 1.0 - x, x)) / torch.where(is_second, x + x * x, 1.0 - x * x)
    return torch.where(x < 2.0, value, 0.0)
