"""Measured notes on disk, as arrays: reading them runs no code, whoever wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DatasetError
from .features import NoteFeatures

FRAMES = ".frames"
"""After the name of a field with frames: how many each note has."""


def store_features(path: Path, notes: Sequence[NoteFeatures]) -> None:
    """Write notes to an npz file, whole or not at all."""
    arrays: dict[str, Any] = {"count": np.array(len(notes))}
    for name in _names() if notes else ():
        values = [getattr(note, name) for note in notes]
        if isinstance(values[0], np.ndarray):
            arrays[name] = np.concatenate(values)
            arrays[name + FRAMES] = np.array([len(value) for value in values])
        else:
            arrays[name] = np.array(values)
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)
    temporary.replace(path)


def load_features(path: Path) -> list[NoteFeatures]:
    """Read what `store_features` wrote.

    Raises
    ------
    DatasetError
        If it is anything else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            columns = {name: _column(stored, name) for name in _names()} if stored["count"] else {}
            return [NoteFeatures(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    except Exception as error:  # numpy, zip and zlib raise many kinds
        raise DatasetError(f"the measured notes in {path} cannot be read; delete the file") from error


def _names() -> list[str]:
    return [one.name for one in fields(NoteFeatures)]


def _column(stored: Any, name: str) -> list[Any]:
    """Return the values of a field, one per note."""
    values: np.ndarray = stored[name]
    if name + FRAMES not in stored:
        return values.tolist()
    return np.split(values, np.cumsum(stored[name + FRAMES])[:-1])
