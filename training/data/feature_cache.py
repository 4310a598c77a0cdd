"""Measured notes on disk: one npz file per instrument, arrays alone, so that reading it runs nothing."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...whole_files import replacing
from ..measure.note_features import NoteFeatures

ARRAYS: Final = ("mel", "linear", "sway")
"""Fields of a note that have a row for each spectral frame."""
COLUMNS: Final = (
    "instrument", "pitch", "velocity", "pitched", "held_out", "hold_s", "tuning_cents", "inharmonicity", "sustains",
    "softest", "root",
)  # fmt: skip


def save_features(path: Path, notes: Sequence[NoteFeatures]) -> None:
    """Write notes to an npz file; an interrupted write leaves none."""
    values: dict[str, Any] = {name: np.array([getattr(note, name) for note in notes]) for name in COLUMNS}
    for name in ARRAYS if notes else ():
        values[name] = np.concatenate([getattr(note, name) for note in notes])
    values["frames"] = np.array([len(note.mel) for note in notes], np.int64)
    with replacing(path) as part, part.open("wb") as stream:
        np.savez(stream, **values)


def has_features(path: Path) -> bool:
    """Tell whether a whole file of this version is there; its notes are not read."""
    try:
        with zipfile.ZipFile(path) as file:
            return {f"{name}.npy" for name in (*COLUMNS, "frames")} <= set(file.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def load_features(path: Path) -> list[NoteFeatures] | None:
    """Read what `save_features` wrote; None where there is no such file, or it is damaged or of another version."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            frames = file["frames"]
            columns = {name: file[name].tolist() for name in COLUMNS}
            arrays = {name: file[name] for name in ARRAYS if len(frames)}
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    ends = np.cumsum(frames)
    lengths = {len(column) for column in columns.values()} | {len(frames)}
    if len(lengths) > 1 or any(len(values) != ends[-1] for values in arrays.values()):
        return None
    return [
        NoteFeatures(
            **{name: column[i] for name, column in columns.items()},
            **{name: values[end - count : end] for name, values in arrays.items()},
        )
        for i, (end, count) in enumerate(zip(ends, frames, strict=True))
    ]
