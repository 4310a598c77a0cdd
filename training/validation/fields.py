"""Held-out notes beside what the model grows for them: spectral errors and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...engine.spectra.pitch import pitch_to_hz
from ..data.dataset import NoteSet
from ..loop.rollout import GrowingModel, NoteBatch, grow
from ..multiscale.nca import MultiScaleNCA
from ..spectral.nca import TNCA
from ..spectral.vocoder import MelVocoder

VALIDATION_BATCH = 48


def field_errors_db(model: GrowingModel, notes: NoteSet, index: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the mean absolute level error in dB of each note, per field, float64 (len(index),)."""
    scale_db, names = model.config.spec.level_scale_db, model.config.field_names
    errors: dict[str, list[float]] = {name: [] for name in names}
    order = np.argsort(notes.num_frames[index], kind="stable")
    for start in range(0, len(order), VALIDATION_BATCH):
        part = index[order[start : start + VALIDATION_BATCH]]
        grown = grow(model, NoteBatch.of(notes, part), int(notes.num_frames[part].max()), notes.motions)
        for b, note in enumerate(part):
            for name in names:
                level = grown[name][b, : notes.num_frames[note], 0, notes.kept(name)].clamp_min(0.0)
                wanted = notes.frames(name, note)[:, 0].float()
                errors[name].append(float((level - wanted).abs().mean()) * scale_db)
    restore = np.argsort(order, kind="stable")
    return {name: np.array(values)[restore] for name, values in errors.items()}


def by_instrument(notes: NoteSet, index: NDArray[np.int64], values: NDArray[Any]) -> dict[str, float]:
    """Mean of per-note values for each instrument; the keys of a drum kit count as one instrument."""
    groups: dict[str, list[float]] = {}
    for note, value in zip(index, values, strict=True):
        groups.setdefault(notes.features[note].instrument.split(":")[0], []).append(float(value))
    return {name: float(np.mean(group)) for name, group in sorted(groups.items())}


def validation_notes(notes: NoteSet, per_instrument: int, seed: int) -> NDArray[np.int64]:
    """Choose held-out notes of every instrument, reproducibly; any notes where nothing is held out."""
    rng = np.random.default_rng(seed)
    groups: dict[str, list[int]] = {}
    held_out = notes.indices(held_out=True)
    for i in held_out if len(held_out) else notes.indices(held_out=False):
        groups.setdefault(notes.features[i].instrument.split(":")[0], []).append(int(i))
    chosen = [rng.permutation(group)[:per_instrument] for _, group in sorted(groups.items())]
    return np.sort(np.concatenate(chosen))


def save_picture(path: Path, notes: NoteSet, index: NDArray[np.int64], model: GrowingModel) -> None:
    """Draw targets (upper row) beside generated mel levels (lower row) to a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = model.config.field_names
    name = "mel" if "mel" in names else names[0]
    grown = grow(model, NoteBatch.of(notes, index), int(notes.num_frames[index].max()), notes.motions)[name]
    figure = Figure(figsize=(3.2 * len(index), 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(index), squeeze=False)
    spec = model.config.spec
    for column, note in enumerate(index):
        frames = int(notes.num_frames[note])
        wanted = notes.frames(name, note)[:, 0].float()
        for row, level in enumerate((wanted, grown[column, :frames, 0].clamp_min(0.0))):
            axis = axes[row][column]
            db = level.numpy().T * spec.level_scale_db + spec.floor_db
            axis.imshow(db, origin="lower", aspect="auto", vmin=spec.floor_db, vmax=-10.0, cmap="magma")
            axis.set_xticks([])
        feature = notes.features[note]
        axes[0][column].set_title(f"{feature.instrument} {feature.pitch} v{feature.velocity}", fontsize=8)
    axes[0][0].set_ylabel("recording (mel band)")
    axes[1][0].set_ylabel("grown (mel band)")
    figure.savefig(path, dpi=80)


def vocoder_errors_db(model: MelVocoder, notes: NoteSet, index: NDArray[np.int64]) -> NDArray[Any]:
    """Return the mean absolute error in dB of the linear level read from true mels, per note, float64 (len(index),)."""
    errors = []
    for note in index:
        mel = model.with_history(notes.frames("mel", note).float()[None], model.config.history_frames)
        hz = float(pitch_to_hz(float(notes.pitch[note]))) if notes.features[note].pitched else 0.0
        f0_hz = torch.full((1, int(notes.num_frames[note])), hz)
        level = model(mel, f0_hz, notes.stretch[note : note + 1])[0, :, 0].clamp_min(0.0)
        errors.append(float((level - notes.frames("linear", note)[:, 0].float()).abs().mean()))
    return np.array(errors) * model.config.spec.level_scale_db


@torch.no_grad()
def validate(model: nn.Module, notes: NoteSet, index: NDArray[np.int64]) -> dict[str, dict[str, float]]:
    """Return level errors in dB per field and instrument."""
    if isinstance(model, MelVocoder):
        return {"linear": by_instrument(notes, index, vocoder_errors_db(model, notes, index))}
    assert isinstance(model, (TNCA, MultiScaleNCA))
    errors = field_errors_db(model, notes, index)
    return {name: by_instrument(notes, index, values) for name, values in errors.items()}
