"""`tnca-synth compare`: every representation and decoder of a bank, side by side."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .output import print_json, print_table

if TYPE_CHECKING:
    from ..engine.bank.bank import Bank
    from ..training.comparison.page.player import Route
    from ..training.config.instruments import InstrumentConfig

DEFAULT_KEYS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `compare`."""
    parser.add_argument("--bank", type=Path, metavar="PATH", help="bank to compare (default: the one that is shipped)")
    parser.add_argument("--preset", default="dual", help="whose recordings to compare with (default: dual)")
    parser.add_argument(
        "--path",
        action="append",
        metavar="REPRESENTATION+DECODER",
        help="a path to compare, may be repeated (default: each that the bank can play)",
    )
    parser.add_argument("--instruments", nargs="+", metavar="NAME", help="compare these alone (default: all)")
    parser.add_argument(
        "--keys",
        type=int,
        default=DEFAULT_KEYS,
        metavar="N",
        help=f"held-out notes of each kind per instrument (default: {DEFAULT_KEYS})",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="where to write JSON, PNG and HTML")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON instead of tables")


def run(arguments: argparse.Namespace) -> int:
    """Play held-out notes on every path, and print and write how near each comes and what it costs."""
    if arguments.keys < 1:
        raise UsageError(f"--keys must be at least 1, got {arguments.keys}")
    from ..engine.bank.bank import Bank
    from ..training.comparison.page.report import write_report
    from ..training.comparison.run import compare
    from ..training.comparison.tables import all_tables, sampler_sentence, winner_sentence
    from ..training.config.run import load_preset
    from ..training.data.references import instruments_to_judge

    data = load_preset(arguments.preset).data
    bank = Bank.load(arguments.bank)
    routes = _routes(arguments.path, bank)
    instruments = _instruments(arguments.instruments, instruments_to_judge(data, bank))
    comparison = compare(
        arguments.bank, routes, instruments, data, arguments.keys, lambda text: print(text, file=sys.stderr)
    )
    written = write_report(comparison, arguments.output) if arguments.output else []
    if arguments.json:
        print_json(comparison.to_dict())
    else:
        for table in all_tables(comparison):
            print(f"\n{table.title}")
            print_table(table.header, table.rows)
        print(f"\n{winner_sentence(comparison)}\n{sampler_sentence(comparison)}")
    if written:
        print(f"The page is {written[0]}", file=sys.stderr)
    return 0


def _routes(wanted: list[str] | None, bank: Bank) -> list[Route]:
    """Return the routes that `--path` names, none if it is not given; `UsageError` for one the bank cannot play."""
    from ..engine.names import closest
    from ..training.comparison.page.player import fitting_routes

    if not wanted:
        return []
    known = {str(route): route for route in fitting_routes(bank)}
    return [known[name] for name in dict.fromkeys(closest(text, known, "path") for text in wanted)]


def _instruments(wanted: list[str] | None, known: tuple[InstrumentConfig, ...]) -> list[InstrumentConfig]:
    from ..engine.bank.chooser import find_instrument

    return list(dict.fromkeys(find_instrument(known, name) for name in wanted or [one.name for one in known]))
