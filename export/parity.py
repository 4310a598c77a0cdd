"""Proof that ONNX Runtime plays what torch trained: both grow the same notes side by side.

Letters: V voices, T spectral frames, F cells.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..engine.bank import Bank
from ..engine.growth import FIELD_PREFIX, GrowthModel
from ..engine.inference import open_session
from ..errors import BankError
from ..training.checkpoint import Checkpoint
from ..training.nca import TNCA
from ..training.rollout import NoteBatch, plant, release_age
from ..training.vocoder import MelVocoder
from .bank_writer import replace_files, write_bank
from .onnx_model import bounded

PARITY_LIMIT = 1e-4
ROLLOUT_S = 10.0
LOWEST_FIRE_RATE = 0.5
BEND_AT, BEND_SEMITONES = 0.2, 1.5  # share of the rollout after which every note is bent
SEED = 0


def rollout_parity(model: TNCA, growth: GrowthModel, seconds: float = ROLLOUT_S, voices: int = 4) -> float:
    """Grow the same notes in torch and in ONNX Runtime, each from its own grids, and compare what they grow.

    The notes differ in pitch, velocity, timbre, inharmonicity and fire rate, are bent on the way, and are released
    one after the other in the middle. Without a field that is finite on both sides there is no parity.

    Returns
    -------
    The largest absolute difference of any field at any time.
    """
    spec, frames = model.config.spec, round(seconds / model.config.spec.hop_s)
    notes = varied_notes(voices, model.timbres.num_embeddings, seconds)
    rate = torch.linspace(LOWEST_FIRE_RATE, 1.0, voices)[:, None, None]
    generator = torch.Generator().manual_seed(SEED)
    worst, bend_at = 0.0, round(frames * BEND_AT)
    grid, grid_ort = None, None
    for t in range(frames):
        if t in (0, bend_at):
            bent = NoteBatch(**{**vars(notes), "pitch": notes.pitch + BEND_SEMITONES * (t == bend_at)})
            planted, genome = _plant_both(model, growth, bent)
            grid = planted["grid"] if grid is None else grid
            genome["grid"] = genome["grid"] if grid_ort is None else grid_ort
        age_s = torch.full((voices,), t * spec.hop_s)
        released_s = release_age(age_s, notes.hold_s)
        mask = (torch.rand(voices, model.config.steps_per_hop, spec.num_mels, generator=generator) < rate).float()
        grid, fields = _step_torch(model, grid, planted, age_s, released_s, mask)
        grown = growth.step(genome, age_s.numpy(), released_s.numpy(), mask.numpy())
        grid_ort = genome["grid"] = grown.grid
        worst = max(worst, *(difference(fields[name].numpy(), grown.fields[name]) for name in growth.fields))
    return worst


def varied_notes(voices: int, num_timbres: int, seconds: float) -> NoteBatch:
    """Return notes that differ in everything; the last of three or more is unpitched."""
    pitched = torch.ones(voices)
    if voices > 2:
        pitched[-1] = 0.0
    return NoteBatch(
        pitch=torch.linspace(34.3, 93.7, voices),
        velocity=torch.linspace(1.0, 0.2, voices),
        pitched=pitched,
        stretch=torch.linspace(0.0, 5e-4, voices) * pitched,
        hold_s=torch.linspace(0.4, 0.6, voices) * seconds,
        timbre=torch.linspace(0, num_timbres - 1, voices).long(),
    )


def _plant_both(model: TNCA, growth: GrowthModel, notes: NoteBatch) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with torch.no_grad():
        planted, timbre = plant(model, notes), model.timbres(notes.timbre)
    columns = (notes.pitch, notes.velocity, timbre, notes.pitched, notes.stretch)
    return planted, growth.plant(*(column.numpy() for column in columns))


@torch.no_grad()
def _step_torch(
    model: TNCA, grid: Tensor, planted: dict[str, Tensor], age_s: Tensor, released_s: Tensor, mask: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    grid = model.step(grid, planted, age_s, released_s, mask)
    fields = {"mel": bounded(model.mel(grid))}
    if "bin" in planted:
        fields["linear"] = bounded(model.linear(grid, planted))
    return grid, fields


def vocoder_parity(vocoder: MelVocoder, model: bytes, seconds: float = ROLLOUT_S, voices: int = 4) -> float:
    """Read the linear side of the same random mel frames in torch and in ONNX Runtime; see `rollout_parity`."""
    spec, frames = vocoder.config.spec, round(seconds / vocoder.config.spec.hop_s)
    generator = torch.Generator().manual_seed(SEED)
    mel = torch.rand(voices, frames, 2, spec.num_mels, generator=generator)
    mel = vocoder.with_history(mel * torch.tensor([2.5, 1.0])[:, None], vocoder.config.history_frames)
    f0_hz = (torch.linspace(50.0, 2000.0, voices)[:, None] * torch.linspace(1.0, 1.1, frames)).contiguous()
    f0_hz[-1] = 0.0
    stretch = torch.linspace(0.0, 5e-4, voices)
    with torch.no_grad():
        wanted = vocoder(mel, f0_hz, stretch)
    inputs = {"mel": mel.numpy(), "f0_hz": f0_hz.numpy(), "stretch": stretch.numpy()}
    (found,) = open_session(model, "cpu").run([f"{FIELD_PREFIX}linear"], inputs)
    return difference(wanted.numpy(), found)


def difference(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Return the largest absolute difference; infinite where either side has a number that is not finite."""
    largest = float(np.abs(wanted - found).max())
    return largest if np.isfinite(largest) else float("inf")


def bank_parity(folder: Path, checkpoints: list[Checkpoint]) -> dict[str, float]:
    """Return the parity of every model of a bank with the checkpoint it was exported from, by preset name."""
    bank, figures = Bank.load(folder), {}
    for checkpoint in checkpoints:
        config = checkpoint.train_config
        if config.kind == "vocoder":
            figures[config.name] = vocoder_parity(checkpoint.vocoder(), (folder / "vocoder.onnx").read_bytes())
        else:
            growth = bank.growth_model(config.model.representation, "cpu")
            figures[config.name] = rollout_parity(checkpoint.growth_model(), growth)
    return figures


def write_checked_bank(
    folder: Path, checkpoints: list[Checkpoint], metrics: dict[str, dict[str, Any]]
) -> tuple[dict[str, int], dict[str, float]]:
    """Export like `write_bank`, but leave the folder as it was unless every model computes what torch computes.

    Returns
    -------
    File names with their bytes, and preset names with their parity.

    Raises
    ------
    BankError
        A model differs from torch by more than `PARITY_LIMIT`.
    """
    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        sizes = write_bank(staged, checkpoints, metrics)
        parity = bank_parity(staged, checkpoints)
        for preset, figure in parity.items():
            if not figure <= PARITY_LIMIT:
                raise BankError(
                    f"the exported {preset} model differs from torch by {figure:.2g}, more than {PARITY_LIMIT:.0e}: "
                    "nothing was written"
                )
        files = {path.name: path.read_bytes() for path in staged.iterdir()}
        replace_files(folder, files)
    return sizes, parity
