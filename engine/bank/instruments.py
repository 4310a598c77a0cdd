"""The instruments of a bank, and what plays a key."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log2

from ...midi.spec.general_midi import family_of
from ..arrays import FloatArray
from ..instrument_files.levels import KeyLevels
from ..keys.motions import Motion
from ..keys.stored.correction_arrays import step_at
from ..keys.stored.releases import NONE, release_rate
from ..keys.stored.table import KeyTable


@dataclass(frozen=True)
class Tuning:
    """Measured deviation from equal temperament on some keys, interpolated in between."""

    keys: tuple[int, ...] = (60,)
    cents: tuple[float, ...] = (0.0,)
    inharmonicity: tuple[float, ...] = (0.0,)

    @classmethod
    def of(cls, table: KeyTable) -> Tuning:
        """Return the tuning that a key table has."""
        return cls(*(tuple(values.tolist()) for values in (table.tuned_keys, table.cents, table.inharmonicity)))

    def at(self, key: float) -> tuple[float, float]:
        """Return (cents, inharmonicity B) at a key; the nearest measured key's beyond the ends."""
        return _between(self.keys, self.cents, key), _between(self.keys, self.inharmonicity, key)


@dataclass(frozen=True)
class Levels:
    """How much louder than they are grown some keys shall sound, interpolated in between.

    Instruments of one bank are made from many recordings, whose levels say little of how loud they are beside each
    other, and of which few tell how loudness follows velocity.

    Attributes
    ----------
    keys : rising
    db : for each of them, at velocity 127
    slope_db : more with each doubling of the velocity
    """

    keys: tuple[int, ...] = (60,)
    db: tuple[float, ...] = (0.0,)
    slope_db: float = 0.0

    @property
    def facts(self) -> KeyLevels:
        """What a manifest or a file says of them."""
        return self.keys, self.db, self.slope_db

    def at(self, key: float, velocity: float) -> float:
        """Return dB at a key, the nearest measured one's beyond the ends, and a velocity 0..1."""
        return _between(self.keys, self.db, key) + self.slope_db * log2(max(velocity, 1 / 127))


def _between(keys: tuple[int, ...], values: tuple[float, ...], key: float) -> float:
    """Return the value at a key, interpolated; `np.interp` would make arrays of both for every note."""
    above = bisect_left(keys, key)
    if above == 0 or above == len(keys):
        return values[min(above, len(keys) - 1)]
    share = (key - keys[above - 1]) / (keys[above] - keys[above - 1])
    return values[above - 1] + share * (values[above] - values[above - 1])


@dataclass(frozen=True)
class BankInstrument:
    """A playable instrument of a bank.

    Attributes
    ----------
    name : str
    program : General MIDI program 0..127 that it plays
    is_drums : whether it is a drum kit, with a timbre for every key
    pitched : whether its notes have a fundamental
    low, high : the keys it was trained on; others are extrapolated
    measured : tuning
    is_own : whether it is a user's: played by name, or where it is put in the place of a program, but never because it
        is the most similar one
    shared : of a kit, the keys whose drums are those of other kits, and the timbres of these
    levels : how loud it is beside others
    bank : number of the variation of the program that it is, as GS counts them; 0 for the program itself
    """

    name: str
    program: int
    is_drums: bool = False
    pitched: bool = True
    low: int = 0
    high: int = 127
    measured: Tuning = field(default_factory=Tuning)
    is_own: bool = False
    shared: Mapping[int, str] = field(default_factory=dict)
    levels: Levels = field(default_factory=Levels)
    bank: int = 0

    @property
    def family(self) -> str:
        """General MIDI family, or "Drums"."""
        return "Drums" if self.is_drums else family_of(self.program)

    @property
    def asked_program(self) -> int | None:
        """The program by which alone it can be asked for; None of drums, of variations and of a user's own."""
        return None if self.is_drums or self.is_own or self.bank else self.program

    def timbre_name(self, key: int) -> str:
        """Return the timbre that plays a key: a kit's nearest drum, else the instrument's own."""
        if not self.is_drums:
            return self.name
        key = min(max(key, self.low), self.high)
        return self.shared.get(key, f"{self.name}:{key}")

    def tuning(self, key: int) -> tuple[float, float]:
        """Return cents and inharmonicity B of a key."""
        return self.measured.at(key)


@dataclass(frozen=True, eq=False)
class KeyChoice:
    """What plays a key; see `engine.bank.interfaces.Choice`.

    Attributes
    ----------
    motion : what moves the loudest notes
    steps : rows of softer and louder notes, of which that of `motion` is the last
    release_rates : by how much soft, middle and loud notes fall once they are let go; see `engine.keys.stored.releases`
    """

    instrument: BankInstrument
    timbre: FloatArray
    pitched: bool
    substituted: bool
    motion: Motion
    drum: int | None = None
    is_silent: bool = False
    steps: int = 1
    release_rates: tuple[float, ...] = NONE

    def motion_at(self, velocity: float) -> Motion:
        """Return what moves a note of a velocity 0..1."""
        return self.motion._replace(row=self.motion.row + 1 - self.steps + step_at(velocity, self.steps))

    def release_rate(self, velocity: float) -> float:
        """Return by how much a note of a velocity 0..1 falls once it is let go."""
        return release_rate(self.release_rates, velocity)

    def tuning(self, key: int) -> tuple[float, float]:
        """Return cents and inharmonicity B that the instrument has on a key."""
        return self.instrument.tuning(key)

    def level_db(self, key: int, velocity: float) -> float:
        """Return how much louder than it is grown a key shall sound at a velocity 0..1."""
        return self.instrument.levels.at(key if self.drum is None else self.drum, velocity)
