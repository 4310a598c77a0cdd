"""Pads of timbres: a note's own instrument in the near corner, up to three others in the right, upper and far ones.

Letters: D numbers of a timbre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray
from ..bank.interfaces import Choice, Role


def pad_weights(place: ArrayLike) -> NDArray[np.float64]:
    """Return the weights (..., 4) of own instrument, right, upper and far corner at places (..., 2), each 0..1."""
    x, y = np.moveaxis(np.asarray(place, np.float64), -1, 0)
    return np.stack([(1.0 - x) * (1.0 - y), x * (1.0 - y), (1.0 - x) * y, x * y], -1)


def role_of(choice: Choice, key: int) -> Role:
    """Return the role of what was chosen for a key."""
    instrument = choice.instrument
    return Role(instrument.program, instrument.is_drums, key, instrument.name, instrument.bank)


@dataclass(frozen=True, slots=True, eq=False)
class Pad:
    """What a note can morph into: its own key on each of the four instruments.

    Attributes
    ----------
    timbres : float32 (4, D)
    pitched : float64 (4,), 1 or 0
    semitones : float64 (4,), tuning off that of its own instrument
    inharmonicity : float64 (4,)
    motions : float64 (4, 2), rows of `engine.keys.motions.Motion`
    roles : who is in the corners
    gains_db : float64 (4,), how much louder than they are grown they sound
    release_rates : float64 (4,), by how much they fall once released, in dB a second; 0 where their growth does it
    """

    timbres: FloatArray
    pitched: NDArray[np.float64]
    semitones: NDArray[np.float64]
    inharmonicity: NDArray[np.float64]
    motions: NDArray[np.float64]
    roles: tuple[Role, ...]
    gains_db: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))
    release_rates: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))

    @property
    def lent_semitones(self) -> NDArray[np.float64]:
        """Semitones (4,) from the keys that the corners are grown as to their own."""
        return 12.0 * np.log2(self.motions[:, 1])

    @classmethod
    def of(cls, choices: Sequence[Choice], key: int, velocity: float) -> Pad:
        """Make the pad of a key, struck at a velocity 0..1, from what plays it in the four corners."""
        cents, inharmonicity = np.array([choice.tuning(key) for choice in choices]).T
        return cls(
            timbres=np.stack([choice.timbre for choice in choices]),
            pitched=np.array([float(choice.pitched) for choice in choices]),
            semitones=(cents - cents[0]) / 100.0,
            inharmonicity=inharmonicity,
            motions=np.array([choice.motion_at(velocity) for choice in choices], np.float64),
            roles=tuple(role_of(choice, key) for choice in choices),
            gains_db=np.array([choice.level_db(key, velocity) for choice in choices]),
            release_rates=np.array([choice.release_rate(velocity) for choice in choices]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Morph:
    """A note on its way over a pad.

    Attributes
    ----------
    pad : Pad
    place : where it is, x and y
    planted : where its genome is from
    """

    pad: Pad
    place: tuple[float, float]
    planted: tuple[float, float] = (0.0, 0.0)

    @property
    def inharmonicity(self) -> float:
        """Inharmonicity where it is."""
        return float(pad_weights(self.place) @ self.pad.inharmonicity)

    @property
    def nearest_motion(self) -> int:
        """Row of the motion in the corner that it is nearest to."""
        return int(self.pad.motions[pad_weights(self.place).argmax(), 0])

    def timbre_at(self, place: NDArray[np.float64]) -> FloatArray:
        """Return the timbre (D,) at a place; in the near corner it is exactly the instrument's own."""
        return pad_weights(place).astype(np.float32) @ self.pad.timbres

    def pitched_at(self, place: NDArray[np.float64]) -> float:
        """Return how pitched it is at a place, 0..1."""
        return float(pad_weights(place) @ self.pad.pitched)
