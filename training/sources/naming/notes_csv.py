"""`notes.csv`: what a folder's names do not say about its notes, one row per file."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from os.path import normpath
from pathlib import Path
from typing import Final

from ....errors import AudioFileError, DatasetError
from .names import parse_pitch, parse_velocity

FILE_NAME: Final = "notes.csv"
COLUMNS: Final = ("file", "pitch", "velocity", "instrument", "hold_s")


@dataclass(frozen=True)
class Row:
    """One row of `notes.csv`; None where its cell is empty.

    Attributes
    ----------
    path : the sound file
    where : ``notes.csv row 3``, for messages; the header is row 1
    problem : why the row is of no use, or None
    """

    path: Path
    where: str
    pitch: int | None = None
    velocity: int | None = None
    instrument: str | None = None
    hold_s: float | None = None
    problem: str | None = None


def read_rows(table: Path, middle_c_octave: int = 4) -> list[Row]:
    """Read the rows of a `notes.csv`, those with a mistake too.

    The columns are ``file,pitch[,velocity,instrument,hold_s]`` in any order, between commas or semicolons; `file` is
    relative to the table. UTF-8.

    Raises
    ------
    DatasetError
        The table as a whole cannot be read: not text, a column missing or unknown.
    """
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except OSError as error:
        raise DatasetError(f"cannot read {table}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"cannot read {table}: it is not UTF-8 text") from error
    header = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=";" if header.count(";") > header.count(",") else ",")
    try:
        columns = _columns(table, next(reader, []))
        return list(_rows(table, reader, columns, middle_c_octave))
    except csv.Error as error:
        raise DatasetError(f"{table} line {reader.line_num}: {error}") from error


def _columns(table: Path, header: list[str]) -> list[str]:
    columns = [name.strip().lower() for name in header]
    for name in columns:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = f", did you mean {near[0]!r}?" if near else f"; known are {', '.join(COLUMNS)}"
            raise DatasetError(f"{table} row 1: unknown column {name!r}{hint}")
    if not {"file", "pitch"} <= set(columns) or len(set(columns)) < len(columns):
        raise DatasetError(f"{table} row 1: expected the columns file,pitch[,velocity,instrument,hold_s], each once")
    return columns


def _rows(table: Path, reader: Iterator[list[str]], columns: list[str], middle_c_octave: int) -> Iterator[Row]:
    seen: dict[Path, int] = {}
    for number, cells in enumerate(reader, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{table.name} row {number}"
        values = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
        path = Path(normpath(table.parent / values["file"].replace("\\", "/"))) if values.get("file") else table
        try:
            if len(cells) > len(columns):
                raise AudioFileError(f"{len(cells)} cells under {len(columns)} columns")
            if path == table:
                raise AudioFileError("no file is named")
            if path in seen:
                raise AudioFileError(f"row {seen[path]} names the same file")
            seen[path] = number
            yield _row(path, where, values, middle_c_octave)
        except AudioFileError as error:
            yield Row(path, where, problem=f"bad row: {where}: {error}")


def _row(path: Path, where: str, values: dict[str, str], middle_c_octave: int) -> Row:
    pitch, velocity, hold = (values.get(name) for name in ("pitch", "velocity", "hold_s"))
    return Row(
        path,
        where,
        parse_pitch(pitch, middle_c_octave) if pitch else None,
        parse_velocity(velocity) if velocity else None,
        values.get("instrument") or None,
        _parse_hold(hold) if hold else None,
    )


def _parse_hold(text: str) -> float:
    try:
        hold_s = float(text)
    except ValueError:
        hold_s = -1.0
    if not (isfinite(hold_s) and hold_s > 0):
        raise AudioFileError(f"bad hold_s: expected seconds above 0, got {text!r}")
    return hold_s
