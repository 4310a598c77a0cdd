"""The sample pool of latents: what each note's latents should be, and how they go on beyond their recording."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.arrays import FloatArray
from ..codec.codec import Codec
from ..codec.notes import SoundNotes
from ..loop.pool import OVERTIME_FROM_S, Overtime, SamplePool

BASE_FRAMES = 17  # a fifth of a second, whose mean a held note keeps
SILENT_AFTER_S = 6.0
"""Beyond its recording, a held note of an instrument that decays falls silent in this time."""
SETTLING_FRAMES = 3  # of a release that windows before it hear


class Latents:
    """Latents of all notes, encoded when they are first asked for.

    Letters: T frames, D latent dimensions.
    """

    def __init__(self, codec: Codec, sounds: SoundNotes) -> None:
        self._codec, self._sounds = codec, sounds
        notes = sounds
        self._frames = torch.zeros(int(notes.num_frames.sum()), codec.config.dimension)
        self._known = np.zeros(len(notes.num_frames), bool)
        self.silence = self._encode(np.zeros(8 * sounds.spec.hop_length, np.float32), 0)[-1]

    def rows(self, note: NDArray[np.int64], frame: NDArray[np.int64]) -> Tensor:
        """Return the latents (..., D) of notes at frames, both (...); beyond the last they are the last."""
        notes = self._sounds
        for one in np.unique(note[~self._known[note]]):
            start = notes.offset[one]
            self._frames[start : start + notes.num_frames[one]] = self._encode(self._sounds.audio[one], one)
            self._known[one] = True
        return self._frames[notes.offset[note] + np.minimum(frame, notes.num_frames[note] - 1)]

    @torch.no_grad()
    def _encode(self, audio: FloatArray, note: int) -> Tensor:
        hops = len(audio) // self._sounds.spec.hop_length
        turn = self._sounds.turns(np.array([note]), np.zeros(1, np.int64), hops)
        return self._codec.encode(torch.from_numpy(audio)[None], torch.from_numpy(turn))[0].T


class LatentPool(SamplePool):
    """P notes in mid-growth; see `SamplePool`."""

    def __init__(
        self, sounds: SoundNotes, latents: Latents, size: int, channels: int, rng: np.random.Generator
    ) -> None:
        notes, spec = sounds, sounds.spec
        long = (notes.hold_s >= OVERTIME_FROM_S) & torch.tensor([not note.held_out for note in notes.features])
        ends = (notes.hold_s / spec.hop_s).int() - SETTLING_FRAMES
        overtime = Overtime(torch.where(long, ends * spec.hop_s, float("inf")), {}, {})
        super().__init__(notes, overtime, size, len(latents.silence), channels, spec, rng)
        self.latents = latents
        self._decays = np.array([note.instrument.split(":")[0] in notes.decaying for note in notes.features])
        self._last = notes.last_audible.amax(1).numpy()

    def wanted(self, chosen: NDArray[np.int64], window: int) -> tuple[Tensor, Tensor]:
        """Return latents (B, W, F) and life (B, W) of the coming frames."""
        note = self.note[chosen]
        at = self.frame[chosen][:, None] + np.arange(window)
        latent = self.latents.rows(np.broadcast_to(note[:, None], at.shape), at)
        life = torch.from_numpy((at <= self._last[note][:, None]).astype(np.float32))
        for row in np.flatnonzero(self.held[chosen]):
            beyond = self.ages(chosen[row : row + 1], window)[0] - self.overtime.start_s[note[row]]
            held, alive = self._beyond(int(note[row]), beyond.clamp_min(0.0))
            latent[row] = torch.where(beyond[:, None] > 0.0, held, latent[row])
            life[row] = torch.where(beyond > 0.0, alive, 1.0)
        return latent, life

    def _beyond(self, note: int, beyond_s: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents (W, F) and life (W,) of a note held `beyond_s` (W,) after what was recorded of it."""
        end = round(float(self.overtime.start_s[note]) / self.hop_s)
        base = self.latents.rows(np.full(BASE_FRAMES, note), np.arange(end - BASE_FRAMES, end)).mean(0)
        if not self._decays[note]:
            return base.expand(len(beyond_s), -1), torch.ones(len(beyond_s))
        fallen = (beyond_s / SILENT_AFTER_S).clamp_max(1.0)[:, None]
        return torch.lerp(base.expand(len(beyond_s), -1), self.latents.silence, fallen), (fallen[:, 0] < 1.0).float()
