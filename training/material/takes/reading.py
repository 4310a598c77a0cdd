"""One long take, or several, read as the notes of one instrument."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ....engine.arrays import FloatArray
from ....errors import AudioFileError
from ...measure.recording import Recording
from ...sources.audio.checks import clipped, damaged, read_sound, silent, to_mono
from ...sources.audio.envelope import trim
from ...sources.audio.note_file import NoteFile, recorded_note
from ...sources.folder import SUFFIXES
from ...sources.naming.naming import parse_name
from ..keeping import Keeper
from ..material import Finding, Gathered, Wishes
from .velocities import velocities

if TYPE_CHECKING:
    from .splitting import Span

MOST_S: Final = 1200.0
"""Of a take: twenty minutes."""
FADE_S: Final = 0.005
TRIED_S: Final = 120.0
LEAST_TAKE_S: Final = 4.0
LEAST_NOTES: Final = 3


@dataclass(frozen=True)
class _Place:
    """A note of a take: where it begins and ends, in seconds, and what was heard of it."""

    begin_s: float
    end_s: float
    span: Span


def read_takes(path: Path, sample_rate: int, wishes: Wishes) -> Gathered:
    """Split a take, or every take in a folder, into notes.

    How hard a note was played is told from how loud it is beside all others, those of other files too.
    """
    gathered = Gathered("take", is_named=False, velocities_heard=True)
    keeper = Keeper(sample_rate)
    cut: list[tuple[Span, NoteFile, str]] = []
    for file in sound_files(path) if path.is_dir() else [path]:
        try:
            sound, rate = _read(file)
        except AudioFileError as error:
            gathered.findings.append(Finding(file.name, str(error)))
            continue
        places = _places(sound, rate, file.name, gathered.findings)
        cut += _cut(sound, rate, sample_rate, places, file.name, gathered.findings)
    loudness = velocities([span for span, _, _ in cut], wishes.velocity)
    for (span, note, origin), velocity in zip(cut, loudness, strict=True):
        keeper.add(recorded_note(note, sample_rate, "take", round(span.heard), velocity, origin=origin))
    gathered.recordings = keeper.recordings
    gathered.findings += keeper.findings
    if path.is_file() and len(gathered.recordings) == 1:
        _name(path, gathered)
    return gathered


def sound_files(folder: Path) -> list[Path]:
    """Return the sound files that lie in a folder, in the order of their names."""
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return [path for path in inside if path.suffix.lower() in SUFFIXES and path.is_file()]


def is_take(path: Path) -> bool:
    """Tell whether a file holds several notes, from its first two minutes."""
    from .curves import RATE
    from .splitting import split

    try:
        sound, rate = read_sound(path, MOST_S)
        if len(sound) < LEAST_TAKE_S * rate or silent(sound) or damaged(sound):
            return False
        notes, _ = split(to_mono(sound[: int(TRIED_S * rate)], rate, RATE))
    except AudioFileError:
        return False
    return len(notes) >= LEAST_NOTES


def _read(path: Path) -> tuple[FloatArray, int]:
    sound, rate = read_sound(path, MOST_S)
    for check in (damaged, silent):
        reason = check(sound)
        if reason:
            raise AudioFileError(reason)
    return sound, rate


def _places(sound: FloatArray, rate: int, name: str, findings: list[Finding]) -> list[_Place]:
    from .curves import RATE  # here and in `is_take`, because few inputs need what takes seconds to import
    from .splitting import begins, split

    audio = to_mono(sound, rate, RATE)
    notes, refused = split(audio)
    findings += [Finding(f"{name} at {one.at_s:.2f} s", one.reason) for one in refused]
    return [_Place(at / RATE, span.end / RATE, span) for at, span in zip(begins(audio, notes), notes, strict=True)]


def _cut(
    sound: FloatArray, rate: int, sample_rate: int, places: Sequence[_Place], name: str, findings: list[Finding]
) -> Iterator[tuple[Span, NoteFile, str]]:
    """Cut the notes out of a take; those that are clipped or come to nothing are named."""
    for place in places:
        origin = f"{name} at {place.begin_s:.2f} s"
        part = sound[int(place.begin_s * rate) : int(place.end_s * rate)]
        try:
            reason = clipped(part)
            if reason:
                raise AudioFileError(reason)
            audio, _ = trim(_faded(to_mono(part, rate, sample_rate), sample_rate), sample_rate)
        except AudioFileError as error:
            findings.append(Finding(origin, str(error)))
            continue
        yield place.span, NoteFile(audio), origin


def _faded(audio: FloatArray, sample_rate: int) -> FloatArray:
    """Let a note end without a click where the next one cuts it off."""
    fade = min(len(audio), int(FADE_S * sample_rate))
    faded = audio.copy()
    faded[len(audio) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return faded


def _name(path: Path, gathered: Gathered) -> None:
    """Read the name of a file that holds one note."""
    try:
        named = parse_name(path.stem)
    except AudioFileError:
        return
    if named.pitch is not None:
        one: Recording = gathered.recordings[0]
        gathered.recordings = [replace(one, pitch=named.pitch, velocity=named.velocity or one.velocity)]
        gathered.is_named = True
