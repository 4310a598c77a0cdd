"""Training the waveform representation: windows of growth compared as levels and, through the grid, as sound."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...engine.decoders.harmonic import onset_coverage
from ...engine.spectra.pitch import MAX_PARTIALS, partial_hz, pitch_to_hz
from ..codec.notes import SoundNotes
from ..codec.source import HIGHEST_TURN, ExcitationInput
from ..codec.trainer import source_input, spectral_losses
from ..config.models import ALPHA
from ..config.run import TrainConfig
from ..config.sound_models import WAVEFORM_REPRESENTATION
from ..loop.loop import Losses, PooledLoop
from ..loop.losses import SOUNDING_LEVEL, alpha_loss, overflow_loss, pair_loss
from ..loop.pool import Overtime, SamplePool
from ..loop.windows import grow_window
from .nca import WaveformNCA, tonal

HEARD_NOTES = 8  # of a batch, which the grid sounds; hearing all would take several times as long
SETTLING_HOPS = 4  # whose past the grid does not know, in windows that do not begin with their note


class WaveformTrainer(PooledLoop[SamplePool]):
    """Trains one `WaveformNCA`, its column and its grid together."""

    def __init__(self, config: TrainConfig, notes: SoundNotes, place: str = "cpu") -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, notes, WaveformNCA(config.waveform, len(notes.timbre_names)), place)
        self.model: WaveformNCA
        self.notes: SoundNotes
        model, spec = config.waveform, config.waveform.spec
        overtime = Overtime.of(notes, ("mel", "linear"), spec)
        rng = np.random.default_rng(config.seed + 1)
        self.pool = SamplePool(notes, overtime, config.pool_size, model.cells, model.channels, spec, rng)
        self.targets = PartialTargets(notes)

    def iterate(self) -> Losses:
        """One optimiser step on one window of growth."""
        config, chosen = self.config, self.pool.draw(self.config.batch_size)
        _, planted, grids = grow_window(self, self.model, chosen, self.model.step)
        fields = self.model.fields(grids.flatten(0, 1), _repeated(planted, config.window_frames))
        field = fields[WAVEFORM_REPRESENTATION][:, 0].unflatten(0, grids.shape[:2])
        losses = self._level_losses(chosen, grids, field)
        losses |= self._sound_losses(chosen, field)
        weights = config.loss
        losses["total"] = (
            weights.l1 * losses["level"] + weights.tonality * losses["tonality"] + weights.linear * losses["partials"]
            + weights.alpha * losses["alpha"] + weights.overflow * losses["overflow"]
            + weights.perceptual * losses["heard"] + weights.convergence * losses["convergence"]
        )  # fmt: skip
        values = self.descend(losses)
        self.pool.advance(chosen, grids[:, -1].detach().cpu(), config.window_frames, config.overtime_share)
        return values

    def _level_losses(self, chosen: NDArray[np.int64], grids: Tensor, field: Tensor) -> dict[str, Tensor]:
        """Compare grids (B, W, F, C) and fields (B, W, K) with what was measured."""
        window, frames = self.config.window_frames, np.arange(self.config.window_frames)
        valid = self.pool.valid(chosen, window).to(self.place)
        mel = self.pool.targets(chosen, "mel", frames).to(self.place)
        level, tonality = pair_loss(grids[..., :2].transpose(2, 3), mel, valid, self.config.loss)
        linear = self.pool.targets(chosen, "linear", frames)
        wanted, audible = self.targets.of(self.pool.note[chosen], self.pool.ages(chosen, window), linear)
        grown, wanted = field[..., :MAX_PARTIALS], wanted.to(self.place)
        counted = audible.to(self.place) * ((wanted > SOUNDING_LEVEL) | (grown > SOUNDING_LEVEL)) * valid[..., None]
        partials = ((grown - wanted).abs() * counted).sum() / counted.sum().clamp_min(1.0)
        alpha = alpha_loss(grids[..., ALPHA], self.pool.alive(chosen, mel.cpu()).to(self.place), valid)
        return {
            "level": level, "tonality": tonality, "partials": partials, "alpha": alpha,
            "overflow": overflow_loss(grids),
        }  # fmt: skip

    def _sound_losses(self, chosen: NDArray[np.int64], field: Tensor) -> dict[str, Tensor]:
        """Compare what sounds of fields (B, W, K) with the recordings, as `training.measure.distance` does."""
        rows = self._recorded(chosen)[:HEARD_NOTES]
        if not rows.size:
            return {"heard": field.new_zeros(()), "convergence": field.new_zeros(())}
        note, first, hop = self.pool.note[chosen[rows]], self.pool.frame[chosen[rows]], self.notes.spec.hop_length
        hops = self.config.window_frames - 1
        source = source_input(self.notes, note, first, hops, self.notes.spec, self.generator)
        sound = self.model.sound(field[rows], ExcitationInput(*(one.to(self.place) for one in source)))
        spans = [(int(at) * hop, (int(at) + hops) * hop) for at in first]
        wanted = np.stack([self.notes.audio[one][span[0] : span[1]] for one, span in zip(note, spans, strict=True)])
        settled = torch.ones(len(rows), hops * hop, device=self.place)
        settled[torch.from_numpy(first > 0), : SETTLING_HOPS * hop] = 0.0
        heard, convergence = spectral_losses(sound * settled, torch.from_numpy(wanted).to(self.place) * settled)
        return {"heard": heard, "convergence": convergence}

    def _recorded(self, chosen: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return which of the chosen are windows of recordings as a whole."""
        ends = self.pool.frame[chosen] + self.config.window_frames
        return np.flatnonzero(~self.pool.held[chosen] & (ends <= self.notes.num_frames[self.pool.note[chosen]]))

    def averaged_model(self) -> WaveformNCA:
        """Return a model with the running average of the weights."""
        model = WaveformNCA(self.config.waveform, len(self.notes.timbre_names))
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        return model.eval()


class PartialTargets:
    """Levels that partials should have, read off the measured linear side of notes."""

    def __init__(self, notes: SoundNotes) -> None:
        self.notes, self.spec = notes, notes.spec
        coverage = -20.0 * np.log10(onset_coverage(self.spec)[0]) / self.spec.level_scale_db
        self.missed = torch.tensor(coverage, dtype=torch.float32)  # by windows that reach before the onset

    def of(self, note: NDArray[np.int64], age_s: Tensor, linear: Tensor) -> tuple[Tensor, Tensor]:
        """Return levels (B, W, H), and 1 where a partial can be heard.

        `age_s` (B, W); `linear` (B, W, 2, bins) is level and tonality.
        """
        notes, spec = self.notes, self.spec
        sway = notes.motions.sway(notes.own_motion[note], age_s.numpy().T.astype(np.float64)).T
        hz = pitch_to_hz(notes.pitch.numpy()[note][:, None] + sway) * notes.pitched.numpy()[note][:, None]
        partials = partial_hz(hz, notes.stretch.numpy()[note, None].astype(np.float64), MAX_PARTIALS)
        at = torch.from_numpy(partials * (spec.n_fft / spec.sample_rate)).float().clamp(0.0, spec.num_bins - 1.01)
        low = at.long()
        tone = tonal(linear[:, :, 0], linear[:, :, 1])
        power = [10.0 ** (tone.gather(2, low + side) * (spec.level_scale_db / 10.0)) for side in (0, 1)]
        lobes = _lobe(at - low).square() + _lobe(at - low - 1.0).square()
        level = torch.log10((power[0] + power[1]) / lobes) * (10.0 / spec.level_scale_db)
        frame = torch.round(age_s / spec.hop_s).long().clamp_max(len(self.missed) - 1)
        level = torch.where(level > SOUNDING_LEVEL, level + self.missed[frame][..., None], level)
        heard = (partials < HIGHEST_TURN * spec.sample_rate) & (partials > 0.0)
        return level.clamp_min(0.0), torch.from_numpy(heard).float()


def _lobe(bins: Tensor) -> Tensor:
    """Return what a Hann window leaves of a sine so many bins away."""
    return torch.sinc(bins) + 0.5 * (torch.sinc(bins - 1.0) + torch.sinc(bins + 1.0))


def _repeated(planted: dict[str, Tensor], window: int) -> dict[str, Tensor]:
    """Return what notes (B, ...) are grown from for each frame of a window, (B * W, ...)."""
    return {name: planted[name].repeat_interleave(window, 0) for name in ("bin", "place")}
