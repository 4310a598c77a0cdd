"""Instrument files, `.tnca`: an instrument for the foundation that it was learned on, in one file.

Reading one runs nothing: it holds numbers and text. docs/instruments.md describes the form.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from ...errors import BankError
from ...whole_files import write_whole
from ..keys.stored.table import KeyTable
from ..regular_files import read_regular_file
from ..values import member, text
from .container import MAX_FILE_BYTES, Archive, make_archive
from .facts import FORMAT, VERSION, InstrumentFacts, facts_as_json, facts_in, parse_json, version_in
from .packing import num_bytes_in, pack, unpack

SUFFIX: Final = ".tnca"


@dataclass(frozen=True, eq=False)
class InstrumentFile:
    """An instrument: what is known of it, and its key table.

    Raises
    ------
    BankError
        Facts and table contradict each other.
    """

    facts: InstrumentFacts
    table: KeyTable

    def __post_init__(self) -> None:
        """Check that a kit has the drums that it names, and that all else has none."""
        drums = {f":{key}" for key in self.facts.drums} if self.facts.is_drums else {""}
        if drums != set(self.table.suffixes):
            expected = "its timbres must be those of its drums" if self.facts.is_drums else "it has one timbre"
            raise BankError(f"it is of kind {self.facts.kind}: {expected}, got {len(self.table.suffixes)} timbres")

    def __repr__(self) -> str:
        """Tell name and size."""
        return f"<InstrumentFile {self.facts.name!r} of {len(self.table.key)} recorded keys>"

    def renamed(self, name: str) -> InstrumentFile:
        """Return the same instrument under another name."""
        return replace(self, facts=replace(self.facts, name=name))


def foundation_id(seed_model: bytes, step_model: bytes) -> str:
    """Return what identifies a foundation: the SHA-256 of its seed model's SHA-256 and then its step model's.

    Parameters
    ----------
    seed_model, step_model : the contents of both ONNX files
    """
    return foundation_of(*(hashlib.sha256(content).hexdigest() for content in (seed_model, step_model)))


def foundation_of(seed_sha256: str, step_sha256: str) -> str:
    """Return what `foundation_id` does, from the hexadecimal digests of both models."""
    return hashlib.sha256(bytes.fromhex(seed_sha256) + bytes.fromhex(step_sha256)).hexdigest()


def is_file_name(wanted: object) -> bool:
    """Tell whether what names an instrument is a path: it ends in .tnca, or is a path object."""
    return isinstance(wanted, os.PathLike) or (isinstance(wanted, str) and wanted.lower().endswith(SUFFIX))


def instrument_bytes(instrument: InstrumentFile) -> bytes:
    """Return the content of an instrument's file; the same instrument gives the same bytes."""
    about, arrays = pack(instrument.table)
    values: dict[str, Any] = {"format": f"{FORMAT} {VERSION}", **facts_as_json(instrument.facts), **about}
    values["sha256"] = hashlib.sha256(arrays).hexdigest()
    return make_archive((json.dumps(values, separators=(",", ":")) + "\n").encode(), arrays)


def write_instrument(path: str | os.PathLike[str], instrument: InstrumentFile) -> int:
    """Write an instrument's file, whole or not at all; return its size in bytes.

    Raises
    ------
    BankError
        If it cannot be written.
    """
    content = instrument_bytes(instrument)
    try:
        write_whole(Path(path), content)
    except OSError as error:
        raise BankError(f"cannot write {os.fspath(path)}: {error.strerror}") from error
    return len(content)


def parse_instrument(content: bytes) -> InstrumentFile:
    """Return the instrument that a file's content holds.

    Raises
    ------
    BankError
        If it is no instrument file, is damaged, too large, or of a newer form; the text says which.
    """
    if len(content) > MAX_FILE_BYTES:
        raise BankError(f"it has {len(content)} bytes, expected {MAX_FILE_BYTES} at most")
    archive = Archive(content)
    values = _values(archive)
    facts = facts_in(values)
    arrays = archive.arrays(num_bytes_in(values))
    if hashlib.sha256(arrays).hexdigest() != text(*member(values, "sha256")):
        raise BankError("it is damaged: the hash of its arrays differs from what it says")
    return InstrumentFile(facts, unpack(values, arrays))


def read_instrument(path: str | os.PathLike[str]) -> InstrumentFile:
    """Read an instrument's file.

    Raises
    ------
    BankError
        If it cannot be read, or as `parse_instrument`; the text begins with the path.
    """
    content = read_content(path)
    try:
        return parse_instrument(content)
    except BankError as error:
        raise BankError(f"{os.fspath(path)}: {error}") from error


def read_facts(path: str | os.PathLike[str]) -> InstrumentFacts:
    """Return what an instrument's file says of itself, without unpacking its arrays; raises as `read_instrument`."""
    content = read_content(path)
    try:
        return facts_in(_values(Archive(content)))
    except BankError as error:
        raise BankError(f"{os.fspath(path)}: {error}") from error


def facts_at(path: Path) -> InstrumentFacts:
    """Return what a file says of itself; it is read again only when it has changed; raises as `read_instrument`."""
    try:
        seen = path.stat()
    except (OSError, ValueError):
        return read_facts(path)  # says what is wrong
    return _facts_as_of(path, (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns))


@lru_cache(maxsize=64)
def _facts_as_of(path: Path, _version: tuple[int, ...]) -> InstrumentFacts:
    return read_facts(path)


def read_content(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of an instrument's file; `BankError` if they cannot be read."""
    try:
        return read_regular_file(Path(path), MAX_FILE_BYTES)
    except OSError as error:
        raise BankError(f"cannot read the instrument {os.fspath(path)}: {error.strerror}") from error
    except ValueError as error:  # a path with a null character
        raise BankError(f"cannot read the instrument {os.fspath(path)!r}: {error}") from error


def _values(archive: Archive) -> dict[str, Any]:
    values = parse_json(archive.facts())
    version_in(values)
    assert isinstance(values, dict)
    return values
