"""`tnca-synth bench`: how fast this machine plays."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..engine.choices import DECODERS, DEFAULT_PROVIDER, DEFAULT_REPRESENTATION, PROVIDERS, REPRESENTATIONS
from .output import print_json, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `bench`."""
    parser.add_argument("--bank", type=Path, metavar="PATH", help="bank to play (default: the one that is shipped)")
    parser.add_argument("--representation", choices=REPRESENTATIONS, default=DEFAULT_REPRESENTATION)
    parser.add_argument("--decoder", choices=DECODERS, help="default: the best for the representation")
    parser.add_argument("--provider", choices=PROVIDERS, default=DEFAULT_PROVIDER)
    parser.add_argument(
        "--voices", type=int, nargs="+", default=[1, 6, 16, 32], metavar="N", help="held notes (default: 1 6 16 32)"
    )
    parser.add_argument("--block-size", type=int, default=4096, metavar="N", help="frames per block (default: 4096)")
    parser.add_argument("--blocks", type=int, default=100, metavar="N", help="blocks to time (default: 100)")
    parser.add_argument("--json", action="store_true", help="print the measurements as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Time blocks of held notes and print the figures."""
    from ..engine.benchmark import Workload, machine, measure

    results = []
    for voices in arguments.voices:
        workload = Workload(
            voices=voices,
            block_size=arguments.block_size,
            blocks=arguments.blocks,
            representation=arguments.representation,
            decoder=arguments.decoder,
            provider=arguments.provider,
            bank_path=arguments.bank,
        )
        results.append(measure(workload))
    if arguments.json:
        print_json({"machine": machine(), "results": results})
        return 0
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    header = ["voices", "block ms p50", "p99", "max", "RTF", "times real time"]
    rows = [
        [str(r["voices"]), f"{r['p50_ms']:.2f}", f"{r['p99_ms']:.2f}", f"{r['max_ms']:.2f}", f"{r['rtf']:.3f}",
         f"{1 / r['rtf']:.1f}"]
        for r in results
    ]  # fmt: skip
    print_table(header, rows)
    return 0
