"""What layers of a streamed vocoder are run on: torch, or an ONNX graph that does the same.

A network is fed a few frames at a time; each layer remembers the end of what it was given. A centred convolution
needs what comes after a sample, so what it gives lags behind what it gets. Lags add up along the way; where two ways
meet, the quicker one waits (`Tape.delay`). So nothing is computed twice, a frame costs the same at any time, and fed
frame by frame the network computes what it computes of the whole.

Networks are written once, over `Tape`. The exporters of torch are no help: with a signal of unknown length in every
layer they take minutes or hours, and leave graphs that ONNX Runtime is slow to open.

Letters: V voices, C channels, N samples at the rate of a layer, S numbers remembered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Signal = TypeVar("Signal")


class Activation(Protocol):
    """A snake activation between two filters, as `Tape.activate` needs it; see `bigvgan.AntiAliased`."""

    @property
    def alpha(self) -> Tensor:
        """Frequency by channel, (C, 1)."""
        ...

    @property
    def height(self) -> Tensor:
        """Height by channel, (C, 1)."""
        ...

    @property
    def spreading(self) -> Tensor:
        """Upsampling filter by phase, (2, 1, 1, K)."""
        ...

    @property
    def gathering(self) -> Tensor:
        """Downsampling filter by phase, (1, 2, 1, K)."""
        ...


def lag(layer: nn.Conv1d) -> int:
    """Return how many samples a centred convolution lags behind."""
    return (layer.kernel_size[0] - 1) * layer.dilation[0] // 2


def reach(layer: nn.ConvTranspose1d) -> tuple[int, int]:
    """Return how many samples before and after one a transposed convolution sees; it lags behind by the latter."""
    kernel, stride, padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
    return -(-(kernel - 1 - padding) // stride), (stride - 1 + padding) // stride


def margins(layer: nn.ConvTranspose1d) -> tuple[int, int]:
    """Return the samples to cut off at the start and the end of a transposed convolution of all that it sees."""
    before, after = reach(layer)
    kernel, stride, padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
    return before * stride + padding, (after - 1) * stride + kernel - padding


class Tape(ABC, Generic[Signal]):
    """The operations of the networks, on signals (V, C, N) unless said otherwise."""

    @abstractmethod
    def delay(self, signal: Signal, samples: int) -> Signal:
        """Return a signal as it was `samples` ago."""

    @abstractmethod
    def convolve(self, layer: nn.Conv1d, signal: Signal) -> Signal:
        """Run a centred convolution; what comes lags `lag` samples behind."""

    @abstractmethod
    def upsample(self, layer: nn.ConvTranspose1d, signal: Signal) -> Signal:
        """Run a transposed convolution that keeps the length but for its stride; see `reach`."""

    @abstractmethod
    def activate(self, layer: Activation, signal: Signal) -> Signal:
        """Activate at twice the rate; what comes lags as many samples behind as a phase of both filters has but one."""

    @abstractmethod
    def add(self, one: Signal, other: Signal) -> Signal:
        """Return the sum."""

    @abstractmethod
    def mean(self, signals: Sequence[Signal]) -> Signal:
        """Return the mean."""

    @abstractmethod
    def sound(self, signal: Signal, is_tanh: bool) -> Signal:
        """Return the only channel (V, N) of a signal, bounded by a hyperbolic tangent or by cutting off."""

    @abstractmethod
    def turn(self, signal: Signal) -> Signal:
        """Exchange the last two axes."""

    @abstractmethod
    def norm(self, layer: nn.LayerNorm, signal: Signal) -> Signal:
        """Normalise (V, N, C)."""

    @abstractmethod
    def linear(self, layer: nn.Linear, signal: Signal) -> Signal:
        """Map (V, N, C)."""

    @abstractmethod
    def gelu(self, signal: Signal) -> Signal:
        """Return ``x * Phi(x)``."""

    @abstractmethod
    def scale(self, factor: Tensor, signal: Signal) -> Signal:
        """Multiply the last axis by a vector."""

    @abstractmethod
    def magnitude_and_phase(self, signal: Signal, largest: float) -> tuple[Signal, Signal]:
        """Halve (V, N, C): exponentials of the first half, `largest` at most, and the second half."""


class TorchTape(Tape[Tensor]):
    """Runs at once.

    Parameters
    ----------
    flat : (V, S) as `taken` gave it after the last call; None before the first, which finds zeros
    """

    def __init__(self, flat: Tensor | None = None) -> None:
        self._flat = flat
        self._at = 0
        self._taken: list[Tensor] = []

    def extend(self, signal: Tensor, past: int) -> Tensor:
        """Return a signal (..., N) with the `past` samples before it, and remember its end."""
        if self._flat is None:
            before = signal.new_zeros(*signal.shape[:-1], past)
        else:
            end = self._at + signal[0, ..., 0].numel() * past
            before = self._flat[:, self._at : end].reshape(*signal.shape[:-1], past)
            self._at = end
        whole = torch.cat([before, signal], -1)
        self._taken.append(whole[..., -past:].flatten(1))
        return whole

    def taken(self) -> Tensor:
        """Return what to remember until the next call, (V, S)."""
        return torch.cat(self._taken, 1)

    def delay(self, signal: Tensor, samples: int) -> Tensor:  # noqa: D102
        return self.extend(signal, samples)[..., :-samples] if samples else signal

    def convolve(self, layer: nn.Conv1d, signal: Tensor) -> Tensor:  # noqa: D102
        whole = self.extend(signal, 2 * lag(layer))
        return F.conv1d(whole, layer.weight, layer.bias, dilation=layer.dilation, groups=layer.groups)

    def upsample(self, layer: nn.ConvTranspose1d, signal: Tensor) -> Tensor:  # noqa: D102
        spread = F.conv_transpose1d(self.extend(signal, sum(reach(layer))), layer.weight, layer.bias, layer.stride)
        start, end = margins(layer)
        return spread[..., start:-end]

    def activate(self, layer: Activation, signal: Tensor) -> Tensor:  # noqa: D102
        past = layer.spreading.shape[-1] - 1
        pair = F.conv2d(self.extend(signal, past)[:, None], layer.spreading)
        pair = pair + torch.sin(pair * layer.alpha).square() * layer.height
        return F.conv2d(self.extend(pair, past), layer.gathering)[:, 0]

    def add(self, one: Tensor, other: Tensor) -> Tensor:  # noqa: D102
        return one + other

    def mean(self, signals: Sequence[Tensor]) -> Tensor:  # noqa: D102
        return torch.stack(list(signals)).mean(0)

    def sound(self, signal: Tensor, is_tanh: bool) -> Tensor:  # noqa: D102
        return (torch.tanh(signal) if is_tanh else signal.clamp(-1.0, 1.0))[:, 0]

    def turn(self, signal: Tensor) -> Tensor:  # noqa: D102
        return signal.transpose(1, 2)

    def norm(self, layer: nn.LayerNorm, signal: Tensor) -> Tensor:  # noqa: D102
        return layer(signal)

    def linear(self, layer: nn.Linear, signal: Tensor) -> Tensor:  # noqa: D102
        return layer(signal)

    def gelu(self, signal: Tensor) -> Tensor:  # noqa: D102
        return F.gelu(signal)

    def scale(self, factor: Tensor, signal: Tensor) -> Tensor:  # noqa: D102
        return factor * signal

    def magnitude_and_phase(self, signal: Tensor, largest: float) -> tuple[Tensor, Tensor]:  # noqa: D102
        log_magnitude, phase = signal.chunk(2, dim=2)
        return torch.exp(log_magnitude).clamp(max=largest), phase
