"""Windows of growth from the sample pool, drawn and driven alike in every training that grows one grid.

Letters: B notes, W frames of a window, F cells, C channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .loop import PooledLoop
from .rollout import GrowingModel, NoteBatch, plant, release_age, swells

SLOWEST_FIRE_RATE = 0.5


def fire_masks(generator: torch.Generator, slow_share: float, shape: tuple[int, int, int, int]) -> Tensor:
    """Return fire masks (B, W, K, F): most notes fire every cell, as when played, a share of them at random.

    So a lower fire rate works as well.
    """
    slow = torch.rand(shape[0], generator=generator) < slow_share
    span = 1.0 - SLOWEST_FIRE_RATE
    rate = torch.where(slow, SLOWEST_FIRE_RATE + span * torch.rand(shape[0], generator=generator), 1.0)
    return (torch.rand(shape, generator=generator) < rate[:, None, None, None]).float()


def grow_window(
    run: PooledLoop[Any],
    model: GrowingModel,
    chosen: NDArray[np.int64],
    step: Callable[..., Tensor],
    jitter: Tensor | None = None,
) -> tuple[NoteBatch, dict[str, Tensor], Tensor]:
    """Grow notes chosen from a run's pool by a window.

    Parameters
    ----------
    chosen : (B,), places in the pool
    step : as `model.step`
    jitter : (B, 2), optional; see `NoteSeed.forward`

    Returns
    -------
    Their seeds, what they are grown from, and all grids (B, W, F, C).
    """
    config, window, pool = run.config, run.config.window_frames, run.pool
    borrow = run.rng.random(len(chosen)) < config.borrowed_key_share
    batch = NoteBatch.of(run.notes, pool.note[chosen], borrow)
    batch = replace(batch, velocity=torch.from_numpy(pool.velocity[chosen])).to(run.place)
    planted = plant(model, batch, jitter)
    grid = pool.starts(chosen, planted["grid"].cpu(), config.damage_share).to(run.place)
    age_s = pool.ages(chosen, window).to(run.place)
    released_s = release_age(age_s, pool.hold_s(chosen).to(run.place)[:, None])
    shape = (len(chosen), window, model.config.steps_per_hop, model.config.cells)
    masks = fire_masks(run.generator, config.slow_fire_share, shape).to(run.place)
    swell = swells(run.notes.motions, batch, age_s)

    def grown(grid: Tensor, planted: dict[str, Tensor], *course: Tensor) -> Tensor:
        grids = []
        for now in zip(*(one.unbind(1) for one in course), strict=True):
            grid = step(grid, planted, *now)
            grids.append(grid)
        return torch.stack(grids, 1)

    return batch, planted, run.team.divided(grown, grid, planted, age_s, released_s, masks, swell)
