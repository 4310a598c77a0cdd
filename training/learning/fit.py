"""Fitting an instrument's codes to its notes: the growth is frozen, and only what tells instruments apart moves.

Some notes are held out and watched: codes that bring them nearer are kept, and without a gain the fitting ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import torch
from torch import Tensor

from ..config.run import TrainConfig
from ..data.dataset import NoteSet, between
from ..loop.loop import Progress
from ..spectral.nca import NUM_KEYS, TNCA
from ..spectral.trainer import Trainer
from .foundation import Foundation
from .plan import PULL, fit_config
from .start import Start

TABLES = ("timbres.weight", "keys.weight")
"""What is fitted: everything else belongs to the foundation."""
GAIN: Final = 0.995
"""A look counts as a gain where the error is at most so much of the best one."""
Codes = dict[str, Tensor]
"""The fitted tables of a model, by name."""


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


class Look(NamedTuple):
    """How far a fit is.

    Attributes
    ----------
    iteration : of all stages together
    error : of `Stage`
    is_better : whether that is the best so far
    """

    iteration: int
    error: float
    is_better: bool


@dataclass
class Stage:
    """One stage of a fit.

    Parameters
    ----------
    foundation, notes : what is fitted on what
    starts : timbre name -> codes to begin with
    iterations, look_every, patience : see `plan.Speed`
    seed : of all chance
    error : how far a model is from notes that are watched; what counts is that it gets less
    before : iterations of stages before this one
    """

    foundation: Foundation
    notes: NoteSet
    starts: Mapping[str, Start]
    iterations: int
    look_every: int
    patience: int
    seed: int
    error: Callable[[TNCA], float]
    before: int = 0
    best: Codes = field(init=False)
    best_error: float = field(init=False)
    has_gained: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Begin with the starts, which are the best so far."""
        config = fit_config(self.foundation, len(self.notes.features), self.iterations, self.seed)
        self.fit = InstrumentFit(config, self.notes, self.foundation, self.starts, PULL)
        self.best, self.best_error = self._codes(), self.error(self.fit.averaged_model())

    def run(self, step: Callable[[Progress], None], look: Callable[[Look], None]) -> None:
        """Fit until the iterations are done or nothing is gained any more; `best` is what to keep."""
        without_gain = 0
        while self.fit.iteration < self.iterations and without_gain < self.patience:
            losses = self.fit.iterate()
            self.fit.iteration += 1
            step(Progress(self.before + self.fit.iteration, 0, losses, 0.0))
            if self.fit.iteration % self.look_every == 0 or self.fit.iteration == self.iterations:
                error = self.error(self.fit.averaged_model())
                is_better = error < self.best_error * GAIN
                if is_better:
                    self.best, self.best_error, self.has_gained = self._codes(), error, True
                without_gain = 0 if is_better else without_gain + 1
                look(Look(self.before + self.fit.iteration, error, is_better))

    def figures(self) -> dict[str, float]:
        """Return what an instrument's file says of the best so far."""
        return {"watched_distance": round(self.best_error, 5)}

    def best_model(self) -> TNCA:
        """Return a model with the best codes."""
        model = self.fit.averaged_model()
        model.load_state_dict(self.best, strict=False)
        return model

    def best_starts(self, all_notes: NoteSet) -> dict[str, Start]:
        """Return the best codes as those to go on from, for all keys of all notes.

        Keys that were held out have the codes that they started with, or lie between those of their neighbours.
        """
        starts = {}
        for row, name in enumerate(self.notes.timbre_names):
            known = self.notes.tuning[name].keys
            table = self.best["keys.weight"][row * NUM_KEYS : (row + 1) * NUM_KEYS]
            codes = dict(self.starts[name].codes)
            for key in all_notes.tuning[name].keys:
                low, high, mix = between(key, known)
                if key in known or key not in codes:
                    codes[key] = torch.lerp(table[low], table[high], mix)
            starts[name] = Start(self.best["timbres.weight"][row].clone(), codes, (), (), 0.0)
        return starts

    def _codes(self) -> Codes:
        return {name: self.fit.average[name].clone() for name in TABLES}


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads within a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
