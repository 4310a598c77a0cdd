"""One note, trained, watched and heard: what the notebooks call, so that their cells stay short."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from ...engine.arrays import FloatArray
from ...engine.decoders.base import Decoder, NoteControls
from ...engine.spectra.fields import Fields
from ...engine.spectra.pitch import pitch_to_hz
from ...engine.spectra.spec import AudioSpec
from ...errors import DatasetError, UsageError
from ..config.run import TrainConfig, load_preset
from ..data.dataset import NoteSet, assemble
from ..loop.loop import Progress, TrainingLoop
from ..loop.rollout import NoteBatch, grow
from ..measure.note_features import extract
from ..measure.recording import Recording
from ..sources import FolderSource
from ..spectral.nca import TNCA
from ..spectral.trainer import Trainer
from ..validation.single_notes import decode_note

STAGES = 4
BATCH_SIZE, POOL_SIZE, SEED_HIDDEN = 8, 16, 64
THE_NOTE = np.zeros(1, np.int64)


@dataclass(frozen=True, eq=False)
class NotebookGrowth:
    """A note as it grew.

    Attributes
    ----------
    grids : float32 (T, F, C), the cells of every spectral frame with all their channels
    fields : name -> float32 (1, T, 2, bands or bins), as decoders take them
    """

    grids: FloatArray
    fields: Fields


@dataclass(frozen=True, eq=False)
class Stage:
    """What the model grew when it had been trained for so many iterations."""

    iteration: int
    growth: NotebookGrowth


@dataclass(frozen=True, eq=False)
class Training:
    """A trained model, how it grew the note on its way, and the error of its mel levels in dB at every iteration."""

    model: TNCA
    stages: list[Stage]
    level_db: list[float]


def read_note(path: str | Path, spec: AudioSpec) -> Recording:
    """Read one recorded note, WAV or FLAC; its pitch stands in its name (``violin_A4.wav``) or is detected.

    Raises
    ------
    UsageError
        There is no such file, or it is silent, clipped, too short or without a pitch.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"there is no recording {path}")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, folder)
        source = FolderSource(folder, spec.sample_rate, instrument="note")
        recording = next(iter(_unless_skipped(source)), None)
    if recording is None:
        raise UsageError(f"{path} cannot be used: {source.report.skipped[0].reason}")
    return recording


def _unless_skipped(source: FolderSource) -> list[Recording]:
    try:
        return list(source)
    except DatasetError:
        return []


def note_set(recording: Recording, config: TrainConfig) -> NoteSet:
    """Measure a recording as the one note to learn from, whatever its pitch and velocity: nothing is held out."""
    spec = config.model.spec
    features = extract(recording, spec, inharmonic=False)
    return assemble([[features]], spec, with_linear=config.model.representation == "dual")


def small_config(preset: str, iterations: int) -> TrainConfig:
    """Return a preset cut down to one note and a short training."""
    whole = load_preset(preset)
    return replace(
        whole,
        iterations=iterations,
        batch_size=BATCH_SIZE,
        pool_size=POOL_SIZE,
        checkpoint_every=iterations,
        validate_every=max(1, iterations // STAGES),
        compile=False,
        model=replace(whole.model, seed_hidden=SEED_HIDDEN),
        loss=replace(whole.loss, convergence_from=iterations // 2),
    )


def train_note(config: TrainConfig, notes: NoteSet, report: Callable[[Progress], None] = lambda _: None) -> Training:
    """Train on the one note, and keep how it grew before, on the way and at the end."""
    trainer = Trainer(config, notes)
    stages = [Stage(0, grow_note(trainer.averaged_model(), notes))]
    level_db: list[float] = []

    def listen(progress: Progress) -> None:
        level_db.append(progress.losses["level_db"])
        report(progress)

    def keep(run: TrainingLoop) -> None:
        stages.append(Stage(run.iteration, grow_note(trainer.averaged_model(), notes)))

    with tempfile.TemporaryDirectory() as folder:
        trainer.run(Path(folder), listen, keep)
    return Training(trainer.averaged_model(), stages, level_db)


def grow_note(model: TNCA, notes: NoteSet, extra_frames: int = 8) -> NotebookGrowth:
    """Grow the note from its seed to the end of its recording, and a little further, for decoders that look ahead."""
    watched = _Watched(model)
    frames = int(notes.num_frames[0]) + extra_frames
    fields = grow(cast(TNCA, watched), NoteBatch.of(notes, THE_NOTE), frames, notes.motions)
    return NotebookGrowth(np.stack(watched.grids), {name: _bounded(field.numpy()) for name, field in fields.items()})


class _Watched:
    """A model that keeps the grid of every step."""

    def __init__(self, model: TNCA) -> None:
        self._model = model
        self.grids: list[FloatArray] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def step(self, *state: Any) -> torch.Tensor:
        grid = self._model.step(*state)
        self.grids.append(grid[0].numpy())
        return grid


def _bounded(pair: FloatArray) -> FloatArray:
    """Return a field with level >= 0 and tonality in 0..1, as the exported models give it."""
    level, tonality = np.maximum(pair[..., :1, :], 0.0), np.clip(pair[..., 1:, :], 0.0, 1.0)
    return np.concatenate([level, tonality], -2).astype(np.float32)


def hear(decoder: Decoder, growth: NotebookGrowth, notes: NoteSet, spec: AudioSpec, num_samples: int) -> FloatArray:
    """Decode a grown note, float32 (num_samples,) at the spec's rate."""
    frames = len(growth.grids)
    hz = float(pitch_to_hz(float(notes.pitch[0]))) if notes.features[0].pitched else 0.0
    grown_hz = np.full((1, frames), hz)
    times_s = np.arange(frames, dtype=np.float64)[:, None] * spec.hop_s
    sway = notes.motions.sway(notes.own_motion[:1], times_s).T
    pitch = NoteControls(grown_hz * 2.0 ** (sway / 12.0), notes.stretch[:1].numpy().astype(np.float64), grown_hz)
    return decode_note(decoder, growth.fields, pitch, seed=0)[:num_samples]
