"""The instruments of a bank: tuning, timbres and what plays a key."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from ...errors import BankError
from ...midi.spec.general_midi import family_of
from ...midi.spec.kinship import distance
from ..arrays import FloatArray
from ..keys.motions import Motion, MotionTable
from ..keys.timbres import TimbreTable
from .interfaces import Instrument

SAME_KIND = dict.fromkeys((31, 32, 33, 34), 37)
"""Drums beside those of General MIDI 1 that another can stand in for: sticks and clicks to count in, a side stick."""


@dataclass(frozen=True)
class Tuning:
    """Measured deviation from equal temperament on some keys, interpolated in between."""

    keys: tuple[int, ...] = (60,)
    cents: tuple[float, ...] = (0.0,)
    inharmonicity: tuple[float, ...] = (0.0,)

    def at(self, key: float) -> tuple[float, float]:
        """Return (cents, inharmonicity B) at a key; the nearest measured key's beyond the ends."""
        return _between(self.keys, self.cents, key), _between(self.keys, self.inharmonicity, key)


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
    """

    name: str
    program: int
    is_drums: bool = False
    pitched: bool = True
    low: int = 0
    high: int = 127
    measured: Tuning = field(default_factory=Tuning)

    @property
    def family(self) -> str:
        """General MIDI family, or "Drums"."""
        return "Drums" if self.is_drums else family_of(self.program)

    def timbre_name(self, key: int) -> str:
        """Return the timbre that plays a key: a kit's nearest drum, else the instrument's own."""
        return f"{self.name}:{min(max(key, self.low), self.high)}" if self.is_drums else self.name

    def tuning(self, key: int) -> tuple[float, float]:
        """Return cents and inharmonicity B of a key."""
        return self.measured.at(key)


@dataclass(frozen=True, eq=False)
class KeyChoice:
    """What plays a key; see `engine.bank.interfaces.Choice`."""

    instrument: BankInstrument
    timbre: FloatArray
    pitched: bool
    substituted: bool
    motion: Motion
    drum: int | None = None
    is_silent: bool = False

    def tuning(self, key: int) -> tuple[float, float]:
        """Return cents and inharmonicity B that the instrument has on a key."""
        return self.instrument.tuning(key)


class TimbreBook:
    """The instruments that one representation has timbres of, with their vectors and what moves them.

    Attributes
    ----------
    only : None: a lock is the matter of `engine.bank.chooser.InstrumentSelection`
    """

    only = None

    def __init__(self, instruments: tuple[BankInstrument, ...], timbres: TimbreTable, motions: MotionTable) -> None:
        self._drums = {
            one.name: [key for key in range(one.low, one.high + 1) if one.timbre_name(key) in timbres]
            for one in instruments
            if one.is_drums
        }
        self.instruments = tuple(
            one for one in instruments if (self._drums[one.name] if one.is_drums else one.name in timbres)
        )
        if not self.instruments:
            raise BankError("a representation has no timbre of any instrument of the bank; export it again")
        self._timbres, self._motions = timbres, motions

    def instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> KeyChoice:
        """Return what plays a key: the program's own instrument, or the one that sounds in the most similar way.

        A drum that the kit lacks is silent, unless the kit has one of its kind.

        Bank numbers are kept by the channels, but this bank has no variations to choose among.
        """
        candidates = [one for one in self.instruments if one.is_drums == is_drums] or list(self.instruments)
        instrument = min(candidates, key=lambda one: (distance(program, one.program), one.program))
        return self._choice(instrument, instrument.program != program, is_drums, key)

    unlocked_instrument_for = instrument_for

    def named(self, instrument: Instrument, key: int) -> KeyChoice:
        """Return an instrument's own sound on a key, or what stands in for it where there is none of that name."""
        own = next((one for one in self.instruments if one.name == instrument.name), None)
        if own is None:
            return self.instrument_for(instrument.program, 0, instrument.is_drums, key)
        return self._choice(own, False, own.is_drums, key)

    def _choice(self, instrument: BankInstrument, is_another: bool, is_drums: bool, key: int) -> KeyChoice:
        """Return what an instrument plays on a key of a drum channel or a melodic one."""
        substituted = is_another or instrument.is_drums != is_drums
        played = self._drum(instrument, key) if instrument.is_drums else key
        drum = played if is_drums and instrument.is_drums and played != key else None
        name = instrument.timbre_name(played)
        timbre = self._timbres.vector(name, self._motions.heard_key(name, played))
        motion = self._motions.find(name, played)
        is_silent = is_drums and (not instrument.is_drums or (drum is not None and drum != SAME_KIND.get(key)))
        return KeyChoice(instrument, timbre, instrument.pitched, substituted, motion, drum, is_silent)

    @property
    def has_drums(self) -> bool:
        """Whether there is a drum kit."""
        return any(one.is_drums for one in self.instruments)

    def _drum(self, kit: BankInstrument, key: int) -> int:
        """Return the drum of a kit that sounds most like the one on a key: its own, one of its kind, else any."""
        wanted = key if key in self._drums[kit.name] else SAME_KIND.get(key, key)
        return min(self._drums[kit.name], key=lambda one: (abs(one - wanted), one))
