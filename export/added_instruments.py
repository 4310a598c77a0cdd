"""Instrument files as instruments of a bank: read when first played, in the place of their programs.

    python -m tnca_synth.export.added_instruments BANK_DIR FILE.tnca ... [--preset foundation-added]

Programs are those that the preset's instruments of the same names have. Models stay as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..engine.bank.bank import Bank
from ..engine.bank.manifest import MANIFEST
from ..engine.instrument_files import InstrumentFacts, instrument_bytes, read_instrument
from ..errors import UsageError
from ..training.config.instruments import InstrumentConfig
from ..training.config.run import load_preset
from .bank import file_facts, replace_files
from .held_bank import print_sizes


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
        name = f"{facts.name}.tnca"
        added[name] = instrument_bytes(instrument)
        entry = _entry(known[facts.name], facts, name)
        manifest["instruments"] = [*(one for one in manifest["instruments"] if one["name"] != facts.name), entry]
    files = {name: (folder / name).read_bytes() for name in manifest["files"]} | added
    manifest["files"] = {name: file_facts(content) for name, content in files.items()}
    replace_files(folder, files | {MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode()})
    return {name: len(content) for name, content in added.items()}


def _check(path: Path, facts: InstrumentFacts, bank: Bank, known: dict[str, InstrumentConfig], preset: str) -> None:
    """Raise `UsageError` for an instrument that cannot be one of the bank's."""
    if facts.name not in known or facts.is_drums:
        raise UsageError(f"{path}: preset {preset} has no melodic instrument {facts.name!r}")
    there = facts.representation in bank.representations
    if not there or bank.foundation(facts.representation) != facts.foundation:
        raise UsageError(f"{path}: it was made for another foundation than this bank's")


def _entry(config: InstrumentConfig, facts: InstrumentFacts, file: str) -> dict[str, Any]:
    """Describe an instrument for the manifest."""
    return {
        "name": config.name,
        "program": config.program,
        "is_drums": False,
        "pitched": config.pitched,
        "low": facts.low,
        "high": facts.high,
        "files": {facts.representation: file},
    }


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
