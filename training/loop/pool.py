"""The sample pool: notes in mid-growth, kept and reused, damaged now and then, some held far beyond their recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.arrays import FloatArray
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import bands_among_bands, bins_among_bands
from ...engine.spectra.transpose import between
from ..data.dataset import AUDIBLE_LEVEL, NoteSet

OVERTIME_FROM_S = 1.5  # shorter holds say nothing about a sound's steady state
JUMP_CHANCE, JUMP_MAX_S, RESEED_CHANCE = 0.3, 6.0, 0.04
DAMAGED_SHARE_OF_CELLS = 0.25
ERROR_MEMORY = 0.05
"""How much the last window counts in what is known of a note's error."""
STATE = ("note", "frame", "skipped_s", "held", "velocity", "error")
"""Arrays of a pool that a resumed run needs."""


@dataclass(frozen=True, eq=False)
class Overtime:
    """How held notes go on after their recording ends: the last levels, falling on where they were falling.

    Attributes
    ----------
    start_s : float32 (notes,), end of what is recorded as held; inf where the hold is too short to go on
    base : name -> float16 (notes, 2, bands or bins), without the swells
    slope : name -> float16 (notes, bands or bins), level per second, 0 for sustaining sounds
    """

    start_s: Tensor
    base: dict[str, Tensor]
    slope: dict[str, Tensor]

    @classmethod
    def of(cls, notes: NoteSet, names: tuple[str, ...], spec: AudioSpec) -> Overtime:
        """Measure the last held second of every long note."""
        count, hop_s = len(notes.features), spec.hop_s
        start_s = torch.full((count,), float("inf"))
        base = {n: torch.zeros(count, 2, notes.all_frames(n).shape[2], dtype=torch.float16) for n in names}
        slope = {n: torch.zeros(count, notes.all_frames(n).shape[2], dtype=torch.float16) for n in names}
        second = int(1.0 / hop_s)
        for i, note in enumerate(notes.features):
            if note.hold_s < OVERTIME_FROM_S or note.held_out:
                continue
            end = int(note.hold_s / hop_s) - 3  # windows beyond reach into the release
            start_s[i] = end * hop_s
            fifth = second // 5
            ages = (np.arange(end - second, end, dtype=np.float64) * hop_s)[:, None]
            decays = note.instrument.split(":")[0] in notes.decaying
            for name in names:
                last = notes.frames(name, i)[end - second : end].float().numpy()
                last[:, 0] -= _on(name, notes.motions.swell(notes.own_motion[i : i + 1], ages)[:, 0], spec, notes.bins)
                base[name][i] = torch.from_numpy(last[-fifth:].mean(0))
                if decays:
                    fall = (last[-fifth:, 0].mean(0) - last[:fifth, 0].mean(0)) / ((second - fifth) * hop_s)
                    slope[name][i] = torch.from_numpy(np.minimum(fall, -0.02))
        return cls(start_s, base, slope)


def _on(name: str, swell: FloatArray, spec: AudioSpec, bins: NDArray[np.int64] | None) -> FloatArray:
    """Return swells (..., F) of mel bands as field `name` has them, on its bands or bins, of which `bins` are kept."""
    if name == "mel":
        return swell
    if name != "linear":
        return between(swell, *bands_among_bands(spec, int(name.removeprefix("mel"))))
    low, share = bins_among_bands(spec)
    kept = slice(None) if bins is None else bins
    return between(swell, low[kept], share[kept])


def _lowered(pair: Tensor, softer: Tensor) -> Tensor:
    """Return level and tonality (B, W, 2, F) with lower levels, by `softer` (B, 1, 1)."""
    if not softer.any():
        return pair
    return torch.stack([(pair[:, :, 0] - softer).clamp_min(0.0), pair[:, :, 1]], 2)


class SamplePool:
    """P notes in mid-growth.

    Each entry is a note of the training set, the frame it has reached, its grid, and whether it is being held
    overtime. `skipped_s` counts time that overtime entries jumped over. `velocity` is drawn from those that the
    recording of its note serves. Of each note the share `drawn` (notes to train on,) is drawn; equal ones by default.
    With `seek` above 0 notes are drawn the more often the further they are from their recordings; see `tell`.
    """

    def __init__(
        self,
        notes: NoteSet,
        overtime: Overtime,
        size: int,
        cells: int,
        channels: int,
        spec: AudioSpec,
        rng: np.random.Generator,
        drawn: NDArray[np.float64] | None = None,
        seek: float = 0.0,
    ) -> None:
        self.notes, self.overtime, self.spec, self.hop_s, self.rng = notes, overtime, spec, spec.hop_s, rng
        self._train = notes.indices(held_out=False)
        self._drawn, self._seek = drawn, seek
        self.error = np.ones(len(notes.features))
        self.note = rng.choice(self._train, size, p=drawn)
        self.frame = np.zeros(size, np.int64)
        self.skipped_s = np.zeros(size)
        self.held = np.zeros(size, bool)
        self.grid = torch.zeros(size, cells, channels)
        self.velocity = notes.velocity.numpy()[self.note]
        for entry in range(size):
            self.velocity[entry] = self._drawn_velocity(self.note[entry])

    def _drawn_velocity(self, note: int) -> float:
        """Draw a velocity 0..1 of those that a note was recorded for."""
        low, high = float(self.notes.softest[note]), float(self.notes.velocity[note])
        return high if low >= high else float(self.rng.uniform(low, high))

    def _softer(self, chosen: NDArray[np.int64]) -> Tensor:
        """Return by how much the levels of chosen notes lie below those recorded, (B,); in dB it is 20 log10 v."""
        share = self.velocity[chosen] / self.notes.velocity.numpy()[self.note[chosen]]
        return torch.from_numpy(-20.0 * np.log10(share) / self.spec.level_scale_db).float()

    def draw(self, count: int) -> NDArray[np.int64]:
        """Choose entries to grow next."""
        return self.rng.choice(len(self.note), count, replace=False)

    def hold_s(self, chosen: NDArray[np.int64]) -> Tensor:
        """Return when each chosen note is released; never, when held overtime."""
        recorded = self.notes.hold_s[self.note[chosen]]
        return torch.where(torch.from_numpy(self.held[chosen]), torch.full_like(recorded, float("inf")), recorded)

    def ages(self, chosen: NDArray[np.int64], window: int) -> Tensor:
        """Return the age in seconds of each frame to come, float32 (B, W)."""
        frames = self.frame[chosen][:, None] + np.arange(window)
        return torch.from_numpy(frames * self.hop_s + self.skipped_s[chosen][:, None]).float()

    def starts(self, chosen: NDArray[np.int64], planted: Tensor, damage_share: float) -> Tensor:
        """Return the grids to grow from: freshly planted where a note begins, else kept, some of them damaged."""
        grid = torch.where(torch.from_numpy(self.frame[chosen] == 0)[:, None, None], planted, self.grid[chosen])
        cells = grid.shape[1]
        erased = int(cells * DAMAGED_SHARE_OF_CELLS)
        intact = torch.ones(len(chosen), cells, 1)
        for b in np.flatnonzero((self.rng.random(len(chosen)) < damage_share) & (self.frame[chosen] > 0)):
            first = self.rng.integers(0, cells - erased)
            intact[b, first : first + erased] = 0.0
        return grid * intact

    def targets(
        self, chosen: NDArray[np.int64], name: str, frames: NDArray[np.int64], columns: NDArray[np.int64] | None = None
    ) -> Tensor:
        """Return what field `name` should be at the coming `frames` of the window, float32 (B, len(frames), 2, ...).

        `columns` are those of its bands or bins that are asked for; all by default.
        """
        some = slice(None) if columns is None else torch.from_numpy(columns)
        note = self.note[chosen]
        at = self.frame[chosen][:, None] + frames
        row = self.notes.offset[note][:, None] + np.minimum(at, self.notes.num_frames[note][:, None] - 1)
        recorded = self.notes.all_frames(name)[row][..., some].float()
        softer = self._softer(chosen)[:, None, None]
        if not self.held[chosen].any():
            return _lowered(recorded, softer)
        beyond = self.ages(chosen, int(frames.max()) + 1)[:, frames] - self.overtime.start_s[note][:, None]
        base, slope = (of[name][note][..., some].float() for of in (self.overtime.base, self.overtime.slope))
        level = base[:, None, 0] + slope[:, None] * beyond.clamp(0.0, 1e6)[..., None]
        swell = self._swell(chosen, name, frames)[..., some]
        level = torch.where(level > 0.0, (level + swell).clamp_min(0.0), 0.0)
        extended = torch.stack([level, base[:, None, 1].expand_as(level)], 2)
        use = torch.from_numpy(self.held[chosen])[:, None] & (beyond > 0)
        return _lowered(torch.where(use[..., None, None], extended, recorded), softer)

    def _swell(self, chosen: NDArray[np.int64], name: str, frames: NDArray[np.int64]) -> Tensor:
        ages = self.ages(chosen, int(frames.max()) + 1)[:, frames].numpy().T.astype(np.float64)
        swell = self.notes.motions.swell(self.notes.own_motion[self.note[chosen]], ages)
        return torch.from_numpy(_on(name, swell, self.spec, self.notes.bins)).transpose(0, 1)

    def valid(self, chosen: NDArray[np.int64], window: int) -> Tensor:
        """Return 1 for frames that have a target, float32 (B, W)."""
        at = self.frame[chosen][:, None] + np.arange(window)
        known = (at < self.notes.num_frames[self.note[chosen]][:, None]) | self.held[chosen][:, None]
        return torch.from_numpy(known.astype(np.float32))

    def alive(self, chosen: NDArray[np.int64], mel: Tensor) -> Tensor:
        """Return the alpha target (B, W, F): a cell lives until its band has sounded for the last time."""
        note = self.note[chosen]
        at = torch.from_numpy(self.frame[chosen][:, None, None] + np.arange(mel.shape[1])[:, None])
        until_last = at <= self.notes.last_audible[note][:, None]
        held = torch.from_numpy(self.held[chosen])[:, None, None]
        return torch.where(held, mel[:, :, 0] > AUDIBLE_LEVEL, until_last).float()

    def advance(self, chosen: NDArray[np.int64], grid: Tensor, window: int, overtime_share: float) -> None:
        """Keep the grown grids; reseed entries whose note is over, and send some held ones into overtime."""
        self.grid[chosen] = grid
        self.frame[chosen] += window
        for entry in chosen:
            note = self.note[entry]
            if self.held[entry]:
                if self.rng.random() < JUMP_CHANCE:
                    self.skipped_s[entry] += self.rng.uniform(0.0, JUMP_MAX_S)
                if self.rng.random() < RESEED_CHANCE:
                    self._reseed(entry)
                continue
            end = float(self.overtime.start_s[note]) / self.hop_s
            if self.frame[entry] <= end < self.frame[entry] + 2 * window and self.rng.random() < overtime_share:
                self.held[entry] = True
            elif self.frame[entry] >= self.notes.num_frames[note]:
                self._reseed(entry)

    def _reseed(self, entry: int) -> None:
        self.note[entry] = self.rng.choice(self._train, p=self._shares())
        self.frame[entry], self.skipped_s[entry], self.held[entry] = 0, 0.0, False
        self.velocity[entry] = self._drawn_velocity(self.note[entry])

    def _shares(self) -> NDArray[np.float64] | None:
        """Return how often each note to train on is drawn now."""
        if not self._seek:
            return self._drawn
        share = self.error[self._train] ** self._seek * (1.0 if self._drawn is None else self._drawn)
        drawn: NDArray[np.float64] = share / share.sum()
        return drawn

    def tell(self, chosen: NDArray[np.int64], error: NDArray[np.float64]) -> None:
        """Hear how far the notes of chosen entries are from their recordings in this window, (B,)."""
        note = self.note[chosen]
        self.error[note] += ERROR_MEMORY * (np.maximum(error, 1e-3) - self.error[note])

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        arrays = {name: torch.from_numpy(getattr(self, name).copy()) for name in STATE}
        return arrays | {"grid": self.grid.clone(), "rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`'s values."""
        for name in (one for one in STATE if one in state):  # earlier checkpoints have fewer
            setattr(self, name, state[name].numpy().copy())
        if "velocity" not in state:
            self.velocity = self.notes.velocity.numpy()[self.note]
        self.grid = state["grid"].clone()
        self.rng.bit_generator.state = state["rng"]
