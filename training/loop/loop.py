"""The training loop of every model: seeded, resumable, and equal whether interrupted or not."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..config.run import TrainConfig
from ..data.dataset import NoteSet
from .checkpoint import Checkpoint, save_checkpoint
from .half_weights import SUFFIX, save_half
from .team import ALONE

WARM_UP_ITERATIONS = 50
FINAL_LEARNING_RATE = 0.03  # of the peak, at the end of the cosine
TIMBRE_TABLES = ("timbres.weight", "keys.weight")
Losses = dict[str, float]


@dataclass(frozen=True)
class Progress:
    """What a run reports after each iteration."""

    iteration: int
    iterations: int
    losses: Losses
    seconds: float


class TrainingLoop(ABC):
    """Optimiser, schedule, weight average, random states and checkpoints around `iterate`.

    Parameters
    ----------
    config, notes : what to train on what
    model : freshly initialised
    place : torch device

    Attributes
    ----------
    team : the processes that train together; this one alone, unless it is set
    """

    def __init__(self, config: TrainConfig, notes: NoteSet, model: nn.Module, place: str = "cpu") -> None:
        self.config, self.notes, self.place = config, notes, torch.device(place)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.rng = np.random.default_rng(config.seed)
        self.model = model.to(self.place)
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.optimizer = torch.optim.Adam(self.model.parameters(), config.learning_rate, betas=(0.9, 0.98))
        self.iteration, self.seconds = 0, 0.0
        self.team = ALONE

    @abstractmethod
    def iterate(self) -> Losses:
        """Take one optimiser step through `descend`, and return the losses."""

    @abstractmethod
    def averaged_model(self) -> nn.Module:
        """Return a model with the running average of the weights: what is validated and exported."""

    def run(
        self,
        folder: Path,
        report: Callable[[Progress], None],
        validate: Callable[[TrainingLoop], None] | None = None,
        limit_s: float = math.inf,
    ) -> None:
        """Train to the end, or for `limit_s` seconds.

        A checkpoint is left in `folder` every `checkpoint_every` iterations and at the end, and beside it its weights
        in half precision; see `half_weights`. Of several processes the first one reports, validates and writes.
        """
        config, started = self.config, time.perf_counter()
        last = False
        while self.iteration < config.iterations and not last:
            began = time.perf_counter()
            losses = self.iterate()
            self.iteration += 1
            self.seconds += time.perf_counter() - began
            last = self.iteration == config.iterations
            if limit_s < math.inf:  # clocks differ: where one process stopped alone, the others would wait for it
                last |= self.team.first_says(time.perf_counter() - started >= limit_s)
            if not self.team.is_first:
                continue
            report(Progress(self.iteration, config.iterations, losses, self.seconds))
            if last or self.iteration % config.checkpoint_every == 0:
                checkpoint = self.checkpoint()
                save_checkpoint(folder / "checkpoint.pt", checkpoint)
                save_half(folder / f"weights{SUFFIX}", checkpoint)
            if validate and (last or self.iteration % config.validate_every == 0):
                validate(self)

    def descend(self, losses: dict[str, Tensor]) -> Losses:
        """Step down the gradient of ``losses["total"]``; a step with a non-finite gradient is left out."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self.optimizer.zero_grad(set_to_none=True)
        self.team.backward(losses["total"], self.model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        self._update_average()
        return {name: float(value.detach()) for name, value in losses.items()} | {"gradient": float(norm)}

    def _learning_rate(self) -> float:
        warm = min(1.0, (self.iteration + 1) / WARM_UP_ITERATIONS)
        cosine = 0.5 * (1.0 + np.cos(np.pi * self.iteration / self.config.iterations))
        return float(self.config.learning_rate * warm * (FINAL_LEARNING_RATE + (1.0 - FINAL_LEARNING_RATE) * cosine))

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.config.ema, (self.iteration + 1) / (self.iteration + 10))
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value, 1.0 - decay)

    def start_from(
        self, weights: Mapping[str, Tensor], timbre_names: Sequence[str] = (), seconds: float = 0.0
    ) -> tuple[str, ...]:
        """Begin with the weights of another run where name and shape agree; return the names of those that do not.

        What a table holds of each timbre is found by `timbre_names`, the other run's. The `seconds` it took count.
        """
        self.seconds = seconds
        own = self.model.state_dict()
        weights = dict(weights)
        rows = [timbre_names.index(name) for name in self.notes.timbre_names if name in timbre_names]
        for name in TIMBRE_TABLES if len(rows) == len(self.notes.timbre_names) else ():
            if name in weights:
                tables = weights[name].unflatten(0, (len(timbre_names), -1))
                weights[name] = tables[rows].flatten(0, 1)
        known = {name for name, value in own.items() if name in weights and weights[name].shape == value.shape}
        self.model.load_state_dict({name: weights[name] if name in known else value for name, value in own.items()})
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        return tuple(name for name in own if name not in known)

    def resume_state(self) -> dict[str, Any]:
        """Return what `resume` needs beside the weights."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "rng": self.rng.bit_generator.state,
        }

    def checkpoint(self) -> Checkpoint:
        """Collect what exporting and resuming need."""
        return Checkpoint(
            config=self.config.to_dict(),
            weights=self.average,
            timbre_names=self.notes.timbre_names,
            tuning={name: vars(tuning) for name, tuning in self.notes.tuning.items()},
            motions=torch.frombuffer(bytearray(self.notes.motion_arrays.to_bytes()), dtype=torch.uint8),
            iteration=self.iteration,
            seconds=self.seconds,
            resume=self.resume_state(),
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same configuration, exactly as if never interrupted."""
        state = checkpoint.resume
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.rng.bit_generator.state = state["rng"]
        self.average = {name: value.to(self.place) for name, value in checkpoint.weights.items()}
        self.iteration, self.seconds = checkpoint.iteration, checkpoint.seconds


class Pool(Protocol):
    """States of growth kept and reused."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`'s values."""
        ...


PoolKind = TypeVar("PoolKind", bound=Pool)


class PooledLoop(TrainingLoop, Generic[PoolKind]):
    """A training loop whose notes come from a pool."""

    pool: PoolKind

    def resume_state(self) -> dict[str, Any]:
        """Return the pool's state beside the loop's."""
        return super().resume_state() | {"pool": self.pool.state_dict()}

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same configuration, exactly as if never interrupted."""
        super().resume(checkpoint)
        self.pool.load_state_dict(checkpoint.resume["pool"])
