"""`tnca-synth instruments`: what the bank can play."""

from __future__ import annotations

import argparse
from pathlib import Path

from .output import print_json, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `instruments`."""
    parser.add_argument("--bank", type=Path, metavar="PATH", help="bank to list (default: the one that is shipped)")
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects")


def run(arguments: argparse.Namespace) -> int:
    """List the instruments by General MIDI program, drums last."""
    from ..engine.bank.bank import Bank

    instruments = sorted(Bank.load(arguments.bank).instruments, key=lambda one: (one.is_drums, one.program, one.name))
    if arguments.json:
        print_json(
            [
                {"name": one.name, "program": one.program, "family": one.family, "is_drums": one.is_drums}
                for one in instruments
            ]
        )
        return 0
    rows = [(one.name, "drums" if one.is_drums else str(one.program), one.family) for one in instruments]
    print_table(("NAME", "PROGRAM", "FAMILY"), rows)
    return 0
