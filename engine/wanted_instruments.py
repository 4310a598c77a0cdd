"""Instruments that a caller names: by a bank's name or program, by a name in the user's folder, or by a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import BankError, UsageError
from .arguments import check_instrument
from .bank.added import FileInstrument, check_foundation, instrument_file, parse_place
from .bank.bank import SHIPPED, Bank
from .bank.chooser import find_playable
from .bank.instruments import BankInstrument
from .bank.timbre_book import TimbreBook
from .instrument_files import InstrumentFacts, InstrumentFile, facts_at, is_file_name
from .instrument_files.folder import list_folder

InstrumentSource = str | os.PathLike[str] | InstrumentFile
"""A file by its path, a name, or an instrument in memory."""
Wanted = int | InstrumentSource
"""A program, or any of those."""


class Found(NamedTuple):
    """What was found.

    Attributes
    ----------
    bank : with all instruments that can be played
    chosen : the instrument that was asked for, None where none was
    paths : instruments that come from files on disk, by name
    asked_for : names of those that were asked for, not just found in the user's folder
    """

    bank: Bank
    chosen: BankInstrument | None
    paths: Mapping[str, Path]
    asked_for: tuple[str, ...]


def check_wanted(instrument: object, instruments: object, mapping: object) -> None:
    """Raise `UsageError` for arguments that cannot name instruments."""
    if not isinstance(mapping, Mapping | None):
        raise UsageError(f"mapping: expected places with instruments, got {mapping!r}")
    if isinstance(instruments, str | bytes) or not isinstance(instruments, Sequence):
        raise UsageError(f"instruments: expected a list of files, got {instruments!r}")
    for one in (instrument, *instruments, *(mapping or {}).values()):
        if not isinstance(one, InstrumentFile | os.PathLike):
            check_instrument(one)
    for place in mapping or {}:
        if not isinstance(place, str):
            raise UsageError(f"mapping: expected a place such as '0' or 'drums:0', got {place!r}")


def representation_of_file(wanted: object) -> str | None:
    """Return the representation that an instrument file is for; None for what is no file.

    Raises
    ------
    BankError
        It cannot be read.
    """
    facts = _facts_of(wanted)
    return None if facts is None else facts.representation


def load_bank(folder: Path | None, wanted: Iterable[object]) -> tuple[Bank, Path | None]:
    """Return a bank, and its folder or name.

    Where none is asked for it is the usual one, or another shipped one that the first of some instrument files was
    made for.

    Raises
    ------
    BankError
        A bank or a file cannot be read.
    """
    bank = Bank.load(folder)
    facts = next((one for one in map(_facts_of, wanted) if one is not None), None) if folder is None else None
    if facts is not None and not _grows(bank, facts):
        for name in map(Path, SHIPPED):
            other = Bank.load(name)
            if _grows(other, facts):
                return other, name
    return bank, folder


def _facts_of(wanted: object) -> InstrumentFacts | None:
    if isinstance(wanted, InstrumentFile):
        return wanted.facts
    return facts_at(Path(str(wanted)).expanduser()) if is_file_name(wanted) else None


def _grows(bank: Bank, facts: InstrumentFacts) -> bool:
    """Tell whether a bank has the growth that an instrument was made for."""
    name = facts.representation
    return name in bank.representations and bank.foundation(name) == facts.foundation


def find_wanted(
    bank: Bank,
    representation: str,
    instrument: Wanted | None = None,
    instruments: Sequence[InstrumentSource] = (),
    mapping: Mapping[str, Wanted] | None = None,
) -> Found:
    """Return a bank with the instruments of files and of the user's folder, and those that are asked for.

    Parameters
    ----------
    bank : Bank
    representation : that plays; instruments of files must be of its foundation
    instrument : what is chosen
    instruments : further ones, to be played by name
    mapping : place, such as "0", "8:0" or "drums:0" -> what plays there

    Raises
    ------
    UsageError
        A name or a place is unknown.
    BankError
        A file cannot be read, or is for another foundation.
    """
    search = _Search(bank, representation)
    further = [search.find(one) for one in instruments]
    chosen = None if instrument is None else search.find(instrument)
    placed = {parse_place(place): search.find(one) for place, one in (mapping or {}).items()}
    for place, one in placed.items():
        if place.is_drums and not one.is_drums:
            raise UsageError(f"drums are played by a kit, which {one.name!r} is not")
    names = {place: one.name for place, one in placed.items()}
    asked_for = [*further, *placed.values(), *([] if chosen is None else [chosen])]
    known = tuple(dict.fromkeys(one.name for one in asked_for))
    return Found(bank.with_files([*search.files.values()], names), chosen, search.paths, known)


def add_file(
    bank: Bank, book: TimbreBook, paths: Mapping[str, Path], wanted: InstrumentSource
) -> tuple[Bank, Mapping[str, Path], str]:
    """Return bank and paths with one more instrument file, which a book knows from then on too, and its name.

    Raises
    ------
    BankError
        It cannot be read, or is for another foundation.
    """
    if not isinstance(wanted, InstrumentFile):
        path = Path(wanted).expanduser()
        known = next((name for name, other in paths.items() if os.path.realpath(other) == os.path.realpath(path)), None)
        if known is not None:
            return bank, paths, known
        wanted = path
    own = _fitting(bank, book.representation, wanted)
    book.add_file(own)
    if isinstance(wanted, Path):
        paths = {**paths, own.instrument.name: wanted}
    return bank.with_files([own], {}), paths, own.instrument.name


def _fitting(
    bank: Bank, representation: str, source: Path | InstrumentFile, taken: Iterable[str] = ()
) -> FileInstrument:
    """Return an instrument that a bank can play, under a name that neither the bank nor those `taken` have."""
    if isinstance(source, InstrumentFile):
        what, one = f"the instrument {source.facts.name!r}", instrument_file(source)
    else:
        what, one = os.fspath(source), instrument_file(source, facts_at(source))
    if representation not in bank.representations:
        raise BankError(f"{what}: this bank has no representation {representation!r}")
    check_foundation(one, representation, bank.foundation(representation), what)
    return one.renamed(_free_name(one.instrument.name, (*(known.name for known in bank.instruments), *taken)))


def _free_name(name: str, taken: Iterable[str]) -> str:
    """Return a name, with a number behind it if others have it already."""
    known, number, free = {one.lower() for one in taken}, 1, name
    while free.lower() in known:
        number += 1
        free = f"{name} ({number})"
    return free


class _Search:
    """Finds instruments, and gathers those that are no bank's under names of their own."""

    def __init__(self, bank: Bank, representation: str) -> None:
        self._bank, self._representation = bank, representation
        self.files: dict[str, FileInstrument] = {}
        self.paths: dict[str, Path] = {}
        self._known: dict[str, BankInstrument] = {}  # by resolved path
        foundation = bank.foundation(representation)
        for listed in list_folder():
            facts = listed.facts
            if facts is not None and (facts.representation, facts.foundation) == (representation, foundation):
                self._take(listed.path)

    def find(self, wanted: Wanted) -> BankInstrument:
        """Return the instrument that is meant."""
        if isinstance(wanted, InstrumentFile):
            return self._add(wanted)
        if not isinstance(wanted, int) and is_file_name(wanted):
            return self._take(Path(wanted).expanduser())
        every = (*self._bank.instruments, *(one.instrument for one in self.files.values()))
        return find_playable(every, wanted if isinstance(wanted, int) else str(wanted))

    def _take(self, path: Path) -> BankInstrument:
        """Return the instrument of a file, which may be known already."""
        place = os.path.realpath(path)
        if place not in self._known:
            self._known[place] = self._add(path)
            self.paths[self._known[place].name] = path
        return self._known[place]

    def _add(self, source: Path | InstrumentFile) -> BankInstrument:
        one = _fitting(self._bank, self._representation, source, self.files)
        self.files[one.instrument.name] = one
        return one.instrument
