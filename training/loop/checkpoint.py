"""Checkpoints: written whole or not at all, and read without running anything they contain."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import BankError
from ...whole_files import replacing
from ..config.run import TrainConfig, train_config

FORMAT = "tnca-synth checkpoint 1"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """One saved training run.

    Attributes
    ----------
    config : plain values of its `TrainConfig`
    weights : averaged weights, those to play
    timbre_names : one per row of the timbre table
    tuning : timbre name -> keys, cents, inharmonicity
    motions : uint8 (N,), what moves the recorded keys, as `MotionArrays.to_bytes` gives it
    iteration, seconds : how far it is, and the training time it took, with that of the run it started from
    resume : what going on needs
    correction : uint8 (N,), what it misses on the recorded keys, as `CorrectionArrays.to_bytes` gives it; empty if
        unknown
    """

    config: dict[str, Any]
    weights: dict[str, Tensor]
    timbre_names: tuple[str, ...]
    tuning: dict[str, dict[str, Any]]
    motions: Tensor
    iteration: int
    seconds: float
    resume: dict[str, Any]
    correction: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.uint8))

    @property
    def train_config(self) -> TrainConfig:
        """The run's configuration."""
        return train_config(self.config)

    @property
    def motion_bytes(self) -> bytes:
        """What moves the recorded keys, as it is stored in banks."""
        return self.motions.numpy().tobytes()

    @property
    def correction_bytes(self) -> bytes:
        """What it misses on the recorded keys, as it is stored in banks; nothing if unknown."""
        return self.correction.numpy().tobytes()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an interrupted write leaves the previous one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        torch.save({"format": FORMAT, **vars(checkpoint)}, part)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; anything else raises `BankError`."""
    values = _read(path)
    names = {one.name for one in fields(Checkpoint)}
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT or (values.keys() ^ names) - {"correction"}:
        raise BankError(f"{path} is not a checkpoint of this version (expected {FORMAT!r})")
    return Checkpoint(**values)


def load_start(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...], float]:
    """Read averaged weights, timbre names and the seconds spent on them, of any version; else raise `BankError`."""
    values = _read(path)
    weights = values.get("weights") if isinstance(values, dict) else None
    if not isinstance(weights, dict):
        raise BankError(f"{path} holds no weights of tnca-synth")
    return weights, tuple(values.get("timbre_names", ())), float(values.get("seconds", 0.0))


def _read(path: Path) -> Any:
    if path.exists() and not path.is_file():
        raise BankError(f"{path} is no regular file, expected a checkpoint")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BankError(f"no checkpoint at {path}") from error
    except Exception as error:  # torch and pickle raise many kinds on foreign or torn files
        raise BankError(f"{path} is not a readable checkpoint ({type(error).__name__})") from error
