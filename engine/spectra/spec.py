"""The one description of how sound is measured, shared by training, models and engine."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

from ...errors import UsageError

MOST: Final = {"sample_rate": 384_000, "n_fft": 65_536, "hop_length": 32_768, "num_mels": 2048}
MAX_DB: Final = 1000


@dataclass(frozen=True)
class AudioSpec:
    """Analysis constants of a representation; stored in every checkpoint and ONNX file.

    Attributes
    ----------
    sample_rate : int
        Internal sample rate in Hz; the engine resamples its output.
    n_fft : int
        Window and FFT length in samples (periodic Hann).
    hop_length : int
        Samples between spectral frames.
    num_mels : int
        Mel bands (Slaney scale, peak height 1) from 0 Hz to Nyquist.
    floor_db : float
        Power in dB relative to a full-scale sine that counts as silence.
    level_scale_db : float
        Decibels per unit of level: ``level = max(0, (dB - floor_db) / level_scale_db)``.
    """

    sample_rate: int = 22050
    n_fft: int = 1024
    hop_length: int = 256
    num_mels: int = 80
    floor_db: float = -100.0
    level_scale_db: float = 40.0

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                raise UsageError(f"AudioSpec.{name} must be a positive integer, got {value!r}")
            if value > most:
                raise UsageError(f"AudioSpec.{name} must be at most {most}, got {value}")
        for name in ("floor_db", "level_scale_db"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not abs(value) <= MAX_DB:
                raise UsageError(f"AudioSpec.{name} must be a number in -{MAX_DB}..{MAX_DB}, got {value!r}")
        if self.n_fft % 2 or self.hop_length > self.n_fft // 2:
            raise UsageError(
                f"n_fft must be even and at least twice hop_length, got {self.n_fft} and {self.hop_length}"
            )
        if self.level_scale_db <= 0:
            raise UsageError(f"AudioSpec.level_scale_db must be above 0, got {self.level_scale_db}")

    @property
    def num_bins(self) -> int:
        """Linear frequency bins of a spectral frame."""
        return self.n_fft // 2 + 1

    @cached_property
    def hop_s(self) -> float:
        """Seconds between spectral frames."""
        return self.hop_length / self.sample_rate

    def at_rate(self, sample_rate: int) -> AudioSpec:
        """Return the spec with hops and windows as long in time at another rate, a whole multiple of its own.

        Raises
        ------
        UsageError
            The rate is no whole multiple.
        """
        times, rest = divmod(sample_rate, self.sample_rate)
        if rest or not times:
            raise UsageError(f"{sample_rate} Hz is no whole multiple of {self.sample_rate} Hz")
        return replace(self, sample_rate=sample_rate, n_fft=times * self.n_fft, hop_length=times * self.hop_length)

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as plain values, for TOML, checkpoints and ONNX metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AudioSpec:
        """Build a spec from plain values; an unknown key raises `UsageError`."""
        known = {f.name for f in fields(cls)}
        unknown = set(values) - known
        if unknown:
            raise UsageError(f"unknown AudioSpec keys {sorted(unknown)}, expected some of {sorted(known)}")
        return cls(**values)
