"""`tnca-synth train`: recordings become a trained model."""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.names import DEFAULT_REPRESENTATION, REPRESENTATIONS
from ..errors import UsageError

if TYPE_CHECKING:
    from ..training.config.run import TrainConfig

RUNS = Path("runs")
DEFAULT_THREADS = 2
DEVICES = ("cpu", "cuda")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `train`."""
    parser.add_argument(
        "preset",
        nargs="?",
        metavar="PRESET",
        help="dual, mel, multi-scale, hierarchical, codec, latent, waveform, conservative, vocoder, foundation, or a "
        f"TOML file (default: {DEFAULT_REPRESENTATION})",
    )
    parser.add_argument("--representation", choices=REPRESENTATIONS, help="what to grow: another way to name a preset")
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="DIR",
        help="learn from the notes in this folder (WAV, FLAC, or an NSynth set) instead of the preset's",
    )
    parser.add_argument("--drums", action="store_true", help="the recordings are drums, one key of a kit each")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help=f"the run's folder (default: {RUNS}/PRESET)")
    parser.add_argument(
        "--cache",
        type=Path,
        default=RUNS / "cache",
        metavar="DIR",
        help=f"where measured recordings are kept (default: {RUNS}/cache)",
    )
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="where torch runs (default: cpu)")
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="CHECKPOINT",
        help="begin with the weights of another run, or of a bank's folder, where they fit",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument(
        "--threads",
        type=positive,
        default=DEFAULT_THREADS,
        metavar="N",
        help=f"CPU threads to train with (default: {DEFAULT_THREADS})",
    )
    parser.add_argument("--seed", type=seed_number, metavar="N", help="of all chance (default: the preset's)")
    parser.add_argument("--iterations", type=positive, metavar="N", help="how long to train (default: the preset's)")
    parser.add_argument(
        "--minutes", type=positive, metavar="N", help="stop after so long, with a checkpoint to go on from"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and say where the checkpoint is."""
    preset = _preset(arguments)
    from rich.console import Console

    from ..training.config.run import load_preset
    from ..training.run import train

    changes: dict[str, Any] = {name: getattr(arguments, name) for name in ("seed", "iterations")}
    changes["started_from"] = None if arguments.start_from is None else str(arguments.start_from)
    config = replace(load_preset(preset), **{name: value for name, value in changes.items() if value is not None})
    config = _with_recordings(config, arguments.recordings, arguments.drums)
    folder = arguments.output or RUNS / config.name
    console = Console(stderr=True, log_path=False)
    limit_s = math.inf if arguments.minutes is None else 60.0 * arguments.minutes
    path = train(
        config, folder, arguments.cache, arguments.device, arguments.resume, arguments.threads, console, limit_s
    )
    if path is not None:
        print(f"The checkpoint is in {path}")
        print(f"Make a bank of it: tnca-synth export {path} -o BANK")
    return 0


def _with_recordings(config: TrainConfig, folder: Path | None, drums: bool) -> TrainConfig:
    """Return a configuration that learns from a folder, if one is named; `UsageError` where it cannot."""
    from ..training.config.run import DataConfig, find_source

    if folder is None and not drums:
        return config
    if folder is None:
        return replace(config, data=replace(config.data, drums=True))
    name = f"{config.name}-{folder.resolve().name}"
    own = config.data if config.data.source != "soundfont" else DataConfig()
    data = replace(own, source=find_source(folder), path=str(folder), drums=drums or own.drums)
    return replace(config, name=name, data=data)


def _preset(arguments: argparse.Namespace) -> str:
    """Return the preset that is asked for in one way or the other."""
    preset, representation = arguments.preset, arguments.representation
    if preset and representation and preset != representation:
        raise UsageError(f"--representation {representation} is the preset {representation!r}, but {preset!r} is named")
    return preset or representation or DEFAULT_REPRESENTATION


def positive(text: str) -> int:
    """Return a number of 1 or more that an argument gives."""
    return _integer(text, 1)


def seed_number(text: str) -> int:
    """Return a seed that an argument gives."""
    return _integer(text, 0)


def _integer(text: str, low: int) -> int:
    if not text.isdecimal() or int(text) < low:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {low}, got {text!r}")
    return int(text)
