"""Pitches as people write them: note names, numbers, and the names of sample files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ...errors import AudioFileError

SEMITONES: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS: Final = {"#": 1, "♯": 1, "s": 1, "b": -1, "♭": -1}
# As4 is A sharp in a widespread orchestral library. Nobody writes E or B sharp so: Es is a German E flat.
NOTE: Final = r"(?:[A-Ga-g](?:##?|♯♯?|bb?|♭♭?)?|[ACDFG]s)(?:-[12]|\d{1,2})"
EDGE: Final = r"A-Za-z0-9#♯♭"
NOTE_IN_NAME: Final = re.compile(rf"(?<![{EDGE}])({NOTE})(?![{EDGE}])")
VELOCITY_IN_NAME: Final = re.compile(r"(?:^|[\W_])(?:v|vel)(\d{1,3})(?=$|[\W_])", re.IGNORECASE)
NUMBERS_IN_NAME: Final = re.compile(r"(?:^|[\W_])(\d{1,3})[\W_](v|vel)?(\d{1,3})$", re.IGNORECASE)
LOWEST_BARE_NUMBER: Final = 12


@dataclass(frozen=True)
class NameParts:
    """What a file's name says; None where it says nothing.

    `prefix` is what stands before pitch and velocity, such as ``violin``; empty where nothing does.
    """

    prefix: str
    pitch: int | None = None
    velocity: int | None = None


def parse_pitch(text: str, middle_c_octave: int = 4) -> int:
    """Turn ``A4``, ``F#2``, ``Bb3``, ``C-1`` or ``60`` into a MIDI number.

    `middle_c_octave` is the octave in which key 60 is named C: 4 in most places, 3 at some makers, 5 at others.

    Raises
    ------
    AudioFileError
        Neither a note name nor a number in 0..127.
    """
    text = text.strip()
    if re.fullmatch(r"\d+(\.0*)?", text):
        key = int(float(text))
    elif re.fullmatch(NOTE, text):
        accidentals, octave = re.fullmatch(r"([^\d-]*)(-?\d+)", text[1:]).groups()  # type: ignore[union-attr]
        key = SEMITONES[text[0].upper()] + sum(ACCIDENTALS[sign] for sign in accidentals)
        key += 60 + 12 * (int(octave) - middle_c_octave)
    else:
        raise AudioFileError(f"bad pitch: expected a note name such as F#3 or a number in 0..127, got {text!r}")
    if not 0 <= key <= 127:
        raise AudioFileError(f"bad pitch: {text} is MIDI number {key}, expected 0..127")
    return key


def parse_velocity(text: str) -> int:
    """Turn ``90`` into a MIDI velocity, 1..127; otherwise `AudioFileError`."""
    text = text.strip()
    if not re.fullmatch(r"\d+(\.0*)?", text) or not 1 <= int(float(text)) <= 127:
        raise AudioFileError(f"bad velocity: expected 1..127, got {text!r}")
    return int(float(text))


def parse_name(stem: str, middle_c_octave: int = 4) -> NameParts:
    """Read a file's name without its suffix: ``violin_A4_v90``, ``violin-60-100``, ``Bb3``.

    A pitch is a note name set off by spaces or punctuation, or a number with a velocity behind it at the end of
    the name. A lone number is none: most often it counts takes.

    Raises
    ------
    AudioFileError
        Two different pitches, or a pitch or velocity out of range.
    """
    velocity = VELOCITY_IN_NAME.search(stem)
    notes = list(NOTE_IN_NAME.finditer(stem))
    numbers = NUMBERS_IN_NAME.search(stem)
    starts = [match.start() for match in (velocity, *notes) if match]
    found_velocity = parse_velocity(velocity[1]) if velocity else None
    found_pitch = None
    if notes:
        keys = {parse_pitch(note[1], middle_c_octave): note[1] for note in notes}
        if len(keys) > 1:
            raise AudioFileError(f"bad pitch: the name holds two, {' and '.join(keys.values())}; list it in notes.csv")
        found_pitch = next(iter(keys))
    elif numbers and _is_pitch_and_velocity(numbers):
        found_pitch, found_velocity = int(numbers[1]), int(numbers[3])
        starts.append(numbers.start())
    # A name without a pitch may end in the number of a take, or of a file.
    prefix = stem[: min(starts)] if starts else stem.rstrip("0123456789")
    return NameParts(prefix.strip(" \t-_.()[]"), found_pitch, found_velocity)


def _is_pitch_and_velocity(numbers: re.Match[str]) -> bool:
    return LOWEST_BARE_NUMBER <= int(numbers[1]) <= 127 and 1 <= int(numbers[3]) <= 127


def instrument_name(text: str) -> str:
    """Return a name fit for an instrument: ``French Horn`` becomes ``french-horn``."""
    return re.sub(r"[\s_-]+", "-", text.strip()).strip("-").lower()
