"""Choosing instruments for notes, whatever grows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from .seams import Choice, InstrumentChooser


class NamedInstrument(Protocol):
    """What is asked of a bank's instrument to find it by name."""

    @property
    def name(self) -> str:
        """Name for people."""
        ...

    @property
    def program(self) -> int:
        """General MIDI program 0..127 that it plays."""
        ...

    @property
    def is_drums(self) -> bool:
        """Whether it is a drum kit."""
        ...


@dataclass(eq=False)
class Cast:
    """What castings of several representations have in common: who shall play everything, and who has played."""

    only: NamedInstrument | None = None
    chosen: dict[str, None] = field(default_factory=dict)


class Casting:
    """Chooses instruments from a bank, all alike if so told, and remembers which.

    Parameters
    ----------
    bank : InstrumentChooser
        What is chosen from.
    only : NamedInstrument or None
        Plays whatever is not on a drum channel.
    """

    def __init__(self, bank: InstrumentChooser, only: NamedInstrument | None = None) -> None:
        self._bank = bank
        self._cast = Cast(only)

    def over(self, bank: InstrumentChooser) -> Casting:
        """Return a casting of the same wishes and memory that chooses from another representation."""
        casting = Casting(bank)
        casting._cast = self._cast
        return casting

    def play_only(self, only: NamedInstrument | None) -> None:
        """Play whatever is not on a drum channel with one instrument, or with what it asks for; see `Synth.recast`."""
        self._cast.only = only

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments that played, in order of appearance."""
        return tuple(self._cast.chosen)

    @property
    def has_drums(self) -> bool:
        """Whether there is a drum kit to choose."""
        return getattr(self._bank, "has_drums", True)

    def instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> Choice:
        """Return what plays a key (see `engine.seams.InstrumentChooser`)."""
        only = self._cast.only
        if only is not None and not is_drums:
            program, bank, is_drums = only.program, 0, only.is_drums
        return self.guest_for(program, bank, is_drums, key)

    def guest_for(self, program: int, bank: int, is_drums: bool, key: int) -> Choice:
        """Return what plays a key, whatever `play_only` says: in a pad of timbres."""
        choice = self._bank.instrument_for(program, bank, is_drums, key)
        self._cast.chosen[choice.instrument.name] = None
        return choice
