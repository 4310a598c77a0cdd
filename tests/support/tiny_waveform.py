"""A waveform model small enough to train in a test: the notes of `tiny_codec`, a grid of four steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import tiny
import tiny_codec
import torch
from torch import Tensor

from tnca_synth.engine.spectra.pitch import MAX_PARTIALS
from tnca_synth.training.config.models import ALPHA, LINEAR_LEVEL, MEL_LEVEL
from tnca_synth.training.config.run import TrainConfig
from tnca_synth.training.config.sound_models import WaveformConfig
from tnca_synth.training.loop.checkpoint import Checkpoint
from tnca_synth.training.waveform.nca import WaveformNCA

CONFIG = WaveformConfig(
    **tiny.SIZES, noise_bands=8, tones=4, free=2, wave_hidden=12, wave_steps=4, film_hidden=8, spec=tiny_codec.SPEC
)


def train_config(**changes: object) -> TrainConfig:
    """Return a configuration that trains in moments."""
    return tiny_codec.train_config(**{"kind": "waveform", "waveform": CONFIG, "window_frames": 8, **changes})


@cache
def network(seed: int = 0) -> WaveformNCA:
    """Return a network with random weights whose cells live and sound; not to be changed: tests share it."""
    torch.manual_seed(seed)
    model = WaveformNCA(CONFIG, len(tiny.TIMBRES)).eval()
    with torch.no_grad():
        model.keys.weight.copy_(torch.randn(model.keys.weight.shape).half())
        model.update.weight.normal_(std=0.3)
        model.update.weight[ALPHA] *= 0.05
        model.update.bias[[MEL_LEVEL, LINEAR_LEVEL, ALPHA]] = torch.tensor([1.2, 1.2, 0.8])
        model.read_out.weight.normal_(std=0.3)
        model.read_out.bias[1] = 0.8
        model.wave.update.weight.normal_(std=0.1)
    return model


def frames(voices: int = 2, count: int = 12, seed: int = 0) -> Tensor:
    """Return random frames of living conditions (V, T, K): few partials, little noise."""
    field = torch.rand(voices, count, CONFIG.conditions, generator=torch.Generator().manual_seed(seed))
    field[..., :MAX_PARTIALS] = 1.0 + field[..., :MAX_PARTIALS]
    field[..., -1] = 1.0
    return field


def checkpoint() -> Checkpoint:
    """Return a checkpoint of a network that was never trained."""
    whole = tiny.checkpoint(tiny.config("mel"))
    like = tiny.config("mel")
    config = train_config(data=like.data, model=like.model)
    return replace(whole, config=config.to_dict(), weights=network().state_dict())
