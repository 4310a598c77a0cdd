"""How long instruments are fitted, and with what: the two speeds.

How far a speed goes depends on the notes alone and never on the clock, so that the same notes and the same seed give
the same instrument on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...errors import UsageError
from ..config.run import DataConfig, LossConfig, TrainConfig
from .foundation import Foundation

USUAL_NOTES: Final = 24
"""Notes for which the iterations of a speed are meant; more notes get more, up to `MOST_OF_USUAL` times as many."""
MOST_OF_USUAL: Final = 4.0
BATCH: Final = (8, 24)
"""Notes in a window, at least and at most."""
WINDOW_FRAMES: Final = 16
LEARNING_RATE: Final = 0.1
"""High: a few hundred numbers are fitted, on a growth that stays as it is."""
LOSS: Final = LossConfig(convergence=0.2)
PULL: Final = 0.003
"""Of codes to where they started; see `InstrumentFit`."""


@dataclass(frozen=True)
class Speed:
    """How long to fit.

    Attributes
    ----------
    iterations : with some notes held out, which choose what is kept
    with_all : further ones, with all notes
    look_every : iterations between two looks at how far it is
    patience : looks without a gain after which the fitting ends
    """

    name: str
    iterations: int
    with_all: int
    look_every: int
    patience: int

    def scaled(self, num_notes: int) -> Speed:
        """Return what it means for a number of notes."""
        factor = min(max(num_notes / USUAL_NOTES, 1.0) ** 0.5, MOST_OF_USUAL)
        return Speed(
            self.name, round(self.iterations * factor), round(self.with_all * factor), self.look_every, self.patience
        )


SPEEDS: Final = {
    "fit": Speed("fit", iterations=600, with_all=150, look_every=100, patience=3),
    "full": Speed("full", iterations=4000, with_all=800, look_every=250, patience=5),
}


def speed_of(name: str) -> Speed:
    """Return a speed by its name; `UsageError` for another one."""
    if name not in SPEEDS:
        raise UsageError(f"speed must be one of {', '.join(SPEEDS)}, got {name!r}")
    return SPEEDS[name]


def fit_config(foundation: Foundation, num_notes: int, iterations: int, seed: int) -> TrainConfig:
    """Return the configuration of a fit."""
    low, high = BATCH
    batch = min(max(2 * num_notes, low), high)
    return TrainConfig(
        name="learn",
        seed=seed,
        iterations=max(iterations, 1),
        batch_size=batch,
        window_frames=WINDOW_FRAMES,
        pool_size=4 * num_notes + batch,
        learning_rate=LEARNING_RATE,
        ema=0.98,
        data=DataConfig(),
        model=foundation.model.config,
        loss=LOSS,
    )
