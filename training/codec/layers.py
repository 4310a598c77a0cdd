"""Causal layers as SEANet and EnCodec stack them (Défossez et al., 2022), each of which can go on where a call ended.

Letters: B voices, C channels, N samples of any rate, K kernel, S stride, L recurrent layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Memory:
    """What the layers of a causal network remember from one call to the next, in the order in which they ask.

    Parameters
    ----------
    past : what the call before left, each (B, ...); None at a beginning
    pad_mode : "constant" or "reflect", what a convolution sees before a beginning

    Attributes
    ----------
    kept : what the next call needs
    """

    def __init__(self, past: Sequence[Tensor] | None = None, pad_mode: str = "constant") -> None:
        self._past, self._pad_mode = past, pad_mode
        self.kept: list[Tensor] = []

    def before(self, x: Tensor, count: int, reflects: bool = True) -> Tensor:
        """Put the `count` samples that came before in front of `x` (B, C, N)."""
        if count == 0:
            return x
        if self._past is not None:
            joined = torch.cat([self._past[len(self.kept)], x], 2)
        elif reflects and self._pad_mode == "reflect":
            joined = _reflected(x, count)
        else:
            joined = F.pad(x, (count, 0))
        self.kept.append(joined[:, :, joined.shape[2] - count :])
        return joined

    def state(self, count: int, like: Tensor) -> Tensor:
        """Return the state (B, count, C) of a recurrent layer over `like` (B, C, N); it is to call `keep`."""
        if self._past is None:
            return like.new_zeros(like.shape[0], count, like.shape[1])
        return self._past[len(self.kept)]

    def keep(self, state: Tensor) -> None:
        """Remember the state of a recurrent layer."""
        self.kept.append(state)


def _reflected(x: Tensor, count: int) -> Tensor:
    """Put a reflection before `x`; where it is too short for one, zeros lengthen it first, as in EnCodec."""
    short = max(0, count + 1 - x.shape[2])
    padded = F.pad(F.pad(x, (0, short)), (count, 0), mode="reflect")
    return padded[:, :, : padded.shape[2] - short]


class CausalConv(nn.Module):
    """Convolution that sees no future; N must be a multiple of its stride."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, dilation=dilation)
        self.history = (kernel - 1) * dilation - (stride - 1)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Map (B, inputs, N) to (B, outputs, N / S)."""
        return self.conv(memory.before(x, self.history))


class CausalUpsampling(nn.Module):
    """Transposed convolution with a kernel of twice its stride: what it gives comes from one sample and the last."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose1d(inputs, outputs, 2 * stride, stride)
        self.stride = stride

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Map (B, inputs, N) to (B, outputs, N * S)."""
        whole = self.conv(memory.before(x, 1, reflects=False))
        return whole[:, :, self.stride : whole.shape[2] - self.stride]


class Residual(nn.Module):
    """A narrow detour of two convolutions beside a shortcut of one; C stays."""

    def __init__(self, channels: int, kernel: int, dilation: int, compress: int) -> None:
        super().__init__()
        hidden = channels // compress
        convolutions = CausalConv(channels, hidden, kernel, dilation=dilation), CausalConv(hidden, channels, 1)
        self.block = nn.ModuleList([nn.ELU(), convolutions[0], nn.ELU(), convolutions[1]])
        self.shortcut = CausalConv(channels, channels, 1)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Map (B, C, N) to (B, C, N)."""
        return self.shortcut(x, memory) + run_layers(self.block, x, memory)


class Recurrence(nn.Module):
    """L recurrent layers beside a shortcut."""

    def __init__(self, channels: int, num_layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, num_layers)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Map (B, C, N) to (B, C, N)."""
        layers = self.lstm.num_layers
        state = memory.state(2 * layers, x).transpose(0, 1)
        y, (hidden, cell) = self.lstm(x.permute(2, 0, 1), (state[:layers].contiguous(), state[layers:].contiguous()))
        memory.keep(torch.cat([hidden, cell]).transpose(0, 1))
        return x + y.permute(1, 2, 0)


def run_layers(layers: nn.ModuleList, x: Tensor, memory: Memory) -> Tensor:
    """Run layers one after the other; activations remember nothing."""
    for layer in layers:
        x = layer(x) if isinstance(layer, nn.ELU) else layer(x, memory)
    return x
