"""How a folder names its notes, learned from all its names at once: what varies says what a part of a name means.

Names are compared with those of the same shape (see `tokens`). Of two parts that look like notes the one that varies
most is the key; a bare number is a velocity where it varies for one key, and a repeat where it stays small; marked
velocities that stay small are layers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Final

from ....errors import AudioFileError
from .names import instrument_name, parse_pitch
from .tokens import Token, shape, tokenise

LARGEST_LAYER: Final = 24
"""Marked velocities up to this, and none above it, are numbers of layers."""
LOWEST_BARE_KEY: Final = 12
MIN_NAMED_ALIKE: Final = 3
FOLDERS_OF_ALL: Final = frozenset({"sample", "samples", "wav", "wavs", "wave", "flac", "audio", "sounds", "notes"})
"""Names of sub-folders that tell nothing of what is in them."""
EDGES: Final = " \t-_.,()[]"
DIGITS_AT_EDGES: Final = re.compile(r"^\d+[\s_.-]*|[\s_.-]*\d+$")


@dataclass(frozen=True)
class NameParts:
    """What a file's name says; None where it says nothing.

    Attributes
    ----------
    prefix : what is neither pitch, velocity nor repeat, such as ``violin``, in the names of sub-folders or else in the
        file's; empty where nothing is
    words : the same of the file's own name
    pitch, velocity : MIDI numbers
    mark : of a velocity that is marked as such, which may count layers: its number as it is written
    is_bare : whether the pitch is a number that nothing marks as one; it may as well count files
    problem : why the name is of no use, or None
    """

    prefix: str
    pitch: int | None = None
    velocity: int | None = None
    mark: int | None = None
    is_bare: bool = False
    problem: str | None = None
    words: str = ""


@dataclass(frozen=True)
class _Roles:
    """Which tokens of names of one shape mean what, by their index among the tokens that are no text."""

    key: int | None = None
    velocity: int | None = None
    dropped: frozenset[int] = frozenset()
    is_bare: bool = False


def read_names(paths: Sequence[PurePath], middle_c_octave: int = 4) -> dict[PurePath, NameParts]:
    """Read the names of sound files, those of a folder by their common pattern.

    Parameters
    ----------
    paths : relative to the folder that is read; what stands in the names of sub-folders counts, too
    middle_c_octave : the octave in which key 60 is named C
    """
    by_folder: dict[PurePath, list[PurePath]] = defaultdict(list)
    for path in paths:
        by_folder[path.parent].append(path)
    found: dict[PurePath, NameParts] = {}
    for folder, inside in by_folder.items():
        above = _Folder.of(folder, middle_c_octave)
        named = _read_folder([path.stem for path in inside], middle_c_octave)
        for path, parts in zip(inside, named, strict=True):
            found[path] = above.complete(parts)
    return _with_velocities(found)


def parse_name(stem: str, middle_c_octave: int = 4) -> NameParts:
    """Read one name that has no others beside it; `AudioFileError` where it contradicts itself."""
    path = PurePath(stem + ".wav")
    parts = read_names([path], middle_c_octave)[path]
    if parts.problem:
        raise AudioFileError(parts.problem)
    return parts


@dataclass(frozen=True)
class _Folder:
    """What the names of the folders above a file say."""

    words: str
    pitch: int | None
    mark: int | None
    dynamic: int | None

    @classmethod
    def of(cls, folder: PurePath, middle_c_octave: int) -> _Folder:
        words, pitch, mark, dynamic = [], None, None, None
        for name in folder.parts:
            tokens = tokenise(name)
            kind = tokens[0].kind if len(tokens) == 1 else "T"
            if kind == "N":
                pitch = parse_pitch(tokens[0].text, middle_c_octave)
            elif kind == "V":
                mark = tokens[0].value
            elif kind == "D":
                dynamic = tokens[0].value
            elif kind != "R" and name.lower() not in FOLDERS_OF_ALL:
                words.append(name)
        return cls("-".join(words), pitch, mark, dynamic)

    def complete(self, parts: NameParts) -> NameParts:
        """Add what the folders say to what a name says; the folders' words come before those of the name."""
        dynamic = self.dynamic if self.mark is None and parts.mark is None else None
        return replace(
            parts,
            prefix=self.words or parts.prefix,
            words=parts.prefix,
            pitch=parts.pitch if self.pitch is None or (parts.pitch is not None and not parts.is_bare) else self.pitch,
            is_bare=parts.is_bare and self.pitch is None,
            mark=self.mark if parts.mark is None else parts.mark,
            velocity=parts.velocity or dynamic,
        )


def _read_folder(stems: list[str], middle_c_octave: int) -> list[NameParts]:
    tokens = [tokenise(stem) for stem in stems]
    groups: dict[str, list[int]] = defaultdict(list)
    for i, parts in enumerate(tokens):
        groups[shape(parts)].append(i)
    read: dict[int, NameParts] = {}
    for kinds, members in groups.items():
        marked = [[token for token in tokens[i] if token.kind != "T"] for i in members]
        roles = _find_roles(kinds, marked)
        for i, own in zip(members, marked, strict=True):
            is_odd = len(members) == 1 and len(stems) > 1
            read[i] = _parts(stems[i], own, roles, middle_c_octave, is_odd)
    return _without_counters([read[i] for i in range(len(stems))])


def _find_roles(whole: str, names: list[list[Token]]) -> _Roles:
    """Find what the tokens of names of one shape mean; `names` hold their tokens but text."""
    kinds, numbers = whole.replace("T", ""), _trailing_numbers(whole)
    key, is_bare = _find_key(kinds, names, numbers)
    velocity = kinds.find("V") if "V" in kinds else None
    repeats = {i for i, kind in enumerate(kinds) if kind == "R"}
    behind = [i for i in numbers if key is not None and i > key]
    for i in reversed(behind):
        if velocity is None and _is_velocity(
            [name[i].value for name in names], [_key_text(name, key) for name in names]
        ):
            velocity = i
        else:
            repeats.add(i)
    if velocity is None and "D" in kinds:
        dynamic = kinds.rfind("D")
        velocity = dynamic if len({name[dynamic].value for name in names}) > 1 else None
    return _Roles(key, velocity, frozenset(repeats), is_bare)


def _find_key(kinds: str, names: list[list[Token]], trailing: list[int]) -> tuple[int | None, bool]:
    """Return the index of the key, and whether it is a bare number."""
    for kind in "NK":
        there = [i for i, one in enumerate(kinds) if one == kind and (kind == "N" or _are_keys(names, i, one))]
        if there:
            return max(there, key=lambda i: (len({name[i].text for name in names}), i)), False
    numbers = [i for i in trailing if _are_keys(names, i, "#")]
    pair = [i for i in numbers if kinds[i + 1 : i + 2] in set("#V") and _in_range(names, i + 1, 1)]
    if pair:
        beyond_layers = [i for i in pair if any(name[i + 1].value > LARGEST_LAYER for name in names)]
        return max(beyond_layers or pair, key=lambda i: (len({name[i].value for name in names}), i)), False
    varying = [i for i in numbers if len({name[i].value for name in names}) > 1]
    return (varying[-1], True) if varying else (None, False)


def _are_keys(names: list[list[Token]], i: int, kind: str) -> bool:
    lowest = LOWEST_BARE_KEY if kind == "#" or len(names[0][i].text) <= len("m000") else 0
    return _in_range(names, i, lowest)


def _in_range(names: list[list[Token]], i: int, lowest: int) -> bool:
    return all(lowest <= name[i].value <= 127 for name in names)


def _trailing_numbers(whole: str) -> list[int]:
    """Return the indices of bare numbers behind which there are only numbers and marks of repeats and velocities.

    They count the tokens but text.
    """
    at = [i for i, kind in enumerate(whole) if kind == "#" and not set(whole[i:]) - set("#RV")]
    return [i - whole[:i].count("T") for i in at]


def _key_text(name: list[Token], key: int | None) -> str:
    return name[key].text if key is not None else ""


def _is_velocity(values: list[int], keys: list[str]) -> bool:
    """Tell whether bare numbers behind a key are velocities: beyond counting, and not a count of the files."""
    if not all(1 <= value <= 127 for value in values) or max(values) <= LARGEST_LAYER:
        return False
    if len(set(values)) == 1:
        return True
    by_key: dict[str, set[int]] = defaultdict(set)
    for value, key in zip(values, keys, strict=True):
        by_key[key].add(value)
    varies = any(len(own) > 1 for own in by_key.values())
    counts = len(by_key) > 1 and len(set(values)) == len(values)
    return varies and not counts


def _parts(stem: str, marked: list[Token], roles: _Roles, middle_c_octave: int, is_odd: bool) -> NameParts:
    """Read one name by the roles of its shape; one that no other is like may not hold two keys."""
    key = marked[roles.key] if roles.key is not None else None
    velocity = marked[roles.velocity] if roles.velocity is not None else None
    same = {key.text} if key else set()
    used = [
        token
        for i, token in enumerate(marked)
        if i in roles.dropped or token is velocity or token is key or (token.kind == "N" and token.text in same)
    ]
    try:
        pitch = _pitch(key, marked, middle_c_octave, is_odd)
    except AudioFileError as error:
        return NameParts(_words(stem, used), problem=str(error))
    mark = velocity.value if velocity and velocity.kind == "V" else None
    value = velocity.value if velocity and velocity.kind != "V" else None
    return NameParts(_words(stem, used), pitch, value, mark, roles.is_bare)


def _pitch(key: Token | None, marked: list[Token], middle_c_octave: int, is_odd: bool) -> int | None:
    if key is None or key.kind != "N":
        return key.value if key else None
    pitch = parse_pitch(key.text, middle_c_octave)
    if is_odd:
        keys = {parse_pitch(one.text, middle_c_octave): one.text for one in marked if one.kind == "N"}
        if len(keys) > 1:
            raise AudioFileError(f"bad pitch: the name holds two, {' and '.join(keys.values())}; list it in notes.csv")
    return pitch


def _words(stem: str, used: list[Token]) -> str:
    """Return what stands before the parts that are used, or behind them where nothing does."""
    if not used:
        return stem.rstrip("0123456789").strip(EDGES)
    first, last = min(token.start for token in used), max(token.end for token in used)
    before = stem[:first].strip(EDGES)
    if before:
        return before
    behind = [token.text for token in tokenise(stem[last:]) if token.kind == "T"]
    return " ".join(behind)


def _without_counters(read: list[NameParts]) -> list[NameParts]:
    """Take numbers out of the words where they only count files: each file would be an instrument of its own."""
    words = [parts.prefix for parts in read]
    bare = [DIGITS_AT_EDGES.sub("", one).strip(EDGES) for one in words]
    counted = len(set(words)) == len(words) >= MIN_NAMED_ALIKE and len(set(bare)) < len(set(words))
    return [replace(parts, prefix=one) for parts, one in zip(read, bare, strict=True)] if counted else read


def _with_velocities(found: Mapping[PurePath, NameParts]) -> dict[PurePath, NameParts]:
    """Turn marks into velocities, instrument by instrument: those that stay small count layers, spread over 1..127."""
    marks: dict[str, set[int]] = defaultdict(set)
    for parts in found.values():
        if parts.mark is not None:
            marks[instrument_name(parts.prefix)].add(parts.mark)
    return {path: _with_velocity(parts, marks[instrument_name(parts.prefix)]) for path, parts in found.items()}


def _with_velocity(parts: NameParts, marks: Iterable[int]) -> NameParts:
    if parts.mark is None or parts.problem:
        return parts
    numbers = sorted(marks)
    if numbers[-1] > LARGEST_LAYER:
        if 1 <= parts.mark <= 127:
            return replace(parts, velocity=parts.mark, mark=None)
        return replace(parts, problem=f"bad velocity: expected 1..127, got {str(parts.mark)!r}")
    if len(numbers) == 1:  # one layer tells nothing
        return replace(parts, mark=None)
    first = min(numbers[0], 1)
    velocity = round(127 * (parts.mark - first + 1) / (numbers[-1] - first + 1))
    return replace(parts, velocity=velocity, mark=None)
