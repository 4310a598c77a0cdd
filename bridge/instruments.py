"""What the parameter "instrument" can choose, and which of it comes nearest to what a project asks for."""

from __future__ import annotations

from typing import Final

from ..engine.bank.bank import Bank
from ..engine.bank.chooser import find_instrument
from ..engine.open import OpenSynth
from ..errors import UsageError
from ..midi.spec.general_midi import program_name
from .layout import HASH, NAME, STANDS_IN, InstrumentRecord, short_text
from .parameters import NUM_PROGRAMS

FOLLOWS_MIDI: Final = 0


class InstrumentList:
    """The instruments of a bank by the values of the parameter.

    Parameters
    ----------
    bank : Bank
    """

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self.revision = 1

    def records(self) -> list[InstrumentRecord]:
        """Return all that can be chosen, in the order of their values."""
        return [record for program in range(NUM_PROGRAMS) if (record := self._of_program(program)) is not None]

    def choose(self, synth: OpenSynth, value: int) -> None:
        """Let the instrument that a value stands for play all but the drums; 0 follows MIDI."""
        if value == FOLLOWS_MIDI:
            synth.follow_midi()
        elif value <= NUM_PROGRAMS:
            synth.lock_instrument(value - 1)

    def resolve(self, wanted: InstrumentRecord) -> InstrumentRecord:
        """Return the instrument with the same hash, else with the same name, else the most similar one."""
        records = self.records()
        for field in ("hash", "name"):
            asked = getattr(wanted, field).lower()
            for record in records:
                if asked and getattr(record, field).lower() == asked and not record.flags & STANDS_IN:
                    return record
        program = wanted.program if 0 <= wanted.program < NUM_PROGRAMS else wanted.value - 1
        if not 0 <= program < NUM_PROGRAMS or not records:
            return _record(FOLLOWS_MIDI, STANDS_IN, -1, "MIDI program")
        found = records[program]
        is_asked_for = wanted.name in (b"", program_name(program).encode())  # by number alone
        return _record(
            found.value, found.flags if is_asked_for else found.flags | STANDS_IN, found.program, found.name.decode()
        )

    def _of_program(self, program: int) -> InstrumentRecord | None:
        try:
            found = find_instrument(self._bank.instruments, program)
        except UsageError:
            return None
        flags = 0 if found.program == program else STANDS_IN
        return _record(program + 1, flags, program, found.name)


def _record(value: int, flags: int, program: int, name: str, digest: str = "") -> InstrumentRecord:
    return InstrumentRecord(value, flags, program, short_text(name, NAME), short_text(digest, HASH))
