"""Training a latent TNCA: windows of growth from the sample pool, compared as latents and as the decoder hears them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...engine.spectra.pitch import MAX_PARTIALS, partial_hz, pitch_to_hz
from ...errors import UsageError
from ..codec.codec import Codec, SourceDecoder
from ..codec.layers import Memory
from ..codec.notes import SoundNotes
from ..codec.source import HIGHEST_TURN, ExcitationInput
from ..codec.trainer import codec_of
from ..config.models import ALPHA
from ..config.run import TrainConfig
from ..loop.checkpoint import load_checkpoint
from ..loop.loop import Losses, PooledLoop
from ..loop.losses import overflow_loss
from ..loop.rollout import NoteBatch
from ..loop.windows import grow_window
from .nca import LatentNCA
from .pool import LatentPool, Latents

HEARD_NOTES = 12  # of a batch, which the decoder hears; hearing all would double the cost
SETTLING_HOPS = 2  # whose past the decoder does not know
FAINT = -11.0  # log amplitude of what is not worth matching


class LatentTrainer(PooledLoop[LatentPool]):
    """Trains one `LatentNCA` on the latents of one codec."""

    def __init__(self, config: TrainConfig, notes: SoundNotes, place: str = "cpu") -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, notes, LatentNCA(config.latent, len(notes.timbre_names)), place)
        self.model: LatentNCA
        self.notes: SoundNotes
        self.codec = codec_of(load_checkpoint(Path(config.latent.codec))).requires_grad_(False)
        if self.codec.config.dimension != config.latent.dimension or self.codec.config.spec != config.latent.spec:
            raise UsageError(f"{config.latent.codec} has other latents than latent.dimension and latent.spec say")
        rng = np.random.default_rng(config.seed + 1)
        latents = Latents(self.codec, notes)
        self.model.silence.copy_(latents.silence)
        self.average["silence"].copy_(latents.silence)
        self.pool = LatentPool(notes, latents, config.pool_size, config.latent.channels, rng)

    def iterate(self) -> Losses:
        """One optimiser step on one window of growth."""
        config, chosen = self.config, self.pool.draw(self.config.batch_size)
        batch, _, grids = grow_window(self, self.model, chosen, self.model.step)
        wanted, life = (one.to(self.place) for one in self.pool.wanted(chosen, config.window_frames))
        valid = self.pool.valid(chosen, config.window_frames).to(self.place)
        grown = self.model.latent(grids.flatten(0, 1)).unflatten(0, grids.shape[:2])
        sounding = valid * life
        level = _mean((grown - wanted).abs().mean(2), sounding)
        alpha = _mean((grids[..., ALPHA] - life[..., None]).square().mean(2), valid)
        overflow = overflow_loss(grids)
        heard, faithful = self._heard(batch, grown, wanted, sounding)
        total = config.loss.l1 * level + config.loss.alpha * alpha + config.loss.overflow * overflow
        total = total + config.loss.perceptual * heard + config.loss.convergence * faithful
        values = self.descend({
            "latent": level, "alpha": alpha, "overflow": overflow, "heard": heard, "convergence": faithful,
            "total": total,
        })  # fmt: skip
        self.pool.advance(chosen, grids[:, -1].detach().cpu(), config.window_frames, config.overtime_share)
        return values

    def _heard(self, batch: NoteBatch, grown: Tensor, wanted: Tensor, sounding: Tensor) -> tuple[Tensor, Tensor]:
        """Compare what the decoder makes of latents (B, W, F): log levels, and amplitudes against the loudest."""
        some = slice(0, HEARD_NOTES)
        turn = turns(batch, self.config.latent.spec.sample_rate)[some, None].expand(-1, grown.shape[1], -1)
        ours, noise = decoder_levels(self.codec, grown[some], turn)
        with torch.no_grad():
            theirs, wanted_noise = decoder_levels(self.codec, wanted[some], turn)
        points = ours.shape[2] // grown.shape[1]
        valid = sounding[some].repeat_interleave(points, 1)[:, None]
        valid = valid * (torch.arange(valid.shape[2], device=valid.device) >= SETTLING_HOPS * points)
        audible = valid * ((theirs > FAINT) & (turn[:, :1] < HIGHEST_TURN).transpose(1, 2))
        heard = (((ours - theirs).abs() * audible).sum() / audible.sum().clamp_min(1.0)) + _mean(
            (noise - wanted_noise).abs().mean(1, keepdim=True), valid
        )
        loud, reached = theirs.exp() * audible, ours.exp() * audible
        error = (loud - reached).square().sum((1, 2)).add(1e-12).sqrt()
        return heard, (error / (loud.square().sum((1, 2)).sqrt() + 1e-3)).mean()

    def averaged_model(self) -> LatentNCA:
        """Return a model with the running average of the weights."""
        model = LatentNCA(self.config.latent, len(self.notes.timbre_names))
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        return model.eval()


def turns(batch: NoteBatch, sample_rate: int) -> Tensor:
    """Return cycles per sample of the partials of notes, (B, H)."""
    hz = pitch_to_hz(batch.pitch.cpu().numpy()) * batch.pitched.cpu().numpy()
    partials = partial_hz(hz, batch.stretch.cpu().numpy(), MAX_PARTIALS)
    return torch.tensor(partials / sample_rate, dtype=torch.float32, device=batch.pitch.device)


def decoder_levels(codec: Codec, latent: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Return log levels of partials and noise that the decoder gives latents (B, W, F)."""
    if not isinstance(codec.decoder, SourceDecoder):
        raise UsageError("a latent TNCA is trained with a codec that has a source: set codec.head to source")
    source = ExcitationInput(torch.zeros_like(turn), turn, turn)
    return codec.decoder.controls(latent.transpose(1, 2), source, Memory())


def _mean(error: Tensor, valid: Tensor) -> Tensor:
    return (error * valid).sum() / valid.sum().clamp_min(1.0)
