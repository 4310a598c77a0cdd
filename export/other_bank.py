"""A bank beside another one, whose further representations both play in one synth.

    python -m tnca_synth.export.other_bank BANK_DIR FOLDER [REPRESENTATION ...]

FOLDER is the name of a folder in BANK_DIR that holds the other bank.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from ..engine.bank.bank import Bank
from ..engine.bank.manifest import MANIFEST
from ..errors import UsageError
from .bank import change_files


def name_other(folder: Path, name: str, representations: Sequence[str] = ()) -> tuple[str, ...]:
    """Let a bank's manifest name another bank, in a folder of its own.

    A synth mixes at the highest rate of all representations then; the rates of the others must be whole parts of it.

    Parameters
    ----------
    folder : Path
        The bank, whose manifest is written anew.
    name : str
        Of the folder with the other bank.
    representations : sequence of str
        What it serves; by default all that the bank itself lacks.

    Returns
    -------
    The representations that it serves.

    Raises
    ------
    UsageError
        It has no such representation, or one at a rate that does not fit.
    BankError
        A bank cannot be read.
    """
    bank, other = Bank.load(folder), Bank.load(folder / name)
    names = tuple(representations) or tuple(n for n in other.own_representations if n not in bank.own_representations)
    for one in names:
        if one not in other.own_representations or one in bank.own_representations:
            raise UsageError(f"{name} has no representation {one!r} that {folder} lacks")
    rate = max(bank.growth_model(one, "cpu").spec.sample_rate for one in bank.own_representations)
    for one in names:
        other.growth_model(one, "cpu").spec.at_rate(rate)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    digest = hashlib.sha256((folder / name / MANIFEST).read_bytes()).hexdigest()
    others = manifest.get("others", {}) | {name: {"representations": [*names], "sha256": digest}}
    change_files(folder, manifest | {"sample_rate": rate, "others": others}, {})
    return names


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bank", type=Path, metavar="BANK_DIR")
    parser.add_argument("name", metavar="FOLDER")
    parser.add_argument("representations", nargs="*", metavar="REPRESENTATION")
    given = parser.parse_args()
    print(f"{given.name} serves {', '.join(name_other(given.bank, given.name, tuple(given.representations)))}")


if __name__ == "__main__":
    main()
