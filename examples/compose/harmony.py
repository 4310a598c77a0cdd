"""Chords by name: which keys they have in a range, and harmony below a melody."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from .notation import Note, key_of

BEATS_PER_BAR: Final = 4

_QUALITIES: Final = {"": (0, 4, 7), "m": (0, 3, 7), "7": (0, 4, 7, 10), "6": (0, 4, 7, 9)}
_CHORD: Final = re.compile(r"(?P<root>[A-G][#b]?)(?P<quality>.*)")


@dataclass(frozen=True)
class Chord:
    """A root (pitch class 0..11) and the intervals above it in semitones."""

    root: int
    intervals: tuple[int, ...]

    def keys(self, low: int, high: int) -> list[int]:
        """Return the keys of the chord in low..high, rising."""
        return [key for key in range(low, high + 1) if (key - self.root) % 12 in self.intervals]

    def above(self, low: int, interval: int = 0) -> int:
        """Return the lowest key >= low that is `interval` semitones above the root, octaves aside."""
        return low + (self.root + interval - low) % 12


def chord(name: str, transpose: int = 0) -> Chord:
    """Return the chord of a name such as "F", "Fm" or "G7".

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    match = _CHORD.fullmatch(name)
    if match is None or match["quality"] not in _QUALITIES:
        raise ValueError(f"a chord must look like F, Fm, G7 or C6, got {name!r}")
    return Chord((key_of(match["root"] + "4") + transpose) % 12, _QUALITIES[match["quality"]])


def held(start: Fraction | int, length: Fraction | int, keys: Iterable[int]) -> list[Note]:
    """Return one chord."""
    return [Note(Fraction(start), Fraction(length), key) for key in keys]


def below(melody: Iterable[Note], chart: Sequence[Chord]) -> list[Note]:
    """Return for each note of a melody the nearest chord note at least a minor third below it."""
    harmony = []
    for note in melody:
        bar = min(int(note.start // BEATS_PER_BAR), len(chart) - 1)
        harmony.append(replace(note, key=chart[bar].keys(note.key - 15, note.key - 3)[-1]))
    return harmony
