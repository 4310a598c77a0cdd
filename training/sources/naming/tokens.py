"""The parts of a sample file's name: notes, numbers, velocities, repeats and words, before it is known what they mean.

Letters of a shape: N note name, K marked key number, V marked velocity or layer, R marked repeat, D dynamic, # bare
number, T text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

SEMITONES: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS: Final = {"#": 1, "♯": 1, "s": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
# As4 is A sharp in a widespread orchestral library. Nobody writes E or B sharp so: Es is a German E flat.
ACCIDENTAL: Final = r"##?|♯♯?|bb?|♭♭?|[ _-]?(?:[Ss]harp|[Ff]lat)[ _-]?"
OCTAVE: Final = r"(?:-[12]|0?\d)"
NOTE: Final = rf"(?:[A-Ga-g](?:{ACCIDENTAL})?|[ACDFG]s){OCTAVE}"
EDGE: Final = r"A-Za-z0-9#♯♭"
VELOCITY_MARK: Final = r"v|vl|vel|velocity|layer|lyr|dyn"
REPEAT_MARK: Final = r"rr|take|alt|rep|repeat|roundrobin"
KEY_MARK: Final = r"key|note|midi|pitch"
# A note stands between punctuation, at the end of a word in small letters (PianoA3), or before a velocity (A3v8).
NOTE_IN_NAME: Final = re.compile(
    rf"(?:(?<![{EDGE}])({NOTE})|(?<=[a-z])([A-G](?:##?|♯|bb?|♭|s|)(?:-[12]|0?\d)))"
    rf"(?=$|[^{EDGE}]|(?i:{VELOCITY_MARK}|{REPEAT_MARK})\d)"
)
MARKED: Final = (
    ("V", re.compile(rf"(?:{VELOCITY_MARK})(\d{{1,3}})", re.IGNORECASE)),
    ("R", re.compile(rf"(?:{REPEAT_MARK})(\d{{1,4}})", re.IGNORECASE)),
    ("K", re.compile(rf"(?:{KEY_MARK}|[mnk])(\d{{1,3}})", re.IGNORECASE)),
    ("#", re.compile(r"(\d{1,3})")),
)
LONE_MARK: Final = re.compile(rf"(?:{VELOCITY_MARK}|{REPEAT_MARK}|{KEY_MARK})", re.IGNORECASE)
GLUED: Final = re.compile(rf"(?<=\d)(?=(?:{VELOCITY_MARK}|rr)\d)", re.IGNORECASE)
SEPARATORS: Final = re.compile(r"[\s_.,()\[\]{}+=~-]+")
DYNAMICS: Final = {
    "ppp": 16, "pp": 33, "pianissimo": 33, "p": 49, "mp": 64, "mezzopiano": 64, "mf": 80, "mezzoforte": 80,
    "f": 96, "forte": 96, "ff": 112, "fortissimo": 112, "fff": 127,
}  # fmt: skip
"""Velocities of dynamics, as notation programs play them."""


@dataclass(frozen=True)
class Token:
    """A part of a name.

    Attributes
    ----------
    kind : a letter of a shape
    text : as it is written
    start, end : where it stands in the name
    value : of a number or a marked number; of a dynamic its velocity; of a note 0
    """

    kind: str
    text: str
    start: int
    end: int
    value: int = 0


def tokenise(stem: str) -> list[Token]:
    """Split a name without its suffix into its parts, from left to right."""
    tokens: list[Token] = []
    at = 0
    for match in NOTE_IN_NAME.finditer(stem):
        start, end = match.span()
        tokens += _plain(stem, at, start)
        tokens.append(Token("N", stem[start:end], start, end))
        at = end
    return _with_dynamics(_joined([*tokens, *_plain(stem, at, len(stem))]))


def shape(tokens: list[Token]) -> str:
    """Return the kinds of tokens as a text in which neighbouring words count as one."""
    return re.sub("T+", "T", "".join(token.kind for token in tokens))


def _plain(stem: str, begin: int, end: int) -> list[Token]:
    """Split what holds no note name."""
    cuts = [begin, end]
    for match in SEPARATORS.finditer(stem, begin, end):
        cuts += match.span()
    cuts += [match.start() for match in GLUED.finditer(stem, begin, end)]
    edges = sorted(set(cuts))
    return [_token(stem, a, b) for a, b in pairwise(edges) if not SEPARATORS.fullmatch(stem, a, b)]


def _token(stem: str, start: int, end: int) -> Token:
    text = stem[start:end]
    for kind, pattern in MARKED:
        match = pattern.fullmatch(text)
        if match:
            return Token(kind, text, start, end, int(match[1]))
    if text.lower() in DYNAMICS:
        return Token("D", text, start, end, DYNAMICS[text.lower()])
    return Token("T", text, start, end)


def _joined(tokens: list[Token]) -> list[Token]:
    """Join a mark and the number behind it: ``vel 64``, ``take 3``."""
    joined: list[Token] = []
    for token in tokens:
        last = joined[-1] if joined else None
        if last and last.kind == "T" and token.kind == "#" and LONE_MARK.fullmatch(last.text):
            marked = next(kind for kind, pattern in MARKED if pattern.fullmatch(last.text + token.text))
            joined[-1] = Token(marked, last.text + token.text, last.start, token.end, token.value)
        else:
            joined.append(token)
    return joined


def _with_dynamics(tokens: list[Token]) -> list[Token]:
    """Read ``mezzo-forte`` as one dynamic, and ``piano`` as one behind a note: before it, it is an instrument."""
    read: list[Token] = []
    for token in tokens:
        last = read[-1] if read else None
        text = token.text.lower()
        if last and last.text.lower() == "mezzo" and text in ("piano", "forte"):
            read[-1] = Token("D", f"mezzo{text}", last.start, token.end, DYNAMICS[f"mezzo{text}"])
        elif text == "piano" and any(one.kind in "NK" for one in read):
            read.append(Token("D", token.text, token.start, token.end, DYNAMICS["p"]))
        else:
            read.append(token)
    return read
