"""One training run from preset to final checkpoint, with its progress bar, log and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from ..errors import UsageError
from .checkpoint import GrownModel, load_checkpoint, load_start, save_checkpoint
from .codec_notes import SoundNotes, load_sounds
from .codec_trainer import CodecTrainer
from .config import TrainConfig
from .dataset import NoteSet, load_notes
from .hierarchical_sound import grown_distances
from .hierarchical_targets import load_stage_notes
from .hierarchical_trainer import HierarchicalTrainer
from .latent_trainer import LatentTrainer
from .loop import Losses, TrainingLoop
from .loop import Progress as Step
from .multiscale import MultiScaleNCA
from .multiscale_trainer import MultiScaleTrainer, load_scale_notes
from .nca import TNCA
from .retouching import measure_retouch
from .sound_validation import Table, sound_distances
from .trainer import Trainer
from .validation import save_picture, validate, validation_notes
from .vocoder_trainer import VocoderTrainer
from .waveform_trainer import WaveformTrainer
from .waveform_validation import waveform_distances

NOTES_PER_INSTRUMENT = 6
PICTURES = 6


@dataclass(frozen=True)
class Run:
    """How a kind of model is trained.

    That is what loads its notes, what trains it on them, what tells its errors in which unit, and whether what it
    misses in the end is measured for `engine.retouching`.
    """

    load: Callable[[TrainConfig, Path, int, Callable[[str], None]], NoteSet]
    trainer: Callable[..., TrainingLoop]
    errors: Callable[..., Table]
    unit: str = "dB"
    is_retouched: bool = False


def _load(config: TrainConfig, cache: Path, workers: int, report: Callable[[str], None]) -> NoteSet:
    linear = config.model.representation == "dual" or config.kind == "vocoder"
    return load_notes(config.data, config.model.spec, cache, workers, report, with_linear=linear)


def _load_sounds(config: TrainConfig, cache: Path, workers: int, report: Callable[[str], None]) -> SoundNotes:
    spec = config.codec.spec if config.kind == "codec" else config.latent.spec
    return load_sounds(config.data, spec, cache, workers, report)


def _load_waveforms(config: TrainConfig, cache: Path, workers: int, report: Callable[[str], None]) -> SoundNotes:
    return load_sounds(config.data, config.waveform.spec, cache, workers, report, with_linear=True)


def _level_errors(run: TrainingLoop, notes: NoteSet, index: NDArray[np.int64]) -> Table:
    return validate(run.averaged_model(), notes, index)


RUNS: Final[Mapping[str, Run]] = {
    "growth": Run(_load, Trainer, _level_errors, is_retouched=True),
    "vocoder": Run(_load, VocoderTrainer, _level_errors),
    "multi-scale": Run(load_scale_notes, MultiScaleTrainer, _level_errors, is_retouched=True),
    "codec": Run(_load_sounds, CodecTrainer, sound_distances, "STFT distance"),
    "latent": Run(_load_sounds, LatentTrainer, sound_distances, "STFT distance"),
    "hierarchical": Run(load_stage_notes, HierarchicalTrainer, grown_distances, "STFT distance"),
    "waveform": Run(_load_waveforms, WaveformTrainer, waveform_distances, "STFT distance", is_retouched=True),
}
"""What is trained, by its kind: a further kind is a further line here."""


def train(
    config: TrainConfig, folder: Path, cache: Path, place: str, resume: bool, threads: int, console: Console
) -> Path:
    """Train a preset in `folder`; return the path of the checkpoint.

    Raises
    ------
    UsageError
        `resume` with a checkpoint of another configuration, or a folder that already holds a run.
    """
    torch.set_num_threads(threads)
    if place == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: this PyTorch sees no CUDA device; use --device cpu")
    kind = RUNS[config.kind]
    notes = kind.load(config, cache, threads, console.log)
    trainer = kind.trainer(config, notes, place)
    path = folder / "checkpoint.pt"
    if resume:
        checkpoint = load_checkpoint(path)
        if checkpoint.train_config != config:
            raise UsageError(f"{path} was trained with another configuration; resume with the same preset and options")
        trainer.resume(checkpoint)
    elif path.exists():
        raise UsageError(f"{path} exists; give --resume to go on with it, or another --output folder")
    elif config.started_from:
        fresh = trainer.start_from(*load_start(Path(config.started_from)))
        console.log(f"started from {config.started_from}; new weights: {', '.join(fresh) or 'none'}")
    held_out = validation_notes(notes, NOTES_PER_INSTRUMENT, config.seed)
    pictured = held_out[np.linspace(0, len(held_out) - 1, PICTURES).astype(int)]
    folder.mkdir(parents=True, exist_ok=True)
    with SummaryWriter(str(folder / "tensorboard")) as log, _progress_bar(console) as bar:
        task = bar.add_task("train", total=config.iterations, completed=trainer.iteration, loss="")

        suffix = "_db" if kind.unit == "dB" else ""

        def report(step: Step) -> None:
            bar.update(task, completed=step.iteration, loss=_shown(step.losses))
            for name, value in step.losses.items():
                log.add_scalar(f"train/{name}", value, step.iteration)

        def check(run: TrainingLoop) -> None:
            errors = kind.errors(run, notes, held_out)
            for field, table in errors.items():
                mean = float(np.mean(list(table.values())))
                log.add_scalar(f"held_out/{field}{suffix}", mean, run.iteration)
                console.log(f"iteration {run.iteration}, {run.seconds:.0f} s: held-out {field} {mean:.2f} {kind.unit}")
            record = {"iteration": run.iteration, "seconds": round(run.seconds, 1), f"held_out{suffix}": errors}
            with (folder / "validation.jsonl").open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(record) + "\n")
            model = run.averaged_model()
            if isinstance(model, (TNCA, MultiScaleNCA)):
                save_picture(folder / f"held_out_{run.iteration:06d}.png", notes, pictured, model)

        trainer.run(folder, report, check)
    model = trainer.averaged_model()
    if kind.is_retouched and isinstance(model, GrownModel):
        console.log("measuring what the model misses on the recorded keys")
        missed = measure_retouch(model, notes).to_bytes()
        retouch = torch.frombuffer(bytearray(missed), dtype=torch.uint8)
        save_checkpoint(path, replace(trainer.checkpoint(), retouch=retouch))
    return path


def _shown(losses: Losses) -> str:
    name, value = next(iter(losses.items()))
    return f"{name} {value:.2f}"


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"),
        TimeElapsedColumn(), TimeRemainingColumn(), console=console,
    )  # fmt: skip
