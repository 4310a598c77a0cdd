"""BigVGAN (Lee et al., 2023; arXiv 2206.04658), versions 1 and 2, as a stream.

Parameters have the names of the original's state dict, with weight norm taken out. The equations are the paper's: snake
activations between an upsampling and a downsampling by two, in residual blocks of three kernel sizes that are averaged.

Letters: V voices, T frames, C channels, N samples at the rate of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..ops import Signal, Tape, lag, reach

TAPS = 12
"""Of the filters around an activation; a phase of the upsampling one has half of them."""
ACTIVATION_LAG = TAPS // 2


@dataclass(frozen=True)
class BigVGANConfig:
    """The part of a released `config.json` that shapes the network; names are the original's."""

    num_mels: int
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_initial_channel: int
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]
    resblock: str = "1"
    activation: str = "snakebeta"
    snake_logscale: bool = True
    use_bias_at_final: bool = True
    use_tanh_at_final: bool = True

    def channels(self, stage: int) -> int:
        """Return the channels after `stage` upsamplings."""
        return self.upsample_initial_channel // 2**stage


class Snake(nn.Module):
    """``x + sin^2(alpha x) / beta``, with alpha for beta where there is one parameter."""

    def __init__(self, channels: int, config: BigVGANConfig) -> None:
        super().__init__()
        self.is_log = config.snake_logscale
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels)) if config.activation == "snakebeta" else None

    def scaled(self, values: Tensor) -> Tensor:
        """Return alpha or beta as it is meant."""
        return torch.exp(values) if self.is_log else values


class Filter(nn.Module):
    """A low-pass filter for half the band, as the checkpoint holds it."""

    filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", torch.zeros(1, 1, TAPS))


class Downsampling(nn.Module):
    """Names the filter after an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.lowpass = Filter()


class AntiAliased(nn.Module):
    """An activation at twice the rate, so that the partials it makes do not fold back.

    The two samples that one becomes stay side by side as an axis of their own: (V, 2, C, N). So both filters are small
    convolutions along N, the same for all channels. See `tape.Activation`.
    """

    def __init__(self, channels: int, config: BigVGANConfig) -> None:
        super().__init__()
        self.act = Snake(channels, config)
        self.upsample = Filter()
        self.downsample = Downsampling()

    @property
    def alpha(self) -> Tensor:
        """Frequency by channel, (C, 1)."""
        return self.act.scaled(self.act.alpha)[:, None]

    @property
    def height(self) -> Tensor:
        """Height by channel, (C, 1)."""
        beta = self.act.alpha if self.act.beta is None else self.act.beta
        return 1.0 / (self.act.scaled(beta)[:, None] + 1e-9)

    @property
    def spreading(self) -> Tensor:
        """Upsampling filter by phase, (2, 1, 1, 7): one sees a sample more behind, the other ahead."""
        taps = 2.0 * self.upsample.filter[0, 0].flip(0)
        return torch.stack([F.pad(taps[0::2], (0, 1)), F.pad(taps[1::2], (1, 0))])[:, None, None]

    @property
    def gathering(self) -> Tensor:
        """Downsampling filter by phase, (1, 2, 1, 7)."""
        taps = self.downsample.lowpass.filter[0, 0]
        return torch.stack([F.pad(taps[1::2], (1, 0)), F.pad(taps[0::2], (0, 1))])[None, :, None]


class Block(nn.Module):
    """Residual layers of one kernel size; the original calls those with two convolutions each AMPBlock1, else 2."""

    def __init__(self, channels: int, kernel_size: int, dilations: tuple[int, ...], config: BigVGANConfig) -> None:
        super().__init__()
        wide = [nn.Conv1d(channels, channels, kernel_size, dilation=dilation) for dilation in dilations]
        if config.resblock == "1":
            self.convs1 = nn.ModuleList(wide)
            self.convs2 = nn.ModuleList(nn.Conv1d(channels, channels, kernel_size) for _ in dilations)
        else:
            self.convs = nn.ModuleList(wide)
        per_layer = 2 if config.resblock == "1" else 1
        self.activations = nn.ModuleList(AntiAliased(channels, config) for _ in range(per_layer * len(dilations)))
        self.per_layer = per_layer
        self.lag = sum(self._lag(steps) for steps in self._layers())

    def stream(self, signal: Signal, tape: Tape[Signal]) -> Signal:
        """Run over (V, C, N); what comes lags `lag` samples behind."""
        for steps in self._layers():
            changed = signal
            for activation, layer in steps:
                changed = tape.convolve(layer, tape.activate(activation, changed))
            signal = tape.add(changed, tape.delay(signal, self._lag(steps)))
        return signal

    def _layers(self) -> list[list[tuple[AntiAliased, nn.Conv1d]]]:
        """Return the steps of each residual layer: an activation and the convolution after it."""
        pairs = zip(self.convs1, self.convs2, strict=True) if self.per_layer == 2 else ((one,) for one in self.convs)
        layers: list[nn.Conv1d] = [layer for pair in pairs for layer in pair]  # type: ignore[misc]
        steps: list[tuple[AntiAliased, nn.Conv1d]] = list(zip(self.activations, layers, strict=True))  # type: ignore[arg-type]
        return [steps[i : i + self.per_layer] for i in range(0, len(steps), self.per_layer)]

    @staticmethod
    def _lag(steps: list[tuple[AntiAliased, nn.Conv1d]]) -> int:
        return sum(ACTIVATION_LAG + lag(layer) for _, layer in steps)


class BigVGAN(nn.Module):
    """The generator.

    Attributes
    ----------
    lag_frames : frames by which what it gives lags behind what it is fed
    outputs : names of what it gives
    """

    outputs = ("audio",)

    def __init__(self, config: BigVGANConfig) -> None:
        super().__init__()
        self.config = config
        first = config.upsample_initial_channel
        self.conv_pre = nn.Conv1d(config.num_mels, first, 7)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for stage, (rate, kernel) in enumerate(zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True)):
            channels = config.channels(stage + 1)
            spread = nn.ConvTranspose1d(config.channels(stage), channels, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(nn.ModuleList([spread]))
            for size, dilations in zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True):
                self.resblocks.append(Block(channels, size, dilations, config))
        self.activation_post = AntiAliased(channels, config)
        self.conv_post = nn.Conv1d(channels, 1, 7, bias=config.use_bias_at_final)
        self.hop = prod(config.upsample_rates)
        self._lag = self._find_lag()
        self.lag_frames = -(-self._lag // self.hop)

    def stream(self, frames: Signal, tape: Tape[Signal]) -> tuple[Signal, ...]:
        """Return the audio (V, T * hop) of the frames `lag_frames` before those given, (V, T, num_mels)."""
        signal = tape.convolve(self.conv_pre, tape.turn(frames))
        for spread, blocks in self._stages():
            signal = tape.upsample(spread, signal)
            last = max(block.lag for block in blocks)
            signal = tape.mean([tape.delay(block.stream(signal, tape), last - block.lag) for block in blocks])
        signal = tape.convolve(self.conv_post, tape.activate(self.activation_post, signal))
        signal = tape.delay(signal, self.lag_frames * self.hop - self._lag)
        return (tape.sound(signal, self.config.use_tanh_at_final),)

    def _stages(self) -> list[tuple[nn.ConvTranspose1d, list[Block]]]:
        width = len(self.config.resblock_kernel_sizes)
        blocks: list[Block] = list(self.resblocks)  # type: ignore[arg-type]
        return [(one[0], blocks[i * width : (i + 1) * width]) for i, one in enumerate(self.ups)]  # type: ignore[index]

    def _find_lag(self) -> int:
        """Return how many samples of sound the whole lags behind."""
        total = lag(self.conv_pre)
        for spread, blocks in self._stages():
            total = (total + reach(spread)[1]) * spread.stride[0] + max(block.lag for block in blocks)
        return total + ACTIVATION_LAG + lag(self.conv_post)
