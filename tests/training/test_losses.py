"""What the losses weigh, and what the conservative preset promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.stft import mel_edges_hz
from tnca_synth.training.config.run import LossConfig, load_preset
from tnca_synth.training.loop.losses import (
    OVERFLOW_ABOVE,
    alpha_loss,
    band_weights,
    convergence_loss,
    loudness,
    overflow_loss,
    pair_loss,
    perceptual_loss,
)

SPEC = AudioSpec()
BANDS = SPEC.num_mels
ABOVE_4_KHZ = torch.from_numpy(mel_edges_hz(SPEC)[1:-1] > 4000.0)
FRAMES = 8


def pair(level: float = 1.5, tonality: float = 0.5) -> Tensor:
    values = torch.tensor([level, tonality])[:, None]
    return values.expand(2, FRAMES, 2, BANDS).clone()


def all_valid() -> Tensor:
    return torch.ones(2, FRAMES)


@pytest.mark.parametrize("num_bands", [80, 513])
def test_the_top_band_weighs_frequency_weight_times_the_lowest(num_bands: int) -> None:
    weights = band_weights(num_bands, 3.0)
    assert float(weights[-1] / weights[0]) == pytest.approx(3.0)
    assert float(weights.mean()) == pytest.approx(1.0)
    assert (weights.diff() > 0).all()


def test_an_error_in_the_top_band_costs_three_times_that_in_the_lowest() -> None:
    config = LossConfig(frequency_weight=3.0)
    costs = []
    for band in (0, -1):
        grown = pair()
        grown[:, :, 0, band] += 0.25
        costs.append(float(pair_loss(grown, pair(), all_valid(), config)[0]))
    assert costs[1] / costs[0] == pytest.approx(3.0, rel=1e-4)


def test_the_conservative_preset_is_the_designs() -> None:
    loss = load_preset("conservative").loss
    assert (loss.l1, loss.perceptual, loss.frequency_weight) == (0.3, 1.0, 3.0)


def test_the_dual_preset_weighs_the_linear_side_by_a_half() -> None:
    assert load_preset("dual").loss.linear == 0.5


def test_the_perceptual_loss_hears_above_4_khz() -> None:
    target = torch.full((2, FRAMES, BANDS), 1.5)
    grown = target.clone()
    grown[..., ABOVE_4_KHZ] += 0.2
    grown.requires_grad_()
    loss = perceptual_loss(grown, target, all_valid(), SPEC.level_scale_db)
    loss.backward()
    assert float(loss.detach()) > 0.01
    assert (grown.grad[..., ABOVE_4_KHZ] > 0).all()
    assert float(perceptual_loss(target, target, all_valid(), SPEC.level_scale_db)) == 0.0


def test_the_perceptual_loss_hears_loud_errors_more_than_quiet_ones() -> None:
    costs = []
    for level in (0.5, 2.0):
        target = torch.full((1, FRAMES, BANDS), level)
        costs.append(float(perceptual_loss(target + 0.1, target, torch.ones(1, FRAMES), SPEC.level_scale_db)))
    assert costs[1] > 8 * costs[0]


def test_the_perceptual_loss_hears_changes_in_time() -> None:
    """Two errors of the same size, in loudness and on every scale: one steady, one that flutters."""
    scale_db = SPEC.level_scale_db
    target = torch.full((1, FRAMES, BANDS), 1.5)
    error = torch.full((FRAMES, 1), 0.2)
    fluttering = error * (1.0 - (-1.0) ** torch.arange(FRAMES)[:, None])
    costs = []
    for added in (error, fluttering):
        grown = (60.0 + 10.0 * torch.log2(loudness(target, scale_db) + added)) / scale_db
        costs.append(float(perceptual_loss(grown, target, torch.ones(1, FRAMES), scale_db)))
    assert costs[0] == pytest.approx(0.2, rel=1e-3)
    assert costs[1] > 1.5 * costs[0]


def test_frames_without_a_target_cost_nothing() -> None:
    valid = all_valid()
    valid[:, 5:] = 0.0
    grown = pair()
    grown[:, 5:] += 7.0
    assert [float(loss) for loss in pair_loss(grown, pair(), valid, LossConfig())] == [0.0, 0.0]
    assert float(alpha_loss(grown[:, :, 0], pair()[:, :, 0], valid)) == 0.0
    assert float(perceptual_loss(grown[:, :, 0], pair()[:, :, 0], valid, SPEC.level_scale_db)) == 0.0


def test_valid_frames_alone_make_the_mean() -> None:
    valid = all_valid()
    valid[:, 5:] = 0.0
    grown = pair()
    grown[:, :, 0] += 0.25
    assert float(pair_loss(grown, pair(), valid, LossConfig())[0]) == pytest.approx(0.25)


def test_tonality_counts_only_where_there_is_sound() -> None:
    target = pair(level=0.0)
    target[:, :, 0, :40] = 1.0
    grown = target.clone()
    grown[:, :, 1] += 0.5
    assert float(pair_loss(grown, target, all_valid(), LossConfig())[1]) == pytest.approx(0.25)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_overflow_costs_only_beyond_the_limit(sign: float) -> None:
    grids = torch.full((1, 2, BANDS, 8), sign * OVERFLOW_ABOVE)
    assert float(overflow_loss(grids)) == 0.0
    assert float(overflow_loss(grids * 1.1)) == pytest.approx(0.1 * OVERFLOW_ABOVE, rel=1e-4)


def test_4_khz_lies_within_the_bands() -> None:
    assert 10 < int(np.count_nonzero(ABOVE_4_KHZ.numpy())) < 40


def test_convergence_is_the_share_of_magnitude_that_is_wrong() -> None:
    """6 dB too much everywhere doubles every magnitude: an error as large as the sound itself."""
    target = pair(2.0)[:, :, 0]
    louder = target + 20.0 * float(np.log10(2.0)) / SPEC.level_scale_db
    assert float(convergence_loss(louder, target, all_valid(), SPEC)) == pytest.approx(1.0, abs=0.01)
    assert float(convergence_loss(target, target, all_valid(), SPEC)) == pytest.approx(0.0, abs=1e-4)


def test_convergence_listens_to_the_loudest() -> None:
    target = pair(0.5)[:, :, 0]
    target[:, :, 10] = 2.0
    loud, quiet = target.clone(), target.clone()
    loud[:, :, 10] -= 0.1
    quiet[:, :, 11] -= 0.1
    errors = [float(convergence_loss(one, target, all_valid(), SPEC)) for one in (loud, quiet)]
    assert errors[0] > 100 * errors[1]


def test_convergence_leaves_out_frames_without_a_target() -> None:
    target, valid = pair(2.0)[:, :, 0], all_valid()
    grown = target.clone()
    grown[:, FRAMES // 2 :] = 0.0
    valid[:, FRAMES // 2 :] = 0.0
    assert float(convergence_loss(grown, target, valid, SPEC)) == pytest.approx(0.0, abs=1e-4)
