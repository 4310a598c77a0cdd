"""`tnca-synth learn`: recorded notes become an instrument."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import UsageError
from .output import print_json
from .train import positive, seed_number

if TYPE_CHECKING:
    from rich.console import Console

    from ..training.learning.outcome import Learned
    from ..training.loop.progress import ProgressReport
    from ..training.material import Material

SPEEDS: Final = ("fit", "full")
EXIT_INTERRUPTED: Final = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `learn`."""
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="a folder of notes, one long take (WAV, FLAC), or a SoundFont"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT.tnca", help="the instrument's file (default: SOURCE's name .tnca)"
    )
    parser.add_argument(
        "--speed", choices=SPEEDS, default="fit", help="fit: minutes; full: goes on longer (default: fit)"
    )
    parser.add_argument("--continue", dest="goes_on", action="store_true", help="go on from the file that is there")
    parser.add_argument("--dry-run", action="store_true", help="say what was understood, and stop")
    parser.add_argument("--name", metavar="NAME", help="of the instrument (default: that of the folder or file)")
    parser.add_argument("--author", default="", metavar="TEXT", help="kept in the file")
    parser.add_argument("--licence", default="", metavar="TEXT", help="of the recordings, kept in the file")
    parser.add_argument(
        "--bank",
        type=Path,
        metavar="PATH",
        help="whose growth it is learned on: a folder, or low-rate",
    )
    parser.add_argument("--preset", metavar="BANK:PROGRAM", help="of a SoundFont, such as 0:4")
    parser.add_argument(
        "--transpose", type=int, default=0, metavar="N", help="semitones to add to the pitches that names say"
    )
    parser.add_argument("--trust-pitch", action="store_true", help="take the pitches that sound, not those of names")
    parser.add_argument("--velocity", type=positive, default=100, metavar="N", help="of notes that do not tell theirs")
    kit = parser.add_mutually_exclusive_group()
    kit.add_argument("--drums", action="store_true", default=None, help="the notes are drums, one key of a kit each")
    kit.add_argument("--no-drums", dest="drums", action="store_false", help="they are not, whatever their names say")
    parser.add_argument(
        "--threads", type=positive, default=1, metavar="N", help="of torch (default: 1; with more it is hardly faster)"
    )
    parser.add_argument("--seed", type=seed_number, default=0, metavar="N", help="of all chance (default: 0)")
    parser.add_argument("--json", action="store_true", help="print a report for programs")


def run(arguments: argparse.Namespace) -> int:
    """Learn an instrument, and say how near it comes."""
    from rich.console import Console

    output = _output(arguments.source, arguments.output)
    console = Console(stderr=True, log_path=False)
    if arguments.dry_run:
        return _understand(arguments, console)
    from ..engine.bank.bank import Bank
    from ..training.learning.foundation import open_foundation
    from ..training.learning.learn import learn

    foundation = None if arguments.bank is None else open_foundation(Bank.load(arguments.bank))
    with _Listener(console) as listener:
        learned = learn(
            arguments.source,
            output,
            foundation=foundation,
            speed=arguments.speed,
            name=arguments.name,
            seed=arguments.seed,
            goes_on=arguments.goes_on,
            wishes=_wishes(arguments),
            author=arguments.author,
            licence=arguments.licence,
            threads=arguments.threads,
            listener=listener,
        )
    if arguments.json:
        print_json(learned.as_values())
    else:
        _tell(learned)
    return 0 if learned.is_complete else EXIT_INTERRUPTED


def _understand(arguments: argparse.Namespace, console: Console) -> int:
    """Say what was understood of the source."""
    from ..training.material import understand
    from ..training.material.summary import describe, print_summary

    material = understand(arguments.source, wishes=_wishes(arguments))
    if arguments.json:
        print_json(describe(material))
    else:
        print_summary(material, console)
    return 0


def _output(source: Path, wanted: Path | None) -> Path:
    """Return where the instrument goes; `UsageError` for a name or a place that cannot be."""
    from ..engine.instrument_files import SUFFIX

    path = wanted or Path(f"{Path(os.path.abspath(source)).stem or 'instrument'}{SUFFIX}")
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"the instrument's file must end in {SUFFIX}, got {path}")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to write {path.name} to")
    return path


def _wishes(arguments: argparse.Namespace) -> Any:
    from ..training.material import Wishes

    return Wishes(
        name=arguments.name,
        preset=arguments.preset,
        transpose=arguments.transpose,
        trust_pitch=arguments.trust_pitch,
        drums=arguments.drums,
        velocity=min(arguments.velocity, 127),
    )


def _tell(learned: Learned) -> None:
    from ..training.learning.report import clip_of, picture_of

    path, facts = learned.path, learned.instrument.facts
    assert path is not None
    print(f"{facts.name}: {len(learned.instrument.table.key)} keys, {learned.num_bytes:,} bytes in {path}")
    if learned.is_complete:
        print(f"{learned.judgement}")
    else:
        print(f"stopped after {learned.iterations} iterations; --continue goes on", file=sys.stderr)
    if picture_of(path).is_file() and clip_of(path).is_file():
        print(f"recorded, at first and now: {picture_of(path)} and {clip_of(path)}")
    print(f"Play it: tnca-synth --midi-in --instrument {path}")


def mended(material: Material, console: Console) -> Material:
    """Return a material with its keys as they sound, if names are off and whoever sits at the terminal wants it so."""
    offset = material.offset
    if offset is None or not console.is_terminal or sys.stdin is None or not sys.stdin.isatty():
        return material
    try:
        answer = console.input(f"Move all keys by {offset.semitones:+d} semitones? [Y/n] ", markup=False)
    except EOFError:
        return material
    return material.transposed(offset.semitones) if answer.strip().lower() in ("", "y", "yes") else material


class _Listener:
    """Shows on a console how the learning goes on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: ProgressReport | None = None

    def __enter__(self) -> _Listener:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)

    def understood(self, material: Material) -> Material:
        """Print what was understood, and ask whether to mend it where that can be asked."""
        from ..training.material.summary import print_summary

        print_summary(material, self._console)
        return mended(material, self._console)

    def say(self, text: str) -> None:
        """Print a line."""
        from ..training.loop.progress import tell

        tell(self._console, text)

    def measured(self, count: int, total: int) -> None:
        """Say when the notes begin to be measured, and when they are."""
        if count in (1, total) or count % 50 == 0:
            self.say(f"measured {count} of {total} notes")

    def step(self, iteration: int, iterations: int, level_db: float) -> None:
        """Move the bar on."""
        from ..training.loop.loop import Progress
        from ..training.loop.progress import ProgressReport

        if self._progress is None:
            self._progress = ProgressReport(self._console, iterations, iteration - 1)
            self._progress.__enter__()
        self._progress.step(Progress(iteration, iterations, {"level_db": level_db}, 0.0))
