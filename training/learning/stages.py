"""The stages of a fit: watch notes that are held out, keep what is best, then learn from all notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import NoteSet, between
from ..loop.loop import Progress
from ..spectral.nca import NUM_KEYS, TNCA
from .fit import TABLES, InstrumentFit, error_db
from .foundation import Foundation
from .plan import PULL, fit_config
from .start import Start

GAIN: Final = 0.995
"""A look counts as a gain where the error is at most so much of the best one."""
MOST_WATCHED: Final = 16
WATCHED_FRAMES: Final = 200
Codes = dict[str, Tensor]
"""The fitted tables of a model, by name."""


class Look(NamedTuple):
    """How far a fit is.

    Attributes
    ----------
    iteration : of all stages together
    error_db : mean level error, of notes held out if there are any
    is_better : whether that is the best so far
    """

    iteration: int
    error_db: float
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
    before : iterations of stages before this one
    """

    foundation: Foundation
    notes: NoteSet
    starts: Mapping[str, Start]
    iterations: int
    look_every: int
    patience: int
    seed: int
    before: int = 0
    best: Codes = field(init=False)
    best_db: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the starts, which are the best so far."""
        config = fit_config(self.foundation, len(self.notes.features), self.iterations, self.seed)
        self.fit = InstrumentFit(config, self.notes, self.foundation, self.starts, PULL)
        judging, learning = (self.notes.indices(held_out=held_out) for held_out in (True, False))
        watched = judging if len(judging) else learning
        self._watched = watched[np.unique(np.linspace(0, len(watched) - 1, MOST_WATCHED).astype(int))]
        self.best, self.best_db = self._codes(), self._error()

    def run(self, step: Callable[[Progress], None], look: Callable[[Look], None]) -> None:
        """Fit until the iterations are done or nothing is gained any more; `best` is what to keep."""
        without_gain = 0
        while self.fit.iteration < self.iterations and without_gain < self.patience:
            losses = self.fit.iterate()
            self.fit.iteration += 1
            step(Progress(self.before + self.fit.iteration, 0, losses, 0.0))
            if self.fit.iteration % self.look_every == 0 or self.fit.iteration == self.iterations:
                error = self._error()
                is_better = error < self.best_db * GAIN
                if is_better:
                    self.best, self.best_db = self._codes(), error
                without_gain = 0 if is_better else without_gain + 1
                look(Look(self.before + self.fit.iteration, error, is_better))

    def model(self) -> TNCA:
        """Return a model with the best codes."""
        model = self.fit.averaged_model()
        model.load_state_dict({**model.state_dict(), **self.best})
        return model

    def best_starts(self, all_notes: NoteSet) -> dict[str, Start]:
        """Return the best codes as those to go on from, for all keys of all notes: others lie between them."""
        starts = {}
        for row, name in enumerate(self.notes.timbre_names):
            known = self.notes.tuning[name].keys
            table = self.best["keys.weight"][row * NUM_KEYS : (row + 1) * NUM_KEYS]
            codes = {}
            for key in all_notes.tuning[name].keys:
                low, high, mix = between(key, known)
                codes[key] = torch.lerp(table[low], table[high], mix)
            starts[name] = Start(self.best["timbres.weight"][row].clone(), codes, (), (), 0.0)
        return starts

    def _codes(self) -> Codes:
        return {name: self.fit.average[name].clone() for name in TABLES}

    def _error(self) -> float:
        return error_db(self.fit.averaged_model(), self.notes, self._watched, WATCHED_FRAMES)
