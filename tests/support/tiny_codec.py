"""A codec, its latent TNCA and the notes of `tiny` as sound, small enough to make on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import tiny
import torch
from torch import Tensor

from tnca_synth.engine.decoders.parts.excitation import NOISE_LENGTH, partial_turns
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.training.codec.codec import Codec
from tnca_synth.training.codec.notes import SoundNotes, with_audio
from tnca_synth.training.codec.source import ExcitationInput
from tnca_synth.training.config.models import ALPHA
from tnca_synth.training.config.run import TrainConfig
from tnca_synth.training.config.sound_models import CodecConfig, LatentConfig
from tnca_synth.training.data.dataset import assemble
from tnca_synth.training.latent.nca import LatentNCA
from tnca_synth.training.measure.note_features import extract

SPEC = AudioSpec(sample_rate=8000, n_fft=512, hop_length=128, num_mels=16)
CONFIG = CodecConfig(
    dimension=6, num_filters=2, ratios=(4, 8, 4), front_channels=16, noise_bands=8, ahead=64, spec=SPEC
)
LATENT = LatentConfig(
    dimension=6, channels=8, hidden=16, timbre_size=3, key_size=2, seed_hidden=12, genes=4, swell_genes=2, spec=SPEC
)


@cache
def codec(head: str = "source", lstm_layers: int = 0) -> Codec:
    """Return a codec with random weights that sounds; not to be changed: tests share it."""
    torch.manual_seed(0)
    if head == "source":
        return Codec(replace(CONFIG, lstm_layers=lstm_layers)).eval()
    return Codec(replace(CONFIG, head=head, front="waveform", lstm_layers=lstm_layers, ahead=0)).eval()


def latents(voices: int = 2, hops: int = 12, seed: int = 0) -> Tensor:
    """Return random latents (V, D, T)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(voices, CONFIG.dimension, hops, generator=generator) * 2.0 - 1.0


def source(f0_hz: Sequence[float], hops: int, seed: int = 0) -> ExcitationInput:
    """Return the source of steady voices."""
    step = np.array(f0_hz)[:, None] / SPEC.sample_rate + np.zeros(hops)
    start, turn = partial_turns(step * np.arange(hops) * SPEC.hop_length, step, np.zeros(len(f0_hz)))
    shape = (len(f0_hz), hops * SPEC.hop_length // (NOISE_LENGTH // 2), 2, NOISE_LENGTH // 2 + 1)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return ExcitationInput(torch.from_numpy(start), torch.from_numpy(turn), noise)


@cache
def sounds() -> SoundNotes:
    """Return the notes of `tiny` measured by this spec, with their sound."""
    groups = [
        [tiny.recording(one, key, velocity, tiny.LONG_S if velocity == 60 else tiny.SHORT_S)
         for key in range(one.low, one.high + 1) for velocity in tiny.VELOCITIES]
        for one in tiny.INSTRUMENTS
    ]  # fmt: skip
    features = [
        [extract(each, SPEC, one.inharmonic) for each in group]
        for one, group in zip(tiny.INSTRUMENTS, groups, strict=True)
    ]
    notes = assemble(features, SPEC, decaying=frozenset({"string", "kit"}))
    return with_audio(notes, [each.audio for group in groups for each in group], SPEC)


def train_config(kind: str = "codec", **changes: object) -> TrainConfig:
    """Return a configuration that trains in moments."""
    whole = TrainConfig(
        name=kind, kind=kind, seed=5, iterations=5, batch_size=4, window_frames=12, pool_size=8, learning_rate=3e-3,
        checkpoint_every=5, codec=CONFIG, latent=LATENT,
    )  # fmt: skip
    return replace(whole, **changes)


def latent_network(seed: int = 0) -> LatentNCA:
    """Return a network with random weights whose cells live and stay in range."""
    torch.manual_seed(seed)
    model = LatentNCA(LATENT, len(tiny.TIMBRES)).eval()
    with torch.no_grad():
        model.keys.weight.copy_(torch.randn(model.keys.weight.shape).half())
        model.update.weight.normal_(std=0.3)
        model.update.weight[ALPHA] *= 0.05
        model.update.bias[ALPHA] = 0.8
    return model


def save_codec(folder: Path) -> Path:
    """Write a checkpoint of an untrained codec; return its path."""
    from tnca_synth.training.codec.trainer import CodecTrainer
    from tnca_synth.training.loop.checkpoint import save_checkpoint

    path = folder / "codec.pt"
    save_checkpoint(path, CodecTrainer(train_config(), sounds()).checkpoint())
    return path
