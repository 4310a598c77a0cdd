"""What voices are grown from: planted, as many notes at once as can be, and kept by slot.

Letters: V voices, S slots, F cells, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..cache import BoundedCache
from ..models.interfaces import Genome, GrowthModel
from ..voices.voice import Voice
from .faults import faults_of

PLANTED_TOGETHER = 3
"""Notes that are planted at once: among more, a matrix product rounds them otherwise than alone. Live that is no
matter, and planting all together is faster."""
KEPT_GENOMES = 256
"""Genomes that are kept, of some 60 kB each."""
KEPT_GROUPS = 2
"""Groups of voices whose genes lie ready: live, those of either half of a hop."""


class Seed(NamedTuple):
    """What a note is planted from; see `GrowthModel.plant`."""

    pitch: float
    velocity: float
    timbre: FloatArray
    pitched: float
    inharmonicity: float


def seed_of(voice: Voice, pitch: float, place: NDArray[np.float64] | None) -> Seed:
    """Return what a voice is planted from at a MIDI pitch, and at a place (2,) on its pad, if it has one."""
    patch, morph = voice.patch, voice.morph
    if morph is None or place is None:
        timbre, pitched = patch.timbre, float(patch.pitched)
    else:
        timbre, pitched = morph.timbre_at(place), morph.pitched_at(place)
    return Seed(pitch, voice.velocity, timbre, pitched, patch.inharmonicity)


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


class SlotState:
    """Genomes by slot.

    Parameters
    ----------
    num_slots : S

    Attributes
    ----------
    versions : int64 (2, S), another one whenever a slot's genes, or its grid too, are planted
    """

    def __init__(self, num_slots: int) -> None:
        self._num_slots = num_slots
        self._version = 0  # of the genes
        self.versions = np.zeros((2, num_slots), np.int64)
        self._store: Genome = {}  # by name (S, ...), made when the first note is planted
        # genes by the slots they are of, until anything is planted
        self._gathered: BoundedCache[bytes, Genome] = BoundedCache(KEPT_GROUPS)

    def __bool__(self) -> bool:
        """Tell whether anything was ever planted."""
        return bool(self._store)

    @property
    def stored(self) -> Genome:
        """The genomes of all slots (S, ...); who changes one changes it here."""
        return self._store

    def of_slot(self, slot: int) -> Genome:
        """Return the genome (...) in a slot; nothing if nothing was ever planted."""
        return {name: values[slot] for name, values in self._store.items()}

    def put(self, slots: NDArray[np.intp], genome: Genome) -> None:
        """Keep genomes (V, ...) of voices in slots (V,)."""
        self._gathered.clear()
        self._version += 1
        self.versions[: 1 + ("grid" in genome), slots] = self._version
        for name, values in genome.items():
            if name not in self._store:
                self._store[name] = np.zeros((self._num_slots, *values.shape[1:]), np.float32)
            self._store[name][slots] = values

    def key_of(self, slots: NDArray[np.intp]) -> bytes:
        """Return what the genes of voices in slots (V,) can be known by: it is another one once anything is planted."""
        return self._version.to_bytes(8, "big") + slots.tobytes()

    def put_grids(self, slots: NDArray[np.intp], grid: FloatArray) -> None:
        """Keep grids (V, F, C) of voices in slots (V,)."""
        self._store["grid"][_as_slice(slots)] = grid

    def of(self, slots: NDArray[np.intp]) -> Genome:
        """Return the genomes (V, ...) of voices in slots (V,); who changes one puts it back.

        In small blocks the same few groups of voices take turns: their genes are gathered once.
        """
        rows = _as_slice(slots)
        if isinstance(rows, slice):
            return {name: values[rows] for name, values in self._store.items()}
        group = slots.tobytes()
        genes = self._gathered.get(group)
        if genes is None:
            found = {name: values[rows] for name, values in self._store.items() if name != "grid"}
            genes = self._gathered.keep(group, found)
        return {"grid": self._store["grid"][rows], **genes}


def _as_slice(slots: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Return neighbouring slots as a slice, which spares copying their genomes."""
    first = int(slots[0])
    is_run = np.array_equal(slots, np.arange(first, first + len(slots)))
    return slice(first, first + len(slots)) if is_run else slots
