"""The option `--map`: which instrument plays in the place of a program."""

from __future__ import annotations

import argparse


def add_map_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--map`, which may be repeated; what is given is a list of places with instruments."""
    parser.add_argument(
        "--map",
        action="append",
        type=_mapped,
        default=[],
        metavar="PLACE=INSTRUMENT",
        help="let an instrument play in the place of a program: 0=kalimba.tnca, 8:0=harp (bank and program), "
        "drums:0=mykit.tnca; may be repeated",
    )


def _mapped(text: str) -> tuple[str, str]:
    place, equals, instrument = text.partition("=")
    if not (equals and place.strip() and instrument.strip()):
        raise argparse.ArgumentTypeError(f"expected PLACE=INSTRUMENT, such as 0=kalimba.tnca, got {text!r}")
    return place.strip(), instrument.strip()
