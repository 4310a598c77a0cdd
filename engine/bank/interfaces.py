"""What the engine asks of a bank."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ..arrays import FloatArray
from ..keys.motions import Motion


class Role(NamedTuple):
    """What plays a note, whatever grows it: an instrument, and the key struck.

    Attributes
    ----------
    program, is_drums, name, bank : of the instrument; without a name whatever plays that program
    key : int
    """

    program: int
    is_drums: bool
    key: int
    name: str = ""
    bank: int = 0


class Instrument(Protocol):
    """What tells instruments apart."""

    @property
    def name(self) -> str:
        """Name for people."""
        ...

    @property
    def program(self) -> int:
        """General MIDI program 0..127 that it plays."""
        ...

    @property
    def bank(self) -> int:
        """Number of the variation of the program that it is, 0 for the program itself."""
        ...

    @property
    def is_drums(self) -> bool:
        """Whether it is a drum kit."""
        ...


class Choice(Protocol):
    """What plays a key: an instrument, and the timbre it has there."""

    @property
    def instrument(self) -> Instrument:
        """The instrument."""
        ...

    @property
    def timbre(self) -> FloatArray:
        """Conditioning vector (D,)."""
        ...

    @property
    def pitched(self) -> bool:
        """Whether the sound has a pitch."""
        ...

    def motion_at(self, velocity: float) -> Motion:
        """Return what moves a note of a velocity 0..1."""
        ...

    @property
    def substituted(self) -> bool:
        """Whether it stands in for an instrument that the bank lacks."""
        ...

    @property
    def drum(self) -> int | None:
        """The key of the drum that stands in for the one on the key; None where none does."""
        ...

    def tuning(self, key: int) -> tuple[float, float]:
        """Return cents and inharmonicity B that the instrument has on a key."""
        ...

    def level_db(self, key: int, velocity: float) -> float:
        """Return how much louder than it is grown a key shall sound at a velocity 0..1."""
        ...

    def release_rate(self, velocity: float) -> float:
        """Return by how much a note of a velocity 0..1 falls once it is let go, in dB a second; 0: as it grows."""
        ...

    @property
    def is_silent(self) -> bool:
        """Whether the key has no sound; what else is said is what comes nearest."""
        ...


class InstrumentChooser(Protocol):
    """The part of a bank that `Synth` needs."""

    @property
    def only(self) -> Instrument | None:
        """The lock: what plays whatever is not on a drum channel; None where programs say."""
        ...

    @property
    def has_drums(self) -> bool:
        """Whether there is a drum kit to choose."""
        ...

    @property
    def changes(self) -> int:
        """How often answers have changed, for instruments were read or replaced."""
        ...

    def expect(self, program: int, bank: int, is_drums: bool) -> bool:
        """Make ready what plays a program, if that can be done aside; return whether it is not ready yet."""
        ...

    def instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> Choice:
        """Return what plays a key; never fails."""
        ...

    def unlocked_instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> Choice:
        """Return what plays a key, whatever the lock says; never fails."""
        ...

    def named(self, instrument: Instrument, key: int) -> Choice:
        """Return an instrument's own sound on a key, or what stands in for it; never fails."""
        ...
