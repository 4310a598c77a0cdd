"""Instruments that come from files: the user's own beside a bank's, and those that a bank lists as files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ...errors import BankError, UsageError
from ..instrument_files import InstrumentFacts, InstrumentFile, read_facts, read_instrument
from .instruments import BankInstrument, Levels, Tuning


class Place(NamedTuple):
    """What asks for an instrument: a program on melodic channels, or on those of drums.

    Attributes
    ----------
    is_drums : bool
    program : 0..127; None is any
    bank : 0..127, as CC 0 chooses it, or CC 32 where that is 0; None is any
    """

    is_drums: bool
    program: int | None
    bank: int | None = None

    def fits(self, program: int, bank: int, is_drums: bool) -> bool:
        """Tell whether a channel asks for this, whose bank number is CC 0 * 128 + CC 32."""
        number = bank >> 7 or bank & 127
        return is_drums == self.is_drums and self.program in (None, program) and self.bank in (None, number)


@dataclass(frozen=True, eq=False)
class FileInstrument:
    """An instrument whose key table is read when it is first played.

    Attributes
    ----------
    instrument : what is known of it before; its tuning comes with the table
    representation, foundation : of the models that it conditions
    drums : keys of a kit's drums; of the other kinds empty
    read : reads it; raises `BankError`
    """

    instrument: BankInstrument
    representation: str
    foundation: str
    drums: tuple[int, ...]
    read: Callable[[], InstrumentFile]

    def renamed(self, name: str) -> FileInstrument:
        """Return the same under another name."""
        return replace(self, instrument=replace(self.instrument, name=name))


def instrument_file(
    source: str | os.PathLike[str] | InstrumentFile, facts: InstrumentFacts | None = None
) -> FileInstrument:
    """Return an instrument of a user's: from a path, of which only the facts are read now, or from memory.

    Parameters
    ----------
    facts : of a path, if they are known

    Raises
    ------
    BankError
        If the file cannot be read, or is none.
    """
    if isinstance(source, InstrumentFile):
        return _of_facts(source.facts, lambda: source)
    path = Path(source)
    return _of_facts(facts or read_facts(path), partial(read_instrument, path))


def check_foundation(one: FileInstrument, representation: str, foundation: str, what: str) -> None:
    """Raise `BankError` for an instrument of another foundation than that of a bank's representation."""
    if one.representation != representation:
        raise BankError(f"{what}: it grows in the {one.representation} representation, not in {representation}")
    if one.foundation != foundation:
        raise BankError(
            f"{what}: it was made for another foundation ({one.foundation[:12]}) than the bank's "
            f"({foundation[:12]}); learn it again, or play it with its own bank"
        )


def parse_place(text: str) -> Place:
    """Return what the left side of a mapping means: "0", "8:0" (bank and program), "drums:0" or "drums".

    Raises
    ------
    UsageError
        If it means nothing.
    """
    head, _, tail = text.strip().lower().rpartition(":")
    if text.strip().lower() == "drums":
        return Place(True, None)
    is_drums = head == "drums"
    program, bank = _number(tail), None if is_drums or not head else _number(head)
    if program is None or (bank is None and head and not is_drums):
        raise UsageError(
            f"expected a program 0..127, such as 0, 8:0 (bank and program), drums:0 or drums, got {text!r}"
        )
    return Place(is_drums, program, bank)


def _number(text: str) -> int | None:
    digits = text.strip()
    number = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 3 else -1
    return number if 0 <= number <= 127 else None


def _of_facts(facts: InstrumentFacts, read: Callable[[], InstrumentFile]) -> FileInstrument:
    instrument = BankInstrument(
        name=facts.name,
        program=facts.program,
        is_drums=facts.is_drums,
        pitched=facts.kind == "pitched",
        low=facts.low,
        high=facts.high,
        measured=Tuning(),
        is_own=True,
        levels=Levels(*facts.levels),
    )
    return FileInstrument(instrument, facts.representation, facts.foundation, tuple(sorted(facts.drums)), read)
