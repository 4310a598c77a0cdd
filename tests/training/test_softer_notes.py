"""One recording tells a layer of velocities: softer notes of it are the same, only softer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from tnca_synth.training.data.rendered_notes import kept_bins
from tnca_synth.training.loop.losses import audibility
from tnca_synth.training.loop.pool import Overtime, SamplePool
from tnca_synth.training.loop.rollout import NoteBatch, grow
from tnca_synth.training.spectral.trainer import Trainer, shares
from tnca_synth.training.validation.fields import field_errors_db


def pool_of(softest: float) -> SamplePool:
    notes = replace(tiny.notes(), softest=torch.minimum(torch.tensor(softest), tiny.notes().velocity))
    overtime = Overtime.of(notes, ("mel", "linear"), tiny.SPEC)
    return SamplePool(notes, overtime, 12, 16, 8, tiny.SPEC, np.random.default_rng(3))


def test_targets_are_lower_by_the_level_of_the_velocity() -> None:
    chosen, frames = np.arange(12), np.arange(4)
    pool = pool_of(0.1)
    recorded = pool.notes.velocity.numpy()[pool.note]
    assert (pool.velocity <= recorded).all() and np.ptp(pool.velocity / recorded) > 0.3
    found = pool.targets(chosen, "mel", frames)
    pool.velocity = recorded.copy()
    wanted = pool.targets(chosen, "mel", frames)
    pool = pool_of(0.1)
    lower = -20.0 * np.log10(pool.velocity / recorded) / tiny.SPEC.level_scale_db
    assert torch.allclose(found[:, :, 0], (wanted[:, :, 0] - torch.tensor(lower)[:, None, None]).clamp_min(0.0).float())
    assert torch.equal(found[:, :, 1], wanted[:, :, 1])
    assert float((wanted[:, :, 0] - found[:, :, 0]).max()) > 0.1


def test_a_note_of_one_velocity_keeps_it() -> None:
    pool = pool_of(1.0)
    assert np.array_equal(pool.velocity, pool.notes.velocity.numpy()[pool.note])


def test_timbres_with_many_notes_are_not_drawn_more_often() -> None:
    notes = tiny.notes()
    timbre = notes.timbre.numpy()[notes.indices(held_out=False)]
    for balance, wanted in ((0.0, np.bincount(timbre) / len(timbre)), (1.0, np.full(4, 0.25))):
        assert np.bincount(timbre, shares(notes, balance)) == pytest.approx(wanted)


def test_notes_that_are_far_off_are_sought() -> None:
    run = Trainer(tiny.config(seek=2.0, pool_size=12), tiny.notes())
    run.iterate()
    told = run.pool.error.copy()
    assert (told != 1.0).any()
    worst = int(run.notes.indices(held_out=False)[5])
    run.pool.error[:] = 0.1
    run.pool.error[worst] = 5.0
    for entry in range(12):
        run.pool._reseed(entry)
    assert (run.pool.note == worst).mean() > 0.8
    other = Trainer(tiny.config(seek=2.0, pool_size=12), tiny.notes())
    other.resume(run.checkpoint())
    assert np.array_equal(other.pool.error, run.pool.error)


def test_masked_levels_do_not_count() -> None:
    level = torch.tensor([[2.0, 1.9, 0.5, 0.0], [0.6, 0.5, 0.4, 0.0]])  # 20, 24 and 76 dB over the floor
    heard = audibility(level, 40.0)
    assert heard[0, 1] > 0.99 and heard[0, 2] < 0.4 and heard[0, 3] < 0.1
    assert heard[1, 1] > heard[0, 2] and heard[1, 3] < 0.1


def test_thinned_bins_are_trained_and_judged_where_they_lie() -> None:
    whole = tiny.notes()
    data = replace(tiny.config().data, thinned_above_hz=2000.0, thinned=4)
    bins = kept_bins(data, tiny.SPEC)
    assert bins is not None and bins[:65].tolist() == list(range(65)) and bins[65:].tolist() == list(range(68, 129, 4))
    thin = replace(whole, linear=whole.linear[..., torch.from_numpy(bins)], bins=bins)
    run = Trainer(tiny.config(read_bins=20), thin)
    losses = run.iterate()
    assert losses["linear_db"] > 0.0 and len(run.model.seed.read_bins) == 20
    index = np.array([0, 20])
    model = tiny.growth_network()
    errors = field_errors_db(model, thin, index)["linear"]
    for row, note in enumerate(index):
        count = int(whole.num_frames[note])
        grown = grow(model, NoteBatch.of(whole, index[row : row + 1]), count, whole.motions)["linear"][0, :, 0]
        apart = (grown.clamp_min(0.0) - whole.frames("linear", note)[:, 0].float()).abs()[:, bins]
        assert errors[row] == pytest.approx(float(apart.mean()) * tiny.SPEC.level_scale_db, rel=1e-4)
