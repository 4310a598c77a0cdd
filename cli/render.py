"""`tnca-synth render`: a MIDI file becomes a sound file, or one stream another."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from ..engine.names import (
    BIT_DEPTHS,
    DECODERS,
    DEFAULT_BIT_DEPTH,
    DEFAULT_PROVIDER,
    DEFAULT_REPRESENTATION,
    DEFAULT_SAMPLE_RATE,
    GAIN_RANGE_DB,
    LOUDNESS_RANGE_LUFS,
    MAX_SEED,
    PROVIDERS,
    REPRESENTATIONS,
    SAMPLE_RATE_RANGE_HZ,
    STEM_KINDS,
    TRANSPOSE_RANGE,
)
from ..errors import UsageError
from .mapping import add_map_argument
from .output import print_json, print_warning, progress_bar
from .values import integer, num_cores, number

if TYPE_CHECKING:
    from ..engine.render.song import RenderReport

STREAM: Final = "-"
MAX_WORKERS: Final = 8
"""More than these wait for each other most of the time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `render`."""
    parser.add_argument("input", metavar="IN.mid", help="MIDI file to play; - reads it from the standard input")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="sound file, .wav or .flac (default: IN with the suffix .wav); - writes WAV to the standard output, "
        "and the report to the standard error",
    )
    parser.add_argument(
        "--instrument",
        metavar="NAME",
        help="play every part but the drums on this instrument, whatever the song asks for: name, program 0..127 or a "
        "file (.tnca); a kit from a file plays the drums instead",
    )
    add_map_argument(parser)
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
    parser.add_argument(
        "--bit-depth",
        choices=BIT_DEPTHS,
        default=DEFAULT_BIT_DEPTH,
        help=f"of the sound file: 16 is dithered, 32f is floating point, for .wav (default: {DEFAULT_BIT_DEPTH})",
    )
    parser.add_argument(
        "--gain",
        type=partial(number, limits=GAIN_RANGE_DB),
        metavar="DB",
        help="make all louder or softer; what would exceed full scale is limited",
    )
    parser.add_argument(
        "--normalise",
        "--normalize",
        type=partial(number, limits=LOUDNESS_RANGE_LUFS),
        metavar="LUFS",
        help="bring the whole to this integrated loudness (ITU-R BS.1770), for example -16",
    )
    parser.add_argument(
        "--transpose",
        type=_semitones,
        default=0,
        metavar="SEMITONES",
        help="move all keys but those of drums up, or down where negative",
    )
    parser.add_argument(
        "--stems",
        type=Path,
        metavar="DIR",
        help="also write one file per MIDI channel into DIR, named by channel and part",
    )
    parser.add_argument(
        "--stems-by",
        choices=STEM_KINDS,
        default=STEM_KINDS[0],
        help="what a stem is: a MIDI channel, or all channels of one part (default: channel)",
    )
    parser.add_argument(
        "--bank", type=Path, metavar="PATH", help="bank to play: a folder, or low-rate (docs/models.md)"
    )
    parser.add_argument(
        "--workers",
        type=_workers,
        default=min(num_cores(), MAX_WORKERS),
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
    from ..engine.render.file import render_file

    output = _output(arguments)
    warnings: list[str] = []

    def warn(text: str) -> None:
        warnings.append(text)
        print_warning(text)

    with progress_bar("rendering", shown=sys.stderr.isatty() and not arguments.json) as progress:
        report = render_file(
            sys.stdin.buffer if arguments.input == STREAM else arguments.input,
            sys.stdout.buffer if output == STREAM else output,
            instrument=arguments.instrument,
            mapping=dict(arguments.map),
            representation=arguments.representation,
            decoder=arguments.decoder,
            sample_rate=arguments.sample_rate,
            seed=arguments.seed,
            provider=arguments.provider,
            stems_dir=arguments.stems,
            stems_by=arguments.stems_by,
            bank_path=arguments.bank,
            workers=arguments.workers,
            growth_controllers=arguments.growth_cc,
            gain_db=arguments.gain or 0.0,
            normalise_lufs=arguments.normalise,
            transpose_semitones=arguments.transpose,
            bit_depth=arguments.bit_depth,
            progress=progress,
            warn=warn,
        )
    stream = sys.stderr if output == STREAM else sys.stdout
    if arguments.json:
        print_json({**dataclasses.asdict(report), "output": output, "warnings": warnings}, stream)
    else:
        _print_report(report, "the sound" if output == STREAM else output, stream)
    return 0


def _output(arguments: argparse.Namespace) -> str:
    """Return where the sound goes.

    Raises
    ------
    UsageError
        If that cannot be known, or is a terminal.
    """
    if arguments.gain is not None and arguments.normalise is not None:
        raise UsageError("--gain and --normalise exclude each other; choose one")
    output: str | None = arguments.output
    if output is None and arguments.input == STREAM:
        raise UsageError("MIDI from the standard input has no name for its sound; say -o OUT, or -o -")
    if output == STREAM and sys.stdout.isatty():
        raise UsageError("the standard output is a terminal: redirect it, or name a file")
    return str(Path(arguments.input).with_suffix(".wav")) if output is None else output


def _print_report(report: RenderReport, output: str, stream: TextIO) -> None:
    loudness = "" if report.loudness_lufs is None else f", {report.loudness_lufs:.1f} LUFS"
    print(
        f"{output}: {report.audio_seconds:.1f} s in {report.render_seconds:.1f} s ({1 / report.rtf:.1f} times faster "
        f"than real time on {report.provider.upper()}), {report.notes} notes, at most {report.peak_voices} at once, "
        f"peak {report.peak_dbfs:.1f} dBFS{loudness}",
        file=stream,
    )
    if report.why_provider:
        print(report.why_provider, file=stream)
    print(f"instruments: {', '.join(report.instruments)}", file=stream)
    if report.stems:
        print(f"stems: {', '.join(report.stems)}", file=stream)


def _sample_rate_hz(text: str) -> int:
    return integer(text, *SAMPLE_RATE_RANGE_HZ)


def _workers(text: str) -> int:
    return integer(text, 1, MAX_WORKERS)


def _seed(text: str) -> int:
    return integer(text, 0, MAX_SEED)


def _semitones(text: str) -> int:
    return integer(text, *TRANSPOSE_RANGE)
