"""Sizes of the models that grow spectra: facts, saved in checkpoints and ONNX metadata."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ...engine.spectra.pitch import MAX_PARTIALS
from ...engine.spectra.spec import AudioSpec
from ...errors import UsageError

MEL_LEVEL, MEL_TONALITY, LINEAR_LEVEL, LINEAR_TONALITY, ALPHA = range(5)


@dataclass(frozen=True)
class NCAConfig:
    """Size and kind of a TNCA; saved in its checkpoints and ONNX metadata."""

    representation: str = "dual"
    channels: int = 16
    hidden: int = 128
    steps_per_hop: int = 1
    timbre_size: int = 24
    key_size: int = 16
    seed_hidden: int = 192
    band_genes: int = 8
    pitch_genes: int = 8
    partial_genes: int = 4
    readout_hidden: int = 32
    spec: AudioSpec = field(default_factory=AudioSpec)

    def __post_init__(self) -> None:
        if self.representation not in ("mel", "dual"):
            raise UsageError(f"representation must be mel or dual, got {self.representation!r}")
        if self.channels <= ALPHA:
            raise UsageError(f"channels must be at least {ALPHA + 1}, got {self.channels}")

    @property
    def cells(self) -> int:
        """Cells of a grid."""
        return self.spec.num_mels

    @property
    def reads_out(self) -> bool:
        """Whether levels are read out between the cells as well."""
        return self.representation != "mel"

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of what is grown."""
        return ("mel", "linear") if self.representation == "dual" else ("mel",)

    @property
    def genome_names(self) -> tuple[str, ...]:
        """Names of what a note seed is planted as, the grid first."""
        names = ("grid", "cell", "rates")
        return (*names, "bin") if self.representation == "dual" else names

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NCAConfig:
        """Rebuild a config from `to_dict`'s values."""
        return cls(**{**values, "spec": AudioSpec.from_dict(values["spec"])})


@dataclass(frozen=True)
class VocoderConfig:
    """Size of the vocoder; saved in its checkpoints and ONNX metadata."""

    history_frames: int = 2
    hidden: int = 256
    band_features: int = 12
    bin_hidden: int = 64
    spec: AudioSpec = field(default_factory=AudioSpec)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


@dataclass(frozen=True)
class ScaleConfig:
    """Size of a multi-scale TNCA; saved in its checkpoints and ONNX metadata. `spec` is that of the middle scale."""

    representation: str = "multi-scale"
    channels: int = 10
    hidden: int = 64
    steps_per_hop: int = 1
    timbre_size: int = 24
    key_size: int = 16
    seed_hidden: int = 384
    band_genes: int = 8
    pitch_genes: int = 8
    partial_genes: int = 4
    spec: AudioSpec = field(default_factory=AudioSpec)

    def __post_init__(self) -> None:
        if self.channels <= ALPHA:
            raise UsageError(f"scales.channels must be at least {ALPHA + 1}, got {self.channels}")
        if self.spec.num_mels % 2:
            raise UsageError(f"scales.spec.num_mels must be even, got {self.spec.num_mels}")

    @property
    def bands(self) -> tuple[int, ...]:
        """Cells of each column, the coarsest first."""
        return self.spec.num_mels // 2, self.spec.num_mels, self.spec.num_mels * 2

    @property
    def cells(self) -> int:
        """Cells of a grid."""
        return sum(self.bands)

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of what the columns grow: mel40, mel and mel160, where the spec has 80 bands."""
        return tuple("mel" if bands == self.spec.num_mels else f"mel{bands}" for bands in self.bands)

    @property
    def genome_names(self) -> tuple[str, ...]:
        """Names of what a note seed is planted as, the grid first."""
        return "grid", "cell", "rates"

    def spec_of(self, bands: int) -> AudioSpec:
        """Return the spec of one scale."""
        return replace(self.spec, num_mels=bands)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)


@dataclass(frozen=True)
class HierarchicalConfig(ScaleConfig):
    """Size of a hierarchical TNCA; saved in its checkpoints and ONNX metadata.

    The coarse column has half as many bands as `spec`. `fine_hidden` and `decoder_hidden` are hidden units of the
    refinement and of the waveform decoder, `detail_genes` what the seed says of each fine cell alone.
    """

    representation: str = "hierarchical"
    fine_hidden: int = 48
    decoder_hidden: int = 32
    detail_genes: int = 4
    noise_bands: int = 48

    @property
    def bands(self) -> tuple[int, ...]:
        """Cells of the coarse column."""
        return (self.spec.num_mels // 2,)

    @property
    def fine_cells(self) -> int:
        """Cells of partials and noise."""
        return MAX_PARTIALS + self.noise_bands

    @property
    def cells(self) -> int:
        """Cells of a grid."""
        return self.bands[0] + self.fine_cells

    @property
    def field_names(self) -> tuple[str, ...]:
        """Names of what is grown: mel40 where the spec has 80 bands, partials and noise."""
        return (*super().field_names, "partials", "noise")

    @property
    def genome_names(self) -> tuple[str, ...]:
        """Names of what a note seed is planted as, the grid first."""
        return (*super().genome_names, "facts", "fine", "heard", "decays")
