"""What the automaton may and may not do: who sees whom, who lives, and what a note's future can change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

from tnca_synth.engine.spectra.transpose import transposed_field
from tnca_synth.training.config.models import ALPHA
from tnca_synth.training.loop.rollout import NoteBatch, grow, plant, release_age, swells
from tnca_synth.training.spectral import nca
from tnca_synth.training.spectral.nca import ALIVE_ABOVE, TNCA

pytestmark = pytest.mark.slow

CELLS = tiny.SPEC.num_mels
FRAMES = 20
MOTIONS = tiny.notes().motions


@pytest.fixture(params=["mel", "dual"])
def model(request: pytest.FixtureRequest) -> TNCA:
    return tiny.growth_network(request.param)


def batch(hold_s: float = 0.08, count: int = 3) -> NoteBatch:
    """Notes that differ in everything but their hold."""
    spread = torch.linspace(0.0, 1.0, count)
    pitched = torch.ones(count)
    pitched[-1] = 0.0
    return NoteBatch(
        pitch=50.3 + 30.0 * spread,
        velocity=1.0 - 0.7 * spread,
        pitched=pitched,
        stretch=3e-4 * spread,
        hold_s=torch.full((count,), hold_s),
        timbre=torch.arange(count) % len(tiny.TIMBRES),
        key_low=60 + torch.arange(count),
        key_high=62 + torch.arange(count),
        key_mix=0.3 + 0.4 * spread,
        motion=torch.stack([torch.arange(count) % 5 - 1.0, 1.0 + 0.06 * spread], 1).double(),
    )


def fire_masks(count: int, rate: float = 0.6) -> Tensor:
    dice = torch.rand(FRAMES, count, 1, CELLS, generator=torch.Generator().manual_seed(1))
    return (dice < rate).float()


@torch.no_grad()
def step(model: TNCA, grid: Tensor, planted: dict[str, Tensor], mask: Tensor | None = None, age_s: float = 0.05):
    count = len(grid)
    ones = torch.ones(count, model.config.steps_per_hop, grid.shape[1])
    still = torch.zeros(count, grid.shape[1])
    mask = ones if mask is None else mask
    return model.step(grid, planted, torch.full((count,), age_s), -torch.ones(count), mask, still)


@torch.no_grad()
def planted_notes(model: TNCA, count: int = 3) -> dict[str, Tensor]:
    return plant(model, batch(count=count))


def living_grid(count: int = 3) -> Tensor:
    grid = torch.randn(count, CELLS, tiny.SIZES["channels"], generator=torch.Generator().manual_seed(2))
    grid[..., ALPHA] = 0.9
    return grid


def test_growing_hop_by_hop_equals_growing_the_whole_note(model: TNCA) -> None:
    notes, masks = on_own_keys(batch()), fire_masks(3)
    whole = grow(model, notes, FRAMES, MOTIONS, masks)
    with torch.no_grad():
        planted = plant(model, notes)
        grid = planted["grid"]
        for t in range(FRAMES):
            age_s = torch.full((3,), t * tiny.SPEC.hop_s)
            swell = swells(MOTIONS, notes, age_s[:, None])[:, 0]
            grid = model.step(grid.clone(), planted, age_s, release_age(age_s, notes.hold_s), masks[t], swell)
            torch.testing.assert_close(model.mel(grid), whole["mel"][:, t], rtol=0, atol=1e-6)
            if "linear" in whole:
                torch.testing.assert_close(model.linear(grid, planted), whole["linear"][:, t], rtol=0, atol=3e-6)
    assert float(whole["mel"].diff(dim=1).abs().max()) > 0.01  # something grew


def test_a_key_that_was_never_recorded_is_its_lender_transposed(model: TNCA) -> None:
    lent = batch()
    pace = lent.motion[:, 1]
    root_key = replace(on_own_keys(lent), pitch=(lent.pitch - 12.0 * torch.log2(pace)).float())
    paced = grow(model, lent, FRAMES, MOTIONS)["mel"]
    own = grow(model, root_key, FRAMES, MOTIONS)["mel"]
    assert float(pace[2]) > 1.05
    moved = transposed_field("mel", own[2, :1].numpy(), tiny.SPEC, float(pace[2]))
    np.testing.assert_allclose(paced[2, :1].numpy(), moved, atol=1e-5)  # later they move at another pace
    np.testing.assert_allclose(paced[0].numpy(), own[0].numpy(), atol=1e-5)


def on_own_keys(notes: NoteBatch) -> NoteBatch:
    """Return notes that borrow from no other key."""
    return replace(notes, motion=torch.stack([notes.motion[:, 0], torch.ones(len(notes.motion))], 1))


def test_nothing_later_changes_what_has_grown(model: TNCA) -> None:
    release_frame = 10
    hold_s = (release_frame - 0.5) * tiny.SPEC.hop_s
    masks, others = fire_masks(3), fire_masks(3)
    others[release_frame:] = 1.0 - others[release_frame:]
    released = grow(model, batch(hold_s), FRAMES, MOTIONS, masks)
    held = grow(model, batch(9.0), FRAMES, MOTIONS, others)
    for name, grown in released.items():
        assert torch.equal(grown[:, :release_frame], held[name][:, :release_frame])
        assert not torch.allclose(grown[:, release_frame:], held[name][:, release_frame:])
    shorter = grow(model, batch(hold_s), release_frame, MOTIONS, masks)
    assert torch.equal(shorter["mel"], released["mel"][:, :release_frame])


def test_a_note_grows_alone_as_it_does_among_others(model: TNCA) -> None:
    together = grow(model, batch(), FRAMES, MOTIONS, fire_masks(3))
    for b in range(3):
        one = NoteBatch(*(column[b : b + 1] for column in vars(batch()).values()))
        alone = grow(model, one, FRAMES, MOTIONS, fire_masks(3)[:, b : b + 1])
        for name, grown in alone.items():
            torch.testing.assert_close(grown[0], together[name][b], rtol=0, atol=1e-5)


def changed_by_the_top_band(model: TNCA, steps: int) -> list[int]:
    """Return the cells that differ after `steps` because the top cell did."""
    planted, grids = planted_notes(model), [living_grid(), living_grid()]
    grids[1][:, -1] += 1.0
    for _ in range(steps):
        grids = [step(model, grid, planted) for grid in grids]
    return (grids[0] != grids[1]).any(2).any(0).nonzero().flatten().tolist()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_top_band_reaches_only_its_neighbourhood(model: TNCA, steps: int) -> None:
    changed = changed_by_the_top_band(model, steps)
    assert min(changed) == CELLS - 1 - steps  # as far as it may, one cell a step
    assert 0 not in changed


def test_circular_padding_would_be_noticed(model: TNCA, monkeypatch: pytest.MonkeyPatch) -> None:
    def circular(grid: Tensor, sizes: tuple[int, ...]) -> Tensor:
        assert sizes in ((1, 1), (0, 0, 1, 1))
        return torch.cat([grid[:, -1:], grid, grid[:, :1]], 1)

    monkeypatch.setattr(nca.F, "pad", circular)
    assert 0 in changed_by_the_top_band(model, 1)


def test_life_does_not_reach_around_the_edge(model: TNCA) -> None:
    grid = living_grid()
    grid[:, :-1] = 0.0  # only the top cell lives
    grown = step(model, grid, planted_notes(model))
    assert grown[:, -2:].any(2).all()
    assert not grown[:, :-2].any()


def test_dead_cells_stay_zero(model: TNCA) -> None:
    planted, grid = planted_notes(model), living_grid()
    grid[:, 4:] = 0.0
    for steps in range(1, 4):
        grid = step(model, grid, planted)
        assert not grid[:, 4 + steps :].any()
    assert not step(model, torch.zeros_like(grid), planted).any()


def test_cells_die_with_their_neighbourhood(model: TNCA) -> None:
    grid = living_grid()
    grid[:, 5:10, ALPHA] = ALIVE_ABOVE - 0.01  # loud, but with too little life
    grown = step(model, grid, planted_notes(model), torch.zeros(3, 1, CELLS))
    assert not grown[:, 6:9].any()
    assert grown[:, [4, 5, 9, 10]].any(2).all()  # a living neighbour keeps a cell


def test_what_does_not_fire_does_not_change(model: TNCA) -> None:
    planted, grid = planted_notes(model), living_grid()
    assert torch.equal(step(model, grid, planted, torch.zeros(3, 1, CELLS)), grid)
    mask = torch.zeros(3, 1, CELLS)
    mask[:, :, ::3] = 1.0
    changed = (step(model, grid, planted, mask) != grid).any(2)
    assert torch.equal(changed, mask[:, 0] > 0)


def test_damage_heals_from_its_edges_one_cell_a_step(model: TNCA) -> None:
    planted, grid = planted_notes(model), living_grid()
    grid[:, 4:12] = 0.0
    for steps in range(1, 5):
        grid = step(model, grid, planted)
        alive = grid.any(2)
        assert alive[:, : 4 + steps].all()
        assert not alive[:, 4 + steps : 12 - steps].any()
        assert alive[:, 12 - steps :].all()


@pytest.mark.parametrize("pitch", [40.0, 59.5, 60.0, 60.25, 87.0])
def test_pitch_is_continuous(model: TNCA, pitch: float) -> None:
    """A bend of 0.01 cent across a key's border changes hardly anything, one of 30 cents much."""
    model = model.double()
    seeds = {}
    for offset in (-0.5e-4, 0.5e-4, 0.3):
        one = torch.ones(1, dtype=torch.float64)
        with torch.no_grad():
            first = torch.tensor([1])
            timbre = model.timbre(first, 60 * first, 62 * first, 0.5 * one)
            seeds[offset] = model.seed((pitch + offset) * one, 0.5 * one, timbre, one, 1e-4 * one)
    for name, below in seeds[-0.5e-4].items():
        near = float((seeds[0.5e-4][name] - below).abs().max())
        far = float((seeds[0.3][name] - below).abs().max())
        assert 0.0 < near < 0.02 * far


def test_velocity_timbre_and_pitch_each_matter(model: TNCA) -> None:
    first = NoteBatch(*(column[:1] for column in vars(batch()).values()))
    usual = grow(model, first, FRAMES, MOTIONS)
    for name, value in (("velocity", 0.3), ("timbre", 2), ("pitch", 61.0), ("pitched", 0.0), ("key_low", 65)):
        changed = NoteBatch(**{**vars(first), name: torch.full_like(getattr(first, name), value)})
        assert not torch.allclose(grow(model, changed, FRAMES, MOTIONS)["mel"], usual["mel"], atol=1e-3)
