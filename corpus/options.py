"""What a corpus shall be like, checked once and then sent to every worker."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ..engine.arguments import check_number
from ..engine.names import AUDIO_SUFFIXES, DEFAULT_BIT_DEPTH, DEFAULT_SAMPLE_RATE, MAX_SEED, STEM_KINDS, closest
from ..engine.render.wishes import Wishes
from ..errors import UsageError

TIMING_RANGE_MS: Final = (0.0, 100.0)
VELOCITY_RANGE: Final = (0.0, 64.0)
GROWTH_RANGE: Final = (0.0, 1.0)


@dataclass(frozen=True)
class CorpusOptions:
    """How the songs of a corpus are rendered.

    Attributes
    ----------
    seed : int
        Root of all chance; each song gets a seed of its own from this one and its id.
    format : str
        Suffix of the sound files, ".flac" or ".wav".
    stems : str or None
        What a stem is, "channel" or "part"; None for no stems.
    random_instruments : bool
        Whether every program is replaced by one of the same General MIDI family that the bank plays.
    random_growth : float
        How far the growth of each part may be from neutral, 0..1.
    humanise_ms, humanise_velocity : float
        Standard deviations of what is added to onsets, in ms, and to velocities.
    bank : str or None
        Folder of another bank than the shipped one.
    instrument, representation, decoder, sample_rate, bit_depth, normalise_lufs, growth_controllers
        See `engine.render.file.render_file`.
    """

    seed: int = 0
    format: str = ".flac"
    stems: str | None = None
    random_instruments: bool = False
    random_growth: float = 0.0
    humanise_ms: float = 0.0
    humanise_velocity: float = 0.0
    bank: str | None = None
    instrument: str | None = None
    representation: str | None = None
    decoder: str | None = None
    sample_rate: int = DEFAULT_SAMPLE_RATE
    bit_depth: str = DEFAULT_BIT_DEPTH
    normalise_lufs: float | None = None
    growth_controllers: bool = False

    def __post_init__(self) -> None:
        """Check types and ranges; `UsageError` in one line for what does not fit."""
        closest(self.format, AUDIO_SUFFIXES, "format")
        if self.stems is not None:
            closest(self.stems, STEM_KINDS, "kind of stem")
        check_number("random_growth", self.random_growth, GROWTH_RANGE)
        check_number("humanise_ms", self.humanise_ms, TIMING_RANGE_MS)
        check_number("humanise_velocity", self.humanise_velocity, VELOCITY_RANGE)
        if self.format == ".flac" and self.bit_depth == "32f":
            raise UsageError("FLAC holds no floating point; choose WAV, or 16 or 24 bits")
        if self.random_instruments and self.instrument is not None:
            raise UsageError("one instrument for all parts and random instruments exclude each other; choose one")
        Wishes(**self.arguments(self.seed))

    def arguments(self, seed: int) -> dict[str, Any]:
        """Return what `render_file` is told for one song."""
        return {
            "instrument": self.instrument,
            "representation": self.representation,
            "decoder": self.decoder,
            "sample_rate": self.sample_rate,
            "seed": seed,
            "provider": "cpu",
            "bank_path": None if self.bank is None else Path(self.bank),
            "growth_controllers": self.growth_controllers,
            "normalise_lufs": self.normalise_lufs,
            "bit_depth": self.bit_depth,
            "stems_by": self.stems or STEM_KINDS[0],
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return asdict(self)

    def song_seed(self, song_id: str) -> int:
        """Return the seed of a song."""
        digest = hashlib.sha256(f"{self.seed}/{song_id}".encode()).digest()
        return int.from_bytes(digest[:8], "big") & MAX_SEED
