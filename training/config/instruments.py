"""Instruments of a SoundFont, as a preset lists them."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import DatasetError


@dataclass(frozen=True)
class InstrumentConfig:
    """One instrument of a SoundFont, as a preset lists it.

    `low` and `high` bound the recorded keys. `drum_keys` true makes every key its own timbre, played on channel 10.
    `sustains` says whether a held note keeps its level for ever; beats and slow swells make that hard to measure.
    `bank` is that of a variation. `keys` are those that are recorded, all of them where it is empty. `like` names other
    kits and the keys on which their drums are this kit's as well; these are not recorded again.
    """

    name: str
    program: int
    low: int = 36
    high: int = 84
    pitched: bool = True
    inharmonic: bool = False
    drum_keys: bool = False
    sustains: bool = True
    bank: int = 0
    keys: tuple[int, ...] = ()
    like: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.program <= 127:
            raise DatasetError(f"instrument {self.name}: program must be in 0..127, got {self.program}")
        if not 0 <= self.low <= self.high <= 127:
            raise DatasetError(f"instrument {self.name}: keys must satisfy 0 <= low <= high <= 127")
        if not 0 <= self.bank <= 127:
            raise DatasetError(f"instrument {self.name}: bank must be in 0..127, got {self.bank}")
        if any(not self.low <= key <= self.high for key in self.keys):
            raise DatasetError(f"instrument {self.name}: keys must lie in {self.low}..{self.high}")

    @property
    def is_drums(self) -> bool:
        """Whether it is a drum kit."""
        return self.drum_keys

    @property
    def recorded(self) -> tuple[int, ...]:
        """The keys that are recorded."""
        return self.keys if self.keys or self.like else tuple(range(self.low, self.high + 1))

    def timbre_name(self, key: int) -> str:
        """Return the timbre of a key: of a kit every key has its own."""
        return f"{self.name}:{key}" if self.drum_keys else self.name
