"""Sizes of foreign networks, checked before anything is built: a few bytes of configuration can ask for any memory."""

from __future__ import annotations

from typing import Any, Final

from ...engine.values import whole
from ...errors import BankError
from .networks.bigvgan import BigVGANConfig
from .networks.vocos import VocosConfig

MAX_WEIGHTS: Final = 2**29
"""BigVGAN's largest has 122 million."""
MAX_CHANNELS: Final = 16_384
MAX_LAYERS: Final = 64
MAX_TAPS: Final = 256
MAX_MELS: Final = 2048


def check_bigvgan(config: BigVGANConfig) -> None:
    """Raise `BankError` for a size that no BigVGAN has, or more than `MAX_WEIGHTS`."""
    whole("num_mels", config.num_mels, 1, MAX_MELS)
    rates = _sizes("upsample_rates", config.upsample_rates)
    kernels = _sizes("upsample_kernel_sizes", config.upsample_kernel_sizes, len(rates))
    blocks = _sizes("resblock_kernel_sizes", config.resblock_kernel_sizes)
    dilations: object = config.resblock_dilation_sizes
    if not isinstance(dilations, tuple) or len(dilations) != len(blocks):
        raise BankError(f"resblock_dilation_sizes must be {len(blocks)} lists")
    layers = [len(_sizes(f"resblock_dilation_sizes[{i}]", one)) for i, one in enumerate(dilations)]
    whole("upsample_initial_channel", config.upsample_initial_channel, 2 ** len(rates), MAX_CHANNELS)
    weights = 7 * config.num_mels * config.upsample_initial_channel
    for stage, kernel in enumerate(kernels):
        channels = config.channels(stage + 1)
        weights += config.channels(stage) * channels * kernel
        weights += 2 * channels**2 * sum(size * count for size, count in zip(blocks, layers, strict=True))
    _check_weights(weights)


def check_vocos(config: VocosConfig) -> None:
    """Raise `BankError` for a size that no Vocos has, or more than `MAX_WEIGHTS`."""
    whole("input_channels", config.input_channels, 1, MAX_MELS)
    whole("dim", config.dim, 1, MAX_CHANNELS)
    whole("intermediate_dim", config.intermediate_dim, 1, 4 * MAX_CHANNELS)
    whole("num_layers", config.num_layers, 1, MAX_LAYERS)
    whole("n_fft", config.n_fft, 2, 65_536)
    layer = config.dim * (2 * config.intermediate_dim + 7)
    _check_weights(config.num_layers * layer + config.dim * (7 * config.input_channels + config.n_fft))


def _sizes(name: str, value: Any, count: int | None = None) -> tuple[int, ...]:
    """Return a tuple of whole numbers in 1..`MAX_TAPS`."""
    if not isinstance(value, tuple) or not 1 <= len(value) <= MAX_LAYERS or count not in (None, len(value)):
        raise BankError(f"{name} must be a list of {count or f'1..{MAX_LAYERS}'} whole numbers")
    return tuple(whole(f"{name}[{index}]", one, 1, MAX_TAPS) for index, one in enumerate(value))


def _check_weights(count: int) -> None:
    if count > MAX_WEIGHTS:
        raise BankError(f"the configuration asks for {count} weights, expected at most {MAX_WEIGHTS}")
