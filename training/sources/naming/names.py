"""Pitches, velocities and instruments as people write them."""

from __future__ import annotations

import re
from typing import Final

from ....errors import AudioFileError
from .tokens import ACCIDENTAL, ACCIDENTALS, NOTE, OCTAVE, SEMITONES

NOTE_PARTS: Final = re.compile(rf"([A-Ga-g])({ACCIDENTAL}|s|)({OCTAVE})")
SPELT_ACCIDENTAL: Final = re.compile("|".join(sorted(ACCIDENTALS, key=len, reverse=True)))


def parse_pitch(text: str, middle_c_octave: int = 4) -> int:
    """Turn ``A4``, ``F#2``, ``Bb3``, ``Csharp4``, ``C-1`` or ``60`` into a MIDI number.

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
        letter, signs, octave = NOTE_PARTS.fullmatch(text).groups()  # type: ignore[union-attr]
        key = SEMITONES[letter.upper()] + sum(ACCIDENTALS[sign] for sign in SPELT_ACCIDENTAL.findall(signs.lower()))
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


def instrument_name(text: str) -> str:
    """Return a name fit for an instrument: ``French Horn`` becomes ``french-horn``."""
    return re.sub(r"[\s_-]+", "-", text.strip()).strip("-").lower()
