"""Fitting an instrument's codes to its notes: the growth is frozen, and only what tells instruments apart moves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..config.run import TrainConfig
from ..data.dataset import NoteSet
from ..loop.rollout import NoteBatch, grow
from ..spectral.nca import NUM_KEYS, TNCA
from ..spectral.trainer import Trainer
from .foundation import Foundation
from .start import Start

TABLES = ("timbres.weight", "keys.weight")
"""What is fitted: everything else belongs to the foundation."""
HEARD_DB = 60.0
"""Below the loudest bin of a note, from where an error counts."""


class InstrumentFit(Trainer):
    """Fits timbre vectors and key codes by gradient.

    Parameters
    ----------
    config : TrainConfig
        Its model is the foundation's.
    notes : NoteSet
    foundation : Foundation
    starts : timbre name -> Start
    pull : float
        How strongly codes are drawn to where they started, in units of the spread of known codes.
    """

    def __init__(
        self, config: TrainConfig, notes: NoteSet, foundation: Foundation, starts: Mapping[str, Start], pull: float
    ) -> None:
        super().__init__(config, notes)
        self.pull = pull
        weights = {
            name: value for name, value in foundation.model.state_dict().items() if name not in TABLES
        } | _tables(self.model.state_dict(), notes, starts)
        self.model.load_state_dict(weights)
        self.model.requires_grad_(False)
        for table in (self.model.timbres, self.model.keys):
            table.requires_grad_(True)
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        known = foundation.model
        self._spread = {"timbres": known.timbres.weight.std(0), "keys": _used(known.keys.weight).std(0)}
        self._home = {name: weights[f"{name}.weight"].clone() for name in self._spread}

    def window_losses(self) -> dict[str, Tensor]:
        """Return what a window of growth costs, and what the codes cost by their distance from home."""
        losses = super().window_losses()
        away = self.model.timbres.weight.new_zeros(())
        for name, spread in self._spread.items():
            moved = (getattr(self.model, name).weight - self._home[name]) / spread
            count = max(int((self._home[name] != 0).any(1).sum()), 1) * moved.shape[1]
            away = away + moved.square().sum() / count
        return losses | {"away": away, "total": losses["total"] + self.pull * away}

    def _update_average(self) -> None:
        decay = min(self.config.ema, (self.iteration + 1) / (self.iteration + 10))
        with torch.no_grad():
            for name in TABLES:
                self.average[name].lerp_(self.model.get_parameter(name), 1.0 - decay)


def _used(table: Tensor) -> Tensor:
    return table[(table != 0).any(1)]


def _tables(own: Mapping[str, Tensor], notes: NoteSet, starts: Mapping[str, Start]) -> dict[str, Tensor]:
    """Return timbre and key tables that hold the starts of all recorded keys."""
    timbres, keys = (own[name].clone() for name in TABLES)
    keys.zero_()
    for row, name in enumerate(notes.timbre_names):
        timbres[row] = starts[name].vector
        for key in notes.tuning[name].keys:
            keys[row * NUM_KEYS + key] = starts[name].codes[key]
    return {"timbres.weight": timbres, "keys.weight": keys}


@torch.no_grad()
def error_db(model: TNCA, notes: NoteSet, which: NDArray[np.int64], most_frames: int) -> float:
    """Return the mean level error of notes in dB as they are played; what is 60 dB below their loudest is silence."""
    frames = int(min(notes.num_frames[which].max(), most_frames))
    scale = model.config.spec.level_scale_db
    errors = []
    for name, field in grow(model, NoteBatch.of(notes, which), frames, notes.motions).items():
        for row, note in enumerate(which.tolist()):
            wanted = notes.frames(name, note)[:frames, 0].float()
            silence = (wanted.max() - HEARD_DB / scale).clamp_min(0.0)
            wanted, grown = wanted.clamp_min(silence), field[row, : len(wanted), 0].clamp_min(silence)
            counts = torch.maximum(wanted, grown) > silence
            errors.append(float(((grown - wanted).abs() * counts).sum() / counts.sum().clamp_min(1)))
    return float(np.mean(errors)) * scale
