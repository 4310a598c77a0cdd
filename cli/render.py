"""`tnca-synth render`: a MIDI file becomes a sound file."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.choices import (
    DECODERS,
    DEFAULT_PROVIDER,
    DEFAULT_REPRESENTATION,
    DEFAULT_SAMPLE_RATE,
    PROVIDERS,
    REPRESENTATIONS,
    SAMPLE_RATE_RANGE_HZ,
)
from .output import print_json, print_warning

if TYPE_CHECKING:
    from ..engine.offline import RenderReport

MAX_WORKERS = 8
"""More than these wait for each other most of the time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `render`."""
    parser.add_argument("input", type=Path, metavar="IN.mid", help="MIDI file to play")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="sound file, .wav or .flac (default: IN with the suffix .wav)"
    )
    parser.add_argument(
        "--instrument",
        metavar="NAME",
        help="play every part but the drums on this instrument, whatever the song asks for: name or program 0..127",
    )
    parser.add_argument(
        "--representation",
        choices=REPRESENTATIONS,
        help=f"what is grown (default: {DEFAULT_REPRESENTATION}, or what the bank has)",
    )
    parser.add_argument("--decoder", choices=DECODERS, help="what makes it sound (default: the best for what is grown)")
    parser.add_argument(
        "--sample-rate",
        type=_sample_rate_hz,
        default=DEFAULT_SAMPLE_RATE,
        metavar="HZ",
        help=f"of the sound file (default: {DEFAULT_SAMPLE_RATE})",
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="of all chance (default: 0)")
    parser.add_argument(
        "--provider", choices=PROVIDERS, default=DEFAULT_PROVIDER, help="where models run (default: a GPU if usable)"
    )
    parser.add_argument("--stems", type=Path, metavar="DIR", help="also write one file per MIDI channel into DIR")
    parser.add_argument("--bank", type=Path, metavar="PATH", help="bank to play (default: the one that is shipped)")
    parser.add_argument(
        "--workers",
        type=_workers,
        default=_num_cores(),
        metavar="N",
        help="processes that grow notes; the sound is the same for any number (default: one for each core)",
    )
    parser.add_argument(
        "--growth-cc",
        action="store_true",
        help="let CC 20 to 28 and 102 to 106 move the growth, see docs/growth.md (default: only if the file asks)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Render as told, and report."""
    from ..engine.offline import render_file

    output = arguments.output or arguments.input.with_suffix(".wav")
    warnings: list[str] = []

    def warn(text: str) -> None:
        warnings.append(text)
        print_warning(text)

    with _progress_bar(shown=sys.stderr.isatty() and not arguments.json) as progress:
        report = render_file(
            arguments.input,
            output,
            instrument=arguments.instrument,
            representation=arguments.representation,
            decoder=arguments.decoder,
            sample_rate=arguments.sample_rate,
            seed=arguments.seed,
            provider=arguments.provider,
            stems_dir=arguments.stems,
            bank_path=arguments.bank,
            workers=arguments.workers,
            growth_controllers=arguments.growth_cc,
            progress=progress,
            warn=warn,
        )
    if arguments.json:
        print_json({**dataclasses.asdict(report), "output": str(output), "warnings": warnings})
    else:
        _print_report(report, output, arguments.stems)
    return 0


def _print_report(report: RenderReport, output: Path, stems_dir: Path | None) -> None:
    print(
        f"{output}: {report.audio_seconds:.1f} s in {report.render_seconds:.1f} s ({1 / report.rtf:.1f} times faster "
        f"than real time on {report.provider.upper()}), {report.notes} notes, at most {report.peak_voices} at once, "
        f"peak {report.peak_dbfs:.1f} dBFS"
    )
    print(f"instruments: {', '.join(report.instruments)}")
    if stems_dir is not None:
        print(f"stems: {', '.join(report.stems)}")


@contextmanager
def _progress_bar(shown: bool) -> Iterator[Callable[[float, float], None] | None]:
    """Give a function that takes (seconds done, seconds in all) and draws them on stderr, or None."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("rendering"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rendering", total=None)
        yield lambda done_s, total_s: bar.update(task, completed=done_s, total=total_s)


def _sample_rate_hz(text: str) -> int:
    return _integer(text, *SAMPLE_RATE_RANGE_HZ)


def _workers(text: str) -> int:
    return _integer(text, 1, MAX_WORKERS)


def _num_cores() -> int:
    """Return how many cores this process may use."""
    known = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(known, MAX_WORKERS)


def _seed(text: str) -> int:
    return _integer(text, 0, 2**63 - 1)


def _integer(text: str, low: int, high: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"expected a whole number in {low}..{high}, got {text!r}")
    return value
