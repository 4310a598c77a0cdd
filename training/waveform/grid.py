"""The waveform grid: a causal 1-D TNCA whose cells are blocks of samples, grown from an excitation seed.

Letters: B voices, T hops, H partials, N noise bands, D tones, K numbers in a frame of conditions, S samples in a cell,
G cells in a hop, C channels, U hidden units.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...engine.spectra.pitch import MAX_PARTIALS
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import hann, mel_filterbank
from ..codec.layers import Memory
from ..codec.source import HIGHEST_TURN, ExcitationInput, SourceSound
from ..config.sound_models import TAPS, GridConfig

POINTS = 2  # per hop, where levels are known
QUIET = 0.02  # level that is silence, see `engine.spectra.fields.QUIET_LEVEL`
LOUDEST = 2.6  # level, 4 dB over full scale
FAINT = 1e-9  # amplitude that stands for none
FLOOR_POWER = 1e-9  # added where signals are divided by their level


class GridExcitation(SourceSound):
    """What the grid is planted with: partials and noise, apart, at the levels the column grew."""

    noise_gain: Tensor

    def __init__(self, config: GridConfig, spec: AudioSpec) -> None:
        super().__init__(spec, POINTS, config.noise_bands)
        self.spec = spec
        self.register_buffer("noise_gain", _noise_gain(spec, config.noise_bands), persistent=False)

    def forward(
        self, level: Tensor, noise: Tensor, life: Tensor, source: ExcitationInput, memory: Memory
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return partials and noise (B, T * hop), and how loud both are at the ends of hops (B, T, 2).

        `level` (B, T + 1, H), `noise` (B, T + 1, N) and `life` (B, T + 1, 1) are those of frames.
        """
        amplitude = self._amplitude(_points(level), _points(life))  # (B, 2 T + 1, H)
        magnitude = self._amplitude(_points(noise) + self.noise_gain, _points(life))
        log_amplitude = torch.log(amplitude[:, 1:].transpose(1, 2) + FAINT)
        first = Memory([amplitude[:, :1].transpose(1, 2)])
        partials = self._partials(log_amplitude, source, first)
        log_magnitude = torch.log(magnitude[:, 1:].transpose(1, 2) + FAINT)
        return partials, self._noise(log_magnitude, source.noise, memory), self._loudness(amplitude, magnitude, source)

    def _amplitude(self, level: Tensor, life: Tensor) -> Tensor:
        """Return amplitudes of levels, exactly 0 for what is silent or dead."""
        scale, floor = (x * np.log(10.0) / 20.0 for x in (self.spec.level_scale_db, self.spec.floor_db))
        quiet = float(np.exp(QUIET * scale + floor))
        return (torch.exp(level.clamp(0.0, LOUDEST) * scale + floor) - quiet).clamp_min(0.0) * life

    def _loudness(self, amplitude: Tensor, magnitude: Tensor, source: ExcitationInput) -> Tensor:
        """Return the RMS at the beginning and at the end of each hop."""
        audible = ((source.turn < HIGHEST_TURN) & (source.turn > 0.0)).to(amplitude.dtype)
        tones = amplitude[:, ::POINTS].square()
        hiss = (magnitude[:, ::POINTS] @ self.bands_to_bins).square().mean(2)
        ends = [0.5 * (tones[:, part] * audible).sum(2) + hiss[:, part] for part in (slice(None, -1), slice(1, None))]
        return (torch.stack(ends, 2) + FLOOR_POWER).sqrt()


class WaveformGrid(nn.Module):
    """Blocks of samples that grow from an excitation seed: one rule, step after step, each looking twice as far back.

    Cells hold the sound relative to its level, so the rule is the same for loud and quiet notes. Channels: S of sound,
    S of partials, S of noise, cosine and sine of the fundamental, and free ones.
    """

    across: Tensor

    def __init__(self, config: GridConfig, spec: AudioSpec) -> None:
        super().__init__()
        self.config = config
        self.cells = spec.hop_length // config.samples
        self.excitation = GridExcitation(config, spec)
        self.perceive = nn.Conv1d(config.wave_channels, config.wave_hidden, TAPS)
        self.update = nn.Conv1d(config.wave_hidden, 2 * config.wave_channels, 1)
        nn.init.zeros_(self.update.weight)
        assert self.update.bias is not None
        nn.init.zeros_(self.update.bias)
        asked = nn.Linear(config.film_hidden, 2 * config.wave_steps * config.wave_hidden)
        with torch.no_grad():
            asked.weight.mul_(0.3)
        self.film = nn.Sequential(nn.Linear(config.conditions - 1, config.film_hidden), nn.SiLU(), asked)
        self.register_buffer("across", (torch.arange(self.cells) + 0.5) / self.cells, persistent=False)

    def forward(self, field: Tensor, source: ExcitationInput, memory: Memory) -> Tensor:
        """Map conditions (B, T + 1, K), one frame more than hops, to sound (B, T * hop)."""
        config = self.config
        level, noise, tone, life = field.split([MAX_PARTIALS, config.noise_bands, config.tones, 1], 2)
        partials, hiss, loud = self.excitation(level, noise, life, source, memory)
        loud = torch.lerp(loud[..., :1], loud[..., 1:], self.across).flatten(1)[:, None]  # (B, 1, T * G)
        x = self._seed(partials, hiss, loud, source)
        film = self.film(torch.cat([level, noise, tone], 2)).transpose(1, 2).chunk(config.wave_steps, 1)
        alive = self._to_cells(life.transpose(1, 2))
        for k in range(config.wave_steps):
            x = self._step(x, k, self._to_cells(film[k]), alive, memory)
        return (x[:, : config.samples] * loud).transpose(1, 2).flatten(1)

    def _seed(self, partials: Tensor, hiss: Tensor, loud: Tensor, source: ExcitationInput) -> Tensor:
        """Plant cells (B, C, T * G)."""
        blocks = [one.unflatten(1, (-1, self.config.samples)).transpose(1, 2) / loud for one in (partials, hiss)]
        place = torch.arange(self.cells, device=loud.device) * float(self.config.samples)
        turn = source.turn[..., :1]
        cycles = ((source.start[..., :1] + turn * place) * (2.0 * np.pi)).flatten(1)
        pitched = (turn > 0.0).to(loud.dtype).expand(-1, -1, self.cells).flatten(1)
        phase = torch.stack([torch.cos(cycles) * pitched, torch.sin(cycles) * pitched], 1)
        free = torch.zeros_like(phase[:, :1]).expand(-1, self.config.free, -1)
        return torch.cat([blocks[0] + blocks[1], *blocks, phase, free], 1)

    def _step(self, x: Tensor, k: int, film: Tensor, alive: Tensor, memory: Memory) -> Tensor:
        """Grow all cells once; in step k they see cells 2^k and 2^(k+1) before them."""
        far = memory.before(x, (TAPS - 1) * 2**k)
        seen = F.conv1d(far, self.perceive.weight, self.perceive.bias, dilation=2**k)
        scale, shift = film.chunk(2, 1)
        target, gate = self.update(F.relu(seen * (1.0 + scale) + shift)).chunk(2, 1)
        return x + alive * torch.sigmoid(gate) * target

    def _to_cells(self, frames: Tensor) -> Tensor:
        """Glide from frame to frame: (B, ..., T + 1) to (B, ..., T * G)."""
        return torch.lerp(frames[..., :-1, None], frames[..., 1:, None], self.across).flatten(2)


def _points(frames: Tensor) -> Tensor:
    """Put what lies between frames (B, T + 1, ...) among them, (B, 2 T + 1, ...)."""
    between = 0.5 * (frames[:, :-1] + frames[:, 1:])
    pairs = torch.stack([frames[:, :-1], between], 2).flatten(1, 2)
    return torch.cat([pairs, frames[:, -1:]], 1)


def _noise_gain(spec: AudioSpec, bands: int) -> Tensor:
    """Return what is added to levels of mel bands so that they are those of noise of deviation 1, (N,)."""
    window = hann(spec.n_fft).astype(np.float64)
    power = 4.0 * (window**2).sum() / window.sum() ** 2 * mel_filterbank(spec).sum(1)
    level_db = -10.0 * np.log10(power)
    place = np.linspace(0.0, len(power) - 1.0, bands)
    at_bands = np.interp(place, np.arange(len(power)), level_db)
    return torch.tensor(at_bands / spec.level_scale_db, dtype=torch.float32)
