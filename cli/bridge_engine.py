"""`tnca-synth bridge-engine`: the engine that plugins play through; they start it themselves."""

from __future__ import annotations

import argparse
import os
from typing import Final

from .output import print_error
from .values import integer, num_cores

MOST_PLAYERS: Final = 64
USUAL_PLAYERS: Final = 4
"""A core serves a handful of instances; each further process costs memory."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `bridge-engine`."""
    parser.add_argument("--detach", action="store_true", help="go on in the background")
    parser.add_argument(
        "--players",
        type=lambda text: integer(text, 1, MOST_PLAYERS),
        default=min(num_cores(), USUAL_PLAYERS),
        metavar="N",
        help=f"processes that play at most (default: one for each core, up to {USUAL_PLAYERS})",
    )
    parser.add_argument(
        "--linger", type=float, default=3.0, metavar="SECONDS", help="how long to stay without plugins (default: 3)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Play for plugins until the last one has gone."""
    if arguments.detach and os.fork():
        os._exit(0)  # what cleans up belongs to the other one
    from ..bridge.serving.process import serve

    if not serve(arguments.linger, arguments.detach, arguments.players) and not arguments.detach:
        print_error("an engine for plugins runs already")
        return 1
    return 0
