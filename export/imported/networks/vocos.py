"""Vocos (Siuzdak, 2023; arXiv 2306.00814) as a stream: from mel frames to magnitudes and phases.

Parameters have the names of the original's state dict. The inverse Fourier transform is the engine's
(`engine.decoders.parts.istft`): in a graph it would cost more than all the rest.

Letters: V voices, T frames, C channels, N bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..ops import Signal, Tape, lag

LARGEST = 100.0
"""Magnitudes are cut here, as the original cuts them."""
EPSILON = 1e-6


@dataclass(frozen=True)
class VocosConfig:
    """The part of a released `config.yaml` that shapes the network; names are the original's."""

    input_channels: int
    dim: int
    intermediate_dim: int
    num_layers: int
    n_fft: int


class Layer(nn.Module):
    """A ConvNeXt block."""

    def __init__(self, config: VocosConfig) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(config.dim, config.dim, 7, groups=config.dim)
        self.norm = nn.LayerNorm(config.dim, eps=EPSILON)
        self.pwconv1 = nn.Linear(config.dim, config.intermediate_dim)
        self.pwconv2 = nn.Linear(config.intermediate_dim, config.dim)
        self.gamma = nn.Parameter(torch.ones(config.dim))

    def stream(self, signal: Signal, tape: Tape[Signal]) -> Signal:
        """Run over (V, C, T)."""
        across = tape.norm(self.norm, tape.turn(tape.convolve(self.dwconv, signal)))
        changed = tape.linear(self.pwconv2, tape.gelu(tape.linear(self.pwconv1, across)))
        return tape.add(tape.turn(tape.scale(self.gamma, changed)), tape.delay(signal, lag(self.dwconv)))


class Backbone(nn.Module):
    """From features to hidden frames, at one rate."""

    def __init__(self, config: VocosConfig) -> None:
        super().__init__()
        self.embed = nn.Conv1d(config.input_channels, config.dim, 7)
        self.norm = nn.LayerNorm(config.dim, eps=EPSILON)
        self.convnext = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.final_layer_norm = nn.LayerNorm(config.dim, eps=EPSILON)

    def stream(self, frames: Signal, tape: Tape[Signal]) -> Signal:
        """Run over (V, T, input_channels); returns (V, T, C)."""
        signal = tape.convolve(self.embed, tape.turn(frames))
        signal = tape.turn(tape.norm(self.norm, tape.turn(signal)))
        layers: list[Layer] = list(self.convnext)  # type: ignore[arg-type]
        for layer in layers:
            signal = layer.stream(signal, tape)
        return tape.norm(self.final_layer_norm, tape.turn(signal))


class Head(nn.Module):
    """From hidden frames to magnitudes and phases."""

    def __init__(self, config: VocosConfig) -> None:
        super().__init__()
        self.out = nn.Linear(config.dim, config.n_fft + 2)

    def stream(self, hidden: Signal, tape: Tape[Signal]) -> tuple[Signal, Signal]:
        """Return both (V, T, N) of (V, T, C)."""
        return tape.magnitude_and_phase(tape.linear(self.out, hidden), LARGEST)


class Vocos(nn.Module):
    """Backbone and head.

    Attributes
    ----------
    lag_frames : frames by which what it gives lags behind what it is fed
    outputs : names of what it gives
    """

    outputs = ("magnitude", "phase")

    def __init__(self, config: VocosConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.head = Head(config)
        self.lag_frames = lag(self.backbone.embed) * (1 + config.num_layers)

    def stream(self, frames: Signal, tape: Tape[Signal]) -> tuple[Signal, ...]:
        """Return magnitude and phase (V, T, N) of the frames `lag_frames` before those given, (V, T, num_mels)."""
        return self.head.stream(self.backbone.stream(frames, tape), tape)
