"""Training a hierarchical TNCA stage by stage: coarse bands, fine levels, the sound, and all of it on the sound.

Letters: B notes, W hops, F coarse cells, K fine cells, H partials, C channels, A cells of a grid, N samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.decoders.additive import HIGHEST_TURN
from ...engine.spectra.pitch import MAX_PARTIALS
from ...engine.spectra.stft import bands_among_bands
from ..codec.notes import SoundNotes
from ..codec.trainer import source_input, spectral_losses
from ..config.models import ALPHA, MEL_LEVEL
from ..config.run import TrainConfig
from ..loop.loop import Losses, PooledLoop
from ..loop.losses import alpha_loss, convergence_loss, overflow_loss, pair_loss
from ..loop.pool import Overtime, SamplePool
from ..loop.rollout import NoteBatch, plant, release_age, swells
from ..loop.windows import fire_masks
from .nca import HierarchicalNCA
from .sound import GlidingSound
from .targets import FINE

COARSE, REFINEMENT, DECODER, ALL = range(4)
PARTS = {"seed.fine.heard": DECODER, "decoder": DECODER, "seed.fine": REFINEMENT, "refinement": REFINEMENT}
HEARD_LEVEL, UNHEARD_WEIGHT = 0.3, 0.1
"""Errors of fine levels that nobody hears count little."""


def stage_of(name: str) -> int:
    """Return the stage that trains the weights of this name."""
    return next((stage for prefix, stage in PARTS.items() if name.startswith(prefix)), COARSE)


@dataclass(frozen=True, eq=False)
class Window:
    """What was grown of notes in a window: coarse columns (B, W, F, C) and fine cells (B, K, W, C)."""

    coarse: Tensor
    fine: Tensor


class HierarchicalTrainer(PooledLoop[SamplePool]):
    """Trains one `HierarchicalNCA` on one set of notes (`hierarchical_targets.load_stage_notes`)."""

    def __init__(self, config: TrainConfig, notes: SoundNotes, place: str = "cpu") -> None:
        torch.manual_seed(config.seed)
        self.own = config.hierarchical
        super().__init__(config, notes, HierarchicalNCA(self.own, len(notes.timbre_names)), place)
        self.model: HierarchicalNCA
        self.notes: SoundNotes
        spec = self.own.spec
        self.sound = GlidingSound(spec, self.own.noise_bands).to(self.place)
        overtime = Overtime.of(notes, ("mel", self.own.field_names[0]), spec)
        rng = np.random.default_rng(config.seed + 1)
        self.pool = SamplePool(notes, overtime, config.pool_size, self.own.cells, self.own.channels, spec, rng)
        if config.compile:
            self.model.columns[0].compile()

    @property
    def stage(self) -> int:
        """Which stage is trained by now."""
        return sum(self.iteration >= share * self.config.iterations for share in self.config.stages_join)

    def iterate(self) -> Losses:
        """One optimiser step on one window of growth."""
        config, stage, chosen = self.config, self.stage, self.pool.draw(self.config.batch_size)
        for name, weights in self.model.named_parameters():
            weights.requires_grad_(stage in (stage_of(name), ALL))
        window = self._grow_window(chosen)
        losses: dict[str, Tensor] = {}
        if stage in (DECODER, ALL):
            losses |= self._sound_losses(chosen, window.fine)
        if stage in (REFINEMENT, ALL):
            losses |= self._fine_losses(chosen, window.fine)
        if stage in (COARSE, ALL):
            losses |= self._coarse_losses(chosen, window.coarse)
        shares = vars(config.loss)
        parts = [shares[NAMES[name]] * value for name, value in losses.items()]
        values = self.descend(losses | {"total": torch.stack(parts).sum()})
        last = torch.cat([window.coarse[:, -1], window.fine[:, :, -1]], 1)
        self.pool.advance(chosen, last.detach().cpu(), config.window_frames, config.overtime_share)
        return values

    def _grow_window(self, chosen: NDArray[np.int64]) -> Window:
        """Grow the chosen notes by a window."""
        config, hops, model, bands = self.config, self.config.window_frames, self.model, self.own.bands[0]
        borrow = self.rng.random(len(chosen)) < config.borrowed_key_share
        batch = NoteBatch.of(self.notes, self.pool.note[chosen], borrow).to(self.place)
        planted = plant(model, batch)
        grid = self.pool.starts(chosen, planted["grid"].cpu(), config.damage_share).to(self.place)
        age_s = self.pool.ages(chosen, hops).to(self.place)
        released_s = release_age(age_s, self.pool.hold_s(chosen).to(self.place)[:, None])
        shape = (len(chosen), hops, self.own.steps_per_hop, self.own.cells)
        masks = fire_masks(self.generator, config.slow_fire_share, shape).to(self.place)
        swell = swells(self.notes.motions, batch, age_s)

        def grown(column: Tensor, planted: dict[str, Tensor], *course: Tensor) -> Tensor:
            columns = []
            for now in zip(*(one.unbind(1) for one in course), strict=True):
                column = model.grow(column, planted, *now)
                columns.append(column)
            return torch.stack(columns, 1)

        with torch.set_grad_enabled(self.stage in (COARSE, ALL)):
            course = (age_s, released_s, masks[..., :bands], swell)
            coarse = self.team.divided(grown, grid[:, :bands], planted, *course)
        with torch.set_grad_enabled(self.stage != COARSE):
            guide = model.guide(coarse, planted, age_s, released_s, swell)
            level = model.refine(grid[:, bands:, MEL_LEVEL], planted, guide, masks[:, :, -1, bands:].transpose(1, 2))
            return Window(coarse, model.cells_of(guide, level, planted))

    def _coarse_losses(self, chosen: NDArray[np.int64], grown: Tensor) -> dict[str, Tensor]:
        """Compare coarse columns (B, W, F, C) with what was measured."""
        weights, spec, frames = self.config.loss, self.own.spec, np.arange(self.config.window_frames)
        valid = self.pool.valid(chosen, len(frames)).to(self.place)
        target = self.pool.targets(chosen, self.own.field_names[0], frames).to(self.place)
        level, tonal = pair_loss(grown[..., :2].transpose(2, 3), target, valid, weights)
        alive = self.pool.alive(chosen, self.pool.targets(chosen, "mel", frames))
        low, _ = bands_among_bands(spec, grown.shape[2])
        life = torch.maximum(alive[..., low], alive[..., low + 1]).to(self.place)
        coarse_spec = self.own.spec_of(grown.shape[2])
        return {
            "coarse": level,
            "tonality": tonal,
            "alpha": alpha_loss(grown[..., ALPHA], life, valid),
            "convergence": convergence_loss(grown[..., MEL_LEVEL], target[:, :, 0], valid, coarse_spec),
            "overflow": overflow_loss(grown),
        }

    def _fine_losses(self, chosen: NDArray[np.int64], fine: Tensor) -> dict[str, Tensor]:
        """Compare refined levels of fine cells (B, K, W, C) with what was measured."""
        notes, hops, note = self.notes, self.config.window_frames, self.pool.note[chosen]
        at = np.minimum(self.pool.frame[chosen][:, None] + np.arange(hops), notes.num_frames[note][:, None] - 1)
        wanted = notes.all_frames(FINE)[notes.offset[note][:, None] + at][:, :, 0].float().to(self.place)
        grown = fine[..., MEL_LEVEL].transpose(1, 2)
        known = self.pool.valid(chosen, hops).to(self.place) * self._recorded(chosen)[:, None]
        counts = self._audible(note)[:, None] * torch.where(wanted > HEARD_LEVEL, 1.0, UNHEARD_WEIGHT)
        counts = counts * known[..., None]
        error = (grown.clamp_min(0.0) - wanted).abs() * counts
        faithful = convergence_loss(grown * self._audible(note)[:, None], wanted, known, self.own.spec)
        return {"fine": error.sum() / counts.sum().clamp_min(1.0), "fine_convergence": faithful}

    def _sound_losses(self, chosen: NDArray[np.int64], fine: Tensor) -> dict[str, Tensor]:
        """Compare the sound of fine cells (B, K, W, C) with the recordings."""
        rows = np.flatnonzero(~self.pool.held[chosen])
        note, first = self.pool.note[chosen][rows], self.pool.frame[chosen][rows]
        spec, hops = self.own.spec, self.config.window_frames
        source = source_input(self.notes, note, first - 1, hops, spec, self.generator)
        sound = self.sound(fine[torch.from_numpy(rows).to(self.place)], source.to(self.place))
        wanted = np.zeros((len(rows), (hops - 1) * spec.hop_length), np.float32)
        for row, one, frame in zip(wanted, note, first, strict=True):
            piece = self.notes.audio[one][frame * spec.hop_length :][: len(row)]
            row[: len(piece)] = piece
        log_part, convergence = spectral_losses(sound, torch.from_numpy(wanted).to(self.place))
        return {"log_magnitude": log_part, "spectral": convergence}

    def _recorded(self, chosen: NDArray[np.int64]) -> Tensor:
        """Return 1 for notes that were recorded so far as they are held, (B,)."""
        return torch.from_numpy((~self.pool.held[chosen]).astype(np.float32)).to(self.place)

    def _audible(self, note: NDArray[np.int64]) -> Tensor:
        """Return 1 for fine cells that can be heard, (B, K)."""
        turn = self.notes.turns(note, np.zeros(len(note), np.int64), 1)[:, 0]
        heard = np.ones((len(note), self.own.fine_cells), np.float32)
        heard[:, :MAX_PARTIALS] = (turn > 0.0) & (turn < HIGHEST_TURN)
        return torch.from_numpy(heard).to(self.place)

    def averaged_model(self) -> HierarchicalNCA:
        """Return a model with the running average of the weights: what is validated and exported."""
        model = HierarchicalNCA(self.own, len(self.notes.timbre_names))
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        return model.eval()


NAMES = {
    "coarse": "l1", "tonality": "tonality", "alpha": "alpha", "convergence": "convergence", "overflow": "overflow",
    "fine": "linear", "fine_convergence": "convergence", "log_magnitude": "waveform", "spectral": "waveform",
}  # fmt: skip
"""Weights in `LossConfig` by the names of losses."""
