"""Sizes of the models that grow or decode sound itself: facts, saved in checkpoints."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any

from ...engine.decoders.parts.excitation import NOISE_LENGTH
from ...engine.spectra.pitch import MAX_PARTIALS
from ...engine.spectra.spec import AudioSpec
from ...errors import UsageError
from .models import ALPHA, NCAConfig

TAPS = 3  # a cell itself and two of its past


@dataclass(frozen=True)
class GridConfig:
    """Size of a waveform grid.

    `samples` are those of one cell; `free` are channels beside sound, seed and phase. Cells see `wave_steps` times as
    many updates as there are steps, each at twice the distance of the one before.
    """

    noise_bands: int = 40
    tones: int = 24
    samples: int = 4
    free: int = 6
    wave_hidden: int = 48
    wave_steps: int = 7
    film_hidden: int = 64

    @property
    def wave_channels(self) -> int:
        """Channels of a cell: sound, partials and noise of its samples, two of phase, and the free ones."""
        return 3 * self.samples + 2 + self.free

    @property
    def conditions(self) -> int:
        """Numbers in a frame of conditions: levels of partials and noise bands, tones, life."""
        return MAX_PARTIALS + self.noise_bands + self.tones + 1

    @property
    def reach(self) -> int:
        """Samples that a sample is grown from, itself included."""
        return self.samples * (1 + (TAPS - 1) * (2**self.wave_steps - 1))


WAVEFORM_REPRESENTATION = "waveform"


@dataclass(frozen=True)
class WaveformConfig(NCAConfig, GridConfig):
    """Size of a waveform model: those of its column, and those of its grid."""

    representation: str = WAVEFORM_REPRESENTATION
    seed_hidden: int = 384

    def __post_init__(self) -> None:
        if self.channels <= ALPHA:
            raise UsageError(f"waveform.channels must be at least {ALPHA + 1}, got {self.channels}")
        if self.spec.hop_length % NOISE_LENGTH and NOISE_LENGTH % self.spec.hop_length:
            raise UsageError(f"waveform.spec.hop_length must go with {NOISE_LENGTH}, got {self.spec.hop_length}")

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of what is grown."""
        return ("mel", WAVEFORM_REPRESENTATION)

    @property
    def genome_names(self) -> tuple[str, ...]:
        """Names of what a note seed is planted as, the grid first."""
        return ("grid", "cell", "rates", "bin", "place")


LATENT_REPRESENTATION = "latent"


@dataclass(frozen=True)
class LatentConfig:
    """Size of a latent TNCA; saved in its checkpoints and ONNX metadata. `codec` is the checkpoint of its codec."""

    codec: str = "runs/codec/checkpoint.pt"
    dimension: int = 32
    channels: int = 12
    hidden: int = 96
    steps_per_hop: int = 1
    timbre_size: int = 16
    key_size: int = 16
    seed_hidden: int = 256
    genes: int = 20
    swell_genes: int = 6
    spec: AudioSpec = field(default_factory=AudioSpec)

    def __post_init__(self) -> None:
        if self.channels <= ALPHA:
            raise UsageError(f"latent.channels must be at least {ALPHA + 1}, got {self.channels}")

    @property
    def representation(self) -> str:
        """Its name in banks."""
        return LATENT_REPRESENTATION

    @property
    def cells(self) -> int:
        """Cells of a grid."""
        return self.dimension

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of what is grown."""
        return (LATENT_REPRESENTATION,)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


@dataclass(frozen=True)
class CodecConfig:
    """Size and kind of a codec; saved in its checkpoints and ONNX metadata.

    `ratios` are the decoder's strides, whose product is the hop; the encoder has them backwards. `head` is "waveform"
    (the decoder runs up to the sample rate, as EnCodec does) or "source": it ends after the first ratio, and what it
    found there shapes partials at the known pitch and noise between them. `front` is what the encoder hears,
    "waveform" or "spectrum". `ahead` are the samples after a frame's hop that the encoder may hear: what is grown
    needs no look-ahead. `bounded` latents are those of a tanh; `noise` is added to them in training, so that latents
    nearby sound alike.
    """

    dimension: int = 32
    num_filters: int = 32
    ratios: tuple[int, ...] = (4, 8, 8)
    kernel: int = 3
    last_kernel: int = 7
    residual_kernel: int = 3
    num_residuals: int = 1
    dilation_base: int = 2
    compress: int = 2
    lstm_layers: int = 0
    pad_mode: str = "constant"
    front: str = "spectrum"
    head: str = "source"
    front_channels: int = 256
    noise_bands: int = 48
    ahead: int = 384
    bounded: bool = True
    noise: float = 0.05
    spec: AudioSpec = field(default_factory=AudioSpec)

    def __post_init__(self) -> None:
        if prod(self.ratios) != self.spec.hop_length:
            raise UsageError(f"codec.ratios must multiply to the hop of {self.spec.hop_length}, got {self.ratios}")
        for name, known in (("front", FRONTS), ("head", HEADS), ("pad_mode", PAD_MODES)):
            if getattr(self, name) not in known:
                raise UsageError(f"codec.{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)

    @property
    def widest(self) -> int:
        """Channels at the rate of the hops."""
        return self.num_filters * 2 ** len(self.ratios)


FRONTS, HEADS, PAD_MODES = ("waveform", "spectrum"), ("waveform", "source"), ("constant", "reflect")
