"""Instrument files as instruments of a bank: read when first played, in the place of their programs.

    python -m tnca_synth.export.added_instruments BANK_DIR FILE.tnca ... [--preset foundation-added]

Programs, and banks of variations, are those that the preset's instruments of the same names have. Models stay as they
are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..engine.bank.added import instrument_file
from ..engine.bank.bank import Bank
from ..engine.bank.manifest import MANIFEST
from ..engine.bank.own_files import instrument_entry
from ..engine.instrument_files import SUFFIX, InstrumentFacts, instrument_bytes, read_instrument
from ..errors import UsageError
from ..training.config.instruments import InstrumentConfig
from ..training.config.run import load_preset
from .bank import change_files, print_sizes


def add_instruments(folder: Path, paths: Sequence[Path], preset: str) -> dict[str, int]:
    """List instrument files in a bank's manifest, and copy them beside it.

    Parameters
    ----------
    folder : Path
        The bank, whose manifest is written anew. What it has of the same names gives way.
    paths : sequence of Path
        Pitched or unpitched instruments; kits have no program of their own.
    preset : str
        Says which programs they are.

    Returns
    -------
    Names of the files that were added, with their sizes in bytes.

    Raises
    ------
    UsageError
        The preset has no such instrument, or it was made for another foundation than the bank's.
    BankError
        The bank or a file cannot be read.
    """
    bank = Bank.load(folder)
    known = {one.name: one for one in load_preset(preset).data.instruments}
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    added: dict[str, bytes] = {}
    for path in paths:
        instrument = read_instrument(path)
        facts = instrument.facts
        _check(path, facts, bank, known, preset)
        name = f"{facts.name}{SUFFIX}"
        added[name] = instrument_bytes(instrument)
        config = known[facts.name]
        one = replace(
            instrument_file(instrument).instrument, program=config.program, bank=config.bank, pitched=config.pitched
        )
        entry = instrument_entry(one, {facts.representation: name})
        manifest["instruments"] = [*(one for one in manifest["instruments"] if one["name"] != facts.name), entry]
    return change_files(folder, manifest, added)


def _check(path: Path, facts: InstrumentFacts, bank: Bank, known: dict[str, InstrumentConfig], preset: str) -> None:
    """Raise `UsageError` for an instrument that cannot be one of the bank's."""
    if facts.name not in known or facts.is_drums:
        raise UsageError(f"{path}: preset {preset} has no melodic instrument {facts.name!r}")
    there = facts.representation in bank.representations
    if not there or bank.foundation(facts.representation) != facts.foundation:
        raise UsageError(f"{path}: it was made for another foundation than this bank's")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bank", type=Path, metavar="BANK_DIR")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.tnca")
    parser.add_argument("--preset", default="foundation-added", help="says which programs they are")
    given = parser.parse_args()
    print_sizes(add_instruments(given.bank, given.files, given.preset))


if __name__ == "__main__":
    main()
