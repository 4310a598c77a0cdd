"""Growing notes in torch, from a seed to any length: used to validate, to compare with ONNX, to draw pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.keys.motions import MotionTable
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.transpose import transposed_field
from ..data.dataset import NoteSet


class GrowthConfig(Protocol):
    """What the config of every growing model says."""

    @property
    def spec(self) -> AudioSpec:
        """How its frames measure sound."""
        ...

    @property
    def steps_per_hop(self) -> int:
        """Updates in one step."""
        ...

    @property
    def cells(self) -> int:
        """Cells of a grid."""
        ...

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of what is grown."""
        ...


class GrowingModel(Protocol):
    """What rollouts, exports and validation ask of a model that grows notes; see `TNCA`."""

    @property
    def config(self) -> GrowthConfig:
        """Its size."""
        ...

    @property
    def seed(self) -> Callable[..., dict[str, Tensor]]:
        """The seed network; see `NoteSeed`."""
        ...

    def timbre(self, timbre: Tensor, low: Tensor, high: Tensor, mix: Tensor) -> Tensor:
        """Return timbre vectors."""
        ...

    def step(
        self,
        grid: Tensor,
        planted: dict[str, Tensor],
        age_s: Tensor,
        release_age_s: Tensor,
        fire_mask: Tensor,
        swell: Tensor,
    ) -> Tensor:
        """Grow one hop."""
        ...

    def fields(self, grid: Tensor, planted: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what a grid offers decoders."""
        ...


@dataclass(frozen=True, eq=False)
class NoteBatch:
    """MIDI seeds of B notes; see `NoteSet`.

    Each is float32 (B,) but `timbre`, `key_low` and `key_high`, int64 (B,), and `motion`, float64 (B, 2).
    """

    pitch: Tensor
    velocity: Tensor
    pitched: Tensor
    stretch: Tensor
    hold_s: Tensor
    timbre: Tensor
    key_low: Tensor
    key_high: Tensor
    key_mix: Tensor
    motion: Tensor

    @classmethod
    def of(cls, notes: NoteSet, index: NDArray[np.int64], borrow: NDArray[np.bool_] | None = None) -> NoteBatch:
        """Take the seeds of recorded notes; where `borrow` (B,) is true, the key's colour is its neighbours'."""
        columns = (notes.pitch, notes.velocity, notes.pitched, notes.stretch, notes.hold_s, notes.timbre)
        keys = [column[index] for column in notes.own_key]
        if borrow is not None:
            lent = [column[index] for column in notes.lent_key]
            keys = [torch.where(torch.from_numpy(borrow), theirs, own) for theirs, own in zip(lent, keys, strict=True)]
        motion = notes.own_motion[index]
        if borrow is not None:
            motion = np.where(borrow[:, None], notes.lent_motion[index], motion)
        return cls(*[*(column[index] for column in columns), *keys, torch.from_numpy(motion)])

    def as_played(self) -> NoteBatch:
        """Return what is grown when the notes are played: keys never recorded as those that lend them their sound."""
        return replace(self, pitch=self.pitch - 12.0 * torch.log2(self.motion[:, 1]).to(self.pitch.dtype))

    def to(self, place: torch.device | str) -> NoteBatch:
        """Return the batch on another torch device."""
        return NoteBatch(*(value.to(place) for value in vars(self).values()))


def plant(model: GrowingModel, batch: NoteBatch, jitter: Tensor | None = None) -> dict[str, Tensor]:
    """Run the seed network for a batch of notes; for `jitter` see `NoteSeed.forward`."""
    timbre = model.timbre(batch.timbre, batch.key_low, batch.key_high, batch.key_mix)
    return model.seed(batch.pitch, batch.velocity, timbre, batch.pitched, batch.stretch, jitter)


def swells(motions: MotionTable, batch: NoteBatch, age_s: Tensor, on_key: bool = True) -> Tensor:
    """Return the swells (B, W, F) of a batch of notes at ages (B, W); for `on_key` see `MotionTable.swell`."""
    swell = motions.swell(batch.motion.cpu().numpy(), age_s.cpu().numpy().T.astype(np.float64), on_key)
    return torch.from_numpy(swell).transpose(0, 1).to(age_s.device)


def release_age(age_s: Tensor, hold_s: Tensor) -> Tensor:
    """Seconds since release, -1 while held."""
    return torch.where(age_s >= hold_s, age_s - hold_s, -torch.ones_like(age_s))


@torch.no_grad()
def grow(
    model: GrowingModel, batch: NoteBatch, num_frames: int, motions: MotionTable, fire_mask: Tensor | None = None
) -> dict[str, Tensor]:
    """Grow whole notes as they are played; see `engine.keys.apply`.

    Parameters
    ----------
    motions : what the rows of `batch.motion` are rows of
    fire_mask : (num_frames, B, steps_per_hop, F), all cells fire by default

    Returns
    -------
    Every field of the model by name, (B, T, 2, bands or bins).
    """
    planted = plant(model, batch.as_played())
    grid = planted["grid"]
    ones = torch.ones(len(batch.pitch), model.config.steps_per_hop, grid.shape[1], device=grid.device)
    frames: dict[str, list[Tensor]] = {name: [] for name in model.config.field_names}
    times = torch.arange(num_frames, device=batch.hold_s.device) * model.config.spec.hop_s
    swell = swells(motions, batch, times.expand(len(batch.hold_s), -1), on_key=False)
    for t in range(num_frames):
        age_s = torch.full_like(batch.hold_s, t * model.config.spec.hop_s)
        mask = ones if fire_mask is None else fire_mask[t]
        grid = model.step(grid, planted, age_s, release_age(age_s, batch.hold_s), mask, swell[:, t])
        for name, field in model.fields(grid, planted).items():
            frames[name].append(field)
    grown = {name: torch.stack(values, 1) for name, values in frames.items()}
    for row in torch.nonzero(batch.motion[:, 1] != 1.0).flatten().tolist():
        for name, field in grown.items():
            frames_of = field[row].cpu().numpy()
            heard = transposed_field(name, frames_of, model.config.spec, float(batch.motion[row, 1]))
            field[row] = torch.from_numpy(heard).to(field.device)
    return grown
