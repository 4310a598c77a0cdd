"""The latent TNCA in ONNX Runtime grows what torch grows, through the engine's own `OnnxGrowthModel`."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import tiny
import tiny_codec
import torch

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.codec import CodecDecoder
from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.engine.models.interfaces import HopInputs
from tnca_synth.export.codec.latent import latent_files
from tnca_synth.export.codec.streaming import export_decoder
from tnca_synth.export.model_files import played_model
from tnca_synth.training.loop.checkpoint import Checkpoint
from tnca_synth.training.loop.rollout import release_age

pytestmark = pytest.mark.slow

HOPS = 60


@cache
def checkpoint() -> Checkpoint:
    whole = tiny.checkpoint(tiny.config("mel"))
    config = tiny_codec.train_config("latent")
    return replace(whole, config=config.to_dict(), weights=tiny_codec.latent_network().state_dict())


@cache
def growth() -> OnnxGrowthModel:
    representation, files = latent_files(checkpoint(), {})
    assert representation == "latent"
    return OnnxGrowthModel(files["seed"], files["step"])


def notes() -> dict[str, FloatArray]:
    names = ("reed", "string", "kit:35")
    timbre = np.stack([growth().timbres.vector(name, 62.0) for name in names])
    columns = {"pitch": (60.3, 71.9, 35.0), "velocity": (0.9, 0.4, 0.7), "pitched": (1, 1, 0), "stretch": (0, 2e-4, 0)}
    return {name: np.array(values, np.float32) for name, values in columns.items()} | {"timbre": timbre}


def grown_by_the_engine() -> FloatArray:
    """Return the latent field of three notes, (V, T, 1, F)."""
    genome = growth().plant(**notes())
    generator = torch.Generator().manual_seed(0)
    fields = []
    for t in range(HOPS):
        grown = growth().step(genome, HopInputs(*(one.numpy() for one in drive(t, generator))))
        genome["grid"] = grown.grid
        assert grown.alive.all()
        fields.append(grown.fields["latent"])
    return np.stack(fields, 1)


def drive(t: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    age_s = torch.full((3,), t * tiny_codec.SPEC.hop_s)
    fired = (torch.rand(3, 1, tiny_codec.LATENT.dimension, generator=generator) < 0.8).float()
    swell = 0.1 * torch.randn(3, tiny_codec.SPEC.num_mels, generator=generator)
    return age_s, release_age(age_s, torch.tensor([0.3, 0.5, 9.0])), fired, swell


def test_growing_is_the_same_in_torch_and_in_the_engine() -> None:
    model = played_model(checkpoint())
    given = {name: torch.from_numpy(values) for name, values in notes().items()}
    generator = torch.Generator().manual_seed(0)
    wanted = []
    with torch.no_grad():
        planted = model.seed(given["pitch"], given["velocity"], given["timbre"], given["pitched"], given["stretch"])
        grid = planted["grid"]
        for t in range(HOPS):
            grid = model.step(grid, planted, *drive(t, generator))
            wanted.append(model.fields(grid, planted)["latent"].numpy())
    found = grown_by_the_engine()
    assert np.abs(np.diff(found, axis=1)).max() > 0.01
    np.testing.assert_allclose(found, np.stack(wanted, 1), rtol=0, atol=1e-4)


def test_what_is_grown_fits_the_decoder_of_its_codec() -> None:
    assert growth().fields == ("latent",)
    assert growth().spec == tiny_codec.SPEC
    decoder = CodecDecoder(export_decoder(tiny_codec.codec(), {}), 4)
    assert decoder.dimension == grown_by_the_engine().shape[3]
    assert decoder.consumes == growth().fields
