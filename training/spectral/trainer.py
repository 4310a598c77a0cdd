"""Training a TNCA: windows of growth from the sample pool, compared with recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..config.models import ALPHA
from ..config.run import TrainConfig
from ..data.dataset import NoteSet
from ..loop.loop import Losses, PooledLoop
from ..loop.losses import alpha_loss, audible_error, convergence_loss, overflow_loss, pair_loss, perceptual_loss
from ..loop.pool import Overtime, SamplePool
from ..loop.pruning import importance, narrowed, widths
from ..loop.windows import grow_window
from .nca import TNCA


class Trainer(PooledLoop[SamplePool]):
    """Trains one TNCA on one set of notes."""

    def __init__(self, config: TrainConfig, notes: NoteSet, place: str = "cpu") -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, notes, TNCA(config.model, len(notes.timbre_names)), place)
        self.config: TrainConfig = config
        self.model: TNCA
        spec = config.model.spec
        self.fields = ("mel", "linear") if config.model.representation == "dual" else ("mel",)
        overtime = Overtime.of(notes, self.fields, spec)
        pool_rng = np.random.default_rng(config.seed + 1)
        cells, channels = spec.num_mels, config.model.channels
        drawn = shares(notes, config.balance) if config.balance else None
        self.pool = SamplePool(notes, overtime, config.pool_size, cells, channels, spec, pool_rng, drawn, config.seek)
        self.bins = np.arange(spec.num_bins) if notes.bins is None else notes.bins
        self.model.read_at(torch.from_numpy(self.bins))
        self._read: np.ndarray | None = None
        self.step, self.read_linear = self.model.step, self.model.linear
        if config.compile:
            self.step, self.read_linear = torch.compile(self.step), torch.compile(self.read_linear)
            self.model.seed.compile()

    def iterate(self) -> Losses:
        """One optimiser step on one window of growth."""
        return self.descend(self.window_losses())

    def window_losses(self) -> dict[str, Tensor]:
        """Grow notes from the pool by a window and put them back; return what they cost, by name."""
        chosen = self.pool.draw(self.config.batch_size)
        grids, linear, read_frames = self._grow_window(chosen)
        losses = self._losses(chosen, grids, linear, read_frames)
        self.pool.advance(chosen, grids[:, -1].detach().cpu(), self.config.window_frames, self.config.overtime_share)
        return losses

    def start_from(
        self, weights: Mapping[str, Tensor], timbre_names: Sequence[str] = (), seconds: float = 0.0
    ) -> tuple[str, ...]:
        """Begin with the weights of another run, narrowed to the hidden units that matter most where it has more."""
        before = widths(weights)
        wanted = {name: getattr(self.config.model, name) for name in before}
        if any(before[name] > wanted[name] for name in before):
            given: dict[str, Any] = {**before}
            model = replace(self.config.model, **given)
            wide = Trainer(replace(self.config, model=model, compile=False), self.notes, str(self.place))
            wide.start_from(weights, timbre_names)
            matters = importance(wide.model, lambda: wide.window_losses()["total"])
            weights = narrowed(weights, matters, wanted)
        return super().start_from(weights, timbre_names, seconds)

    def _grow_window(self, chosen: np.ndarray) -> tuple[Tensor, list[Tensor], np.ndarray]:
        """Grow the chosen notes by a window; return all grids (B, W, F, C), some linear read-outs and their frames."""
        jitter = self._jitter(len(chosen)).to(self.place)
        if self.config.read_bins:
            count = min(self.config.read_bins, len(self.bins))
            self._read = np.sort(self.rng.choice(len(self.bins), count, replace=False))
            self.model.read_at(torch.from_numpy(self.bins[self._read]).to(self.place))
        _, planted, grids = grow_window(self, self.model, chosen, self.step, jitter)
        frames = np.sort(self.rng.choice(self.config.window_frames, self.config.read_frames, replace=False))
        read = frames if "linear" in self.fields else ()
        return grids, [self.team.divided(self.read_linear, grids[:, w], planted) for w in read], frames

    def _jitter(self, count: int) -> Tensor:
        """Draw what is added to pitch (semitones) and velocity (0..1); see `NoteSeed.forward`."""
        spread = torch.tensor([self.config.pitch_jitter, self.config.velocity_jitter])
        return torch.randn(count, 2, generator=self.generator) * spread

    def _losses(self, chosen: np.ndarray, grids: Tensor, linear: list[Tensor], read: np.ndarray) -> dict[str, Tensor]:
        weights, window = self.config.loss, self.config.window_frames
        scale_db = self.config.model.spec.level_scale_db
        valid = self.pool.valid(chosen, window).to(self.place)
        mel = self.pool.targets(chosen, "mel", np.arange(window)).to(self.place)
        grown = grids[..., :2].transpose(2, 3)
        level, tonality = pair_loss(grown, mel, valid, weights, scale_db)
        if self.config.seek:
            self.pool.tell(chosen, audible_error(grown[:, :, 0].detach(), mel[:, :, 0], valid, scale_db))
        alpha = alpha_loss(grids[..., ALPHA], self.pool.alive(chosen, mel.cpu()).to(self.place), valid)
        overflow = overflow_loss(grids)
        total = weights.l1 * level + weights.tonality * tonality + weights.alpha * alpha + weights.overflow * overflow
        losses = {"level_db": level * scale_db, "tonality": tonality, "alpha": alpha, "overflow": overflow}
        if weights.perceptual > 0.0:
            losses["perceptual"] = perceptual_loss(grids[..., 0], mel[:, :, 0], valid, scale_db)
            total = total + weights.perceptual * losses["perceptual"]
        if linear:
            target = self.pool.targets(chosen, "linear", read, self._read).to(self.place)
            side, side_tonality = pair_loss(torch.stack(linear, 1), target, valid[:, read], weights, scale_db)
            losses["linear_db"] = side * scale_db
            total = total + weights.linear * (side + weights.tonality * side_tonality)
        if weights.convergence > 0.0 and self.iteration >= weights.convergence_from:
            decoded = (torch.stack(linear, 1), target, valid[:, read]) if linear else (grown, mel, valid)
            levels, wanted, known = decoded
            losses["convergence"] = convergence_loss(levels[:, :, 0], wanted[:, :, 0], known, self.config.model.spec)
            total = total + weights.convergence * losses["convergence"]
        return losses | {"total": total}

    def averaged_model(self) -> TNCA:
        """Return a model with the running average of the weights: what is validated and exported."""
        model = TNCA(self.config.model, len(self.notes.timbre_names))
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        return model.eval()


def shares(notes: NoteSet, balance: float) -> NDArray[np.float64]:
    """Return how often each note to train on is drawn, so that timbres with many notes do not crowd out others.

    With `balance` 0 that is equally often, with 1 as often in all from each timbre.
    """
    timbre = notes.timbre.numpy()[notes.indices(held_out=False)]
    share = np.bincount(timbre).astype(np.float64)[timbre] ** -balance
    drawn: NDArray[np.float64] = share / share.sum()
    return drawn
