"""What the player asks of a synth, and what it tells of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ...engine.arrays import FloatArray


class LiveSynth(Protocol):
    """What the player asks of `engine.Synth`."""

    sample_rate: int
    max_voices: int
    model_errors: int
    model_failure: str

    @property
    def frame(self) -> int:
        """Number of the next frame."""
        ...

    @property
    def latency_frames(self) -> int:
        """How far ahead events must be sent."""
        ...

    @property
    def idle(self) -> bool:
        """Whether nothing sounds, rings or is queued."""
        ...

    @property
    def active_voices(self) -> int:
        """Voices that sound."""
        ...

    def send(self, data: bytes, at_frame: int | None = None) -> None:
        """Queue a message."""
        ...

    def render(self, num_frames: int) -> FloatArray:
        """Return the next frames."""
        ...

    def grow_ahead(self, num_frames: int) -> None:
        """Do now what the next frames of sounding notes need."""
        ...

    def limit_voices(self, limit: int) -> None:
        """Let fewer or more voices sound."""
        ...

    def panic(self) -> None:
        """Silence everything."""
        ...


@dataclass(frozen=True)
class Meters:
    """What the producer knows of itself, for other threads to read."""

    voices: int = 0
    limit: int = 0
    peaks: tuple[float, float] = (0.0, 0.0)
    load: float = 0.0
    underruns: int = 0
    xruns: int = 0
    late_messages: int = 0
    left_out: int = 0
    model_errors: int = 0
    latency_s: float = 0.0
    device: str = ""
