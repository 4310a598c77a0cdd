"""One instrument on its own, grown with a bank's own models: what is measured at the end of the chain begins here.

Letters: V notes, F bins or bands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.instrument_files import InstrumentFile
from ...engine.keys.motions import Motion, MotionTable
from ...engine.keys.parts import correction_of, motions_of
from ...engine.keys.stored.correction_arrays import CorrectionArrays
from ...engine.keys.timbres import TimbreTable
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.models.interfaces import HopInputs
from ...engine.spectra.fields import Fields
from ...engine.spectra.pitch import pitch_to_hz

Recorded = Callable[[int, int, float, float], FloatArray]
"""The recording of a key at a velocity, held for some seconds and released for some more."""


@dataclass(frozen=True)
class Note:
    """A note to hold.

    Attributes
    ----------
    row : of the instrument's corrections
    hz : its fundamental, 0 without a pitch
    stretch : its inharmonicity
    """

    row: int
    key: int
    velocity: int
    hz: float
    stretch: float


class InstrumentGrowth:
    """An instrument on its own: what plants its keys, moves them and corrects them."""

    def __init__(self, file: InstrumentFile, growth: OnnxGrowthModel) -> None:
        table, name = file.table, file.facts.name
        correction = correction_of(table, name)
        assert correction is not None
        self.name, self.growth, self.correction = name, growth, correction
        self.motion_arrays, self._file = motions_of(table, name), file
        self.is_pitched = file.facts.kind == "pitched"
        self.timbres = TimbreTable({}, {})
        self.timbres.add(name, table)

    def table(self, correction: CorrectionArrays) -> MotionTable:
        """Return what moves the keys, with some corrections of them."""
        return MotionTable(self.growth.spec, self.motion_arrays, correction)

    def note(self, row: int, velocity: int) -> Note:
        """Return a note of a recorded key."""
        table, key = self._file.table, int(self.correction.key[row])
        cents, stretch = (np.interp(key, table.tuned_keys, one) for one in (table.cents, table.inharmonicity))
        hz = float(pitch_to_hz(key + cents / 100.0)) if self.is_pitched else 0.0
        return Note(row, key, velocity, hz, float(stretch) * self.is_pitched)

    def motion(self, table: MotionTable, note: Note) -> Motion:
        """Return what moves a note, as a row of a table."""
        return table.find(self.timbre(note), note.key, velocity=note.velocity / 127)

    def timbre(self, note: Note) -> str:
        """Return the timbre of a note."""
        return self.correction.names[self.correction.timbre[note.row]]

    def grown(
        self, notes: Sequence[Note], table: MotionTable, frames: int, told_s: FloatArray
    ) -> Iterator[tuple[NDArray[np.float64], Fields]]:
        """Grow held notes without their corrections, spectral frame by frame.

        Parameters
        ----------
        notes : V
        table : what moves them
        frames : how many of them
        told_s : (V,), ages at which the clock of the growth stops

        Yields
        ------
        Their ages (1, V), and what is grown, by the names of fields, each (V, 2, F).
        """
        growth, count = self.growth, len(notes)
        motions = np.array([self.motion(table, note) for note in notes], np.float64)
        genome = self.planted(notes)
        mask = np.ones((count, growth.steps_per_hop, genome["grid"].shape[1]), np.float32)
        held = np.full(count, -1, np.float32)
        for frame in range(frames):
            age_s = np.full((1, count), frame * growth.spec.hop_s)
            clock_s = np.minimum(age_s[0].astype(np.float32), told_s)
            hop = growth.step(genome, HopInputs(clock_s, held, mask, table.swell(motions, age_s)[0]))
            genome["grid"] = hop.grid
            yield age_s, hop.fields

    def planted(self, notes: Sequence[Note]) -> dict[str, FloatArray]:
        """Return the genomes of notes."""
        pitched = np.array([note.hz > 0.0 for note in notes], np.float32)
        pitch = [69.0 + 12.0 * np.log2(note.hz / 440.0) if note.hz > 0.0 else float(note.key) for note in notes]
        return self.growth.plant(
            np.array(pitch, np.float32),
            np.array([note.velocity / 127 for note in notes], np.float32),
            np.stack([self.timbres.vector(self.timbre(note), note.key) for note in notes]),
            pitched,
            np.array([note.stretch for note in notes], np.float32),
        )
