"""Held-out notes as the waveform grid sounds them, against their recordings."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ..codec.notes import SoundNotes
from ..codec.trainer import source_input
from ..config.sound_models import WAVEFORM_REPRESENTATION
from ..loop.loop import TrainingLoop
from ..loop.rollout import NoteBatch, grow
from ..measure.distance import stft_distance
from ..waveform.nca import WaveformNCA
from ..waveform.trainer import WaveformTrainer
from .fields import by_instrument


@torch.no_grad()
def waveform_of(model: WaveformNCA, sounds: SoundNotes, note: int) -> FloatArray:
    """Grow a note, and sound it at once, float32 (N,)."""
    one, hops = np.array([note]), int(sounds.num_frames[note])
    field = grow(model, NoteBatch.of(sounds, one), hops + 1, sounds.motions)[WAVEFORM_REPRESENTATION][:, :, 0]
    generator = torch.Generator().manual_seed(note)
    source = source_input(sounds, one, np.zeros(1, np.int64), hops, sounds.spec, generator)
    sound: FloatArray = model.sound(field, source)[0].numpy()
    return sound


def waveform_distances(run: TrainingLoop, sounds: SoundNotes, index: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Return STFT distances from the recordings by instrument."""
    assert isinstance(run, WaveformTrainer)
    model = run.averaged_model()
    found = [stft_distance(waveform_of(model, sounds, int(note)), sounds.audio[note]) for note in index]
    return {"distance": by_instrument(sounds, index, np.array(found))}
