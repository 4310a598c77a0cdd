"""The codec: sound in, a few numbers per hop out, and back. EnCodec's architecture, or its trunk with a known pitch.

Letters: B voices, T hops, D latent dimensions, C channels, N samples, H partials, P points per hop.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...engine.spectra.spec import AudioSpec
from ..config.sound_models import CodecConfig
from .layers import CausalConv, CausalUpsampling, Memory, Recurrence, Residual, run_layers
from .source import ExcitationInput, SourceHead, SpectrumFront

ENCODEC_24KHZ = CodecConfig(
    dimension=128, num_filters=32, ratios=(8, 5, 4, 2), kernel=7, lstm_layers=2, pad_mode="reflect", front="waveform",
    head="waveform", ahead=0, bounded=False, noise=0.0,
    spec=AudioSpec(sample_rate=24000, n_fft=1280, hop_length=320),
)  # fmt: skip
"""The 24 kHz model of EnCodec (Défossez, Copet, Synnaeve & Adi, 2022), without its quantiser."""


class Seanet(nn.Module):
    """Layers in EnCodec's order, under its numbers."""

    def __init__(self, layers: Iterator[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Map (B, inputs, N) to (B, outputs, N times or through the ratios)."""
        return run_layers(self.layers, x, memory)


def encoder_layers(config: CodecConfig) -> Iterator[nn.Module]:
    """Yield the layers from sound (B, 1, N) to latents (B, D, T)."""
    channels = config.num_filters
    yield CausalConv(1, channels, config.kernel)
    for ratio in reversed(config.ratios):
        yield from _residuals(config, channels)
        yield nn.ELU()
        yield CausalConv(channels, 2 * channels, 2 * ratio, ratio)
        channels *= 2
    if config.lstm_layers:
        yield Recurrence(channels, config.lstm_layers)
    yield nn.ELU()
    yield CausalConv(channels, config.dimension, config.last_kernel)


def trunk_layers(config: CodecConfig, inputs: int, num_stages: int) -> Iterator[nn.Module]:
    """Yield the decoder's layers from `inputs` per hop up to and with its first `num_stages` ratios."""
    channels = config.widest
    yield CausalConv(inputs, channels, config.kernel)
    if config.lstm_layers:
        yield Recurrence(channels, config.lstm_layers)
    for ratio in config.ratios[:num_stages]:
        yield nn.ELU()
        yield CausalUpsampling(channels, channels // 2, ratio)
        channels //= 2
        yield from _residuals(config, channels)
    yield nn.ELU()


def _residuals(config: CodecConfig, channels: int) -> Iterator[nn.Module]:
    for n in range(config.num_residuals):
        yield Residual(channels, config.residual_kernel, config.dilation_base**n, config.compress)


def waveform_layers(config: CodecConfig) -> Iterator[nn.Module]:
    """Yield EnCodec's decoder, from latents (B, D, T) to sound (B, 1, N)."""
    yield from trunk_layers(config, config.dimension, len(config.ratios))
    yield CausalConv(config.num_filters, 1, config.last_kernel)


class SourceDecoder(nn.Module):
    """The decoder's trunk, told the pitch, up to P points per hop, and the source that these shape."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.trunk = Seanet(trunk_layers(config, config.dimension + SourceHead.PITCH_FEATURES, 1))
        self.head = SourceHead(config.spec, config.widest // 2, config.ratios[0], config.noise_bands)

    def controls(self, latent: Tensor, source: ExcitationInput, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return log amplitudes of partials (B, H, T * P) and log magnitudes of noise (B, bands, T * P)."""
        pitch = self.head.pitch_features(source.turn)
        return self.head.controls(self.trunk(torch.cat([latent, pitch], 1), memory))

    def forward(self, latent: Tensor, source: ExcitationInput, memory: Memory) -> Tensor:
        """Map latents (B, D, T) to sound (B, T * hop)."""
        partials, noise = self.controls(latent, source, memory)
        return self.head.sound(partials, noise, source, memory)


class Codec(nn.Module):
    """Encoder and decoder."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.front = SpectrumFront(config.spec, config.ahead) if config.front == "spectrum" else None
        self.encoder = Seanet(encoder_layers(config) if self.front is None else self._spectrum_layers(self.front))
        self.decoder = SourceDecoder(config) if config.head == "source" else Seanet(waveform_layers(config))

    def _spectrum_layers(self, front: SpectrumFront) -> Iterator[nn.Module]:
        channels = self.config.front_channels
        yield CausalConv(front.size, channels, 1)
        for _ in range(2):
            yield Residual(channels, self.config.residual_kernel, 1, self.config.compress)
        yield nn.ELU()
        yield CausalConv(channels, self.config.dimension, 1)

    def encode(self, audio: Tensor, turn: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        """Return the latents (B, D, N / hop) of sound (B, N), N a multiple of the hop; frame t is that of hop t.

        The spectrum front hears whole notes, and must be told their partials, the `turn` (B, T, H) of their source.
        The waveform front goes on from call to call with a `memory`.
        """
        latent = self.unbounded(audio, turn, memory)
        return torch.tanh(latent) if self.config.bounded else latent

    def unbounded(self, audio: Tensor, turn: Tensor | None = None, memory: Memory | None = None) -> Tensor:
        """Return latents (B, D, T) before they are bounded; see `encode`."""
        memory = memory or Memory(pad_mode=self.config.pad_mode)
        if self.front is not None:
            assert turn is not None
            return self.encoder(self.front(audio, turn), memory)
        heard = torch.nn.functional.pad(audio[:, self.config.ahead :], (0, self.config.ahead))
        return self.encoder(heard[:, None], memory)

    def decode(self, latent: Tensor, source: ExcitationInput | None = None, memory: Memory | None = None) -> Tensor:
        """Return the sound (B, T * hop) of latents (B, D, T); a `source` head needs its pitch and noise."""
        memory = memory or Memory(pad_mode=self.config.pad_mode)
        if isinstance(self.decoder, SourceDecoder):
            assert source is not None
            return self.decoder(latent, source, memory)
        return self.decoder(latent, memory)[:, 0]
