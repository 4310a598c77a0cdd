"""One training run from preset to final checkpoint, with its progress bar, log and pictures."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ..errors import UsageError
from .config.run import TrainConfig
from .correction.correction import measure_correction
from .data.dataset import NoteSet
from .loop.checkpoint import load_checkpoint, load_start, save_checkpoint
from .loop.loop import Progress as Step
from .loop.loop import TrainingLoop
from .loop.progress import ProgressReport, tell
from .loop.resuming import check_resumable
from .loop.team import Team, joined
from .multiscale.nca import MultiScaleNCA
from .registry import KINDS, GrownModel, Kind
from .spectral.nca import TNCA
from .spectral.widening import begun, read_start
from .validation.fields import save_picture, validation_notes

NOTES_PER_INSTRUMENT = 6
PICTURES = 6
QUIET = Console(quiet=True)
COMPILERS = ("g++", "clang++", "cl")


def train(
    config: TrainConfig,
    folder: Path,
    cache: Path,
    place: str,
    resume: bool,
    threads: int,
    console: Console,
    limit_s: float = math.inf,
) -> Path | None:
    """Train a preset in `folder`, for so many seconds at most; return the path of the checkpoint.

    Under `torchrun` several processes train together; all but the first return None, and say nothing.

    Raises
    ------
    UsageError
        `resume` with a checkpoint of another configuration, or a folder that already holds a run.
    """
    torch.set_num_threads(threads)
    path = folder / "checkpoint.pt"
    with joined(place) as team:
        if not team.is_first:
            console = QUIET
        trainer = _trainer(config, path, cache, place, resume, threads, team, partial(tell, console))
        if team.is_first:
            _run_and_report(trainer, path, place, console, limit_s)
        else:
            trainer.run(folder, lambda step: None, limit_s=limit_s)
        team.wait()
        return path if team.is_first else None


def _trainer(
    config: TrainConfig,
    path: Path,
    cache: Path,
    place: str,
    resume: bool,
    threads: int,
    team: Team,
    say: Callable[[str], None],
) -> TrainingLoop:
    """Return what trains, with its notes, as far as it has come."""
    if place == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: this PyTorch sees no CUDA device; use --device cpu")
    if path.exists() and not resume:
        raise UsageError(f"{path} exists; give --resume to go on with it, or another --output folder")
    kind = KINDS[config.kind]
    config = without_missing_compiler(config, place, say)
    notes = team.after_first(lambda: kind.load(config, cache, threads, say))
    trainer = kind.trainer(config, notes, place)
    trainer.team = team
    _begin(trainer, path, resume, say)
    return trainer


def _run_and_report(trainer: TrainingLoop, path: Path, place: str, console: Console, limit_s: float) -> None:
    """Train with a bar and a log, look at held-out notes now and then, and measure what is missed in the end."""
    config, notes, folder = trainer.config, trainer.notes, path.parent
    kind = KINDS[config.kind]
    held_out = validation_notes(notes, NOTES_PER_INSTRUMENT, config.seed)
    folder.mkdir(parents=True, exist_ok=True)
    tell(console, _plan(config, notes, trainer, place))
    with (
        SummaryWriter(str(folder / "tensorboard")) as log,
        ProgressReport(console, config.iterations, trainer.iteration) as progress,
    ):

        def report(step: Step) -> None:
            progress.step(step)
            for name, value in step.losses.items():
                log.add_scalar(f"train/{name}", value, step.iteration)

        def check(run: TrainingLoop) -> None:
            for text in _validate(kind, run, notes, held_out, folder, log):
                progress.say(text)

        trainer.run(folder, report, check, limit_s=limit_s)
    _measure_what_is_missed(kind, trainer, notes, path, partial(tell, console))


def without_missing_compiler(config: TrainConfig, place: str, say: Callable[[str], None]) -> TrainConfig:
    """Return a configuration that compiles nothing where torch would need a C++ compiler that is not there."""
    compilers = (os.environ["CXX"],) if os.environ.get("CXX") else COMPILERS
    if not config.compile or place != "cpu" or any(map(shutil.which, compilers)):
        return config
    say("no C++ compiler is installed (on Debian: apt-get install g++): it trains uncompiled, which is slower")
    return replace(config, compile=False)


def _begin(trainer: TrainingLoop, path: Path, resume: bool, say: Callable[[str], None]) -> None:
    """Give a trainer the state to go on from, or the weights to begin with, if any."""
    started_from = trainer.config.started_from
    if resume:
        checkpoint = load_checkpoint(path)
        check_resumable(path, checkpoint, trainer.config, trainer.notes)
        trainer.resume(checkpoint)
        say(f"going on with {path} after {trainer.iteration} iterations")
    elif started_from:
        fresh = trainer.start_from(*_weights_of(Path(started_from), trainer))
        say(f"started from {started_from}; new weights: {', '.join(fresh) or 'none'}")


def _weights_of(path: Path, trainer: TrainingLoop) -> tuple[Mapping[str, Tensor], tuple[str, ...], float]:
    """Return weights, timbre names and seconds spent, of a checkpoint or of what `read_start` knows.

    What the latter lacks, because it is smaller, begins with the nearest that it has; see `widening.begun`.
    """
    model, names, config = trainer.model, trainer.notes.timbre_names, trainer.config
    start = read_start(path) if isinstance(model, TNCA) else None
    if start is None or not isinstance(model, TNCA):
        return load_start(path)
    return begun(start, model, names, config.data.instruments, config.seed), names, start.seconds


def _plan(config: TrainConfig, notes: NoteSet, trainer: TrainingLoop, place: str) -> str:
    """Say what is about to be done."""
    weights = sum(one.numel() for one in trainer.model.parameters())
    heard = len(notes.indices(held_out=False))
    compiling = "; the first iteration compiles the model, which takes a minute or two" if config.compile else ""
    return (
        f"training {config.name}: {weights:,} weights on {heard} notes of {len(notes.timbre_names)} timbres, "
        f"iterations {trainer.iteration} to {config.iterations} on {place}{compiling}"
    )


def _validate(
    kind: Kind, run: TrainingLoop, notes: NoteSet, held_out: NDArray[np.int64], folder: Path, log: SummaryWriter
) -> list[str]:
    """Measure held-out notes, write the errors and a picture into the run's folder, and return what to say."""
    suffix = "_db" if kind.unit == "dB" else ""
    errors = kind.errors(run, notes, held_out)
    said = []
    for field, table in errors.items():
        mean = float(np.mean(list(table.values())))
        log.add_scalar(f"held_out/{field}{suffix}", mean, run.iteration)
        said.append(f"iteration {run.iteration}, {run.seconds:.0f} s: held-out {field} {mean:.2f} {kind.unit}")
    record = {"iteration": run.iteration, "seconds": round(run.seconds, 1), f"held_out{suffix}": errors}
    with (folder / "validation.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(record) + "\n")
    model = run.averaged_model()
    if isinstance(model, (TNCA, MultiScaleNCA)):
        pictured = held_out[np.unique(np.linspace(0, len(held_out) - 1, PICTURES).astype(int))]
        save_picture(folder / f"held_out_{run.iteration:06d}.png", notes, pictured, model)
    return said


def _measure_what_is_missed(
    kind: Kind, trainer: TrainingLoop, notes: NoteSet, path: Path, say: Callable[[str], None]
) -> None:
    """Add what the trained model misses on the recorded keys to the checkpoint."""
    model = trainer.averaged_model()
    if kind.is_corrected and isinstance(model, GrownModel):
        say("measuring what the model misses on the recorded keys")
        missed = measure_correction(model, notes).to_bytes()
        correction = torch.frombuffer(bytearray(missed), dtype=torch.uint8)
        save_checkpoint(path, replace(trainer.checkpoint(), correction=correction))
