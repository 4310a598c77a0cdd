"""Proof that ONNX Runtime plays what torch trained: both grow the same notes side by side.

Letters: V voices, T spectral frames, K steps per hop, F cells.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..engine.bank.bank import Bank
from ..engine.bank.manifest import MANIFEST
from ..engine.keys.motions import STILL
from ..engine.models.growth_model import FIELD_PREFIX, OnnxGrowthModel
from ..engine.models.interfaces import Genome, HopInputs
from ..engine.models.onnx_runtime import open_session
from ..errors import BankError
from ..training.config.sound_models import LATENT_REPRESENTATION as LATENT
from ..training.data.dataset import between
from ..training.loop.checkpoint import Checkpoint
from ..training.loop.rollout import GrowingModel, GrowthConfig, NoteBatch, plant, release_age
from ..training.registry import mel_vocoder
from ..training.spectral.vocoder import MelVocoder
from .bank import replace_files, write_bank
from .graphs.step import bounded
from .model_files import played_model

PARITY_LIMIT = 1e-4
VOCODER_LIMIT = (
    3e-4  # of levels of 40 dB, so 0.01 dB: rounding in where the 100th partial lies, with nothing to add it up
)
ROLLOUT_S = 10.0
VOCODER_S = 1.0  # it keeps no state that could drift
LOWEST_FIRE_RATE = 0.5
BEND_AT, BEND_SEMITONES = 0.2, 1.5  # share of the rollout after which every note is bent
SWELL_SPREAD = 0.05  # 2 dB
SEED = 0

Fields = dict[str, NDArray[np.float32]]
Recorded = Sequence[tuple[str, Sequence[int]]]
"""Name and recorded MIDI keys of timbres, in the order of the timbre table."""


@dataclass(frozen=True, eq=False)
class Hop:
    """What both sides are told of one hop; `notes` only where they must be planted, anew when bent.

    Attributes
    ----------
    notes : NoteBatch or None
    age_s, released_s : (V,)
    fire_mask : (V, K, F)
    swell : (V, F)
    """

    notes: NoteBatch | None
    age_s: Tensor
    released_s: Tensor
    fire_mask: Tensor
    swell: Tensor


def rollout_parity(
    model: GrowingModel, growth: OnnxGrowthModel, recorded: Recorded, seconds: float = ROLLOUT_S, voices: int = 4
) -> float:
    """Grow the same notes in torch and in ONNX Runtime, each from its own grids, and compare what they grow.

    The notes differ in pitch, velocity, timbre, inharmonicity and fire rate, are bent on the way, and are released
    one after the other in the middle.

    Parameters
    ----------
    model : the trained model as it is played (`model_files.played_model`)
    recorded : name and recorded keys of each row of its timbre table

    Returns
    -------
    The largest absolute difference of any field at any time.
    """
    score = list(rollout_score(model.config, recorded, seconds, voices))
    both = zip(grow_in_torch(model, score), grow_in_onnx_runtime(growth, recorded, score), strict=True)
    return max(difference(wanted[name], found[name]) for wanted, found in both for name in growth.fields)


def rollout_score(config: GrowthConfig, recorded: Recorded, seconds: float, voices: int) -> Iterator[Hop]:
    """Yield the hops of a rollout."""
    generator = torch.Generator().manual_seed(SEED)
    frames = round(seconds / config.spec.hop_s)
    notes = varied_notes(voices, recorded, seconds)
    bent = replace(notes, pitch=notes.pitch + BEND_SEMITONES)
    planted = {0: notes, round(frames * BEND_AT): bent}
    rate = torch.linspace(LOWEST_FIRE_RATE, 1.0, voices)[:, None, None]
    for t in range(frames):
        age_s = torch.full((voices,), t * config.spec.hop_s)
        dice = torch.rand(voices, config.steps_per_hop, config.cells, generator=generator)
        swell = SWELL_SPREAD * torch.randn(voices, config.spec.num_mels, generator=generator)
        yield Hop(planted.get(t), age_s, release_age(age_s, notes.hold_s), (dice < rate).float(), swell)


def varied_notes(voices: int, recorded: Recorded, seconds: float) -> NoteBatch:
    """Return notes that differ in everything; the last of three or more is unpitched, all lie between recorded keys."""
    rows = np.linspace(0, len(recorded) - 1, voices).astype(int)
    keys = [recorded[row][1] for row in rows]
    low, high, mix = zip(*(between(np.mean(one[:2]), one) for one in keys), strict=True)
    pitched = torch.ones(voices)
    if voices > 2:
        pitched[-1] = 0.0
    return NoteBatch(
        pitch=torch.linspace(34.3, 93.7, voices),
        velocity=torch.linspace(1.0, 0.2, voices),
        pitched=pitched,
        stretch=torch.linspace(0.0, 5e-4, voices) * pitched,
        hold_s=torch.linspace(0.4, 0.6, voices) * seconds,
        timbre=torch.from_numpy(rows),
        key_low=torch.tensor(low),
        key_high=torch.tensor(high),
        key_mix=torch.tensor(mix, dtype=torch.float32),
        motion=torch.tensor(STILL, dtype=torch.float64).expand(voices, -1),
    )


@torch.no_grad()
def grow_in_torch(model: GrowingModel, score: list[Hop]) -> Iterator[Fields]:
    """Yield the fields of each hop as the trained model grows them, bounded as the exported one bounds them."""
    grid: Tensor | None = None
    planted: dict[str, Tensor] = {}
    for hop in score:
        planted = planted if hop.notes is None else plant(model, hop.notes)
        grid = planted["grid"] if grid is None else grid
        grid = model.step(grid, planted, hop.age_s, hop.released_s, hop.fire_mask, hop.swell)
        fields = model.fields(grid, planted)
        yield {name: (field if name == LATENT else bounded(field)).numpy() for name, field in fields.items()}


def grow_in_onnx_runtime(growth: OnnxGrowthModel, recorded: Recorded, score: list[Hop]) -> Iterator[Fields]:
    """Yield the fields of each hop as the engine grows them, from the exported timbres."""
    grid: NDArray[np.float32] | None = None
    genome: Genome = {}
    for hop in score:
        if hop.notes is not None:
            notes = {name: column.numpy() for name, column in vars(hop.notes).items()}
            keys = notes["key_low"] + notes["key_mix"] * (notes["key_high"] - notes["key_low"])
            of_note = zip(notes["timbre"], keys, strict=True)
            timbre = np.stack([growth.timbres.vector(recorded[row][0], float(key)) for row, key in of_note])
            genome = growth.plant(notes["pitch"], notes["velocity"], timbre, notes["pitched"], notes["stretch"])
        genome["grid"] = genome["grid"] if grid is None else grid
        inputs = (hop.age_s, hop.released_s, hop.fire_mask, hop.swell)
        grown = growth.step(genome, HopInputs(*(value.numpy() for value in inputs)))
        grid = grown.grid
        yield grown.fields


def vocoder_parity(vocoder: MelVocoder, model: bytes, seconds: float = VOCODER_S, voices: int = 4) -> float:
    """Read the linear side of the same random mel frames in torch and in ONNX Runtime; see `rollout_parity`."""
    config = vocoder.config
    frames = round(seconds / config.spec.hop_s)
    generator = torch.Generator().manual_seed(SEED)
    pair = torch.rand(voices, frames, 2, config.spec.num_mels, generator=generator) * torch.tensor([[2.5], [1.0]])
    f0_hz = torch.linspace(50.0, 2000.0, voices)[:, None] * torch.linspace(1.0, 1.1, frames)
    f0_hz[-1] = 0.0
    inputs = {
        "mel": vocoder.with_history(pair, config.history_frames),
        "f0_hz": f0_hz,
        "stretch": torch.linspace(0.0, 5e-4, voices),
    }
    with torch.no_grad():
        wanted = bounded(vocoder(**inputs)).numpy()
    session = open_session(model, "cpu")
    (found,) = session.run([f"{FIELD_PREFIX}linear"], {name: value.numpy() for name, value in inputs.items()})
    return difference(wanted, found)


def difference(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Return the largest absolute difference; infinite where either side has a number that is not finite."""
    largest = float(np.abs(wanted - found).max())
    return largest if np.isfinite(largest) else float("inf")


def bank_parity(folder: Path, checkpoints: list[Checkpoint]) -> dict[str, float]:
    """Return how far every model of a bank is from the checkpoint it was exported from, by representation or kind."""
    bank = Bank.load(folder)
    figures = {}
    for checkpoint in checkpoints:
        config = checkpoint.train_config
        if config.kind == "vocoder":
            figures["vocoder"] = vocoder_parity(mel_vocoder(checkpoint), (folder / "vocoder.onnx").read_bytes())
        else:
            model = played_model(checkpoint)
            name = model.config.representation
            recorded = [(timbre, tuple(checkpoint.tuning[timbre]["keys"])) for timbre in checkpoint.timbre_names]
            figures[name] = rollout_parity(model, bank.growth_model(name, "cpu"), recorded)
    return figures


def write_checked_bank(
    folder: Path, checkpoints: list[Checkpoint], metrics: dict[str, dict[str, Any]]
) -> tuple[dict[str, int], dict[str, float]]:
    """Export like `write_bank`, but touch the folder only if every model computes what torch computes.

    Returns
    -------
    Bytes by file name, and parity by representation ("vocoder" for the vocoder).

    Raises
    ------
    BankError
        A model differs from torch by more than `PARITY_LIMIT`, or the vocoder by more than `VOCODER_LIMIT`.
    """
    with tempfile.TemporaryDirectory() as name:
        staged = Path(name)
        sizes = write_bank(staged, checkpoints, metrics)
        parity = bank_parity(staged, checkpoints)
        for kind, figure in parity.items():
            limit = VOCODER_LIMIT if kind == "vocoder" else PARITY_LIMIT
            if not figure <= limit:
                raise BankError(
                    f"the exported {kind} model differs from torch by {figure:.2g}, more than {limit:g}: "
                    "nothing was written"
                )
        replace_files(folder, {file: (staged / file).read_bytes() for file in (*sizes, MANIFEST)})
    return sizes, parity
