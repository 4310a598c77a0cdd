"""`tnca-synth learn-all`: many folders of recorded notes become instruments, side by side."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.names import MAX_SEED
from .learn import SPEEDS
from .output import print_json, print_warning
from .values import integer, num_cores

if TYPE_CHECKING:
    from ..training.learn_all import LearnOutcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `learn-all`."""
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="SOURCE", help="folders of notes, takes or SoundFonts, see `learn`"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the instruments")
    parser.add_argument("--speed", choices=SPEEDS, default=SPEEDS[0], help=f"see `learn` (default: {SPEEDS[0]})")
    parser.add_argument("--continue", dest="goes_on", action="store_true", help="go on from files that are there")
    parser.add_argument("--seed", type=partial(integer, low=0, high=MAX_SEED), default=0, metavar="N")
    parser.add_argument(
        "--workers", type=partial(integer, low=1, high=4096), default=num_cores(), metavar="N",
        help="processes of one thread each (default: one for each core)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print all reports as one JSON list")


def run(arguments: argparse.Namespace) -> int:
    """Learn, and say what came of each; 1 if one failed."""
    from ..training.learn_all import learn_all

    def tell(outcome: LearnOutcome) -> None:
        if outcome.failure:
            print_warning(f"{outcome.source} failed: {outcome.failure}")
        elif not arguments.json:
            values = outcome.values
            print(f"{values['name']}: {values['notes']} notes, {values['seconds']:.0f} s, {outcome.output}")
            sys.stdout.flush()

    outcomes = learn_all(
        arguments.sources,
        arguments.output,
        speed=arguments.speed,
        seed=arguments.seed,
        goes_on=arguments.goes_on,
        workers=arguments.workers,
        watch=tell,
    )
    if arguments.json:
        print_json([{"source": one.source, "failure": one.failure, **one.values} for one in outcomes])
    return 1 if any(one.failure for one in outcomes) else 0
