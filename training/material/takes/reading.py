"""One long take, or several, read as the notes of one instrument."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import soxr

from ....engine.arrays import FloatArray
from ....errors import AudioFileError
from ...measure.recording import Recording
from ...sources.audio.checks import clipped, damaged, read_sound, silent, to_mono
from ...sources.audio.envelope import trim
from ...sources.audio.note_file import NoteFile, recorded_note
from ..keeping import Keeper
from ..material import Finding, Gathered, Wishes
from .curves import RATE
from .splitting import Span, begins, split
from .velocities import velocities

MOST_S: Final = 1800.0
"""Of a take: half an hour."""
FADE_S: Final = 0.005


def read_takes(path: Path, sample_rate: int, wishes: Wishes) -> Gathered:
    """Split a take, or every take in a folder, into notes."""
    gathered = Gathered("take", is_named=False, velocities_heard=True)
    keeper = Keeper(sample_rate)
    for recording, finding in _notes(path, path.name, sample_rate, wishes):
        if recording is not None:
            keeper.add(recording)
        if finding is not None:
            gathered.findings.append(finding)
    gathered.recordings = keeper.recordings
    gathered.findings += keeper.findings
    return gathered


def _notes(
    path: Path, name: str, sample_rate: int, wishes: Wishes
) -> Iterator[tuple[Recording | None, Finding | None]]:
    try:
        audio = _read(path, sample_rate)
    except AudioFileError as error:
        yield None, Finding(name, str(error))
        return
    notes, refused = split(soxr.resample(audio, sample_rate, RATE, quality="HQ") if sample_rate != RATE else audio)
    for one in refused:
        yield None, Finding(f"{name} at {one.at_s:.2f} s", one.reason)
    yield from _cut(audio, notes, name, sample_rate, wishes)


def _read(path: Path, sample_rate: int) -> FloatArray:
    sound, rate = read_sound(path, MOST_S)
    for check in (damaged, silent):
        reason = check(sound)
        if reason:
            raise AudioFileError(reason)
    return to_mono(sound, rate, sample_rate)


def _cut(
    audio: FloatArray, notes: list[Span], name: str, sample_rate: int, wishes: Wishes
) -> Iterator[tuple[Recording | None, Finding | None]]:
    """Cut the notes out of a take; each is clear of clipping, and as loud as it was played."""
    scale = sample_rate / RATE
    onsets = begins(audio if sample_rate == RATE else soxr.resample(audio, sample_rate, RATE), notes)
    loudness = velocities(notes, wishes.velocity)
    for note, begin, velocity in zip(notes, onsets, loudness, strict=True):
        place = f"{name} at {begin / RATE:.2f} s"
        part = audio[int(begin * scale) : int(note.end * scale)].copy()
        fade = min(len(part), int(FADE_S * sample_rate))
        part[len(part) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
        reason = clipped(part[:, None])
        try:
            if reason:
                raise AudioFileError(reason)
            trimmed, _ = trim(part, sample_rate)
        except AudioFileError as error:
            yield None, Finding(place, str(error))
            continue
        yield recorded_note(NoteFile(trimmed), sample_rate, "take", round(note.heard), velocity, origin=place), None
