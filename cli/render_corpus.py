"""`tnca-synth render-corpus`: many songs become a corpus of sound and annotations."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from ..engine.names import (
    AUDIO_SUFFIXES,
    BIT_DEPTHS,
    DECODERS,
    DEFAULT_BIT_DEPTH,
    DEFAULT_SAMPLE_RATE,
    LOUDNESS_RANGE_LUFS,
    MAX_SEED,
    REPRESENTATIONS,
    SAMPLE_RATE_RANGE_HZ,
    STEM_KINDS,
)
from .output import print_json, print_warning
from .values import integer, num_cores, number

if TYPE_CHECKING:
    from ..corpus.corpus import CorpusState

FORMATS: Final = tuple(suffix.lstrip(".") for suffix in reversed(AUDIO_SUFFIXES))
MAX_WORKERS: Final = 4096
LINE_EVERY_S: Final = 60.0
"""Between two lines of progress where stderr is no terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `render-corpus`."""
    parser.add_argument(
        "songs",
        nargs="+",
        metavar="SONGS",
        help="folders, MIDI files, patterns, lists of them (.txt, one a line), tar archives of MIDI files",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder of the corpus")
    parser.add_argument("--resume", action="store_true", help="finish the corpus that is there")
    parser.add_argument(
        "--seed", type=partial(integer, low=0, high=MAX_SEED), default=0, metavar="N", help="of all chance"
    )
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    _add_sound(parser.add_argument_group("sound"))
    _add_chance(parser.add_argument_group("chance, by the seed"))
    _add_machines(parser.add_argument_group("machines"))


def _add_sound(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help=f"of the sound files (default: {FORMATS[0]})"
    )
    group.add_argument("--stems", choices=STEM_KINDS, help="also write a stem for each MIDI channel, or for each part")
    group.add_argument("--bit-depth", choices=BIT_DEPTHS, default=DEFAULT_BIT_DEPTH, help="see `render`")
    group.add_argument(
        "--sample-rate",
        type=partial(integer, low=SAMPLE_RATE_RANGE_HZ[0], high=SAMPLE_RATE_RANGE_HZ[1]),
        default=DEFAULT_SAMPLE_RATE,
        metavar="HZ",
        help=f"default: {DEFAULT_SAMPLE_RATE}",
    )
    group.add_argument("--normalise", "--normalize", type=partial(number, limits=LOUDNESS_RANGE_LUFS), metavar="LUFS")
    group.add_argument(
        "--instrument", metavar="NAME", help="play every part but the drums on this instrument: a name, program or file"
    )
    group.add_argument("--representation", choices=REPRESENTATIONS)
    group.add_argument("--decoder", choices=DECODERS)
    group.add_argument("--bank", type=Path, metavar="PATH", help="bank to play: a folder, or low-rate (docs/models.md)")
    group.add_argument("--growth-cc", action="store_true", help="let CC 20 to 28 and 102 to 106 move the growth")


def _add_chance(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--random-instruments", action="store_true", help="replace every program by one of the same family of the bank"
    )
    group.add_argument(
        "--random-growth",
        type=partial(number, limits=(0.0, 1.0)),
        default=0.0,
        metavar="AMOUNT",
        help="let each part grow otherwise, as far as this: 0 (not at all) to 1",
    )
    group.add_argument(
        "--humanise",
        "--humanize",
        type=partial(number, limits=(0.0, 100.0)),
        default=0.0,
        metavar="MS",
        help="standard deviation of onsets from what is written",
    )
    group.add_argument(
        "--humanise-velocity",
        "--humanize-velocity",
        type=partial(number, limits=(0.0, 64.0)),
        default=0.0,
        metavar="STEPS",
        help="standard deviation of velocities from what is written",
    )


def _add_machines(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--workers",
        type=partial(integer, low=1, high=MAX_WORKERS),
        default=num_cores(),
        metavar="N",
        help="processes of one thread each (default: one for each core)",
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="let a Ray cluster do the work: its address, or `auto`; without one, a cluster on this machine",
    )


def run(arguments: argparse.Namespace) -> int:
    """Render, and report; 1 if a song failed."""
    from ..corpus.corpus import render_corpus
    from ..corpus.options import CorpusOptions

    options = CorpusOptions(
        seed=arguments.seed,
        format=f".{arguments.format}",
        stems=arguments.stems,
        random_instruments=arguments.random_instruments,
        random_growth=arguments.random_growth,
        humanise_ms=arguments.humanise,
        humanise_velocity=arguments.humanise_velocity,
        bank=_bank(arguments.bank),
        instrument=_instrument(arguments.instrument),
        representation=arguments.representation,
        decoder=arguments.decoder,
        sample_rate=arguments.sample_rate,
        bit_depth=arguments.bit_depth,
        normalise_lufs=arguments.normalise,
        growth_controllers=arguments.growth_cc,
    )
    with _watching(arguments.json) as watch:
        state = render_corpus(
            arguments.songs,
            arguments.output,
            options,
            workers=arguments.workers,
            ray_address=arguments.ray,
            resume=arguments.resume,
            watch=watch,
            warn=print_warning,
        )
    if arguments.json:
        print_json(_report(state, arguments.workers, str(arguments.output)))
    else:
        print(f"{arguments.output}: {_line(state)}")
    return 1 if state.failed else 0


def _bank(wanted: Path | None) -> str | None:
    """Return the name of a shipped bank, or a folder as workers find it wherever they run."""
    from ..engine.bank.bank import is_shipped

    return None if wanted is None else str(wanted if is_shipped(wanted) else wanted.resolve())


def _instrument(wanted: str | None) -> str | None:
    """Return an instrument's name, or its file as workers find it wherever they run."""
    return wanted if wanted is None or not Path(wanted).is_file() else str(Path(wanted).resolve())


def _report(state: CorpusState, workers: int, output: str) -> dict[str, Any]:
    elapsed_s = state.elapsed_s
    return {
        "output": output,
        "songs": state.songs,
        "found": state.found,
        "done": state.done,
        "failed": state.failed,
        "failures": [{"source": source, "reason": reason} for source, reason in state.failures],
        "audio_hours": state.audio_s / 3600.0,
        "elapsed_s": elapsed_s,
        "speed": state.speed,
        "workers": workers,
        "share_of_time_rendering": state.work_s / (workers * elapsed_s),
        "processor_s_rendering": state.work_cpu_s,
    }


def _line(state: CorpusState) -> str:
    parts = [f"{state.found + state.done} of {state.songs} songs", f"{state.audio_s / 3600:.2f} h of sound"]
    parts.append(f"{state.speed:.1f} times faster than real time")
    if state.left_s:
        parts.append(f"{_duration(state.left_s)} left")
    if state.failed:
        parts.append(f"{state.failed} failed")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


@contextmanager
def _watching(is_json: bool) -> Iterator[Callable[[CorpusState], None]]:
    """Give a function that shows how far a corpus is: as a bar on a terminal, else as a line now and then."""
    if is_json or not sys.stderr.isatty():
        last = [perf_counter()]

        def tell(state: CorpusState) -> None:
            if not is_json and perf_counter() - last[0] >= LINE_EVERY_S:
                last[0] = perf_counter()
                print(_line(state), file=sys.stderr)

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("opening", total=None)
        yield lambda state: bar.update(
            task, description=_line(state), completed=state.bytes_done, total=state.bytes_all
        )
