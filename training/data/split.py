"""Which notes training never hears: every fourth pitch and one velocity, as long as something is left to learn from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from ..measure.note_features import NoteFeatures
from ..measure.recording import HELD_OUT_VELOCITY, is_held_out_key

MOST_NAMED: Final = 6


class Note(Protocol):
    """What the rules ask of a note."""

    @property
    def instrument(self) -> str:
        """Name of its timbre."""
        ...

    @property
    def pitch(self) -> int:
        """MIDI number."""
        ...

    @property
    def velocity(self) -> int:
        """MIDI velocity."""
        ...

    @property
    def pitched(self) -> bool:
        """Whether `pitch` names a fundamental."""
        ...


Rule = Callable[[Note], bool]


def _by_velocity(note: Note) -> bool:
    return note.velocity == HELD_OUT_VELOCITY


def _by_key(note: Note) -> bool:
    return note.pitched and is_held_out_key(note.pitch)


def _by_either(note: Note) -> bool:
    return _by_velocity(note) or _by_key(note)


RULES: Final[tuple[Rule, ...]] = (_by_either, _by_key, _by_velocity)
"""The first that leaves an instrument notes to train on holds; where none does, nothing is held out."""


def held_out_flags(notes: Sequence[Note]) -> list[bool]:
    """Tell which notes training must not hear, instrument by instrument; of each at least one is left."""
    own: dict[str, list[Note]] = defaultdict(list)
    for note in notes:
        own[note.instrument].append(note)
    rules = {
        name: next((rule for rule in _rules_for(group) if not all(map(rule, group))), lambda _: False)
        for name, group in own.items()
    }
    return [rules[note.instrument](note) for note in notes]


def _rules_for(group: Sequence[Note]) -> tuple[Rule, ...]:
    """Return the rules for the notes of an instrument; where zones were read, their roots are all to be heard."""
    return (_by_velocity,) if any(getattr(note, "root", -1) >= 0 for note in group) else RULES


def hold_out(notes: Sequence[NoteFeatures]) -> list[NoteFeatures]:
    """Mark the notes that training must not hear; see `held_out_flags`."""
    return [replace(note, held_out=flag) for note, flag in zip(notes, held_out_flags(notes), strict=True)]


def describe(notes: Iterable[NoteFeatures]) -> str:
    """Say in one line what is held out, and of which instruments nothing is."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for note in notes:
        counts[note.instrument][note.held_out] += 1
    held_out = sum(held for _, held in counts.values())
    total = sum(map(sum, counts.values()))
    if not held_out:
        return f"nothing is held out of {total} notes: errors are of notes that training hears"
    rule = f"every fourth key (note % 4 == 3) and velocity {HELD_OUT_VELOCITY}"
    whole = [name for name, (_, held) in counts.items() if not held]
    others = f", and {len(whole) - MOST_NAMED} more" if len(whole) > MOST_NAMED else ""
    nothing = f"; nothing of {', '.join(whole[:MOST_NAMED])}{others}" if whole else ""
    return f"held out, not to train on: {held_out} of {total} notes ({rule}){nothing}"
