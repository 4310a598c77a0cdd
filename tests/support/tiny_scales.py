"""A multi-scale model small enough to train in a test: `tiny`'s notes on 8, 16 and 32 bands."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import tiny
import torch

from tnca_synth.training.config.models import ALPHA, MEL_LEVEL, ScaleConfig
from tnca_synth.training.config.run import TrainConfig
from tnca_synth.training.data.dataset import NoteSet, assemble
from tnca_synth.training.loop.checkpoint import Checkpoint
from tnca_synth.training.measure.note_features import extract
from tnca_synth.training.multiscale.nca import MultiScaleNCA
from tnca_synth.training.multiscale.trainer import measure_scales

SCALES = ScaleConfig(
    channels=8, hidden=24, timbre_size=4, seed_hidden=16, band_genes=2, pitch_genes=2, partial_genes=2, key_size=3,
    spec=tiny.SPEC,
)  # fmt: skip
FINE = f"mel{2 * tiny.SPEC.num_mels}"


def config(**changes: object) -> TrainConfig:
    """Return a configuration that trains on `notes` in moments."""
    own = {"kind": "multi-scale", "scales": SCALES, "scales_join": (0.25, 0.5)}
    return tiny.config(**{"representation": "mel", "name": "multi-scale", **own, **changes})


@cache
def notes() -> NoteSet:
    """Return 18 notes of one instrument on all scales; not to be changed: tests share it."""
    one = tiny.REED
    recordings = [
        tiny.recording(one, key, velocity, tiny.LONG_S if velocity == 60 else tiny.SHORT_S)
        for key in range(one.low, one.high + 1)
        for velocity in tiny.VELOCITIES
    ]
    specs = {name: SCALES.spec_of(bands) for name, bands in zip(SCALES.field_names, SCALES.bands, strict=True)}
    specs.pop("mel")
    group = [extract(each, tiny.SPEC, one.inharmonic) for each in recordings]
    return assemble([group], tiny.SPEC, with_linear=False, measure=measure_scales(specs))


def network(seed: int = 0) -> MultiScaleNCA:
    """Return a network with random weights whose cells live and stay in range, as trained ones do."""
    torch.manual_seed(seed)
    model = MultiScaleNCA(SCALES, len(tiny.TIMBRES)).eval()
    with torch.no_grad():
        model.keys.weight.copy_(torch.randn(model.keys.weight.shape).half())
        for scale, column in enumerate(model.columns):
            column.update.weight.normal_(std=0.3)
            column.update.weight[ALPHA] *= 0.05
            column.update.bias[[MEL_LEVEL, ALPHA]] = torch.tensor([0.2, 0.0] if scale else [1.2, 0.8])
    return model


def checkpoint() -> Checkpoint:
    """Return a checkpoint of a network that was never trained."""
    like = tiny.checkpoint(tiny.config("mel"))
    return replace(like, config=config().to_dict(), weights=network().state_dict())
