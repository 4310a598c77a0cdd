"""How recorded notes move while they sound: their pitch sways, and their levels swell, each key in its own way.

A growing model keeps to smooth courses; vibrato, beats and the life of a bowed string are details of single recordings.
They are measured on recorded keys, kept small, and drive the growth. Keys of one recording share a motion: that of one
of them, transposed. Letters: M motions, K recorded keys, N codes of all motions, R swells of a motion, F cells,
V voices, T moments.
"""

from __future__ import annotations

from math import log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BankError
from ..arrays import FloatArray, GrowingRows
from ..spectra.pitch import MAX_INHARMONIC_PARTIALS
from ..spectra.spec import AudioSpec
from ..spectra.transpose import transposed
from .correction import CorrectionRoom, Corrections, CorrectionTable, room_of
from .stored.correction_arrays import CorrectionArrays, step_at
from .stored.motion_arrays import KeyArrays, MotionArrays, MotionPlaces, code_places, shapes_on_keys
from .stored.releases import NONE as NO_RATES
from .zones import KeyZones

PACE_RANGE = (0.5, 2.0)


class Motion(NamedTuple):
    """What moves a voice.

    Attributes
    ----------
    row : of all recorded keys of the table, at some velocity; -1 for what stands still
    pace : how much faster than recorded: a transposed recording runs faster
    """

    row: int
    pace: float = 1.0

    @property
    def semitones(self) -> float:
        """Semitones from the recorded key to the one that moves like it."""
        return 12.0 * log2(self.pace)


STILL = Motion(-1)


class KeyRoom(NamedTuple):
    """What instruments of one foundation have in common: how large their keys may be.

    Attributes
    ----------
    swells : courses of a motion beside its sway; an instrument may have fewer
    correction : CorrectionRoom or None
    """

    swells: int
    correction: CorrectionRoom | None = None


class MotionTable:
    """Motions of all recorded keys, read at any time for many voices at once.

    Thread: `add` belongs to the producer. Others may read meanwhile: what is there stays as it is.

    Parameters
    ----------
    spec : AudioSpec
        Its mel bands are the F cells.
    arrays : MotionArrays, optional
        Without them nothing moves.
    correction : CorrectionArrays, optional
        What the growth misses on the same keys.
    room : KeyRoom, optional
        For what `add` brings, where there are no arrays.

    Attributes
    ----------
    correction_table : CorrectionTable or None
    corrected_field : the field that `correction` sets right; "" without
    corrected_partials, corrected_bands : P and bands of what it gives; 0 without
    onsets : float32 (rows, E + 1), envelopes of attacks in dB (see `engine.keys.stored.onsets`); the first one, of
        what stands still, is nothing; None where none was measured
    added : what `add` has brought since it was made, for others that shall know the same rows
    """

    def __init__(
        self,
        spec: AudioSpec,
        arrays: MotionArrays | None = None,
        correction: CorrectionArrays | None = None,
        room: KeyRoom | None = None,
    ) -> None:
        self._takes: dict[str, KeyZones] = {}
        self._rows: dict[str, int] = {}
        self._steps: dict[str, int] = {}
        self._spec = spec
        swells = arrays.shapes.shape[1] if arrays is not None else 1 if room is None else room.swells
        known = correction or (None if room is None else room.correction)
        self.correction_table = (
            None
            if known is None
            else CorrectionTable(known if isinstance(known, CorrectionRoom) else room_of(known), [], spec.hop_s)
        )
        self.corrected_field = "" if self.correction_table is None else self.correction_table.room.field
        self.corrected_partials = 0 if self.correction_table is None else self.correction_table.room.partials
        self.corrected_bands = 0 if self.correction_table is None else self.correction_table.room.bands
        # The first row, of a single code of nothing, is what stands still.
        self._codes = GrowingRows(np.zeros((1, 1 + swells), np.float32))
        self._shapes = GrowingRows(np.zeros((1, swells, spec.num_mels), np.float32))
        self._first = GrowingRows(np.zeros(1, np.int64))
        self._last, self._loop = GrowingRows(np.zeros(1)), GrowingRows(np.zeros(1))
        self._rate_hz = GrowingRows(np.ones(1))
        self._modes = GrowingRows(np.zeros((1, MAX_INHARMONIC_PARTIALS), np.float32))
        self.tables, self.onsets = self._read_tables(), self._read_onsets()
        self.added: list[tuple[MotionArrays, CorrectionArrays | None]] = []
        if arrays is not None:
            self.add(arrays, correction)
            self.added.clear()

    def add(self, arrays: MotionArrays, correction: CorrectionArrays | None = None) -> None:
        """Add what moves further keys, and what the growth misses on them; a timbre that is known is replaced.

        Rows that voices have stay as they are.

        Raises
        ------
        BankError
            It does not fit the model, or the room of the others.
        """
        missing = self._swells_missing(arrays)
        if correction is not None and self.correction_table is None:
            raise BankError("this foundation has no per-key correction")
        if self.correction_table is not None:
            self.correction_table.add(correction, arrays.owners)
        steps = 1 if correction is None else correction.steps
        for number, name in enumerate(arrays.names):
            rows = np.flatnonzero(arrays.timbre == number)
            if rows.size:
                reach = arrays.reach[rows] if len(arrays.reach) else None
                self._takes[name] = KeyZones(arrays.key[rows], arrays.take[rows], reach)
                self._rows[name], self._steps[name] = len(self._first) - 1 + int(rows[0]) * steps, steps
        counts = np.diff(arrays.first)
        first = len(self._codes)
        codes = (arrays.codes * np.repeat(arrays.code_scale, counts, 0)).astype(np.float32)
        self._codes.add(np.pad(codes, ((0, 0), (0, missing))))
        every = np.repeat(np.arange(len(arrays.key)), steps)  # all steps of velocity move alike
        motion = arrays.motion[every]
        self._shapes.add(np.pad(shapes_on_keys(arrays, self._spec), ((0, 0), (0, missing), (0, 0)))[every])
        self._first.add(first + arrays.first[motion])
        self._last.add((counts[motion] - 1).astype(np.float64))
        self._loop.add(arrays.loop[motion].astype(np.float64))
        self._modes.add(arrays.modes[every].astype(np.float32))
        self._rate_hz.add(arrays.pace[every].astype(np.float64) * arrays.rate_hz)
        self.tables, self.onsets = self._read_tables(), self._read_onsets()
        self.added.append((arrays, correction))

    def _swells_missing(self, arrays: MotionArrays) -> int:
        """Return how many swells fewer a table has than there is room for; `BankError` if it does not fit."""
        _, swells, bands = arrays.shapes.shape
        if bands != self._spec.num_mels:
            raise BankError(f"motions of {bands} bands do not fit a model of {self._spec.num_mels}")
        room = self._shapes.values.shape[1]
        if swells > room:
            raise BankError(f"motions have {swells} swells, this foundation has room for {room}")
        return room - swells

    def _read_tables(self) -> KeyArrays:
        """Return what hops are computed from; not to be changed."""
        own = self.correction_table
        nothing = np.zeros((1, 0, 0), np.float32)
        return KeyArrays(
            self._codes.values, self._shapes.values, self._first.values, self._last.values, self._loop.values,
            self._rate_hz.values, self._modes.values,
            np.zeros(len(self._first), np.int64) if own is None else own.rows,
            *((nothing,) * 3 if own is None else (own.courses, own.shapes, own.totals)),
            np.full(1, np.inf) if own is None else own.clock_ends_s,
        )  # fmt: skip

    def _read_onsets(self) -> FloatArray | None:
        own = self.correction_table
        return None if own is None or not own.onsets.any() else own.onsets[own.rows]

    @property
    def room(self) -> KeyRoom:
        """How large the keys of further instruments may be."""
        own = self.correction_table
        return KeyRoom(self._shapes.values.shape[1], None if own is None else own.room)

    @property
    def moments_s(self) -> NDArray[np.float64]:
        """Moments (K,) of the courses of corrections; none without them."""
        return np.zeros(0) if self.correction_table is None else self.correction_table.moments_s

    def find(
        self, name: str, key: float, without_own: bool = False, moved_cents: float = 0.0, velocity: float = 1.0
    ) -> Motion:
        """Return what moves a timbre on a key at a velocity 0..1; see `KeyZones.root key`.

        `moved_cents` says how much higher than its key it sounds: noises are transposed by less than keys are.
        """
        if name not in self._takes:
            return STILL
        takes, steps = self._takes[name], self._steps[name]
        index = takes.root_key(key, without_own)
        semitones = key + moved_cents / 100.0 - takes.keys[index]
        pace = float(np.clip(2.0 ** (semitones / 12.0), *PACE_RANGE))
        return Motion(self._rows[name] + index * steps + step_at(velocity, steps), pace)

    def steps_of(self, name: str) -> int:
        """Return how many rows each key of a timbre has, from soft to loud; `find` gives the last one by default."""
        return self._steps.get(name, 1)

    def recorded_keys(self, name: str) -> list[int]:
        """Return the recorded keys of a timbre; none where nothing is known of it."""
        return [int(key) for key in self._takes[name].keys] if name in self._takes else []

    def heard_key(self, name: str, key: float) -> float:
        """Return the recorded key that a key is heard from, the key itself where nothing is known of the timbre."""
        return float(self._takes[name].keys[self._takes[name].root_key(key)]) if name in self._takes else key

    def read(self, motions: NDArray[np.float64], age_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], FloatArray]:
        """Return what `sway` and `swell` return."""
        places = self._places(motions, age_s)
        return self._sway(places), self._swell(motions, places)

    def sway(self, motions: NDArray[np.float64], age_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return semitones (T, V) that pitches are off at ages (T, V); motions (V, 2) are rows of `Motion`."""
        return self._sway(self._places(motions, age_s))

    def swell(self, motions: NDArray[np.float64], age_s: NDArray[np.float64], on_key: bool = False) -> FloatArray:
        """Return how far the level of each cell is off its smooth course, float32 (T, V, F); see `sway`.

        That is as recorded, for what is grown as the recorded key; `on_key` transposes it to the key that moves.
        """
        swell = self._swell(motions, self._places(motions, age_s))
        for voice in np.flatnonzero(motions[:, 1] != 1.0) if on_key else ():
            swell[:, voice] = transposed(swell[:, voice], self._spec, float(motions[voice, 1]))
        return swell

    def corrections(self, motions: NDArray[np.float64], age_s: NDArray[np.float64]) -> Corrections | None:
        """Return what `CorrectionTable.read` does; None where there is no such table."""
        return None if self.correction_table is None else self.correction_table.read(motions, age_s)

    def release_rates(self, motion: Motion) -> tuple[float, ...]:
        """Return by how much what moves so falls once it is let go, in dB a second; see `CorrectionTable`."""
        own = self.correction_table
        return NO_RATES if own is None else tuple(own.release_rates[own.rows[motion.row + 1]].tolist())

    def clock_ends_s(self, motions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the ages (V,) at which the growth's clock stops for what moves as rows of `Motion` (V, 2) say."""
        ends_s: NDArray[np.float64] = self.tables.clock_ends[
            self.tables.correction_row[motions[:, 0].astype(np.intp) + 1]
        ]
        return ends_s / motions[:, 1]

    @property
    def correction_shapes(self) -> FloatArray:
        """`CorrectionTable.shapes`; none where there is no such table."""
        return np.zeros((0, 0, 0), np.float32) if self.correction_table is None else self.correction_table.shapes

    def inharmonic_partials_of(self, rows: NDArray[np.intp]) -> FloatArray | None:
        """Return the `modes` (V, MAX_INHARMONIC_PARTIALS) of some rows (V,), None where none has any."""
        modes = self.tables.modes[rows + 1]
        return modes if modes.any() else None

    def _sway(self, places: MotionPlaces) -> NDArray[np.float64]:
        low, mix = places
        sway = self.tables.codes[:, 0]
        return np.asarray(sway[low] + mix * (sway[low + (mix > 0.0)] - sway[low]))

    def _swell(self, motions: NDArray[np.float64], places: MotionPlaces) -> FloatArray:
        low, mix = places
        tables = self.tables
        codes = tables.codes[low, 1:]
        codes += mix[..., None].astype(np.float32) * (tables.codes[low + (mix > 0.0), 1:] - codes)
        rows = motions[:, 0].astype(np.intp) + 1
        swell: FloatArray = np.matmul(codes[:, :, None], tables.swell_shapes[rows])[:, :, 0]
        return swell

    def _places(self, motions: NDArray[np.float64], age_s: NDArray[np.float64]) -> MotionPlaces:
        """Return the code below each moment, and how far it is from there to the next, each (T, V)."""
        tables, rows = self.tables, motions[:, 0].astype(np.intp) + 1
        at = age_s * (motions[:, 1] * tables.code_rate[rows])
        low, mix = code_places(at, tables.last_code[rows], tables.code_loop[rows])
        return tables.first_code[rows] + low, mix
