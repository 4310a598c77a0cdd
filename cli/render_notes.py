"""`tnca-synth render-notes`: an instrument becomes samples, for any sampler."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from ..engine.names import (
    AUDIO_SUFFIXES,
    BIT_DEPTHS,
    DECODERS,
    DEFAULT_BIT_DEPTH,
    DEFAULT_SAMPLE_RATE,
    MAX_SEED,
    REPRESENTATIONS,
    SAMPLE_RATE_RANGE_HZ,
)
from .output import print_json, progress_bar
from .values import integer, num_cores, number

FORMATS = tuple(suffix.lstrip(".") for suffix in AUDIO_SUFFIXES)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `render-notes`."""
    parser.add_argument(
        "--instrument", required=True, metavar="NAME", help="what to render: a name, a program 0..127, or a file"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="LIB", help="folder to make")
    parser.add_argument(
        "--keys", type=_keys, metavar="LOW-HIGH", help="for example 21-108 (default: those of the instrument)"
    )
    parser.add_argument(
        "--key-step", type=partial(integer, low=1, high=127), default=1, metavar="N", help="sample every Nth key (1)"
    )
    parser.add_argument(
        "--velocities", type=partial(integer, low=1, high=127), default=4, metavar="N", help="of each key (default: 4)"
    )
    parser.add_argument(
        "--hold",
        type=partial(number, limits=(2.0, 60.0)),
        default=4.0,
        metavar="S",
        help="how long notes that last are held, 2 to 60 s (default: 4); they get a loop",
    )
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help=f"of the samples (default: {FORMATS[0]})")
    parser.add_argument("--bit-depth", choices=BIT_DEPTHS, default=DEFAULT_BIT_DEPTH)
    parser.add_argument(
        "--sample-rate",
        type=partial(integer, low=SAMPLE_RATE_RANGE_HZ[0], high=SAMPLE_RATE_RANGE_HZ[1]),
        default=DEFAULT_SAMPLE_RATE,
        metavar="HZ",
    )
    parser.add_argument("--seed", type=partial(integer, low=0, high=MAX_SEED), default=0, metavar="N")
    parser.add_argument("--representation", choices=REPRESENTATIONS)
    parser.add_argument("--decoder", choices=DECODERS)
    parser.add_argument(
        "--bank", type=Path, metavar="PATH", help="bank to play: a folder, or low-rate (docs/models.md)"
    )
    parser.add_argument("--workers", type=partial(integer, low=1, high=4096), default=num_cores(), metavar="N")
    parser.add_argument("--json", action="store_true", help="print what was written as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Render, and say what there is."""
    from ..corpus.samples.library import render_library

    with progress_bar("rendering", shown=sys.stderr.isatty() and not arguments.json) as progress:
        library = render_library(
            arguments.instrument,
            arguments.output,
            keys=arguments.keys,
            key_step=arguments.key_step,
            layers=arguments.velocities,
            hold_s=arguments.hold,
            suffix=f".{arguments.format}",
            sample_rate=arguments.sample_rate,
            bit_depth=arguments.bit_depth,
            seed=arguments.seed,
            bank_path=arguments.bank,
            representation=arguments.representation,
            decoder=arguments.decoder,
            workers=arguments.workers,
            watch=progress or (lambda done, number: None),
        )
    loops = sum(one.loop is not None for one in library.samples)
    if arguments.json:
        silent = library.silent_keys
        print_json({"sfz": str(library.sfz), "samples": len(library.samples), "loops": loops, "silent_keys": silent})
    else:
        print(f"{library.sfz}: {len(library.samples)} samples, {loops} of them with a loop")
    return 0


def _keys(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    first = integer(low, 0, 127)
    return first, integer(high, first, 127) if dash else first
