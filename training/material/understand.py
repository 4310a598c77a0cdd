"""From a path to the notes of one instrument: which kind of input it is, what it holds, what is doubtful."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from ...errors import DatasetError
from ..measure.recording import Recording
from ..sources.folder import SUFFIXES
from ..sources.naming.names import instrument_name
from .folders import read_folder, read_nsynth
from .listening import doubt_names, find_offset, listen, out_of_tune, same_sounds, trust_pitch
from .material import Finding, Gathered, Material, Note, Wishes, in_order
from .presets import read_preset
from .takes import read_takes

SAMPLE_RATE: Final = 22050
NO_WISHES: Final = Wishes()
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
    path = Path(path)
    gathered = _reader(path)(path, sample_rate, wishes)
    name = instrument_name(wishes.name or gathered.name or path.resolve().stem) or "instrument"
    recordings = [_named(one, name, gathered.is_kit) for one in gathered.recordings]
    material = _heard(recordings, gathered, sample_rate, wishes)
    if not material.notes:
        raise DatasetError(_nothing(path, material.findings))
    return replace(material, name=name, path=path)


def _reader(path: Path) -> Reader:
    """Return what reads a path."""
    if path.is_dir():
        return read_nsynth if (path / "examples.json").is_file() else read_folder
    if not path.is_file():
        raise DatasetError(f"there is no file or folder {path}")
    if path.suffix.lower() in SOUNDFONTS:
        return read_preset
    if path.suffix.lower() in SUFFIXES:
        return read_takes
    raise DatasetError(
        f"{path} is nothing to learn from: expected a folder of notes, a sound file, a SoundFont (sf2, sf3) or an SFZ"
    )


def _named(recording: Recording, name: str, is_kit: bool) -> Recording:
    return replace(recording, instrument=f"{name}:{recording.pitch}" if is_kit else name)


def _heard(recordings: list[Recording], gathered: Gathered, sample_rate: int, wishes: Wishes) -> Material:
    """Listen to what was gathered, and doubt it."""
    notes, same = same_sounds([listen(one, sample_rate) for one in recordings])
    offset = None
    doubts: list[Finding] = []
    if gathered.is_named and not gathered.is_kit:
        notes, beyond = _transposed(notes, wishes.transpose)
        offset = find_offset(notes)
        if wishes.trust_pitch:
            notes, offset = trust_pitch(notes, offset), None
        else:
            notes, doubts = doubt_names(notes, offset)
        doubts += beyond
    findings = (*gathered.findings, *same, *doubts, *out_of_tune(notes))
    return Material(
        name="",
        kind=gathered.kind,
        path=Path(),
        sample_rate=sample_rate,
        notes=in_order(notes),
        findings=findings,
        remarks=tuple(gathered.remarks),
        offset=offset if offset and offset.semitones else None,
        is_kit=gathered.is_kit,
        velocities_heard=gathered.velocities_heard,
    )


def _transposed(notes: list[Note], semitones: int) -> tuple[list[Note], list[Finding]]:
    """Move all names; what leaves the keyboard is left out."""
    kept, findings = [], []
    for note in notes:
        key = note.recording.pitch + semitones
        if 0 <= key <= 127:
            kept.append(replace(note, recording=replace(note.recording, pitch=key)))
        else:
            findings.append(Finding(note.recording.origin, f"bad pitch: {key} after --transpose, expected 0..127"))
    return kept, findings


def _nothing(path: Path, findings: tuple[Finding, ...]) -> str:
    refused = [one for one in findings if one.is_refused]
    if not refused:
        return f"nothing to learn from in {path}: no sound files"
    return (
        f"nothing to learn from in {path}: {len(refused)} refused; the first: {refused[0].place}: {refused[0].reason}"
    )
