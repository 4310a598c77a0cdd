"""Names of MIDI keys."""

from typing import Final

_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def key_name(key: int) -> str:
    """Return a key's name; 60 is C4."""
    return f"{_NAMES[key % 12]}{key // 12 - 1}"
