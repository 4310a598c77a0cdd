"""Choosing instruments for notes, whatever grows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ...errors import UsageError
from ...midi.spec.kinship import distance
from ..names import closest
from .instruments import BankInstrument
from .interfaces import Choice, Instrument, InstrumentChooser

LAST_PROGRAM = 127


Named = TypeVar("Named", bound=Instrument)


def find_instrument(instruments: Iterable[Named], wanted: str | int) -> Named:
    """Return the instrument that a name, in any case, or a program number means.

    A program 0..127 that none of them plays means the one that sounds in the most similar way.

    Raises
    ------
    UsageError
        The name is unknown (it says the nearest), or the number is none of a program.
    """
    by_name = {one.name: one for one in instruments}
    programs = {one.name: None if one.is_drums or one.bank else one.program for one in by_name.values()}
    return by_name[instrument_name(wanted, programs)]


def find_playable(instruments: Iterable[BankInstrument], wanted: str | int) -> BankInstrument:
    """Return what `find_instrument` does; no program number means an instrument of a user's own."""
    by_name = {one.name: one for one in instruments}
    return by_name[instrument_name(wanted, {name: one.asked_program for name, one in by_name.items()})]


def instrument_name(wanted: str | int, programs: Mapping[str, int | None]) -> str:
    """Return what `find_instrument` does of instruments by name, with their programs.

    Drum kits have None, and so have variations of programs and a user's own instruments.
    """
    program = _program(wanted, programs)
    if program is None:
        return closest(str(wanted), programs, "instrument")
    melodic = {name: own for name, own in programs.items() if own is not None}
    if not melodic:
        raise UsageError(f"no instrument plays program {program}: there are drums alone")
    return min(melodic, key=lambda name: (distance(program, melodic[name]), melodic[name]))


def _program(wanted: str | int, programs: Mapping[str, int | None]) -> int | None:
    """Return the program that is meant, None for a name, which may be made of digits."""
    if isinstance(wanted, str) and (wanted.strip().lower() in map(str.lower, programs) or not _is_number(wanted)):
        return None
    number = int(wanted)
    if isinstance(wanted, bool) or not 0 <= number <= LAST_PROGRAM:
        raise UsageError(f"a program must be in 0..{LAST_PROGRAM}, got {wanted!r}")
    return number


def _is_number(text: str) -> bool:
    digits = text.strip().lstrip("+-")
    return digits.isascii() and digits.isdigit()


@dataclass(eq=False)
class Selection:
    """What castings of several representations have in common: who shall play everything, and who has played."""

    only: Instrument | None = None
    chosen: dict[str, None] = field(default_factory=dict)


class InstrumentSelection:
    """Chooses instruments from a bank, all alike if so told, and remembers which.

    Parameters
    ----------
    bank : InstrumentChooser
        What is chosen from.
    only : Instrument or None
        Plays whatever is not on a drum channel.
    """

    def __init__(self, bank: InstrumentChooser, only: Instrument | None = None) -> None:
        self._bank = bank
        self._cast = Selection(only)

    def over(self, bank: InstrumentChooser) -> InstrumentSelection:
        """Return a selection of the same wishes and memory that chooses from another representation."""
        selection = InstrumentSelection(bank)
        selection._cast = self._cast
        return selection

    def play_only(self, only: Instrument | None) -> None:
        """Play whatever is not on a drum channel with one instrument, or with what it asks for; see `Synth.recast`."""
        self._cast.only = only

    @property
    def only(self) -> Instrument | None:
        """What plays whatever is not on a drum channel; None where programs say."""
        return self._cast.only

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments that played, in order of appearance."""
        return tuple(self._cast.chosen)

    @property
    def has_drums(self) -> bool:
        """Whether there is a drum kit to choose."""
        return self._bank.has_drums

    @property
    def changes(self) -> int:
        """How often what the bank answers has changed."""
        return self._bank.changes

    def expect(self, program: int, bank: int, is_drums: bool) -> bool:
        """Make ready what plays a program; see `InstrumentChooser`. A lock plays whatever is asked for."""
        return self._bank.expect(program, bank, is_drums) if self.only is None or is_drums else False

    def instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> Choice:
        """Return what plays a key (see `engine.bank.interfaces.InstrumentChooser`)."""
        only = self._cast.only
        if only is not None and not is_drums:
            return self.named(only, key)
        return self.unlocked_instrument_for(program, bank, is_drums, key)

    def named(self, instrument: Instrument, key: int) -> Choice:
        """Return an instrument's own sound on a key, or what stands in for it where this representation lacks it."""
        choice = self._bank.named(instrument, key)
        self._cast.chosen[choice.instrument.name] = None
        return choice

    def unlocked_instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> Choice:
        """Return what plays a key, whatever `play_only` says: in a pad of timbres."""
        choice = self._bank.instrument_for(program, bank, is_drums, key)
        self._cast.chosen[choice.instrument.name] = None
        return choice
