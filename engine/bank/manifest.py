"""The manifest of a bank: `bank.json`, every field of which is checked for type and range before it is used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from ...errors import BankError
from ..instrument_files.levels import NO_LEVELS, KeyLevels, levels_in
from ..keys.correction import CorrectionRoom
from ..keys.motions import KeyRoom
from ..keys.stored.npz import NUM_KEYS
from ..keys.stored.table import MAX_BANDS, MAX_COURSES
from ..regular_files import is_plain_name
from ..spectra.spec import MOST
from ..values import items, mapping, member, numbers, rising_keys, text, truth, whole, wrong

FORMAT: Final = "tnca-synth bank 1"
"""Timbres lie in the models, what was measured beside them, and tunings in the manifest."""
FORMAT_OF_FILES: Final = "tnca-synth bank 2"
"""Instruments may be files of their own."""
MANIFEST: Final = "bank.json"
MAX_MANIFEST_BYTES: Final = 16 * 2**20
MAX_FILE_BYTES: Final = 2**30
"""An imported vocoder of 112 million weights has 450 MB."""
MAX_FILES: Final = 1000
MAX_INSTRUMENTS: Final = 10_000
MAX_CENTS: Final = 1200.0
MAX_INHARMONICITY: Final = 0.1
MAX_MOMENTS: Final = 10_000
NO_TUNING: Final = ((60,), (0.0,), (0.0,))
"""Of an instrument that is a file, which holds its own."""
MODEL_PARTS: Final = ("seed", "step")
_HEXADECIMAL: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class FileFacts:
    """What a manifest says of a file: its SHA-256 in hexadecimal, and its length if it is given."""

    sha256: str
    num_bytes: int | None


@dataclass(frozen=True)
class InstrumentFacts:
    """What a manifest says of an instrument; see `engine.bank.instruments.BankInstrument` and `Tuning`.

    Attributes
    ----------
    files : representation -> name of the instrument's file; empty where its timbres lie in the models
    drums : keys of the drums of a kit that is a file
    shared : key of a kit -> the timbre of another kit that is its drum
    levels : keys, dB and slope of `engine.bank.instruments.Levels`
    bank : number of the variation of its program that it is; 0 for the program itself
    """

    name: str
    program: int
    is_drums: bool
    pitched: bool
    low: int
    high: int
    keys: tuple[int, ...]
    cents: tuple[float, ...]
    inharmonicity: tuple[float, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    drums: tuple[int, ...] = ()
    shared: Mapping[int, str] = field(default_factory=dict)
    levels: KeyLevels = NO_LEVELS
    bank: int = 0


@dataclass(frozen=True)
class OtherBank:
    """What a manifest says of another bank: the representations that it serves, and the SHA-256 of its manifest."""

    representations: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A checked manifest.

    Attributes
    ----------
    models : representation -> part -> file name
    decoders : name -> file name
    instruments : of all representations
    files : name -> what it must be
    rooms : representation -> how large the keys of instruments that are files may be
    sample_rate : at which a synth mixes that plays this bank, in Hz; None where its representations say it
    others : folder beside the manifest -> the bank there, which has further representations
    """

    models: dict[str, dict[str, str]]
    decoders: dict[str, str]
    instruments: tuple[InstrumentFacts, ...]
    files: dict[str, FileFacts]
    rooms: Mapping[str, KeyRoom] = field(default_factory=dict)
    sample_rate: int | None = None
    others: Mapping[str, OtherBank] = field(default_factory=dict)


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
    if not isinstance(values, dict) or values.get("format") not in (FORMAT, FORMAT_OF_FILES):
        raise BankError(f"it is not a bank of this version (expected format {FORMAT!r} or {FORMAT_OF_FILES!r})")
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
    facts = tuple(_instrument(f"instruments[{index}]", one, models, files) for index, one in enumerate(instruments))
    rooms = {
        name: _room(f"rooms.{name}", room)
        for name, room in mapping("rooms", values.get("rooms", {}), MAX_FILES).items()
    }
    others = {
        _file_name("a name in others", name): _other(f"others.{name}", other, models)
        for name, other in mapping("others", values.get("others", {}), MAX_FILES).items()
    }
    rate = values.get("sample_rate")
    sample_rate = None if rate is None else whole("sample_rate", rate, 1, MOST["sample_rate"])
    return Manifest(models, decoders, facts, files, rooms, sample_rate, others)


def manifest_bytes(
    models: Mapping[str, Mapping[str, str]],
    decoders: Mapping[str, str],
    instruments: Sequence[Mapping[str, Any]],
    files: Mapping[str, bytes],
    rooms: Mapping[str, KeyRoom],
    licence: str = "",
) -> bytes:
    """Return the manifest of a bank whose instruments are files.

    Parameters
    ----------
    models : representation -> part -> file name
    decoders : name -> file name
    instruments : an entry for each, as docs/instruments.md describes it
    files : all files of the bank but the manifest
    rooms : representation -> how large keys may be
    """
    values = {
        "format": FORMAT_OF_FILES,
        "licence": licence,
        "models": models,
        "decoders": decoders,
        "rooms": {name: room_as_json(room) for name, room in rooms.items()},
        "instruments": [*instruments],
        "files": {name: file_entry(content) for name, content in files.items()},
    }
    return (json.dumps(values, indent=1) + "\n").encode()


def file_entry(content: bytes) -> dict[str, Any]:
    """Return what a manifest says of a file."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def room_as_json(room: KeyRoom) -> dict[str, Any]:
    """Return what a manifest says of a representation's room for keys."""
    correction = room.correction
    known = None if correction is None else {**correction._asdict(), "moments": [*correction.moments]}
    return {"swells": room.swells, "correction": known}


def _room(where: str, value: object) -> KeyRoom:
    values = mapping(where, value, MAX_FILES)
    swells = whole(*member(values, "swells", where), 0, MAX_COURSES)
    place, known = member(values, "correction", where)
    if known is None:
        return KeyRoom(swells)
    correction = mapping(place, known, MAX_FILES)
    moments = items(*member(correction, "moments", place), MAX_MOMENTS, 1)
    frames = tuple(whole(f"{place}.moments[{index}]", one, 0, 2**31 - 1) for index, one in enumerate(moments))
    if any(low >= high for low, high in pairwise(frames)):
        raise wrong(f"{place}.moments", moments, "rising spectral frames")
    return KeyRoom(
        swells,
        CorrectionRoom(
            text(*member(correction, "field", place)),
            whole(*member(correction, "partials", place), 0, MAX_BANDS),
            whole(*member(correction, "bands", place), 0, MAX_BANDS),
            whole(*member(correction, "courses", place), 1, MAX_COURSES),
            frames,
        ),
    )


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _parts(where: str, value: object, files: dict[str, FileFacts]) -> dict[str, str]:
    parts = mapping(where, value, MAX_FILES)
    for part in MODEL_PARTS:
        member(parts, part, where)
    return {part: _listed(f"{where}.{part}", file, files) for part, file in parts.items()}


def _other(where: str, value: object, models: Mapping[str, object]) -> OtherBank:
    values = mapping(where, value, MAX_FILES)
    place, names = member(values, "representations", where)
    found = tuple(text(f"{place}[{index}]", one) for index, one in enumerate(items(place, names, MAX_FILES, 1)))
    if any(name in models for name in found):
        raise wrong(place, names, f"representations that this bank lacks, which has {', '.join(models)}")
    return OtherBank(found, _digest(*member(values, "sha256", where)))


def _digest(where: str, value: object) -> str:
    if type(value) is not str or len(value) != 64 or not set(value) <= _HEXADECIMAL:
        raise wrong(where, value, "64 hexadecimal digits")
    return value


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
    digest = _digest(*member(facts, "sha256", where))
    length = facts.get("bytes")
    return FileFacts(digest, None if length is None else whole(f"{where}.bytes", length, 0, MAX_FILE_BYTES))


def _instrument(
    where: str, value: object, models: Mapping[str, object], files: dict[str, FileFacts]
) -> InstrumentFacts:
    values = mapping(where, value, MAX_FILES)

    def own_field(name: str) -> tuple[str, Any]:
        return member(values, name, where)

    low, high = (whole(*own_field(name), 0, 127) for name in ("low", "high"))
    if low > high:
        raise wrong(f"{where}.low", low, f"at most {where}.high, which is {high}")
    own = {
        representation: _listed(f"{where}.files.{representation}", file, files)
        for representation, file in mapping(f"{where}.files", values.get("files", {}), MAX_FILES).items()
    }
    if not own.keys() <= models.keys():
        raise wrong(f"{where}.files", [*own], f"representations of the bank: {', '.join(models)}")
    is_file = bool(own) and "tuning" not in values
    keys, cents, inharmonicity = NO_TUNING if is_file else _tuning(*own_field("tuning"))
    is_drums = truth(*own_field("is_drums"))
    drums = rising_keys(*own_field("drums")) if own and is_drums else []
    return InstrumentFacts(
        name=text(*own_field("name")),
        program=whole(*own_field("program"), 0, 127),
        is_drums=is_drums,
        pitched=truth(*own_field("pitched")),
        low=low,
        high=high,
        keys=keys,
        cents=cents,
        inharmonicity=inharmonicity,
        files=own,
        drums=tuple(drums),
        shared=_shared(f"{where}.shared", values.get("shared", {})),
        levels=levels_in(*own_field("levels")) if "levels" in values else NO_LEVELS,
        bank=whole(*own_field("bank"), 0, 127) if "bank" in values else 0,
    )


def _shared(where: str, value: object) -> dict[int, str]:
    """Return the timbres of other kits by the key that plays them."""
    found: dict[int, str] = {}
    for key, timbre in mapping(where, value, NUM_KEYS).items():
        if not (key.isascii() and key.isdecimal() and int(key) < NUM_KEYS):
            raise wrong(where, key, f"keys 0..{NUM_KEYS - 1}")
        found[int(key)] = text(f"{where}.{key}", timbre)
    return found


def _tuning(where: str, value: object) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    values = mapping(where, value, MAX_FILES)
    keys = rising_keys(*member(values, "keys", where))
    count = len(keys)
    cents = numbers(*member(values, "cents", where), -MAX_CENTS, MAX_CENTS, count, count)
    stiffness = numbers(*member(values, "inharmonicity", where), 0.0, MAX_INHARMONICITY, count, count)
    return tuple(keys), tuple(cents), tuple(stiffness)
