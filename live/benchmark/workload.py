"""What a measurement of live play is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ...errors import UsageError
from ..protocol import LiveOptions

FIGURES: Final = (
    "latency",
    "start",
    "silent",
    "held",
    "fits",
    "switching",
    "random",
    "idle",
    "storm",
    "flood",
    "clicks",
)
RATE: Final = 48000


@dataclass(frozen=True)
class LiveWorkload:
    """What is measured, and for how long.

    Attributes
    ----------
    figures : of `FIGURES`
    latency_period, held_period : frames per period of the JACK server
    notes : timed for the latency
    held_voices, held_minutes : of the test of endurance
    random_minutes : of random playing
    messages : of the flood
    idle_s : for which a session does nothing, and the server's clients are watched
    silent_seconds : for which a session does nothing
    storm_seconds : for which 100,000 messages a second arrive
    """

    figures: tuple[str, ...] = FIGURES
    latency_period: int = 128
    held_period: int = 256
    notes: int = 200
    held_voices: int = 32
    held_minutes: float = 10.0
    random_minutes: float = 30.0
    messages: int = 1_000_000
    idle_s: float = 60.0
    silent_seconds: float = 20.0
    storm_seconds: float = 6.0
    representation: str | None = None
    decoder: str | None = None
    bank_path: Path | None = None
    instrument: str | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        unknown = sorted(set(self.figures) - set(FIGURES))
        if unknown:
            raise UsageError(f"unknown figure {unknown[0]!r}: expected some of {', '.join(FIGURES)}")

    def options(self, period: int, **more: Any) -> LiveOptions:
        """Return the options of the instrument under test."""
        options = LiveOptions(
            block_size=period,
            host_api="JACK",
            representation=self.representation,
            decoder=self.decoder,
            bank_path=self.bank_path,
            instrument=self.instrument,
        )
        return replace(options, **more)
