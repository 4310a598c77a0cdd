"""A training starts from a wider model: what hidden units are left out, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tiny
import torch

from tnca_synth.training.loop.pruning import LAYERS, importance, narrowed, widths
from tnca_synth.training.loop.rollout import NoteBatch, grow
from tnca_synth.training.spectral.nca import TNCA
from tnca_synth.training.spectral.trainer import Trainer

EXTRA = 5


def narrow_trainer() -> Trainer:
    return Trainer(tiny.config("dual"), tiny.notes())


def wide_model(trainer: Trainer) -> TNCA:
    """Return a model with more hidden units, of which every other one of the first says nothing to anyone."""
    torch.manual_seed(3)
    model = trainer.config.model
    wider: dict[str, Any] = {name: getattr(model, name) + EXTRA for name in LAYERS}
    wide = TNCA(replace(model, **wider), len(trainer.notes.timbre_names))
    with torch.no_grad():
        for layer in LAYERS.values():
            weight = dict(wide.named_parameters())[layer.read]
            weight.normal_(std=0.05)
            weight[:, 0 : 2 * EXTRA : 2] = 0.0
    return wide


def test_silent_units_are_left_out_and_nothing_changes() -> None:
    trainer = narrow_trainer()
    wide = wide_model(trainer)
    assert trainer.start_from(wide.state_dict(), trainer.notes.timbre_names) == ()
    batch, motions = NoteBatch.of(trainer.notes, np.array([0, 5])), trainer.notes.motions
    one, other = (grow(model.eval(), batch, 12, motions) for model in (wide, trainer.model))
    for name, field in one.items():
        torch.testing.assert_close(field, other[name], atol=1e-5, rtol=0.0)


def test_weights_that_fit_are_taken_as_they_are() -> None:
    trainer = narrow_trainer()
    weights = {name: torch.randn_like(value) for name, value in trainer.model.state_dict().items()}
    trainer.start_from(weights, trainer.notes.timbre_names)
    for name, value in trainer.model.state_dict().items():
        torch.testing.assert_close(value, weights[name])


def test_a_unit_matters_as_much_as_the_loss_would_change_without_it() -> None:
    model = wide_model(narrow_trainer())
    weight = model.update.weight
    slopes = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    matters = importance(model, lambda: (weight * slopes).sum() + 0.0 * model.read_out.weight.sum(), windows=2)
    wanted = 2.0 * (weight.detach() * slopes).sum(0) ** 2
    torch.testing.assert_close(matters["hidden"], wanted)
    assert not matters["readout_hidden"].any()


@pytest.mark.parametrize("kept", [1, 3])
def test_those_that_matter_most_are_kept_in_their_order(kept: int) -> None:
    weights = wide_model(narrow_trainer()).state_dict()
    before = widths(weights)
    scores = torch.arange(before["hidden"], dtype=torch.float32)
    result = narrowed(weights, {"hidden": scores}, {"hidden": kept})
    torch.testing.assert_close(result["update.weight"], weights["update.weight"][:, -kept:])
    torch.testing.assert_close(result["perceive.weight"], weights["perceive.weight"][-kept:])
    assert widths(result) == {**before, "hidden": kept}
    assert result["read_out.weight"].shape == weights["read_out.weight"].shape
