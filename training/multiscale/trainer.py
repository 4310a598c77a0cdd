"""Training a multi-scale TNCA: coarse first, then each finer scale beside it, losses weighted 1, 2 and 4."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import bands_among_bands, level_from_power, mel_filterbank, power_from_level
from ..config.models import ALPHA
from ..config.run import TrainConfig
from ..data.dataset import Measure, NoteSet, load_notes
from ..loop.loop import Losses, PooledLoop
from ..loop.losses import alpha_loss, convergence_loss, overflow_loss, pair_loss
from ..loop.pool import Overtime, SamplePool
from ..loop.windows import grow_window
from ..measure.note_features import TONALITY_RANGE_DB, NoteFeatures, tonality
from .nca import MultiScaleNCA

SCALE_WEIGHTS = (1.0, 2.0, 4.0)


def measure_scales(specs: dict[str, AudioSpec]) -> Measure:
    """Return what measures a note on further mel scales, from its linear side: the spec of each by field name."""

    def measure(note: NoteFeatures) -> dict[str, NDArray[np.float16]]:
        found = {}
        for name, spec in specs.items():
            power = power_from_level(note.linear[:, 0].astype(np.float32), spec)
            noise = power * 10.0 ** (note.linear[:, 1].astype(np.float32) * (-TONALITY_RANGE_DB / 10.0))
            bank = mel_filterbank(spec).T
            total, residual = power @ bank, noise @ bank
            pair = np.stack([level_from_power(total, spec), tonality(total, residual, spec)], 1)
            found[name] = pair.astype(np.float16)
        return found

    return measure


def load_scale_notes(
    config: TrainConfig, cache: Path, workers: int, report: Callable[[str], None] = lambda _: None
) -> NoteSet:
    """Load a preset's notes with all scales of its model; see `load_notes`."""
    scales = config.scales
    others = {name: scales.spec_of(bands) for name, bands in zip(scales.field_names, scales.bands, strict=True)}
    others.pop("mel")
    return load_notes(
        config.data, scales.spec, cache, workers, report, with_linear=False, measure=measure_scales(others)
    )


class MultiScaleTrainer(PooledLoop[SamplePool]):
    """Trains one `MultiScaleNCA` on one set of notes (`load_scale_notes`)."""

    def __init__(self, config: TrainConfig, notes: NoteSet, place: str = "cpu") -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, notes, MultiScaleNCA(config.scales, len(notes.timbre_names)), place)
        self.model: MultiScaleNCA
        self.notes: NoteSet
        self.scales = config.scales
        spec = self.scales.spec
        overtime = Overtime.of(notes, self.scales.field_names, spec)
        rng = np.random.default_rng(config.seed + 1)
        self.pool = SamplePool(notes, overtime, config.pool_size, self.scales.cells, self.scales.channels, spec, rng)
        if config.compile:
            self.model.seed.compile()
            for column in self.model.columns:
                column.compile()

    @property
    def num_scales(self) -> int:
        """How many scales grow by now."""
        return 1 + sum(self.iteration >= share * self.config.iterations for share in self.config.scales_join)

    def iterate(self) -> Losses:
        """One optimiser step on one window of growth."""
        config, chosen = self.config, self.pool.draw(self.config.batch_size)
        grids = self._grow_window(chosen)
        values = self.descend(self._losses(chosen, grids))
        self.pool.advance(chosen, grids[:, -1].detach().cpu(), config.window_frames, config.overtime_share)
        return values

    def _grow_window(self, chosen: NDArray[np.int64]) -> Tensor:
        """Grow the chosen notes by a window; return all grids (B, W, A, C)."""
        step = partial(self.model.step, scales=self.num_scales)
        return grow_window(self, self.model, chosen, step)[2]

    def _losses(self, chosen: NDArray[np.int64], grids: Tensor) -> dict[str, Tensor]:
        weights, window = self.config.loss, self.config.window_frames
        valid = self.pool.valid(chosen, window).to(self.place)
        frames = np.arange(window)
        alive = self.pool.alive(chosen, self.pool.targets(chosen, "mel", frames))
        losses: dict[str, Tensor] = {}
        total, whole = grids.new_zeros(()), sum(SCALE_WEIGHTS[: self.num_scales])
        for scale in range(self.num_scales):
            name, cells = self.scales.field_names[scale], grids[:, :, self.model.spans[scale]]
            target = self.pool.targets(chosen, name, frames).to(self.place)
            level, tonal = pair_loss(cells[..., :2].transpose(2, 3), target, valid, weights)
            low, _ = bands_among_bands(self.scales.spec, cells.shape[2])
            life = torch.maximum(alive[..., low], alive[..., low + 1]).to(self.place)
            alpha = alpha_loss(cells[..., ALPHA], life, valid)
            share = SCALE_WEIGHTS[scale] / whole
            total = total + share * (weights.l1 * level + weights.tonality * tonal + weights.alpha * alpha)
            losses[f"{name}_db"] = level * self.scales.spec.level_scale_db
            finest = cells[..., 0], target[:, :, 0]
        if weights.convergence > 0.0 and self.iteration >= weights.convergence_from:
            losses["convergence"] = convergence_loss(*finest, valid, self.scales.spec)
            total = total + weights.convergence * losses["convergence"]
        losses["overflow"] = overflow_loss(grids)
        return losses | {"total": total + weights.overflow * losses["overflow"]}

    def averaged_model(self) -> MultiScaleNCA:
        """Return a model with the running average of the weights: what is validated and exported."""
        model = MultiScaleNCA(self.scales, len(self.notes.timbre_names))
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        return model.eval()
