"""From a path to the notes of one instrument: which kind of input it is, what it holds, what is doubtful."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os.path import abspath
from pathlib import Path
from typing import Final

from ...errors import DatasetError, UsageError
from ..measure.recording import Recording
from ..sources.folder import SUFFIXES
from ..sources.naming.names import instrument_name
from .folders import read_folder, read_nsynth
from .listening import doubt_names, find_offset, listen, out_of_tune, same_sounds, several_notes, trust_pitch
from .material import Finding, Gathered, Material, Note, Wishes, in_order, moved_ends, transposed
from .presets import read_preset
from .sfz import read_sfz
from .takes import read_takes

SAMPLE_RATE: Final = 22050
MOST_LISTED: Final = 12
DRUMS_HINT: Final = "--drums gives each sound of a folder a key of its own"
NO_WISHES: Final = Wishes()
SFZ: Final = ".sfz"
SOUNDFONTS: Final = (".sf2", ".sf3")
Reader = Callable[[Path, int, Wishes], Gathered]


def understand(path: str | Path, sample_rate: int = SAMPLE_RATE, wishes: Wishes = NO_WISHES) -> Material:
    """Find the notes in what a user brings.

    Parameters
    ----------
    path : path-like
        A folder of notes, of takes or in the NSynth layout; one long take; a SoundFont.
    sample_rate : int
        Of the notes to return, in Hz.
    wishes : Wishes
        What the user says beside.

    Raises
    ------
    DatasetError
        There is nothing there, or no note in it is of use: one line with the first reasons.
    """
    path = _map_within(Path(path))
    gathered = _reader(path)(path, sample_rate, wishes)
    name = instrument_name(wishes.name or gathered.name or Path(abspath(path)).stem) or "instrument"
    recordings = [_named(one, name, gathered.is_kit) for one in gathered.recordings]
    material = _heard(recordings, gathered, sample_rate, wishes)
    if not material.notes:
        raise DatasetError(_nothing(path, material.findings))
    return replace(material, name=name, path=path)


def _map_within(path: Path) -> Path:
    """Return the SFZ or SoundFont of a folder that holds nothing else to read, or whose samples it maps."""
    if not path.is_dir():
        return path
    try:
        maps = sorted(one for one in path.iterdir() if one.suffix.lower() in (SFZ, *SOUNDFONTS) and one.is_file())
    except OSError as error:
        raise DatasetError(f"cannot read the folder {path}: {error.strerror}") from error
    if len(maps) > 1:
        names = ", ".join(one.name for one in maps[:MOST_LISTED]) + (" ..." if len(maps) > MOST_LISTED else "")
        raise UsageError(f"{path} holds {len(maps)} instruments, name one of the files: {names}")
    return maps[0] if maps else path


def _reader(path: Path) -> Reader:
    """Return what reads a path."""
    if path.is_dir():
        return read_nsynth if (path / "examples.json").is_file() else read_folder
    if path.exists() and not path.is_file():
        raise DatasetError(f"{path} is neither a file nor a folder")
    if not path.is_file():
        raise DatasetError(f"there is no file or folder {path}")
    if path.suffix.lower() in SOUNDFONTS:
        return read_preset
    if path.suffix.lower() == SFZ:
        return read_sfz
    if path.suffix.lower() in SUFFIXES:
        return read_takes
    raise DatasetError(
        f"{path} is nothing to learn from: expected a folder of notes, a sound file, a SoundFont (sf2, sf3) or an SFZ"
    )


def _named(recording: Recording, name: str, is_kit: bool) -> Recording:
    return replace(recording, instrument=f"{name}:{recording.pitch}" if is_kit else name)


def _heard(recordings: list[Recording], gathered: Gathered, sample_rate: int, wishes: Wishes) -> Material:
    """Listen to what was gathered, and doubt it."""
    notes = [listen(one, sample_rate) for one in recordings]
    findings = list(gathered.findings)
    offset, moved = None, 0

    def without(doubted: tuple[list[Note], list[Finding]]) -> list[Note]:
        findings.extend(doubted[1])
        return doubted[0]

    if not gathered.is_rendered:
        notes = without(same_sounds(notes))
    if not gathered.is_rendered and gathered.kind != "take":
        notes = without(several_notes(notes, sample_rate))
    if gathered.is_named and not gathered.is_kit:
        notes, moved = without(transposed(notes, wishes.transpose)), wishes.transpose
    if gathered.is_named and not gathered.is_kit and not gathered.is_rendered:
        offset = find_offset(notes)
        if wishes.trust_pitch:
            notes, moved = trust_pitch(notes, offset), moved + (offset.semitones if offset else 0)
            offset = None
        else:
            notes = without(doubt_names(notes, offset))
        findings += out_of_tune(notes)
    return Material(
        name="",
        kind=gathered.kind,
        path=Path(),
        sample_rate=sample_rate,
        notes=in_order(notes),
        findings=tuple(findings),
        remarks=tuple(gathered.remarks),
        offset=offset if offset and offset.semitones else None,
        is_kit=gathered.is_kit,
        velocities_heard=gathered.velocities_heard,
        zone_ends=moved_ends(gathered.zone_ends, moved),
    )


def _nothing(path: Path, findings: tuple[Finding, ...]) -> str:
    refused = [one for one in findings if one.is_refused]
    if not refused:
        return f"nothing to learn from in {path}: no sound files"
    text = (
        f"nothing to learn from in {path}: {len(refused)} refused; the first: {refused[0].place}: {refused[0].reason}"
    )
    unpitched = sum(one.kind == "unpitched" for one in refused)
    return f"{text}; {DRUMS_HINT}" if 2 * unpitched > len(refused) else text
