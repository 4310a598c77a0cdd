"""`tnca-synth bench`: how fast this machine plays; `tnca-synth bench live`: how it plays live."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..engine.names import DECODERS, DEFAULT_PROVIDER, DEFAULT_REPRESENTATION, PROVIDERS, REPRESENTATIONS
from .output import print_json, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `bench`."""
    parser.add_argument(
        "what",
        nargs="?",
        choices=("offline", "live", "core"),
        default="offline",
        help="blocks rendered in a row (default), a session played through a JACK server, observed from outside, or "
        "hops of voices, grown by each core in turns",
    )
    parser.add_argument(
        "--bank", type=Path, metavar="PATH", help="bank to play: a folder, or low-rate (docs/models.md)"
    )
    parser.add_argument(
        "--instrument", metavar="NAME", help="play this one alone: name, program 0..127 or file (default: several)"
    )
    parser.add_argument("--representation", choices=REPRESENTATIONS, default=DEFAULT_REPRESENTATION)
    parser.add_argument("--decoder", choices=DECODERS, help="default: the best for the representation")
    parser.add_argument("--provider", choices=PROVIDERS, default=DEFAULT_PROVIDER)
    parser.add_argument(
        "--voices", type=int, nargs="+", default=[1, 6, 16, 32], metavar="N", help="held notes (default: 1 6 16 32)"
    )
    parser.add_argument("--block-size", type=int, default=4096, metavar="N", help="frames per block (default: 4096)")
    parser.add_argument("--blocks", type=int, default=100, metavar="N", help="blocks to time (default: 100)")
    parser.add_argument("--json", action="store_true", help="print the measurements as JSON")
    _add_live_arguments(parser.add_argument_group("of a live session"))


def _add_live_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--figures",
        nargs="+",
        metavar="NAME",
        help="some of: latency start silent held fits switching random idle storm flood clicks (all)",
    )
    group.add_argument("--period", type=int, default=128, metavar="N", help="frames, for the latency (default: 128)")
    group.add_argument("--held-period", type=int, default=256, metavar="N", help="frames, for the rest (default: 256)")
    group.add_argument("--notes", type=int, default=200, metavar="N", help="notes to time (default: 200)")
    group.add_argument("--held-voices", type=int, default=32, metavar="N", help="notes held (default: 32)")
    group.add_argument("--held-minutes", type=float, default=10.0, metavar="N", help="how long (default: 10)")
    group.add_argument("--minutes", type=float, default=30.0, metavar="N", help="of random playing (default: 30)")
    group.add_argument("--silent-seconds", type=float, default=20.0, metavar="N", help="doing nothing (default: 20)")
    group.add_argument("--storm-seconds", type=float, default=6.0, metavar="N", help="of the storm (default: 6)")
    group.add_argument("--messages", type=int, default=1_000_000, metavar="N", help="of the flood (default: 1000000)")
    group.add_argument("--idle-seconds", type=float, default=60.0, metavar="N", help="of playing nothing (default: 60)")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the figures."""
    return {"live": _run_live, "core": _run_core, "offline": _run_offline}[arguments.what](arguments)


def _run_core(arguments: argparse.Namespace) -> int:
    from ..engine.render.benchmark import machine
    from ..engine.render.core_benchmark import measure_core, measure_outside

    results = [measure_core(voices, arguments.bank) for voices in arguments.voices]
    outside = {core: measure_outside(core, arguments.bank) for core in results[0]["cores"]}
    if arguments.json:
        print_json({"machine": machine(), "results": results, "outside": outside})
        return 0
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    rows = [
        [str(one["voices"]), core, f"{us['p50']:.1f}", f"{us['p10']:.1f}", f"{us['p99']:.1f}", f"{us['max']:.1f}",
         f"{one['ratios'][core]:.1f}", f"{100 * us['gemm_share']:.0f} %"]
        for one in results for core, us in one["cores"].items()
    ]  # fmt: skip
    print_table(["voices", "core", "us per voice-hop p50", "p10", "p99", "max", "times faster", "of GEMM peak"], rows)
    for core, share in outside.items():
        print(f"outside the voices, 32 of them at 48 kHz in blocks of 256, {core}: {100 * share:.1f} % of a core")
    return 0


def _run_live(arguments: argparse.Namespace) -> int:
    from ..engine.render.benchmark import machine
    from ..live.benchmark.benchmark import measure_live
    from ..live.benchmark.workload import FIGURES, LiveWorkload

    workload = LiveWorkload(
        figures=tuple(arguments.figures or FIGURES),
        latency_period=arguments.period,
        held_period=arguments.held_period,
        notes=arguments.notes,
        held_voices=arguments.held_voices,
        held_minutes=arguments.held_minutes,
        random_minutes=arguments.minutes,
        messages=arguments.messages,
        idle_s=arguments.idle_seconds,
        silent_seconds=arguments.silent_seconds,
        storm_seconds=arguments.storm_seconds,
        representation=arguments.representation,
        decoder=arguments.decoder,
        bank_path=arguments.bank,
        instrument=arguments.instrument,
    )
    results = measure_live(workload, lambda name: print(f"measuring {name} ...", file=sys.stderr))
    if arguments.json:
        print_json({"machine": machine(), "live": results})
        return 0
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    for name, figures in results.items():
        rows = [[key, f"{value:.3f}" if isinstance(value, float) else str(value)] for key, value in figures.items()]
        print()
        print_table([name, ""], rows)
    return 0


def _run_offline(arguments: argparse.Namespace) -> int:
    from ..engine.render.benchmark import Workload, machine, measure

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
            instrument=arguments.instrument,
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
