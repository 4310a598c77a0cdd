"""Held-out notes as they sound: how far the codec, and what is grown in its latents, are from the recordings."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.arrays import FloatArray
from ..codec.codec import Codec
from ..codec.notes import SoundNotes
from ..codec.trainer import CodecTrainer, source_input
from ..latent.nca import LATENT_RANGE, LatentNCA
from ..latent.trainer import LatentTrainer
from ..loop.loop import TrainingLoop
from ..loop.rollout import NoteBatch, plant, release_age, swells
from ..measure.distance import stft_distance
from .fields import by_instrument

Table = dict[str, dict[str, float]]


@torch.no_grad()
def sound_of(codec: Codec, sounds: SoundNotes, note: int, latent: Tensor | None = None) -> FloatArray:
    """Return what the codec makes of a note's own latents, or of others (D, T), float32 (N,)."""
    one, hops = np.array([note]), int(sounds.num_frames[note])
    generator = torch.Generator().manual_seed(note)
    source = source_input(sounds, one, np.zeros(1, np.int64), hops, codec.config.spec, generator)
    if latent is None:
        latent = codec.encode(torch.from_numpy(sounds.audio[note])[None], source.turn)[0]
    sound: FloatArray = codec.decode(latent[None], source)[0].numpy()
    return sound


@torch.no_grad()
def grown_latents(model: LatentNCA, sounds: SoundNotes, note: int) -> Tensor:
    """Grow a note's latents (D, T)."""
    batch, hops = NoteBatch.of(sounds, np.array([note])), int(sounds.num_frames[note])
    ages = torch.arange(hops)[None] * sounds.spec.hop_s
    swell = swells(sounds.motions, batch, ages, on_key=False)
    planted = plant(model, batch.as_played())
    grid, grown = planted["grid"], []
    mask = torch.ones(1, model.config.steps_per_hop, model.config.dimension)
    for t in range(hops):
        grid = model.step(grid, planted, ages[:, t], release_age(ages[:, t], batch.hold_s), mask, swell[:, t])
        grown.append(model.latent(grid)[0].clamp(-LATENT_RANGE, LATENT_RANGE))
    return torch.stack(grown, 1)


def sound_distances(run: TrainingLoop, sounds: SoundNotes, index: NDArray[np.int64]) -> Table:
    """Return STFT distances from the recordings by instrument, of a codec run or of a latent one."""
    if isinstance(run, CodecTrainer):
        codec = run.averaged_model()
        found = [sound_of(codec, sounds, int(note)) for note in index]
    else:
        assert isinstance(run, LatentTrainer)
        model = run.averaged_model()
        found = [sound_of(run.codec, sounds, int(note), grown_latents(model, sounds, int(note))) for note in index]
    distances = [stft_distance(sound, sounds.audio[note]) for sound, note in zip(found, index, strict=True)]
    return {"distance": by_instrument(sounds, index, np.array(distances))}
