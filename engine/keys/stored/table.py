"""The key table of one instrument: all that was measured or learned for each of its recorded keys, in one place.

Letters: T timbres (one of a pitched instrument, one for each drum of a kit), K recorded keys, D numbers of a timbre, C
numbers of a key's code, M motions, N moments of all courses, R courses of a motion, W bands, L corrected keys, J
measured tunings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...spectra.pitch import MAX_INHARMONIC_PARTIALS
from .npz import NUM_KEYS

MAX_TIMBRES: Final = 128
MAX_ROWS: Final = 8192
"""Recorded keys of all timbres: a kit of 128 drums has 64 for each."""
MAX_TIMBRE_SIZE: Final = 4096
MAX_COURSES: Final = 64
MAX_BANDS: Final = 4096
MAX_MOMENTS: Final = 2**20
MAX_EXTRAS: Final = 16
MAX_EXTRA_SIZE: Final = 2**22
"""Numbers of one extra."""
MAX_CENTS: Final = 1200.0
MAX_INHARMONICITY: Final = 0.1
MAX_PACE: Final = 64.0
MAX_VALUE: Final = 1e6
"""No trained number is larger."""
_EXTRA_KINDS: Final = ("int8", "uint8", "int16", "float16", "float32")


@dataclass(frozen=True, eq=False)
class Courses:
    """Courses in time with their shapes over bands: the form of a motion and of a per-key correction.

    A level at a moment and a band is the sum over R of course x shape. Further courses in front have no shape: the
    sway of the pitch.

    Attributes
    ----------
    values : int8 (N, C), courses in time, one after the other; C is R, or R and those without a shape in front
    scale : float32 (M, C), what a value of 1 means
    first : int64 (M + 1,), where the values of each of M begin
    shapes : int8 (M, R, W), how strongly each band follows each course
    shape_scale : float32 (M, R), level of a course and a shape of 1
    """

    values: NDArray[np.int8]
    scale: FloatArray
    first: NDArray[np.int64]
    shapes: NDArray[np.int8]
    shape_scale: FloatArray

    def __len__(self) -> int:
        """Return M."""
        return len(self.shapes)

    def check(self, what: str, without_shape: int) -> None:
        """Raise `ValueError` for sizes that do not fit, or are too large."""
        if self.values.ndim != 2 or self.shapes.ndim != 3:
            raise ValueError(f"{what}: courses of {self.values.shape}, shapes of {self.shapes.shape}")
        count, courses, bands = self.shapes.shape
        if courses > MAX_COURSES or bands > MAX_BANDS or len(self.values) > MAX_MOMENTS:
            raise ValueError(f"{what}: {courses} courses over {bands} bands at {len(self.values)} moments are too many")
        sizes = (self.values.shape[1], self.scale.shape, self.shape_scale.shape, self.first.shape)
        columns = courses + without_shape
        if sizes != (columns, (count, columns), (count, courses), (count + 1,)):
            raise ValueError(f"{what}: {courses} courses of {count} keys do not fit {sizes}")
        if self.first[0] != 0 or self.first[-1] != len(self.values) or not np.all(np.diff(self.first) > 0):
            raise ValueError(f"{what}: first must rise from 0 to the number of values")
        for name, numbers in (("scale", self.scale), ("shape_scale", self.shape_scale)):
            _check_finite(f"{what}: {name}", numbers, MAX_VALUE)

    def rows(self, chosen: NDArray[np.intp]) -> Courses:
        """Return some of M, in the order given."""
        parts = [self.values[self.first[row] : self.first[row + 1]] for row in chosen.tolist()]
        counts = np.array([len(part) for part in parts], np.int64)
        values = np.concatenate(parts) if parts else self.values[:0]
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Courses(values, self.scale[chosen], first, self.shapes[chosen], self.shape_scale[chosen])


@dataclass(frozen=True, eq=False)
class KeyTable:
    """Everything of one instrument that lies under a recorded key.

    Attributes
    ----------
    suffixes : T texts; what follows the instrument's name in that of a timbre: "" of a pitched one, ":36" of a drum
    vectors : float32 (T, D), the part of the timbre that all keys share
    timbre, key : int64 (K,), which of T, and the MIDI key; both rise
    codes : float16 (K, C), the part of the timbre that is the key's own
    take : int64 (K,), which recording a key is of: the same number for the keys of one zone, which lie side by side
    inharmonic_partials : float32 (K, MAX_INHARMONIC_PARTIALS), partials beside the series, over the fundamental; 0 none
    motion : int64 (K,), which of M moves a key
    pace : float32 (K,), how much faster than on the key where it was measured
    source : int64 (M,), which of K a motion was measured on
    loop : float32 (M,), moments at its end that repeat for ever; 0 where it stays
    motions : Courses of M motions; the first course is the sway of the pitch in semitones and has no shape
    motion_rate_hz : moments of motions in a second
    corrected : int64 (L,), which of K have a correction, rising
    moments : int64, spectral frames since the onset at which courses of corrections are, rising
    corrections : Courses of L corrections
    corrected_field : the grown field whose levels are corrected, "" where L is 0
    corrected_partials : so many of W are partials; bands follow
    tuned_keys : int64 (J,), MIDI keys, rising
    cents, inharmonicity : float64 (J,), deviation from equal temperament, and B
    extras : name -> array (K, ...), what else is known of each recorded key

    Raises
    ------
    ValueError
        Sizes that do not fit each other, rows that are not there, values out of range.
    """

    suffixes: tuple[str, ...]
    vectors: FloatArray
    timbre: NDArray[np.int64]
    key: NDArray[np.int64]
    codes: NDArray[np.float16]
    take: NDArray[np.int64]
    inharmonic_partials: FloatArray
    motion: NDArray[np.int64]
    pace: FloatArray
    source: NDArray[np.int64]
    loop: FloatArray
    motions: Courses
    motion_rate_hz: float
    corrected: NDArray[np.int64]
    moments: NDArray[np.int64]
    corrections: Courses
    corrected_field: str
    corrected_partials: int
    tuned_keys: NDArray[np.int64]
    cents: NDArray[np.float64]
    inharmonicity: NDArray[np.float64]
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check everything: what passes here can be played."""
        self._check_timbres()
        self._check_rows()
        self._check_motions()
        self._check_corrections()
        self._check_tuning()
        self._check_extras()

    def __repr__(self) -> str:
        """Tell how much there is."""
        return f"<KeyTable of {len(self.key)} recorded keys, {len(self.suffixes)} timbres, {len(self.motions)} motions>"

    @property
    def timbre_size(self) -> int:
        """Numbers that condition a model: D + C."""
        return self.vectors.shape[1] + self.codes.shape[1]

    @property
    def num_bands(self) -> int:
        """Bands over which motions have their shapes: the cells of the model."""
        return self.motions.shapes.shape[2]

    def _check_timbres(self) -> None:
        count = len(self.suffixes)
        if not 1 <= count <= MAX_TIMBRES or len(set(self.suffixes)) != count:
            raise ValueError(f"an instrument has 1..{MAX_TIMBRES} timbres of different names, got {count}")
        if self.vectors.ndim != 2 or len(self.vectors) != count or self.vectors.shape[1] > MAX_TIMBRE_SIZE:
            raise ValueError(f"vectors of {self.vectors.shape} do not fit {count} timbres")
        _check_finite("vectors", self.vectors, MAX_VALUE)

    def _check_rows(self) -> None:
        count = len(self.key)
        if not 1 <= count <= MAX_ROWS or self.key.ndim != 1:
            raise ValueError(f"an instrument has 1..{MAX_ROWS} recorded keys, got {self.key.shape}")
        columns = (self.timbre, self.codes, self.take, self.inharmonic_partials, self.motion, self.pace)
        if any(len(column) != count for column in columns) or self.codes.ndim != 2:
            raise ValueError(f"columns of {[len(column) for column in columns]} values do not fit {count} keys")
        if self.codes.shape[1] > MAX_TIMBRE_SIZE or self.inharmonic_partials.shape[1:] != (MAX_INHARMONIC_PARTIALS,):
            raise ValueError(f"codes of {self.codes.shape}, partials of {self.inharmonic_partials.shape}")
        _check_rows_of("timbre", self.timbre, len(self.suffixes))
        _check_rows_of("key", self.key, NUM_KEYS)
        if np.any(np.diff(self.timbre * NUM_KEYS + self.key) <= 0) or set(self.timbre.tolist()) != set(
            range(len(self.suffixes))
        ):
            raise ValueError("recorded keys must rise, timbre after timbre, and every timbre must have some")
        same = np.diff(self.timbre) == 0
        if np.any(np.diff(self.take)[same] < 0):
            raise ValueError("takes must rise with the keys")
        _check_finite("codes", self.codes, MAX_VALUE)
        _check_finite("inharmonic_partials", self.inharmonic_partials, MAX_VALUE, least=0.0)

    def _check_motions(self) -> None:
        self.motions.check("motions", without_shape=1)
        count = len(self.motions)
        if self.source.shape != (count,) or self.loop.shape != (count,) or not 0.0 < self.motion_rate_hz <= MAX_VALUE:
            raise ValueError(f"{count} motions do not fit {self.source.shape} sources and {self.loop.shape} loops")
        _check_rows_of("source", self.source, len(self.key))
        _check_rows_of("motion", self.motion, count)
        if not np.all((self.loop >= 0.0) & (self.loop <= np.diff(self.motions.first))):
            raise ValueError("a loop must be no longer than its motion")
        if not np.all((self.pace > 0.0) & (self.pace <= MAX_PACE)):
            raise ValueError(f"paces must be above 0, and {MAX_PACE:g} at most")

    def _check_corrections(self) -> None:
        self.corrections.check("corrections", without_shape=0)
        count, moments = len(self.corrections), len(self.moments)
        if self.corrected.shape != (count,) or np.any(np.diff(self.corrected) <= 0):
            raise ValueError(f"{count} corrections do not fit {self.corrected.shape} keys that rise")
        _check_rows_of("corrected", self.corrected, len(self.key))
        if np.any(np.diff(self.corrections.first) != moments):
            raise ValueError(f"a correction has {moments} moments")
        if (count and not moments) or np.any(np.diff(self.moments) <= 0) or np.any(self.moments < 0):
            raise ValueError("moments must rise from 0 or later")
        if not 0 <= self.corrected_partials <= self.corrections.shapes.shape[2]:
            raise ValueError(f"{self.corrected_partials} partials of {self.corrections.shapes.shape[2]} shapes")
        if bool(count) != bool(self.corrected_field):
            raise ValueError(f"{count} corrections of the field {self.corrected_field!r}")

    def _check_tuning(self) -> None:
        keys = self.tuned_keys
        if not 1 <= len(keys) <= NUM_KEYS or len(self.cents) != len(keys) or len(self.inharmonicity) != len(keys):
            raise ValueError(f"{len(self.cents)} cents and {len(self.inharmonicity)} values of B for {len(keys)} keys")
        _check_rows_of("tuned_keys", keys, NUM_KEYS)
        if np.any(np.diff(keys) <= 0):
            raise ValueError("tuned_keys must rise")
        _check_finite("cents", self.cents, MAX_CENTS)
        _check_finite("inharmonicity", self.inharmonicity, MAX_INHARMONICITY, least=0.0)

    def _check_extras(self) -> None:
        if len(self.extras) > MAX_EXTRAS:
            raise ValueError(f"{len(self.extras)} extras, expected {MAX_EXTRAS} at most")
        for name, values in self.extras.items():
            if not name.isidentifier() or len(name) > 40:
                raise ValueError(f"an extra is named by a word of 40 letters at most, got {name[:60]!r}")
            if values.ndim == 0 or len(values) != len(self.key) or values.size > MAX_EXTRA_SIZE:
                raise ValueError(f"the extra {name} of {values.shape} does not fit {len(self.key)} keys")
            if values.dtype.name not in _EXTRA_KINDS:
                raise ValueError(f"the extra {name} is of type {values.dtype}, expected one of {_EXTRA_KINDS}")
            _check_finite(f"the extra {name}", values, MAX_VALUE)


def _check_rows_of(name: str, values: NDArray[np.int64], count: int) -> None:
    if np.any((values < 0) | (values >= count)):
        raise ValueError(f"{name} must be in 0..{count - 1}")


def _check_finite(name: str, values: NDArray[Any], largest: float, least: float | None = None) -> None:
    numbers = np.asarray(values, np.float64)
    # Nothing compares with NaN.
    if not np.all((numbers >= (-largest if least is None else least)) & (numbers <= largest)):
        raise ValueError(f"{name} has values out of {-largest if least is None else least:g}..{largest:g}")
