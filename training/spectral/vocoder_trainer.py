"""Training the mel vocoder: single frames of recordings, mel and pitch in, the linear side out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...engine.spectra.pitch import pitch_to_hz
from ..config.run import TrainConfig
from ..data.dataset import NoteSet
from ..loop.loop import Losses, TrainingLoop
from ..loop.losses import convergence_loss, pair_loss
from .vocoder import MelVocoder


class VocoderTrainer(TrainingLoop):
    """Trains one `MelVocoder` on random frames of one set of notes."""

    def __init__(self, config: TrainConfig, notes: NoteSet, place: str = "cpu") -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, notes, MelVocoder(config.vocoder), place)
        train = notes.indices(held_out=False)
        self._note = np.repeat(train, notes.num_frames[train])
        ends = np.cumsum(notes.num_frames[train])
        starts = np.repeat(ends - notes.num_frames[train], notes.num_frames[train])
        self._frame = np.arange(len(self._note)) - starts
        hz = np.where(notes.pitched.numpy() > 0.5, pitch_to_hz(notes.pitch.numpy()), 0.0)
        self._f0_hz = torch.tensor(hz, dtype=torch.float32)

    def iterate(self) -> Losses:
        """One optimiser step on a batch of frames."""
        chosen = self.rng.integers(0, len(self._note), self.config.batch_size)
        note, frame = self._note[chosen], self._frame[chosen]
        mel = self._with_history(note, frame).to(self.place)
        target = self.notes.linear[self.notes.offset[note] + frame][:, None].float().to(self.place)
        f0_hz, stretch = self._f0_hz[note][:, None].to(self.place), self.notes.stretch[note].to(self.place)
        valid = torch.ones(len(note), 1, device=self.place)
        weights, spec = self.config.loss, self.config.vocoder.spec
        read = self.team.divided(self.model, mel, f0_hz, stretch)
        level, tonality = pair_loss(read, target, valid, weights)
        convergence = convergence_loss(read[:, :, 0], target[:, :, 0], valid, spec)
        total = weights.l1 * level + weights.tonality * tonality + weights.convergence * convergence
        losses = {"level_db": level * spec.level_scale_db, "tonality": tonality, "convergence": convergence}
        return self.descend(losses | {"total": total})

    def _with_history(self, note: np.ndarray, frame: np.ndarray) -> Tensor:
        """Gather mel frames (B, K + 1, 2, F), zeros before the onset."""
        back = np.arange(-self.config.vocoder.history_frames, 1)
        at = frame[:, None] + back
        rows = self.notes.mel[self.notes.offset[note][:, None] + np.maximum(at, 0)].float()
        return rows * torch.from_numpy((at >= 0).astype(np.float32))[..., None, None]

    def averaged_model(self) -> MelVocoder:
        """Return a model with the running average of the weights."""
        model = MelVocoder(self.config.vocoder)
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        return model.eval()
