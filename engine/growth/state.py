"""State and scratch buffers of voices, by slot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..cache import BoundedCache
from ..models.interfaces import Genome

KEPT_GROUPS = 2
"""Groups of voices whose genes lie ready: live, those of either half of a hop."""


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


class FrameBuffers:
    """A buffer for the frames of each field."""

    def __init__(self) -> None:
        self._buffers: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        """Return a field's buffer, (V or more, R or more, ...)."""
        return self._buffers[name]

    def buffer(self, name: str, shape: tuple[int, ...], frame_shape: tuple[int, ...]) -> FloatArray:
        """Return the buffer of a field with room for (V, R) frames; what is in it stays."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape[0] < shape[0] or buffer.shape[1] < shape[1]:
            old = np.zeros((0, 0, *frame_shape), np.float32) if buffer is None else buffer
            size = (max(shape[0], old.shape[0]), max(shape[1], old.shape[1]))
            buffer = self._buffers[name] = np.zeros((*size, *frame_shape), np.float32)
            buffer[: old.shape[0], : old.shape[1]] = old
        return buffer
