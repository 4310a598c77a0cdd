"""What an instrument file says of itself: `instrument.json`, every field of which is checked before it is used."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...errors import BankError
from ..values import items, mapping, member, number, text, whole, wrong
from .levels import NO_LEVELS, KeyLevels, levels_as_json, levels_in

FORMAT: Final = "tnca-synth instrument"
VERSION: Final = 1
"""Of the file's form. A reader takes files of this version and older ones."""
KINDS: Final = ("pitched", "unpitched", "kit")
MAX_TEXT: Final = 1000
MAX_LEARNED_FROM: Final = 10_000
MAX_FIGURES: Final = 1000
_HEXADECIMAL: Final = frozenset("0123456789abcdef")
_WORDS: Final = re.compile(rf"{FORMAT} (\d{{1,6}})")


@dataclass(frozen=True)
class InstrumentFacts:
    """What is known of an instrument without its key table.

    Attributes
    ----------
    name : one line for people
    representation : what its foundation grows, such as "dual"
    foundation : 64 hexadecimal digits, `foundation_id` of the models that it conditions
    kind : "pitched"; "unpitched", such as rain; or "kit", a drum on each key
    low, high : the keys it was trained on; others are extrapolated
    programs : General MIDI programs 0..127 that it is most alike, nearest first; of a kit, the kits it can replace
    author, licence : one line each, "" where unknown
    learned_from : one line for each recording or source
    figures : what was measured, by name
    versions : program -> version that took part in making it
    drums : MIDI key -> name of a kit's drum
    levels : how loud its keys sound beside other instruments
    """

    name: str
    representation: str
    foundation: str
    kind: str = "pitched"
    low: int = 0
    high: int = 127
    programs: tuple[int, ...] = (0,)
    author: str = ""
    licence: str = ""
    learned_from: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    drums: Mapping[int, str] = field(default_factory=dict)
    levels: KeyLevels = NO_LEVELS

    def __post_init__(self) -> None:
        """Raise `BankError` for a value of another type or out of its range."""
        text("name", self.name)
        text("representation", self.representation)
        if len(self.foundation) != 64 or not set(self.foundation) <= _HEXADECIMAL:
            raise wrong("foundation", self.foundation, "64 hexadecimal digits")
        if self.kind not in KINDS:
            raise wrong("kind", self.kind, f"one of {', '.join(KINDS)}")
        if not self.low <= self.high:
            raise wrong("low", self.low, f"at most high, which is {self.high}")

    @property
    def is_drums(self) -> bool:
        """Whether it is a kit."""
        return self.kind == "kit"

    @property
    def program(self) -> int:
        """The program that it is most alike."""
        return self.programs[0] if self.programs else 0


def version_in(values: Any) -> None:
    """Raise `BankError` unless a file is of a version that can be read; one of a newer version is named so."""
    found = values.get("format") if isinstance(values, dict) else None
    match = _WORDS.fullmatch(found) if isinstance(found, str) else None
    if match is None:
        raise BankError(f"it is no instrument file (expected format '{FORMAT} {VERSION}')")
    if int(match[1]) > VERSION:
        raise BankError(
            f"it was made by a newer tnca-synth: format {match[1]}, this one reads {VERSION}; update tnca-synth"
        )
    if int(match[1]) < 1:
        raise wrong("format", found, f"'{FORMAT} {VERSION}'")


def facts_in(values: Mapping[str, Any]) -> InstrumentFacts:
    """Return the checked facts of an `instrument.json`."""

    def field_of(name: str) -> tuple[str, Any]:
        return member(values, name)

    programs = items(*field_of("programs"), 128)
    learned = items(*field_of("learned_from"), MAX_LEARNED_FROM)
    figures = mapping(*field_of("figures"), MAX_FIGURES)
    versions = mapping(*field_of("versions"), MAX_FIGURES)
    drums = mapping(*field_of("drums"), 128)
    return InstrumentFacts(
        name=text(*field_of("name")),
        representation=text(*field_of("representation")),
        foundation=text(*field_of("foundation")),
        kind=text(*field_of("kind")),
        low=whole(*field_of("low"), 0, 127),
        high=whole(*field_of("high"), 0, 127),
        programs=tuple(whole(f"programs[{index}]", one, 0, 127) for index, one in enumerate(programs)),
        author=_line(*field_of("author")),
        licence=_line(*field_of("licence")),
        learned_from=tuple(text(f"learned_from[{index}]", one, MAX_TEXT) for index, one in enumerate(learned)),
        figures={name: number(f"figures.{name}", value, -1e12, 1e12) for name, value in figures.items()},
        versions={name: text(f"versions.{name}", value) for name, value in versions.items()},
        drums={_drum_key(key): text(f"drums.{key}", value) for key, value in drums.items()},
        levels=levels_in(*field_of("levels")) if "levels" in values else NO_LEVELS,
    )


def facts_as_json(facts: InstrumentFacts) -> dict[str, Any]:
    """Return what `facts_in` reads."""
    levels = {} if facts.levels == NO_LEVELS else {"levels": levels_as_json(facts.levels)}
    return levels | {
        "name": facts.name,
        "author": facts.author,
        "licence": facts.licence,
        "kind": facts.kind,
        "programs": [*facts.programs],
        "low": facts.low,
        "high": facts.high,
        "drums": {str(key): name for key, name in sorted(facts.drums.items())},
        "learned_from": [*facts.learned_from],
        "figures": dict(facts.figures),
        "versions": dict(facts.versions),
        "representation": facts.representation,
        "foundation": facts.foundation,
    }


def parse_json(data: bytes) -> Any:
    """Return the values of JSON text; `BankError` for anything else."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BankError(f"it is not JSON: {reason}") from error


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _line(where: str, value: object) -> str:
    return "" if value == "" else text(where, value, MAX_TEXT)


def _drum_key(key: str) -> int:
    digits = int(key) if key.isascii() and key.isdecimal() and len(key) <= 3 else -1
    return whole(f"a key in drums ({key[:20]!r})", digits, 0, 127)
