"""Folders of notes: one file each, named by key or by drum, or in the NSynth layout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ...errors import DatasetError
from ..sources.base import CheckedSource, Entry
from ..sources.folder import FolderSource
from ..sources.naming.drums import drum_key
from ..sources.naming.naming import NameParts
from ..sources.nsynth import NSynthSource
from .keeping import Keeper
from .material import Finding, Gathered, Wishes

MOST_ARE_DRUMS: Final = 0.6
LEAST_DRUMS: Final = 2


def read_folder(path: Path, sample_rate: int, wishes: Wishes) -> Gathered:
    """Read a folder of notes, or of drums where its names say so."""
    source = FolderSource(path, sample_rate, velocity=wishes.velocity, compare=False)
    is_kit = are_drums(source.names()) if wishes.drums is None else wishes.drums
    if is_kit:
        source = FolderSource(path, sample_rate, drums=True, velocity=wishes.velocity, compare=False)
    gathered = _gather(source, sample_rate, "folder", path)
    gathered.is_kit = is_kit
    instruments = sorted({one.instrument for one in gathered.recordings})
    if len(instruments) > 1 and not is_kit:
        shown = ", ".join(instruments[:5]) + (" ..." if len(instruments) > 5 else "")
        gathered.remarks.append(
            f"names tell {len(instruments)} instruments, learned as one: {shown}; name a sub-folder to learn one of them"
        )
    return gathered


def read_nsynth(path: Path, sample_rate: int, wishes: Wishes) -> Gathered:
    """Read the notes of an NSynth folder; it must hold one instrument."""
    gathered = _gather(NSynthSource(path, sample_rate), sample_rate, "nsynth", path)
    instruments = sorted({one.instrument for one in gathered.recordings})
    if len(instruments) > 1:
        shown = ", ".join(instruments[:5]) + (" ..." if len(instruments) > 5 else "")
        raise DatasetError(f"{path} holds {len(instruments)} instruments: {shown}; name one with --preset")
    return gathered


def are_drums(names: list[NameParts]) -> bool:
    """Tell whether most files of a folder are named by drums, of two or more kinds."""
    keys = [drum_key(one.words) or drum_key(one.prefix) for one in names if one.pitch is None or one.is_bare]
    drums = [key for key in keys if key is not None]
    return len(drums) >= MOST_ARE_DRUMS * len(names) and len(set(drums)) >= LEAST_DRUMS


def _gather(source: CheckedSource[Entry], sample_rate: int, kind: str, path: Path) -> Gathered:
    keeper = Keeper(sample_rate)
    try:
        for recording in source:
            keeper.add(recording)
    except DatasetError:
        if not source.report.skipped:
            raise
    findings = [Finding(_relative(one.path, path), one.reason) for one in source.report.skipped]
    return Gathered(kind, keeper.recordings, findings + keeper.findings)


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
