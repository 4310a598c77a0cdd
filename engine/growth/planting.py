"""Planting the genomes of notes, as many at once as can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import FloatArray
from ..cache import BoundedCache
from ..models.interfaces import Genome, GrowthModel
from .faults import faults_of

PLANTED_TOGETHER = 3
"""Notes that are planted at once: among more, a matrix product rounds them otherwise than alone. Live that is no
matter, and planting all together is faster."""
KEPT_GENOMES = 256
"""Genomes that are kept, of some 60 kB each."""


class Seed(NamedTuple):
    """What a note is planted from; see `GrowthModel.plant`."""

    pitch: float
    velocity: float
    timbre: FloatArray
    pitched: float
    inharmonicity: float


class Planter:
    """Plants notes, and keeps what the last ones were grown from: in music the same notes come again and again.

    Parameters
    ----------
    growth : GrowthModel
    together : int
        Notes that are planted at once, at most.
    """

    def __init__(self, growth: GrowthModel, together: int = PLANTED_TOGETHER) -> None:
        self._growth, self._together = growth, together
        self._kept: BoundedCache[bytes, Genome] = BoundedCache(KEPT_GENOMES)

    def plant_at_most(self, together: int) -> None:
        """Plant so many notes at once from here on, and forget those that others may have rounded."""
        if together != self._together:
            self._together = together
            self._kept.clear()

    def plant(self, seeds: Sequence[Seed]) -> Genome:
        """Return the genomes (V, ...) of V notes."""
        planted = [self._at_once(seeds[at : at + self._together]) for at in range(0, len(seeds), self._together)]
        return _joined(planted)

    def plant_new(self, seeds: Sequence[Seed]) -> Genome:
        """Return the genomes (V, ...) of V notes that begin; those planted not long ago are not planted again."""
        names = [_name_of(seed) for seed in seeds]
        known = {name: genome for name in names if (genome := self._kept.get(name)) is not None}
        missing = {name: seed for name, seed in zip(names, seeds, strict=True) if name not in known}
        if missing:
            planted = self.plant(list(missing.values()))
            for row, name in enumerate(missing):
                # Copied, because a row of a larger array would keep the whole of it.
                genome = {field: values[row : row + 1].copy() for field, values in planted.items()}
                known[name] = self._kept.keep(name, genome)
        return _joined([known[name] for name in names])

    def _at_once(self, seeds: Sequence[Seed]) -> Genome:
        pitch, velocity, timbre, pitched, inharmonicity = (
            np.array(column, np.float32) for column in zip(*seeds, strict=True)
        )
        with faults_of("the growth model"):
            return self._growth.plant(pitch, velocity, timbre, pitched, inharmonicity)


def _name_of(seed: Seed) -> bytes:
    numbers = np.array((seed.pitch, seed.velocity, seed.pitched, seed.inharmonicity), np.float32)
    return numbers.tobytes() + np.asarray(seed.timbre, np.float32).tobytes()


def _joined(genomes: Sequence[Genome]) -> Genome:
    if len(genomes) == 1:
        return genomes[0]
    return {name: np.concatenate([one[name] for one in genomes]) for name in genomes[0]}
