"""Dice that depend only on what they are for."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.hashing import FireDice, note_seed


def test_seeds_of_notes_differ() -> None:
    seeds = {note_seed(seed, note) for seed in range(-5, 50) for note in range(200)}
    assert len(seeds) == 55 * 200
    assert all(0 <= seed < 1 << 64 for seed in seeds)


@pytest.mark.parametrize("fire_rate", [0.1, 0.5, 0.9])
def test_cells_fire_at_their_rate_and_independently(fire_rate: float) -> None:
    dice = FireDice(fire_rate, 2, 80)
    seeds = np.array([note_seed(0, note) for note in range(50)], np.uint64)
    masks = np.stack([dice.roll(seeds, np.full(50, frame)) for frame in range(40)])
    assert masks.shape == (40, 50, 2, 80)
    assert masks.dtype == np.float32
    assert set(np.unique(masks)) == {0.0, 1.0}
    assert masks.mean() == pytest.approx(fire_rate, abs=0.005)
    for axis in range(4):
        first, second = np.moveaxis(masks, axis, 0)[:-1].ravel(), np.moveaxis(masks, axis, 0)[1:].ravel()
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.01


def test_a_mask_does_not_depend_on_who_else_rolls() -> None:
    dice = FireDice(0.5, 1, 80)
    seeds = np.array([note_seed(7, note) for note in range(5)], np.uint64)
    frames = np.array([3, 0, 9, 3, 2])
    together = dice.roll(seeds, frames)
    np.testing.assert_array_equal(together[3], dice.roll(seeds[3:4], frames[3:4])[0])


def test_a_fire_rate_of_one_fires_always() -> None:
    assert (FireDice(1.0, 2, 8).roll(np.zeros(3, np.uint64), np.zeros(3, np.int64)) == 1).all()
