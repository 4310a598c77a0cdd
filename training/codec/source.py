"""Source and spectrum: partials at a known pitch and shaped noise behind the codec, levels of bins before it.

Letters: B voices, T hops, P points per hop, H partials, K bins of the noise FFT, C channels, N samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...engine.decoders.parts.excitation import NOISE_LENGTH, bands_to_bins
from ...engine.spectra.pitch import MAX_PARTIALS
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import hann
from .layers import Memory

COARSE = 16
"""Samples n = COARSE * i + j of a hop are summed as products of phasors at COARSE * i and at j."""
HIGHEST_TURN = 0.49
LOUDEST = -0.5  # natural logarithm of an amplitude, approached softly
FIRST_AMPLITUDE, FIRST_NOISE = -6.0, -10.0
SHORT_WINDOWS = 4  # per hop, each a quarter of the long one


class ExcitationInput(NamedTuple):
    """What the engine's excitation gives: start and turn (B, T, H or fewer), noise (B, frames, 2, K)."""

    start: Tensor
    turn: Tensor
    noise: Tensor

    def to(self, place: torch.device) -> ExcitationInput:
        """Return it on another torch device."""
        return ExcitationInput(*(part.to(place) for part in self))


class SourceSound(nn.Module):
    """From levels at P points per hop to sound: partials that glide from point to point, and noise between them."""

    idft: Tensor
    bands_to_bins: Tensor
    coarse_at: Tensor
    fine_at: Tensor
    ramp: Tensor

    def __init__(self, spec: AudioSpec, points: int, noise_bands: int) -> None:
        super().__init__()
        self.hop, self.points = spec.hop_length, points
        self.stretch = spec.hop_length // points
        self.stride = NOISE_LENGTH // 2 // self.stretch  # points per frame of noise
        self.register_buffer("coarse_at", torch.arange(self.hop // COARSE) * float(COARSE), persistent=False)
        self.register_buffer("fine_at", torch.arange(COARSE).float(), persistent=False)
        ramp = (torch.arange(self.hop) % self.stretch).reshape(-1, COARSE) / self.stretch
        self.register_buffer("ramp", ramp, persistent=False)
        self.register_buffer("idft", _windowed_idft(), persistent=False)
        spread = torch.from_numpy(bands_to_bins(noise_bands, spec.sample_rate))
        self.register_buffer("bands_to_bins", spread, persistent=False)

    def sound(self, partials: Tensor, noise: Tensor, source: ExcitationInput, memory: Memory) -> Tensor:
        """Return the sound (B, T * hop) of controls."""
        return self._partials(partials, source, memory) + self._noise(noise, source.noise, memory)

    def _partials(self, level: Tensor, source: ExcitationInput, memory: Memory) -> Tensor:
        """Sum partials whose amplitudes glide from point to point."""
        batch, _, count = source.start.shape
        start, turn = (one.flatten(0, 1)[:, None] for one in (source.start, source.turn))  # (B * T, 1, H)
        coarse = (2.0 * np.pi) * (start + turn * self.coarse_at[:, None])  # (B * T, I, H)
        fine = (2.0 * np.pi) * (turn.transpose(1, 2) * self.fine_at)  # (B * T, H, J)
        left = torch.stack([torch.cos(coarse), -torch.sin(coarse)], 2)  # (B * T, I, 2, H)
        right = torch.cat([torch.cos(fine), torch.sin(fine)], 1)
        audible = ((turn < HIGHEST_TURN) & (turn > 0.0)).to(level.dtype)
        amplitude = memory.before(torch.exp(level), 1, reflects=False).transpose(1, 2)[:, :, :count]
        first = amplitude[:, :-1].reshape(-1, self.points, count) * audible
        rise = amplitude[:, 1:].reshape(-1, self.points, count) * audible - first
        steps = self.coarse_at.shape[0] // self.points
        begins, rises = (
            (left * one.repeat_interleave(steps, 1)[:, :, None]).flatten(2) @ right for one in (first, rise)
        )  # (B * T, I, J)
        return (begins + self.ramp * rises).reshape(batch, -1)

    def _noise(self, level: Tensor, noise: Tensor, memory: Memory) -> Tensor:
        """Give noise spectra their magnitudes, and overlap their frames."""
        magnitude = torch.exp(level[:, :, self.stride - 1 :: self.stride].transpose(1, 2) @ self.bands_to_bins)
        frames = (noise * magnitude[:, :, None]).flatten(2) @ self.idft  # (B, frames, NOISE_LENGTH)
        half = NOISE_LENGTH // 2
        tails = memory.before(frames[:, :, half:].transpose(1, 2), 1, reflects=False).transpose(1, 2)
        return (frames[:, :, :half] + tails[:, :-1]).flatten(1)


class SourceHead(SourceSound):
    """From C channels at P points per hop to sound: an amplitude per partial, and magnitudes of noise bands."""

    PITCH_FEATURES = 4

    def __init__(self, spec: AudioSpec, channels: int, points: int, noise_bands: int) -> None:
        super().__init__(spec, points, noise_bands)
        self.to_partials = nn.Conv1d(channels, MAX_PARTIALS, 1)
        self.to_noise = nn.Conv1d(channels, noise_bands, 1)
        with torch.no_grad():
            for layer, level in ((self.to_partials, FIRST_AMPLITUDE), (self.to_noise, FIRST_NOISE)):
                assert layer.bias is not None
                layer.weight.mul_(0.3)
                layer.bias.fill_(level)

    @staticmethod
    def pitch_features(turn: Tensor) -> Tensor:
        """Return slow functions of the pitch (B, PITCH_FEATURES, T); all are 0 for an unpitched voice."""
        pitched = (turn[..., 0] > 0.0).to(turn.dtype)
        octave = torch.log2(turn[..., 0].clamp_min(1e-5)) + 6.0
        wave = octave * (2.0 * np.pi * 12.0 / 64.0)
        return torch.stack([octave / 3.0, (octave / 3.0) ** 2, torch.sin(wave), torch.cos(wave)], 1) * pitched[:, None]

    def controls(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return log amplitudes of partials (B, H, T * P) and log magnitudes of noise (B, bands, T * P)."""
        return LOUDEST - F.softplus(LOUDEST - self.to_partials(x)), LOUDEST - F.softplus(LOUDEST - self.to_noise(x))


def _windowed_idft() -> Tensor:
    """Return the inverse FFT of real and imaginary parts under the root of a Hann window, (2 * K, NOISE_LENGTH).

    Normal numbers of deviation 1 give noise of deviation 1.
    """
    bins = NOISE_LENGTH // 2 + 1
    basis = np.fft.irfft(np.concatenate([np.eye(bins), 1j * np.eye(bins)]), axis=1)
    scaled = basis * np.sqrt(NOISE_LENGTH / 2.0) * np.sqrt(hann(NOISE_LENGTH))
    return torch.tensor(scaled, dtype=torch.float32)


class SpectrumFront(nn.Module):
    """Levels of the bins of one long window per hop, and of some short ones within it; those of partials beside them.

    What lies at a partial could be found among the bins by who knows the pitch, but that takes long to learn.
    """

    long_window: Tensor
    short_window: Tensor

    def __init__(self, spec: AudioSpec, ahead: int) -> None:
        super().__init__()
        self.spec, self.ahead = spec, ahead
        self.short = spec.n_fft // 4
        self.size = spec.num_bins + SHORT_WINDOWS * (self.short // 2 + 1) + MAX_PARTIALS
        self.register_buffer("long_window", torch.tensor(hann(spec.n_fft)), persistent=False)
        self.register_buffer("short_window", torch.tensor(hann(self.short)), persistent=False)

    def forward(self, audio: Tensor, turn: Tensor) -> Tensor:
        """Map sound (B, N), with the partials (B, T, H) of a `ExcitationInput`, to levels (B, size, T), about -1 to 1.

        The long window of a hop ends `ahead` samples after it, or is centred on its end if that is less.
        """
        hop = self.spec.hop_length
        hops = audio.shape[1] // hop
        reach = min(self.ahead, self.spec.n_fft // 2)
        late = F.pad(audio, (self.spec.n_fft - hop - reach, reach))
        fine = F.pad(audio, (self.short // 2, self.short // 2))
        long = self._levels(late, self.long_window, hop)[:, :, :hops]
        short = self._levels(fine, self.short_window, hop // SHORT_WINDOWS)[:, :, : hops * SHORT_WINDOWS]
        fine_levels = short.unflatten(2, (hops, SHORT_WINDOWS)).transpose(2, 3).flatten(1, 2)
        return torch.cat([long, fine_levels, self._at_partials(long, turn.transpose(1, 2))], 1)

    def _at_partials(self, level: Tensor, turn: Tensor) -> Tensor:
        """Read levels (B, K, T) at partials (B, H, T); what is inaudible is silent."""
        place = (turn * self.spec.n_fft).clamp(0.0, self.spec.num_bins - 2.0)
        low = place.long()
        read = torch.lerp(level.gather(1, low), level.gather(1, low + 1), place - low)
        return torch.where((turn > 0.0) & (turn < HIGHEST_TURN), read, -1.0)

    def _levels(self, audio: Tensor, window: Tensor, hop: int) -> Tensor:
        spectrum = torch.stft(audio, len(window), hop, window=window, center=False, return_complex=True)
        power = (spectrum.real.square() + spectrum.imag.square()) * float((2.0 / window.sum()) ** 2)
        level = 10.0 * torch.log10(power + 10.0 ** (self.spec.floor_db / 10.0)) - self.spec.floor_db
        return level / self.spec.level_scale_db - 1.0
