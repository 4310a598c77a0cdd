"""`tnca-synth bridge-engine`: the engine that plugins play through; they start it themselves."""

from __future__ import annotations

import argparse
import os

from .output import print_error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `bridge-engine`."""
    parser.add_argument("--detach", action="store_true", help="go on in the background")
    parser.add_argument(
        "--linger", type=float, default=3.0, metavar="SECONDS", help="how long to stay without plugins (default: 3)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Play for plugins until the last one has gone."""
    if arguments.detach and os.fork():
        os._exit(0)  # what cleans up belongs to the other one
    from ..bridge.serving.process import serve

    if not serve(arguments.linger, arguments.detach) and not arguments.detach:
        print_error("an engine for plugins runs already")
        return 1
    return 0
