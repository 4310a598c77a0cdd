"""Coarse bands, refined to partials and noise, decoded: what each stage adds, hears and leaves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import tiny_stages
import torch
from torch import Tensor

from tnca_synth.engine.spectra.pitch import MAX_PARTIALS
from tnca_synth.training.config.models import ALPHA
from tnca_synth.training.hierarchical.nca import SOUND, HierarchicalNCA
from tnca_synth.training.hierarchical.sound import grown_distances, grown_sound
from tnca_synth.training.hierarchical.targets import FINE
from tnca_synth.training.hierarchical.trainer import ALL, HierarchicalTrainer, stage_of
from tnca_synth.training.loop.checkpoint import load_checkpoint
from tnca_synth.training.loop.loop import Progress
from tnca_synth.training.loop.rollout import NoteBatch, grow, plant
from tnca_synth.training.validation.fields import save_picture

pytestmark = pytest.mark.slow

STAGES = tiny_stages.STAGES
BANDS = STAGES.bands[0]
COARSE, PARTIALS, NOISE = slice(0, BANDS), slice(BANDS, BANDS + MAX_PARTIALS), slice(BANDS + MAX_PARTIALS, None)


def batch(count: int = 2) -> NoteBatch:
    return NoteBatch.of(tiny_stages.notes(), np.arange(count))


@torch.no_grad()
def planted_notes(model: HierarchicalNCA) -> dict[str, Tensor]:
    return plant(model, batch())


@torch.no_grad()
def step(model: HierarchicalNCA, grid: Tensor, planted: dict[str, Tensor], swell: float = 0.0) -> Tensor:
    count = len(grid)
    mask = torch.ones(count, 1, STAGES.cells)
    still = torch.full((count, STAGES.spec.num_mels), swell)
    return model.step(grid, planted, torch.full((count,), 0.05), -torch.ones(count), mask, still)


def trainer(**changes: object) -> HierarchicalTrainer:
    return HierarchicalTrainer(tiny_stages.config(**changes), tiny_stages.notes())


def test_bands_partials_and_noise_are_grown_under_their_names() -> None:
    grown = grow(tiny_stages.network(), batch(), 5, tiny_stages.notes().motions)
    assert {name: tuple(values.shape) for name, values in grown.items()} == {
        "mel8": (2, 5, 2, 8),
        "partials": (2, 5, 2, MAX_PARTIALS),
        "noise": (2, 5, 2, 20),
    }


def test_a_window_grown_at_once_is_what_single_steps_grow() -> None:
    notes, hops = tiny_stages.notes(), 6
    run = trainer(window_frames=hops, batch_size=4, slow_fire_share=0.0, borrowed_key_share=0.0)
    own = {name: value for name, value in run.model.state_dict().items() if name in ("timbres.weight", "keys.weight")}
    run.model.load_state_dict(tiny_stages.checkpoint().weights | own)
    recorded = run.pool.note[[notes.own_motion[note, 1] == 1.0 for note in run.pool.note]][:4]
    run.pool.note[:4] = recorded
    with torch.no_grad():
        window = run._grow_window(np.arange(4))
    single = grow(run.model, NoteBatch.of(notes, recorded), hops, notes.motions)
    whole = torch.cat([single["partials"], single["noise"]], 3)[:, :, 0]
    torch.testing.assert_close(window.fine[..., SOUND].transpose(1, 2), whole)


def test_an_untrained_refinement_sounds_as_the_coarse_bands_do() -> None:
    model = tiny_stages.network()
    with torch.no_grad():
        for head in (model.refinement.detail, model.decoder.change):
            head.weight.zero_()
    planted = planted_notes(model)
    grid = planted["grid"]
    for _ in range(6):
        grid = step(model, grid, planted)
    louder = grid.clone()
    louder[:, COARSE, 0] += 0.25  # 10 dB
    one, other = (step(model, state, planted) for state in (grid, louder))
    moved = (other - one)[:, COARSE, 0]
    for cells in (PARTIALS, NOISE):
        assert float((other - one)[:, cells, SOUND].mean()) == pytest.approx(float(moved.mean()), rel=0.7)


def test_detail_never_reaches_the_coarse_column() -> None:
    model = tiny_stages.network()
    planted = planted_notes(model)
    whole = step(model, planted["grid"], planted)
    grid = planted["grid"].clone()
    grid[:, BANDS:, 0] += 0.5
    other = step(model, grid, planted)
    assert torch.equal(other[:, COARSE], whole[:, COARSE])
    assert not torch.equal(other[:, PARTIALS], whole[:, PARTIALS])


def test_what_is_erased_of_the_detail_comes_back() -> None:
    model = tiny_stages.network()
    planted = planted_notes(model)
    grid = planted["grid"]
    for _ in range(20):
        grid = step(model, grid, planted)
    hurt = grid.clone()
    hurt[:, PARTIALS] = 0.0
    for _ in range(8):
        grid, hurt = step(model, grid, planted), step(model, hurt, planted)
    torch.testing.assert_close(hurt[:, PARTIALS, SOUND], grid[:, PARTIALS, SOUND], atol=0.025, rtol=0)  # 1 dB


def test_where_no_coarse_cell_lives_nothing_sounds() -> None:
    model = tiny_stages.network()
    planted = planted_notes(model)
    grid = planted["grid"].clone()
    grid[..., ALPHA] = 0.0
    assert not step(model, grid, planted).any()


def test_targets_are_the_partials_of_the_recording() -> None:
    notes = tiny_stages.notes()
    note = next(i for i, one in enumerate(notes.features) if one.hold_s > 1.0 and one.velocity == 60)
    level = notes.frames(FINE, note)[20, 0, :8].float().numpy()
    amplitude = 0.3 * (60 / 127) ** 2 / np.arange(1, 7)  # of `tiny.recording`
    wanted = (20 * np.log10(amplitude) - STAGES.spec.floor_db) / STAGES.spec.level_scale_db
    np.testing.assert_allclose(level[:6], wanted, atol=0.05)  # 2 dB
    assert level[6:].max() < wanted.min() - 0.5


def test_stages_are_trained_one_after_the_other_and_then_together() -> None:
    run = trainer()
    stages, moved = [], []
    for run.iteration in range(8):
        before = {name: value.clone() for name, value in run.model.named_parameters()}
        run.iterate()
        stages.append(run.stage)
        changed = {
            stage_of(name) for name, value in run.model.named_parameters() if not torch.equal(value, before[name])
        }
        moved.append(changed)
    assert stages == [0, 0, 1, 1, 2, 2, 3, 3]
    for stage, changed in zip(stages, moved, strict=True):
        assert changed <= ({0, 1, 2} if stage == ALL else {stage})
        assert changed


def test_training_brings_the_sound_nearer(tmp_path: Path) -> None:
    run = trainer(iterations=120, ema=0.8, stages_join=(0.3, 0.5, 0.6), window_frames=6, checkpoint_every=200)
    notes, index = tiny_stages.notes(), tiny_stages.notes().indices(held_out=True)[:3]
    before = grown_distances(run, notes, index)["distance"]["reed"]
    run.run(tmp_path, lambda _: None)
    assert grown_distances(run, notes, index)["distance"]["reed"] < 0.8 * before


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole: list[Progress] = []
    trainer().run(tmp_path / "whole", whole.append)
    halfway = trainer()
    for halfway.iteration in range(4):
        halfway.iterate()
    halfway.iteration = 4
    resumed = trainer()
    resumed.resume(halfway.checkpoint())
    resumed.run(tmp_path / "resumed", lambda _: None)
    found, wanted = (load_checkpoint(tmp_path / name / "checkpoint.pt").weights for name in ("resumed", "whole"))
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_pictures_show_the_coarse_bands(tmp_path: Path) -> None:
    save_picture(tmp_path / "grown.png", tiny_stages.notes(), np.array([0, 1]), tiny_stages.network())
    assert (tmp_path / "grown.png").stat().st_size > 1000


def test_a_note_sounds_as_long_as_its_recording() -> None:
    notes = tiny_stages.notes()
    sound = grown_sound(trainer().averaged_model(), notes, 0)
    assert len(sound) == len(notes.audio[0])
    assert np.isfinite(sound).all()
    assert tiny.SPEC.sample_rate == STAGES.spec.sample_rate
