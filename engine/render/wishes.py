"""What a user wishes of a rendering, checked before anything else is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from ..arguments import check_number, check_text
from ..names import (
    BIT_DEPTHS,
    DEFAULT_BIT_DEPTH,
    DEFAULT_PROVIDER,
    DEFAULT_SAMPLE_RATE,
    GAIN_RANGE_DB,
    LOUDNESS_RANGE_LUFS,
    MAX_SEED,
    STEM_KINDS,
    TRANSPOSE_RANGE,
)
from ..wanted_instruments import InstrumentSource, Wanted, check_wanted


@dataclass(frozen=True)
class Wishes:
    """What a rendering shall be like, checked; see `engine.render.file.render_file`."""

    instrument: Wanted | None = None
    instruments: Sequence[InstrumentSource] = ()
    mapping: Mapping[str, Wanted] | None = None
    representation: str | None = None
    decoder: str | None = None
    sample_rate: int = DEFAULT_SAMPLE_RATE
    seed: int = 0
    provider: str = DEFAULT_PROVIDER
    bank_path: Path | None = None
    workers: int = 1
    growth_controllers: bool = False
    gain_db: float = 0.0
    normalise_lufs: float | None = None
    transpose_semitones: int = 0
    bit_depth: str = DEFAULT_BIT_DEPTH
    stems_by: str = STEM_KINDS[0]

    def __post_init__(self) -> None:
        """Check types and ranges; what depends on the bank is checked when that is opened."""
        check_wanted(self.instrument, self.instruments, self.mapping)
        for name in ("representation", "decoder"):
            check_text(name, getattr(self, name), is_optional=True)
        check_text("provider", self.provider)
        check_number("sample_rate", self.sample_rate, whole=True)
        check_number("seed", self.seed, (0, MAX_SEED), whole=True)
        check_number("workers", self.workers, whole=True)
        check_number("gain_db", self.gain_db, GAIN_RANGE_DB)
        if self.normalise_lufs is not None:
            check_number("normalise_lufs", self.normalise_lufs, LOUDNESS_RANGE_LUFS)
        check_number("transpose_semitones", self.transpose_semitones, TRANSPOSE_RANGE, whole=True)
        if self.bit_depth not in BIT_DEPTHS:
            raise UsageError(f"unknown bit depth {self.bit_depth!r}: expected one of {', '.join(BIT_DEPTHS)}")
        if self.stems_by not in STEM_KINDS:
            raise UsageError(f"unknown kind of stem {self.stems_by!r}: expected one of {', '.join(STEM_KINDS)}")
        if self.normalise_lufs is not None and self.gain_db:
            raise UsageError("a gain and a loudness to normalise to exclude each other; choose one")
