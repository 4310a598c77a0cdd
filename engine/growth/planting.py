"""Planting the genomes of notes, as many at once as can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import FloatArray
from ..models.interfaces import Genome, GrowthModel
from .faults import faults_of

PLANTED_TOGETHER = 3
"""Notes that are planted at once: among more, a matrix product rounds them otherwise than alone. Live that is no
matter, and planting all together is faster."""


class Seed(NamedTuple):
    """What a note is planted from; see `GrowthModel.plant`."""

    pitch: float
    velocity: float
    timbre: FloatArray
    pitched: float
    inharmonicity: float


def plant(growth: GrowthModel, seeds: Sequence[Seed], most: int = PLANTED_TOGETHER) -> Genome:
    """Return the genomes of some notes, planted `most` at a time."""
    planted = [_plant_together(growth, seeds[at : at + most]) for at in range(0, len(seeds), most)]
    if len(planted) == 1:
        return planted[0]
    return {name: np.concatenate([one[name] for one in planted]) for name in planted[0]}


def _plant_together(growth: GrowthModel, seeds: Sequence[Seed]) -> Genome:
    pitch, velocity, timbre, pitched, inharmonicity = (
        np.array(column, np.float32) for column in zip(*seeds, strict=True)
    )
    with faults_of("the growth model"):
        return growth.plant(pitch, velocity, timbre, pitched, inharmonicity)
