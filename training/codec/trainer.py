"""Training the codec: stretches of recorded notes in, the same sound out, judged by `training.measure.distance`."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ...engine.decoders.parts.excitation import NOISE_LENGTH, partial_turns
from ...engine.spectra.spec import AudioSpec
from ...errors import BankError
from ..config.run import TrainConfig
from ..loop.checkpoint import Checkpoint
from ..loop.loop import Losses, TrainingLoop
from ..measure.distance import EPSILON, WINDOWS
from .codec import Codec
from .notes import SoundNotes
from .source import ExcitationInput

ONSET_SHARE = 0.4  # of the stretches begin with their note
RELEASE_SHARE = 0.25  # hold its release
STRAIGHT_WITHIN = 1.5
QUIET_AMPLITUDE = 0.01  # of a sine: what is quieter counts less in the convergence, lest tails outweigh notes


class CodecTrainer(TrainingLoop):
    """Trains one `Codec` on one set of notes; `window_frames` hops at a time."""

    def __init__(self, config: TrainConfig, notes: SoundNotes, place: str = "cpu") -> None:
        torch.manual_seed(config.seed)
        super().__init__(config, notes, Codec(config.codec), place)
        self.model: Codec
        self.sounds = notes
        self._train = notes.indices(held_out=False)

    def iterate(self) -> Losses:
        """One optimiser step on a batch of stretches."""
        codec, hop = self.config.codec, self.config.codec.spec.hop_length
        chosen = self.rng.choice(self._train, self.config.batch_size)
        first = [self._first_hop(note) for note in chosen]
        audio, early = self._stretches(chosen, first)
        start = np.array(first) - early
        source = source_input(self.sounds, chosen, start, audio.shape[1] // hop, codec.spec, self.generator)
        unbounded = self.model.unbounded(audio.to(self.place), source.turn.to(self.place))
        latent = torch.tanh(unbounded) if codec.bounded else unbounded
        noise = torch.randn(latent.shape, generator=self.generator).to(self.place)
        decoded = self.model.decode(latent + codec.noise * noise, ExcitationInput(*(x.to(self.place) for x in source)))
        skip = early * hop
        wanted = audio.to(self.place)[:, skip:]
        log_part, convergence = spectral_losses(decoded[:, skip:], wanted)
        losses = {"log_magnitude": log_part, "convergence": convergence, "spread": latent.std((0, 2)).mean()}
        losses["total"] = log_part + convergence
        if codec.bounded:  # a latent far up the tanh has no gradient, and tells nothing any more
            losses["overflow"] = (unbounded.abs() - STRAIGHT_WITHIN).clamp_min(0.0).square().mean()
            losses["total"] = losses["total"] + self.config.loss.overflow * losses["overflow"]
        if codec.head == "waveform":
            losses["l1"] = (decoded[:, skip:] - wanted).abs().mean() / (wanted.abs().mean() + 1e-3)
            losses["total"] = losses["total"] + self.config.loss.l1 * losses["l1"]
        return self.descend(losses)

    def _first_hop(self, note: int) -> int:
        """Choose where in a note a stretch begins."""
        notes, spec = self.sounds, self.config.codec.spec
        last = max(0, int(notes.num_frames[note]) - self.config.window_frames)
        kind = self.rng.random()
        if kind < ONSET_SHARE:
            return 0
        if kind < ONSET_SHARE + RELEASE_SHARE:
            released = int(float(notes.hold_s[note]) / spec.hop_s)
            return int(np.clip(released - self.rng.integers(0, self.config.window_frames), 0, last))
        return int(self.rng.integers(0, last + 1))

    def _stretches(self, chosen: NDArray[np.int64], first: list[int]) -> tuple[Tensor, int]:
        """Return stretches of sound (B, N), and how many hops of each only serve to warm up."""
        codec, hop = self.config.codec, self.config.codec.spec.hop_length
        early = codec.kernel
        length = (self.config.window_frames + early) * hop
        rows = np.zeros((len(chosen), length), np.float32)
        for row, note, at in zip(rows, chosen, first, strict=True):
            audio = self.sounds.audio[note]
            start = (at - early) * hop
            piece = audio[max(start, 0) : start + length]
            row[max(-start, 0) : max(-start, 0) + len(piece)] = piece
        return torch.from_numpy(rows), early

    def averaged_model(self) -> Codec:
        """Return a model with the running average of the weights."""
        model = Codec(self.config.codec)
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        return model.eval()


def codec_of(checkpoint: Checkpoint) -> Codec:
    """Build the averaged codec of a checkpoint; `BankError` if it holds another model."""
    config = checkpoint.train_config
    if config.kind != "codec":
        raise BankError(f"the checkpoint holds a {config.kind} model, not a codec")
    codec = Codec(config.codec)
    codec.load_state_dict(checkpoint.weights)
    return codec.eval()


def source_input(
    notes: SoundNotes, chosen: NDArray[np.int64], first: NDArray[np.int64], hops: int, spec: AudioSpec,
    generator: torch.Generator | None,
) -> ExcitationInput:  # fmt: skip
    """Return the source of T hops of notes from hop `first` (B,) on."""
    step = notes.hop_hz(chosen, first, hops) / spec.sample_rate
    cycles = (np.cumsum(step, 1) - step) * spec.hop_length
    start, turn = partial_turns(cycles, step, notes.stretch.numpy()[chosen].astype(np.float64))
    frames = hops * spec.hop_length // (NOISE_LENGTH // 2)
    noise = torch.randn(len(chosen), frames, 2, NOISE_LENGTH // 2 + 1, generator=generator)
    return ExcitationInput(torch.from_numpy(start), torch.from_numpy(turn), noise)


def spectral_losses(decoded: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two parts of `stft_distance` of sounds (B, N), levels as they are; the quiet converge for less."""
    log_part, convergence = decoded.new_zeros(()), decoded.new_zeros(())
    for n_fft in WINDOWS:
        a, b = (_magnitude(one, n_fft) for one in (decoded, wanted))
        log_part = log_part + F.l1_loss(torch.log(a + EPSILON), torch.log(b + EPSILON))
        error = (a - b).square().sum((1, 2)).add(1e-8).sqrt()
        floor = QUIET_AMPLITUDE * n_fft / 4.0 * b.shape[2] ** 0.5
        convergence = convergence + (error / (b.square().sum((1, 2)).sqrt() + floor)).mean()
    return log_part / len(WINDOWS), convergence / len(WINDOWS)


def _magnitude(audio: Tensor, n_fft: int) -> Tensor:
    window = torch.hann_window(n_fft, device=audio.device)
    spectrum = torch.stft(audio, n_fft, n_fft // 4, window=window, pad_mode="constant", return_complex=True)
    return (spectrum.real.square() + spectrum.imag.square()).add(1e-14).sqrt()
