"""Windows of growth from the sample pool, drawn and driven alike in every training that grows one grid.

Letters: B notes, W frames of a window, F cells, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .loop import PooledLoop
from .rollout import GrowingModel, NoteBatch, plant, release_age, swells
from .trainer import fire_masks


def grow_window(
    run: PooledLoop[Any], model: GrowingModel, chosen: NDArray[np.int64], step: Callable[..., Tensor]
) -> tuple[NoteBatch, dict[str, Tensor], Tensor]:
    """Grow notes chosen from a run's pool by a window.

    Parameters
    ----------
    chosen : (B,), places in the pool
    step : as `model.step`

    Returns
    -------
    Their seeds, what they are grown from, and all grids (B, W, F, C).
    """
    config, window, pool = run.config, run.config.window_frames, run.pool
    borrow = run.rng.random(len(chosen)) < config.borrowed_key_share
    batch = NoteBatch.of(run.notes, pool.note[chosen], borrow).to(run.place)
    planted = plant(model, batch)
    grid = pool.starts(chosen, planted["grid"].cpu(), config.damage_share).to(run.place)
    age_s = pool.ages(chosen, window).to(run.place)
    released_s = release_age(age_s, pool.hold_s(chosen).to(run.place)[:, None])
    shape = (len(chosen), window, model.config.steps_per_hop, model.config.cells)
    masks = fire_masks(run.generator, config.slow_fire_share, shape).to(run.place)
    swell = swells(run.notes.motions, batch, age_s)
    grids = []
    for w in range(window):
        grid = step(grid, planted, age_s[:, w], released_s[:, w], masks[:, w], swell[:, w])
        grids.append(grid)
    return batch, planted, torch.stack(grids, 1)
