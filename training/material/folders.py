"""Folders of notes: one file each, named by key or by drum, or in the NSynth layout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ...errors import DatasetError, UsageError
from ..sources.base import CheckedSource, Entry
from ..sources.folder import FolderSource
from ..sources.naming.drums import drum_key
from ..sources.naming.naming import NameParts
from ..sources.nsynth import NSynthSource
from .keeping import Keeper
from .material import Finding, Gathered, Wishes
from .takes import is_take, read_takes, sound_files

MOST_ARE_DRUMS: Final = 0.6
LEAST_DRUMS: Final = 2
MOST_LISTED: Final = 12
MOST_TAKES: Final = 40
TRIED: Final = 3


def read_folder(path: Path, sample_rate: int, wishes: Wishes) -> Gathered:
    """Read a folder of notes, of drums where its names say so, or of long takes."""
    source = FolderSource(path, sample_rate, velocity=wishes.velocity, compare=False)
    names = source.names()
    is_kit = are_drums(names) if wishes.drums is None else wishes.drums
    if not is_kit and _are_takes(path, names):
        return read_takes(path, sample_rate, wishes)
    if is_kit:
        source = FolderSource(path, sample_rate, drums=True, velocity=wishes.velocity, compare=False)
    gathered = _gather(source, sample_rate, "folder", path)
    gathered.is_kit = is_kit
    instruments = sorted({one.instrument for one in gathered.recordings})
    if len(instruments) > 1 and not is_kit:
        gathered.remarks.append(
            f"names tell {len(instruments)} instruments, learned as one: {_some(instruments)}; "
            "name a sub-folder to learn one alone"
        )
    return gathered


def read_nsynth(path: Path, sample_rate: int, wishes: Wishes) -> Gathered:
    """Read the notes of one instrument of an NSynth folder: of the one that is asked for, or the only one."""
    source = NSynthSource(path, sample_rate, instruments=[wishes.preset] if wishes.preset else ())
    instruments = source.instruments()
    if len(instruments) > 1:
        raise UsageError(f"{path} holds {len(instruments)} instruments, name one with --preset: {_some(instruments)}")
    gathered = _gather(source, sample_rate, "nsynth", path)
    gathered.name = instruments[0] if instruments else None
    return gathered


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_LISTED]) + (" ..." if len(names) > MOST_LISTED else "")


def are_drums(names: list[NameParts]) -> bool:
    """Tell whether most files of a folder are named by drums, of two or more kinds."""
    keys = [drum_key(one.words) or drum_key(one.prefix) for one in names if one.pitch is None or one.is_bare]
    drums = [key for key in keys if key is not None]
    return len(drums) >= MOST_ARE_DRUMS * len(names) and len(set(drums)) >= LEAST_DRUMS


def _are_takes(path: Path, names: list[NameParts]) -> bool:
    """Tell whether the files of a folder hold several notes each, from some of those that name no key."""
    files = sound_files(path)
    if not files or len(files) > MOST_TAKES or any(one.pitch is not None and not one.is_bare for one in names):
        return False
    tried = [is_take(file) for file in files[:TRIED]]
    return 2 * sum(tried) > len(tried)


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
