"""The manifest of a bank: `bank.json`, every field of which is checked for type and range before it is used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from ...errors import BankError
from ..regular_files import is_plain_name
from ..values import items, mapping, member, numbers, rising_keys, text, truth, whole, wrong

FORMAT: Final = "tnca-synth bank 1"
MANIFEST: Final = "bank.json"
MAX_MANIFEST_BYTES: Final = 16 * 2**20
MAX_FILE_BYTES: Final = 2**30
"""An imported vocoder of 112 million weights has 450 MB."""
MAX_FILES: Final = 1000
MAX_INSTRUMENTS: Final = 10_000
MAX_CENTS: Final = 1200.0
MAX_INHARMONICITY: Final = 0.1
MODEL_PARTS: Final = ("seed", "step")
_HEXADECIMAL: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class FileFacts:
    """What a manifest says of a file: its SHA-256 in hexadecimal, and its length if it is given."""

    sha256: str
    num_bytes: int | None


@dataclass(frozen=True)
class InstrumentFacts:
    """What a manifest says of an instrument; see `engine.bank.bank.Instrument` and `engine.bank.instruments.Tuning`."""

    name: str
    program: int
    is_drums: bool
    pitched: bool
    low: int
    high: int
    keys: tuple[int, ...]
    cents: tuple[float, ...]
    inharmonicity: tuple[float, ...]


@dataclass(frozen=True)
class Manifest:
    """A checked manifest.

    Attributes
    ----------
    models : representation -> part -> file name
    decoders : name -> file name
    instruments : of all representations
    files : name -> what it must be
    """

    models: dict[str, dict[str, str]]
    decoders: dict[str, str]
    instruments: tuple[InstrumentFacts, ...]
    files: dict[str, FileFacts]


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises
    ------
    BankError
        If it is not JSON, not of this version, or a field is missing, of another type or out of its range. The text
        names the field, its value and what was expected.
    """
    try:
        values = json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise BankError(f"it is not JSON: {reason}") from error
    return check_manifest(values)


def check_manifest(values: object) -> Manifest:
    """Check the values of a manifest; see `parse_manifest`."""
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise BankError(f"it is not a bank of this version (expected format {FORMAT!r})")
    files = {
        _file_name("a name in files", name): _file_facts(f"files[{name!r}]", facts)
        for name, facts in mapping(*member(values, "files"), MAX_FILES).items()
    }
    models = {
        name: _parts(f"models.{name}", parts, files)
        for name, parts in mapping(*member(values, "models"), MAX_FILES).items()
    }
    decoders = {
        name: _listed(f"decoders.{name}", file, files)
        for name, file in mapping(*member(values, "decoders"), MAX_FILES).items()
    }
    instruments = items(*member(values, "instruments"), MAX_INSTRUMENTS)
    facts = tuple(_instrument(f"instruments[{index}]", one) for index, one in enumerate(instruments))
    return Manifest(models, decoders, facts, files)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _parts(where: str, value: object, files: dict[str, FileFacts]) -> dict[str, str]:
    parts = mapping(where, value, MAX_FILES)
    for part in MODEL_PARTS:
        member(parts, part, where)
    return {part: _listed(f"{where}.{part}", file, files) for part, file in parts.items()}


def _listed(where: str, value: object, files: dict[str, FileFacts]) -> str:
    """Return a file name that is among `files`."""
    name = text(where, value)
    if name not in files:
        raise wrong(where, value, "the name of a file in files")
    return name


def _file_name(where: str, name: str) -> str:
    """Return a file name that leads nowhere else, on any system."""
    if not is_plain_name(name):
        raise wrong(where, name, "a file name without folders")
    return name


def _file_facts(where: str, value: object) -> FileFacts:
    facts = mapping(where, value, MAX_FILES)
    place, digest = member(facts, "sha256", where)
    if type(digest) is not str or len(digest) != 64 or not set(digest) <= _HEXADECIMAL:
        raise wrong(place, digest, "64 hexadecimal digits")
    length = facts.get("bytes")
    return FileFacts(digest, None if length is None else whole(f"{where}.bytes", length, 0, MAX_FILE_BYTES))


def _instrument(where: str, value: object) -> InstrumentFacts:
    values = mapping(where, value, MAX_FILES)

    def field(name: str) -> tuple[str, Any]:
        return member(values, name, where)

    low, high = (whole(*field(name), 0, 127) for name in ("low", "high"))
    if low > high:
        raise wrong(f"{where}.low", low, f"at most {where}.high, which is {high}")
    keys, cents, inharmonicity = _tuning(*field("tuning"))
    return InstrumentFacts(
        name=text(*field("name")),
        program=whole(*field("program"), 0, 127),
        is_drums=truth(*field("is_drums")),
        pitched=truth(*field("pitched")),
        low=low,
        high=high,
        keys=keys,
        cents=cents,
        inharmonicity=inharmonicity,
    )


def _tuning(where: str, value: object) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    values = mapping(where, value, MAX_FILES)
    keys = rising_keys(*member(values, "keys", where))
    count = len(keys)
    cents = numbers(*member(values, "cents", where), -MAX_CENTS, MAX_CENTS, count, count)
    stiffness = numbers(*member(values, "inharmonicity", where), 0.0, MAX_INHARMONICITY, count, count)
    return tuple(keys), tuple(cents), tuple(stiffness)
