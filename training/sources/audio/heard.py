"""What notes are called beside what they sound: names that count files, and names that are off by a constant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from ....engine.arrays import FloatArray
from ....errors import AudioFileError
from .pitch import detect_pitch

MOST = 0.6
"""Share of the notes that must agree before all are called off by the same."""
LEAST_NOTES: Final = 2
OCTAVE: Final = 12
MIDDLE_C_OCTAVES: Final = range(2, 7)


def semitones_off(audio: FloatArray, sample_rate: int, named: int) -> int | None:
    """Return how many semitones a note sounds above its name; None where its pitch is not clear."""
    try:
        return detect_pitch(audio, sample_rate).key - named
    except AudioFileError:
        return None


def names_are_keys(offsets: Iterable[int | None]) -> bool:
    """Tell whether bare numbers are keys, from how far some notes sound above them: at least half sound there.

    An octave more or less is a matter of how keys are counted, or of hearing. Where no pitch is clear, they are keys.
    """
    heard = [offset for offset in offsets if offset is not None]
    return sum(offset in (-OCTAVE, 0, OCTAVE) for offset in heard) * 2 >= len(heard)


def common_offset(offsets: Sequence[int]) -> tuple[int, int] | None:
    """Return (semitones, how many notes) where most notes sound the same number off their names, 0 included."""
    if len(offsets) < LEAST_NOTES:
        return None
    off, count = Counter(offsets).most_common(1)[0]
    return (off, count) if count >= MOST * len(offsets) else None


def transposition(offsets: Sequence[int], middle_c_octave: int) -> str | None:
    """Return a warning where most notes sound the same number of semitones off their names, or None."""
    off, count = common_offset(offsets) or (0, 0)
    if not off:
        return None
    where = "above" if off > 0 else "below"
    said = f"{count} of {len(offsets)} notes sound {abs(off)} semitones {where} their names"
    octave = middle_c_octave - off // OCTAVE
    if off % OCTAVE == 0 and octave in MIDDLE_C_OCTAVES:
        return f"{said}: does this library call key 60 C{octave}? Then set middle_c_octave = {octave} in [data]"
    return f"{said}, and are learned as they are named: list the keys that they sound in notes.csv if that is wrong"
