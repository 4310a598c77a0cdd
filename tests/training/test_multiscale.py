"""Three scales grown together: coarse guides fine, nothing leaks between columns, coarse is trained first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import tiny_scales
import torch
from torch import Tensor

from tnca_synth.engine.spectra.stft import bands_among_bands, level_from_power, mel_filterbank, power_spectrogram
from tnca_synth.training.config.models import ALPHA
from tnca_synth.training.loop.checkpoint import load_checkpoint
from tnca_synth.training.loop.loop import Progress
from tnca_synth.training.loop.rollout import NoteBatch, grow, plant
from tnca_synth.training.measure.note_features import extract
from tnca_synth.training.multiscale.nca import MultiScaleNCA
from tnca_synth.training.multiscale.trainer import MultiScaleTrainer, measure_scales
from tnca_synth.training.validation.fields import validate

pytestmark = pytest.mark.slow

SCALES = tiny_scales.SCALES
COARSE, MIDDLE, FINE = (slice(0, 8), slice(8, 24), slice(24, 56))


def batch(count: int = 2) -> NoteBatch:
    return NoteBatch.of(tiny_scales.notes(), np.arange(count))


@torch.no_grad()
def step(model: MultiScaleNCA, grid: Tensor, planted: dict[str, Tensor], swell: float = 0.0, scales: int = 3) -> Tensor:
    count = len(grid)
    mask = torch.ones(count, 1, SCALES.cells)
    still = torch.full((count, tiny.SPEC.num_mels), swell)
    return model.step(grid, planted, torch.full((count,), 0.05), -torch.ones(count), mask, still, scales)


@torch.no_grad()
def planted_notes(model: MultiScaleNCA) -> dict[str, Tensor]:
    return plant(model, batch())


def test_all_scales_are_grown_under_their_names() -> None:
    grown = grow(tiny_scales.network(), batch(), 5, tiny_scales.notes().motions)
    assert {name: tuple(values.shape) for name, values in grown.items()} == {
        "mel8": (2, 5, 2, 8),
        "mel": (2, 5, 2, 16),
        "mel32": (2, 5, 2, 32),
    }


def test_coarse_guides_fine_within_the_hop_and_not_the_other_way() -> None:
    model = tiny_scales.network()
    planted = planted_notes(model)
    whole = step(model, planted["grid"], planted)
    for changed, moved, still in ((COARSE, (COARSE, MIDDLE, FINE), ()), (FINE, (FINE,), (COARSE, MIDDLE))):
        grid = planted["grid"].clone()
        grid[:, changed, 0] += 0.3
        other = step(model, grid, planted)
        assert all(not torch.equal(other[:, span], whole[:, span]) for span in moved)
        assert all(torch.equal(other[:, span], whole[:, span]) for span in still)


def test_the_top_of_one_column_is_no_neighbour_of_the_bottom_of_the_next() -> None:
    model = tiny_scales.network()
    planted = planted_notes(model)
    whole = step(model, planted["grid"], planted)
    grid = planted["grid"].clone()
    grid[:, MIDDLE.stop - 1] += 0.3  # the top cell of the middle scale
    other = step(model, grid, planted)
    assert torch.equal(other[:, FINE.start : FINE.start + 16], whole[:, FINE.start : FINE.start + 16])
    assert torch.equal(other[:, COARSE], whole[:, COARSE])


def test_fine_cells_without_neighbours_come_back_from_the_guide() -> None:
    model = tiny_scales.network()
    planted = planted_notes(model)
    grid = step(model, planted["grid"], planted)
    grid[:, FINE] = 0.0
    assert step(model, grid, planted)[:, FINE, 0].abs().min() > 0.0


def test_cells_without_life_around_and_above_them_are_silent() -> None:
    model = tiny_scales.network()
    planted = planted_notes(model)
    grid = planted["grid"].clone()
    grid[..., ALPHA] = 0.0
    assert not step(model, grid, planted).any()


def test_a_swell_moves_every_scale_once() -> None:
    model = tiny_scales.network()
    with torch.no_grad():
        for column in model.columns:
            column.perceive.weight[:, -10] = 0.0  # what the hidden units make of it
            column.perceive.weight[:, : 4 * SCALES.channels] = 0.0
            column.update.bias[SCALES.channels :] = 20.0  # all gates open
    planted = planted_notes(model)
    calm, swollen = (step(model, planted["grid"], planted, swell)[..., 0] for swell in (0.0, 0.05))
    torch.testing.assert_close(swollen - calm, torch.full_like(calm, 0.05), rtol=0, atol=1e-5)


def test_scales_that_have_not_joined_stay_as_they_are() -> None:
    model = tiny_scales.network()
    planted = planted_notes(model)
    grown = step(model, planted["grid"], planted, scales=1)
    assert torch.equal(grown[:, MIDDLE], planted["grid"][:, MIDDLE])
    assert torch.equal(grown[:, COARSE], step(model, planted["grid"], planted)[:, COARSE])


def test_coarse_is_trained_first_and_the_others_join() -> None:
    trainer = MultiScaleTrainer(tiny_scales.config(), tiny_scales.notes())
    counts = []
    for trainer.iteration in range(8):
        counts.append(trainer.num_scales)
        assert [name for name in trainer.iterate() if name.endswith("_db")] == [
            f"{name}_db" for name in SCALES.field_names[: trainer.num_scales]
        ]
    assert counts == [1, 1, 2, 2, 3, 3, 3, 3]


def test_training_lowers_the_error_of_every_scale(tmp_path: Path) -> None:
    trainer = MultiScaleTrainer(tiny_scales.config(iterations=60, ema=0.8, scales_join=(0.1, 0.2)), tiny_scales.notes())
    notes, index = tiny_scales.notes(), tiny_scales.notes().indices(held_out=True)[:4]
    before = validate(trainer.averaged_model(), notes, index)
    trainer.run(tmp_path, lambda _: None)
    after = validate(trainer.averaged_model(), notes, index)
    assert all(after[name]["reed"] < 0.8 * before[name]["reed"] for name in SCALES.field_names)


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole: list[Progress] = []
    MultiScaleTrainer(tiny_scales.config(), tiny_scales.notes()).run(tmp_path / "whole", whole.append)
    MultiScaleTrainer(tiny_scales.config(), tiny_scales.notes()).run(tmp_path / "parts", lambda _: None)
    halfway = MultiScaleTrainer(tiny_scales.config(), tiny_scales.notes())
    for halfway.iteration in range(4):
        halfway.iterate()
    halfway.iteration = 4
    resumed = MultiScaleTrainer(tiny_scales.config(), tiny_scales.notes())
    resumed.resume(halfway.checkpoint())
    resumed.run(tmp_path / "resumed", lambda _: None)
    wanted = load_checkpoint(tmp_path / "whole" / "checkpoint.pt").weights
    found = load_checkpoint(tmp_path / "resumed" / "checkpoint.pt").weights
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_runs_begin_with_the_timbres_they_share_by_name() -> None:
    trainer = MultiScaleTrainer(tiny_scales.config(), tiny_scales.notes())
    names = ("flute", "reed")
    weights = {"timbres.weight": torch.randn(2, 4), "keys.weight": torch.randn(256, 3)}
    fresh = trainer.start_from(weights, names)
    assert not {"timbres.weight", "keys.weight"} & set(fresh)
    assert torch.equal(trainer.model.timbres.weight, weights["timbres.weight"][1:])
    assert torch.equal(trainer.model.keys.weight, weights["keys.weight"][128:])


@pytest.mark.parametrize("bands", [8, 32])
def test_further_scales_follow_from_the_linear_side(bands: int) -> None:
    spec = SCALES.spec_of(bands)
    recording = tiny.recording(tiny.REED, 62, 90, 0.5)
    found = measure_scales({"scale": spec})(extract(recording, tiny.SPEC, False))["scale"][:, 0].astype(np.float32)
    wanted = level_from_power(power_spectrogram(recording.audio, tiny.SPEC) @ mel_filterbank(spec).T, spec)
    assert np.abs(found - wanted).mean() * spec.level_scale_db < 0.1


@pytest.mark.parametrize("bands", [8, 16, 32])
def test_bands_lie_among_bands_by_frequency(bands: int) -> None:
    low, share = bands_among_bands(tiny.SPEC, bands)
    at = low + share
    assert (np.diff(at) >= 0).all()
    if bands == tiny.SPEC.num_mels:
        np.testing.assert_allclose(at, np.arange(bands), atol=1e-4)
