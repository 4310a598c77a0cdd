"""Planting as it is exported against planting as it is trained."""

from __future__ import annotations

import pytest
import torch

from tnca_synth.export.graphs.seed import SeedGraph, read_at
from tnca_synth.training.config.models import NCAConfig
from tnca_synth.training.spectral.nca import TNCA
from tnca_synth.training.spectral.partials import interpolate

pytestmark = pytest.mark.slow

VOICES = 64
TOLERANCE = 2e-5
"""Lobes are a polynomial that is off by 2e-6; the steepest genes make a few times as much of it."""


def notes(config: NCAConfig) -> tuple[torch.Tensor, ...]:
    """Return notes of every kind: keys and pitches between them up to the ends, stiff strings, half a pitch."""
    dice = torch.Generator().manual_seed(1)
    pitch = 135.0 * torch.rand(VOICES, generator=dice)
    pitch[::2] = pitch[::2].round()
    pitch[:2] = torch.tensor([0.0, 135.0])
    velocity = torch.rand(VOICES, generator=dice)
    timbre = torch.randn(VOICES, config.timbre_size + config.key_size, generator=dice)
    pitched = torch.tensor([1.0, 1.0, 0.0, 0.3]).repeat(VOICES // 4)
    stretch = torch.tensor([0.0, 1e-4, 1e-3]).repeat(VOICES)[:VOICES]
    return pitch, velocity, timbre, pitched, stretch


@pytest.mark.parametrize("representation", ["dual", "mel"])
def test_the_regrouped_seed_plants_what_the_trained_one_does(representation: str) -> None:
    torch.manual_seed(0)
    model = TNCA(NCAConfig(representation=representation, hidden=32), num_timbres=2).eval()
    with torch.no_grad():
        note = notes(model.config)
        wanted = model.seed(*note)
        found = dict(zip(model.config.genome_names, SeedGraph(model)(*note), strict=True))
        wanted["cell"] = (wanted["cell"] + model.clocks.bias).transpose(1, 2)
        wanted["rates"] = -wanted["rates"].transpose(1, 2)
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        torch.testing.assert_close(found[name], values, atol=TOLERANCE, rtol=TOLERANCE)
        assert float(values.std()) > 1e-2, "there must be something to compare"


def test_reading_whole_rows_is_interpolating() -> None:
    dice = torch.Generator().manual_seed(2)
    values = torch.randn(3, 11, 4, generator=dice)
    position = 14.0 * torch.rand(3, 50, generator=dice) - 2.0
    torch.testing.assert_close(read_at(values, position), interpolate(values, position), atol=1e-6, rtol=1e-6)
