"""What a learning hands on: how it goes on, and what was learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...engine.instrument_files import InstrumentFile
from ..material import Material
from .figures import Judgement


class Listener(Protocol):
    """Hears how the learning goes on."""

    def understood(self, material: Material) -> Material:
        """Hear what was brought, and return it, with its keys moved where they were found to be off."""

    def say(self, text: str) -> None:
        """Hear a line."""

    def measured(self, count: int, total: int) -> None:
        """Hear that so many notes are measured."""

    def step(self, iteration: int, iterations: int, level_db: float) -> None:
        """Hear that an iteration is done."""


class Silent:
    """A listener that keeps quiet."""

    def understood(self, material: Material) -> Material:
        """Keep quiet, and leave it as it is."""
        return material

    def say(self, text: str) -> None:
        """Keep quiet."""

    def measured(self, count: int, total: int) -> None:
        """Keep quiet."""

    def step(self, iteration: int, iterations: int, level_db: float) -> None:
        """Keep quiet."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned.

    Attributes
    ----------
    instrument : InstrumentFile
    material : what it was learned from
    judgement : how near it comes
    nearest : instruments of the bank that it started from, the nearest first
    seconds : until it was playable for the first time, and in all
    iterations : how far it was fitted
    is_complete : whether it was not interrupted
    path, num_bytes : of its file; None and 0 where none was asked for
    """

    instrument: InstrumentFile
    material: Material
    judgement: Judgement
    nearest: tuple[str, ...]
    seconds: tuple[float, float]
    iterations: int
    is_complete: bool
    path: Path | None = None
    num_bytes: int = 0

    def as_values(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "name": self.instrument.facts.name,
            "path": None if self.path is None else str(self.path),
            "bytes": self.num_bytes,
            "notes": len(self.material.notes),
            "refused": len(self.material.refused),
            "nearest": list(self.nearest),
            "figures": dict(self.instrument.facts.figures),
            "seconds_to_playable": round(self.seconds[0], 2),
            "seconds": round(self.seconds[1], 2),
            "complete": self.is_complete,
        }
