"""The sound of fine cells in torch, as `engine.decoders.additive` plays it: so that gradients reach what was grown.

Letters: B notes, W hops, K fine cells, C channels, N samples.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...engine.arrays import FloatArray
from ...engine.decoders.additive import POINTS
from ...engine.decoders.parts.noise import noise_scale
from ...engine.spectra.fields import QUIET_LEVEL
from ...engine.spectra.pitch import MAX_PARTIALS
from ...engine.spectra.spec import AudioSpec
from ..codec.layers import Memory
from ..codec.notes import SoundNotes
from ..codec.source import ExcitationInput, SourceSound
from ..codec.trainer import source_input
from ..loop.loop import TrainingLoop
from ..loop.rollout import NoteBatch, grow
from ..measure.distance import stft_distance
from ..validation.fields import by_instrument
from ..validation.sound import Table
from .nca import RISE, SOUND, HierarchicalNCA

NEPERS = float(np.log(10.0) / 20.0)
SILENCE = 20.0
"""What is quiet is silent where it is played; here it is this much quieter, so that gradients still reach it."""


class GlidingSound(nn.Module):
    """Partials and noise that glide from frame to frame."""

    def __init__(self, spec: AudioSpec, noise_bands: int) -> None:
        super().__init__()
        self.spec = spec
        self.source = SourceSound(spec, POINTS, noise_bands)
        self.noise_gain = float(np.log(noise_scale(spec)))

    def forward(self, fine: Tensor, source: ExcitationInput) -> Tensor:
        """Return the sound (B, (W - 1) * hop) between the frames of fine cells (B, K, W, C).

        The source is that of W hops, from the one before the first frame on.
        """
        level = fine[..., SOUND]
        end = (level * self.spec.level_scale_db + self.spec.floor_db) * NEPERS
        end = torch.where(level < QUIET_LEVEL, end - SILENCE, end)
        before = torch.cat([end[..., :1], end[..., :-1]], 2)
        rise = fine[..., RISE].clamp(max=1.0) * (self.spec.level_scale_db * NEPERS)
        halfway = torch.logaddexp(before, end) + (rise - float(np.log(2.0)))
        points = torch.stack([halfway, end], 3).flatten(2)
        partials, noise = points[:, :MAX_PARTIALS], points[:, MAX_PARTIALS:] + self.noise_gain
        return self.source.sound(partials, noise, source, Memory())[:, self.spec.hop_length :]


@torch.no_grad()
def grown_sound(model: HierarchicalNCA, sounds: SoundNotes, note: int) -> FloatArray:
    """Grow a note and return its sound, float32 (N,)."""
    one, frames = np.array([note]), int(sounds.num_frames[note]) + 1
    fields = grow(model, NoteBatch.of(sounds, one), frames, sounds.motions)
    pair = torch.cat([fields["partials"], fields["noise"]], 3)  # (1, W, 2, K)
    fine = torch.zeros(1, pair.shape[3], frames, RISE + 1)
    fine[..., SOUND], fine[..., RISE] = pair[:, :, 0].transpose(1, 2), pair[:, :, 1].transpose(1, 2)
    generator = torch.Generator().manual_seed(note)
    source = source_input(sounds, one, np.array([-1]), frames, model.config.spec, generator)
    sound: FloatArray = GlidingSound(model.config.spec, model.config.noise_bands)(fine, source)[0].numpy()
    return sound


def grown_distances(run: TrainingLoop, sounds: SoundNotes, index: NDArray[np.int64]) -> Table:
    """Return STFT distances of grown notes from their recordings, by instrument."""
    model = run.averaged_model()
    assert isinstance(model, HierarchicalNCA)
    distances = [stft_distance(grown_sound(model, sounds, int(one)), sounds.audio[one]) for one in index]
    return {"distance": by_instrument(sounds, index, np.array(distances))}
