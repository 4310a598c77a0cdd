"""What the parameter "instrument" can choose, and which of it comes nearest to what a project asks for."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from ..engine.bank.bank import Bank
from ..engine.bank.chooser import find_playable
from ..engine.instrument_files import InstrumentFacts
from ..engine.instrument_files.file import read_content
from ..engine.instrument_files.folder import instruments_folder, list_folder
from ..engine.names import DEFAULT_REPRESENTATION
from ..engine.open import OpenSynth
from ..errors import TncaError, UsageError
from ..midi.spec.general_midi import program_name
from .layout import HASH, NAME, STANDS_IN, USER, InstrumentRecord, short_text
from .parameters import MAX_INSTRUMENT, NUM_PROGRAMS

FOLLOWS_MIDI: Final = 0
FIRST_OWN: Final = NUM_PROGRAMS + 1


class OwnInstrument(NamedTuple):
    """An instrument of the user: a file in the folder of instruments."""

    path: Path
    facts: InstrumentFacts
    digest: str


class InstrumentList:
    """The instruments of a bank and of the user, by the values of the parameter.

    Parameters
    ----------
    bank : Bank

    Attributes
    ----------
    revision : int
        Rises when the user's instruments change.

    Notes
    -----
    Thread: control, but `choose`, which belongs to the player.
    """

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._foundation = bank.foundation(DEFAULT_REPRESENTATION)
        self._digests: dict[tuple[Path, int, int], str] = {}
        self._seen_ns = -1
        self._own: tuple[OwnInstrument, ...] = ()
        self.revision = 0
        self.look_again()

    def look_again(self) -> bool:
        """Read the user's folder if it has changed; return whether it has."""
        try:
            seen_ns = instruments_folder().stat().st_mtime_ns
        except OSError:
            seen_ns = 0
        if seen_ns == self._seen_ns:
            return False
        self._seen_ns = seen_ns
        self._own = self._read_folder()
        self.revision += 1
        return True

    def records(self) -> list[InstrumentRecord]:
        """Return all that can be chosen, in the order of their values."""
        programs = [record for program in range(NUM_PROGRAMS) if (record := self._of_program(program)) is not None]
        return programs + [
            _record(value, USER, one.facts.program, one.facts.name, one.digest)
            for value, one in enumerate(self._own, FIRST_OWN)
        ]

    def choose(self, synth: OpenSynth, value: int) -> None:
        """Let the instrument that a value stands for play all but the drums; 0 follows MIDI."""
        own = self._own
        with suppress(TncaError):  # a file that has gone or is damaged: what played goes on
            if value == FOLLOWS_MIDI:
                synth.follow_midi()
            elif value <= NUM_PROGRAMS:
                synth.lock_instrument(value - 1)
            elif value - FIRST_OWN < len(own):
                synth.lock_instrument(own[value - FIRST_OWN].path)

    def resolve(self, wanted: InstrumentRecord) -> InstrumentRecord:
        """Return the instrument with the same hash, else with the same name, else the most similar one."""
        records = self.records()
        for field in ("hash", "name"):
            asked = getattr(wanted, field).lower()
            for record in records:
                if asked and getattr(record, field).lower() == asked and not record.flags & STANDS_IN:
                    return record
        program = wanted.program if 0 <= wanted.program < NUM_PROGRAMS else wanted.value - 1
        if not (0 <= program < NUM_PROGRAMS and len(records) >= NUM_PROGRAMS):
            return _record(FOLLOWS_MIDI, STANDS_IN, -1, "MIDI program")
        found = records[program]
        is_asked_for = wanted.name in (b"", program_name(program).encode())  # by number alone
        flags = found.flags if is_asked_for else found.flags | STANDS_IN
        return _record(found.value, flags, found.program, found.name.decode())

    def _of_program(self, program: int) -> InstrumentRecord | None:
        try:
            found = find_playable(self._bank.instruments, program)
        except UsageError:
            return None
        return _record(program + 1, 0 if found.program == program else STANDS_IN, program, found.name)

    def _read_folder(self) -> tuple[OwnInstrument, ...]:
        """Return the user's instruments that this bank can play, by name; kits are for drum channels."""
        found = []
        for path, facts, _ in list_folder():
            if facts is None or facts.is_drums or facts.foundation != self._foundation:
                continue
            with suppress(OSError, TncaError):
                found.append(OwnInstrument(path, facts, self._digest(path)))
        found.sort(key=lambda one: (one.facts.name.lower(), one.path))
        return tuple(found[: MAX_INSTRUMENT - NUM_PROGRAMS])

    def _digest(self, path: Path) -> str:
        facts = path.stat()
        key = (path, facts.st_mtime_ns, facts.st_size)
        if key not in self._digests:
            self._digests[key] = sha256(read_content(path)).hexdigest()
        return self._digests[key]


def _record(value: int, flags: int, program: int, name: str, digest: str = "") -> InstrumentRecord:
    return InstrumentRecord(value, flags, program, short_text(name, NAME), short_text(digest, HASH))
