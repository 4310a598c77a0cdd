"""Training learns, goes on as if never interrupted, and grows from damaged and from overheld notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.keys.motions import MotionTable
from tnca_synth.training.loop.checkpoint import Checkpoint, load_checkpoint
from tnca_synth.training.loop.loop import Progress, TrainingLoop
from tnca_synth.training.loop.pool import OVERTIME_FROM_S, Overtime, SamplePool
from tnca_synth.training.loop.windows import fire_masks
from tnca_synth.training.registry import growth_model
from tnca_synth.training.spectral.trainer import Trainer
from tnca_synth.training.spectral.vocoder_trainer import VocoderTrainer

pytestmark = pytest.mark.slow

HOP_S = tiny.SPEC.hop_s
CELLS = tiny.SPEC.num_mels
LONG_REED, LONG_STRING, LONG_DRUM = ("reed", 60), ("string", 60), ("kit:36", 36)


def make_trainer(kind: str, **changes: Any) -> TrainingLoop:
    if kind == "vocoder":
        return VocoderTrainer(tiny.vocoder_config(**changes), tiny.notes())
    return Trainer(tiny.config(kind, overtime_share=0.5, damage_share=0.3, **changes), tiny.notes())


class Interruption(Exception):
    """Stands for a key press or a power cut."""


def interrupt_at(iteration: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.iteration == iteration:
            raise Interruption

    return report


def equal(a: Any, b: Any) -> bool:
    """Compare nested values, tensors bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


@pytest.mark.parametrize("kind", ["mel", "dual", "vocoder"])
def test_a_resumed_run_equals_an_uninterrupted_one(kind: str, tmp_path: Path) -> None:
    whole: list[Progress] = []
    make_trainer(kind).run(tmp_path / "whole", whole.append)

    with pytest.raises(Interruption):
        make_trainer(kind).run(tmp_path / "parts", interrupt_at(6))
    parts: list[Progress] = []
    torch.manual_seed(99)  # a new process has another state
    resumed = make_trainer(kind)
    saved = load_checkpoint(tmp_path / "parts" / "checkpoint.pt")
    assert saved.iteration == 4
    resumed.resume(saved)
    resumed.run(tmp_path / "parts", parts.append)

    assert [step.iteration for step in parts] == [5, 6, 7, 8]
    assert [step.losses for step in parts] == [step.losses for step in whole[4:]]
    ends: list[Checkpoint] = [load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts")]
    for name in ("config", "weights", "timbre_names", "tuning", "iteration", "resume"):
        assert equal(getattr(ends[0], name), getattr(ends[1], name)), name


@pytest.mark.parametrize("kind", ["mel", "vocoder"])
def test_the_same_seed_trains_the_same_and_another_does_not(kind: str) -> None:
    losses = []
    for seed in (5, 5, 6):
        trainer = make_trainer(kind, seed=seed)
        losses.append([trainer.iterate() for _ in range(2)])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


@pytest.mark.parametrize("kind", ["mel", "dual", "vocoder"])
def test_the_loss_falls(kind: str) -> None:
    trainer = make_trainer(kind, iterations=40, batch_size=12)
    levels_db = []
    for _ in range(40):
        levels_db.append(trainer.iterate()["level_db"])
        trainer.iteration += 1
    assert np.mean(levels_db[-5:]) < 0.7 * np.mean(levels_db[:5])


def test_the_averaged_model_is_what_a_checkpoint_holds(tmp_path: Path) -> None:
    trainer = make_trainer("dual")
    trainer.run(tmp_path, lambda _: None)
    averaged = trainer.averaged_model().state_dict()
    assert equal(averaged, growth_model(load_checkpoint(tmp_path / "checkpoint.pt")).state_dict())
    assert not equal(averaged, trainer.model.state_dict())


def test_a_step_with_a_gradient_that_is_no_number_is_left_out() -> None:
    trainer = make_trainer("mel")
    trainer.iterate()
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    broken = sum(parameter.sum() for parameter in trainer.model.parameters()) * float("nan")
    trainer.descend({"total": broken})
    assert equal(trainer.model.state_dict(), before)


def test_a_run_can_start_from_the_weights_of_another() -> None:
    first, other = make_trainer("mel"), make_trainer("mel")
    first.iterate()
    weights = {name: value.clone() for name, value in first.average.items()}
    weights["swells.weight"] = torch.zeros(3, 3)
    fresh = other.model.state_dict()["swells.weight"].clone()
    assert other.start_from(weights, seconds=12.5) == ("swells.weight",)
    for state in (other.model.state_dict(), other.average):
        assert torch.equal(state["update.weight"], weights["update.weight"])
        assert torch.equal(state["swells.weight"], fresh)
    assert other.seconds == 12.5
    other.iterate()


def pool(size: int = 8) -> SamplePool:
    overtime = Overtime.of(tiny.notes(), ("mel",), tiny.SPEC)
    rng = np.random.default_rng(3)
    return SamplePool(tiny.notes(), overtime, size, CELLS, tiny.SIZES["channels"], tiny.SPEC, rng)


def long_note(instrument: str, pitch: int) -> int:
    """Return the index of a note that is held long."""
    found = [
        i
        for i, note in enumerate(tiny.notes().features)
        if (note.instrument, note.pitch, note.velocity) == (instrument, pitch, 60)
    ]
    assert tiny.notes().features[found[0]].hold_s > OVERTIME_FROM_S
    return found[0]


def held_pool(instrument: str, pitch: int, beyond_s: float) -> SamplePool:
    """Return a pool whose first entry is held `beyond_s` longer than it was recorded."""
    made = pool()
    note = long_note(instrument, pitch)
    made.note[0], made.held[0] = note, True
    made.frame[0] = round(float(made.overtime.start_s[note]) / HOP_S) + round(beyond_s / HOP_S)
    return made


FIRST = np.array([0])


def overtime_level_db(name: str, pitch: int, beyond_s: float) -> float:
    """Return the highest level of a note held beyond its recording, in dB over the floor."""
    target = held_pool(name, pitch, beyond_s).targets(FIRST, "mel", np.arange(4))
    return float(target[0, 0, 0].max()) * tiny.SPEC.level_scale_db


def test_a_note_held_beyond_its_recording_goes_on() -> None:
    made = held_pool(*LONG_REED, beyond_s=30.0)
    assert made.valid(FIRST, 8).all()
    assert made.hold_s(FIRST).isinf().all()
    assert float(made.ages(FIRST, 1)) == pytest.approx(30.0 + tiny.LONG_S, abs=0.1)


def test_a_sustaining_note_keeps_its_level_for_ever() -> None:
    note = long_note(*LONG_REED)
    middle = tiny.notes().frames("mel", note)[100].float()
    target = held_pool(*LONG_REED, beyond_s=30.0).targets(FIRST, "mel", np.arange(4))
    torch.testing.assert_close(target[0, :, 0], middle[0].expand(4, -1), rtol=0, atol=0.02)
    loud = middle[0] > 1.0
    torch.testing.assert_close(target[0, 0, 1][loud], middle[1][loud], rtol=0, atol=0.05)


@pytest.mark.parametrize("which", [LONG_STRING, LONG_DRUM])
def test_a_decaying_note_dies_when_held_on(which: tuple[str, int]) -> None:
    assert overtime_level_db(*which, beyond_s=30.0) == 0.0


def test_a_decaying_note_falls_on_as_it_fell() -> None:
    fall_db = overtime_level_db(*LONG_STRING, beyond_s=0.1) - overtime_level_db(*LONG_STRING, beyond_s=1.1)
    assert fall_db == pytest.approx(20 * np.log10(np.e) / 0.6, rel=0.1)  # it decays by e in 0.6 s


def test_a_note_held_on_keeps_swelling(monkeypatch: pytest.MonkeyPatch) -> None:
    made = held_pool(*LONG_REED, beyond_s=30.0)
    target = made.targets(FIRST, "mel", np.arange(4))[0, :, 0]
    swell = 0.2 * torch.sin(torch.arange(4.0))[:, None].expand(4, CELLS)
    moving = replace(made.notes, motions=Moving(made.notes.motions, swell.numpy()))
    monkeypatch.setattr(made, "notes", moving)
    moved = made.targets(FIRST, "mel", np.arange(4))[0, :, 0]
    sounding = target[0] > 1.0
    assert sounding.any()
    still = made.overtime.base["mel"][long_note(*LONG_REED)][0].float()
    torch.testing.assert_close(moved[:, sounding], (still + swell)[:, sounding], rtol=0, atol=1e-3)


class Moving:
    """Motions that swell as they are told, (W, F)."""

    def __init__(self, motions: MotionTable, swell: FloatArray) -> None:
        self._swell = swell

    def swell(self, motions: FloatArray, age_s: FloatArray) -> FloatArray:
        return np.repeat(self._swell[: len(age_s), None], len(motions), axis=1)


def test_overtime_begins_where_the_recording_ends() -> None:
    made = held_pool(*LONG_STRING, beyond_s=-0.2)
    note = made.note[0]
    recorded = tiny.notes().frames("mel", note)[made.frame[0] : made.frame[0] + 4].float()
    assert torch.equal(made.targets(FIRST, "mel", np.arange(4))[0], recorded)


def test_cells_live_while_their_band_has_yet_to_sound() -> None:
    made = pool()
    made.note[0], made.frame[0] = long_note(*LONG_REED), 0
    frames = int(tiny.notes().num_frames[made.note[0]])
    alive = made.alive(FIRST, made.targets(FIRST, "mel", np.arange(frames)))[0]
    loud = tiny.notes().frames("mel", made.note[0])[:, 0].float()
    band = int(loud[50].argmax())
    last = int((loud[:, band] > 0.02).nonzero().max())
    assert alive[: last + 1, band].all()
    assert not alive[last + 1 :, band].any()


def test_damage_erases_a_quarter_of_notes_in_mid_growth_only() -> None:
    made, chosen = pool(), np.arange(8)
    made.frame[4:] = 10
    made.grid = torch.ones_like(made.grid)
    planted = torch.full_like(made.grid, 2.0)
    grids = made.starts(chosen, planted, damage_share=1.0)
    assert (grids[:4] == 2.0).all()  # freshly planted, and whole
    for grid in grids[4:]:
        erased = (grid == 0.0).all(1).nonzero().flatten()
        assert len(erased) == CELLS // 4
        assert int(erased[-1] - erased[0]) == CELLS // 4 - 1  # one piece
        assert (grid == 0.0).any(1).sum() == CELLS // 4
    assert (made.starts(chosen, planted, damage_share=0.0) != 0.0).all()


def test_notes_that_are_over_make_room_for_new_ones() -> None:
    made = pool(4)
    made.frame[:] = tiny.notes().num_frames[made.note] - 1
    made.advance(np.arange(4), made.grid.clone(), 8, overtime_share=0.0)
    assert not made.frame.any()


def test_a_window_past_the_end_of_a_note_is_not_valid() -> None:
    made = pool(4)
    made.frame[0] = tiny.notes().num_frames[made.note[0]] - 3
    assert made.valid(FIRST, 8)[0].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


def test_rates_of_firing_below_one_are_part_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    def noted(generator: torch.Generator, slow_share: float, shape: tuple[int, int, int, int]) -> torch.Tensor:
        told.append(slow_share)
        return fire_masks(generator, slow_share, shape)

    monkeypatch.setattr("tnca_synth.training.loop.windows.fire_masks", noted)
    make_trainer("mel", slow_fire_share=0.5).iterate()
    assert told == [0.5]
    masks = fire_masks(torch.Generator().manual_seed(5), 0.5, (200, 8, 1, CELLS))
    shares = masks.mean((1, 2, 3))
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert 0.3 < float((shares == 1.0).float().mean()) < 0.7
    assert float(shares.min()) > 0.3
