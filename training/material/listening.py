"""Listening to notes: what sounds against what names say, levels, noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final

import numpy as np

from ...errors import AudioFileError
from ...midi.spec.key_names import key_name
from ..measure.recording import Recording
from ..sources.audio.envelope import levels_db
from ..sources.audio.heard import MOST, common_offset
from ..sources.audio.pitch import detect_pitch
from .material import Finding, Note, Offset

LEVEL_S: Final = 0.05
DIED_AWAY_DB: Final = 25.0
"""A quietest moment so far below the loudest is the noise of the room, and no longer the note."""
LEAST_TO_TRUST: Final = 4
"""Notes that must agree with their names before the names of the others are doubted."""
DETUNED_CENTS: Final = 35.0


def listen(recording: Recording, sample_rate: int) -> Note:
    """Hear one note."""
    levels = levels_db(recording.audio, sample_rate, LEVEL_S / 2, LEVEL_S)
    loudest, quietest = float(levels.max()), float(levels.min())
    heard = None
    if recording.pitched:
        try:
            pitch = detect_pitch(recording.audio, sample_rate)
            heard = pitch.key + pitch.cents / 100
        except AudioFileError:
            pass
    return Note(recording, heard, loudest, quietest if quietest < loudest - DIED_AWAY_DB else None)


def find_offset(notes: Sequence[Note]) -> Offset | None:
    """Return by how much most notes sound off their names, 0 included; None where they do not agree."""
    offsets = [round(note.heard) - note.recording.pitch for note in notes if note.heard is not None]
    return Offset(found[0], found[1], len(offsets)) if (found := common_offset(offsets)) else None


def trust_pitch(notes: Sequence[Note], offset: Offset | None) -> list[Note]:
    """Take the pitches that sound; where none is clear, the name's, mended by what most others are off."""
    semitones = offset.semitones if offset else 0
    keys = [note.recording.pitch + semitones if note.heard is None else round(note.heard) for note in notes]
    return [replace(note, recording=replace(note.recording, pitch=key)) for note, key in zip(notes, keys, strict=True)]


def doubt_names(notes: Sequence[Note], offset: Offset | None) -> tuple[list[Note], list[Finding]]:
    """Leave out notes that sound another key than their names say, where most others sound as theirs do."""
    if offset is None or offset.count < max(LEAST_TO_TRUST, MOST * offset.total):
        return list(notes), []
    kept, findings = [], []
    for note in notes:
        off = 0 if note.heard is None else round(note.heard) - note.recording.pitch - offset.semitones
        if not off or note.heard is None:
            kept.append(note)
            continue
        named, sounds = key_name(note.recording.pitch), key_name(round(note.heard))
        reason = f"wrong name: it says {named} but {sounds} sounds; --trust-pitch takes it so"
        findings.append(Finding(note.recording.origin, reason))
    return kept, findings


def out_of_tune(notes: Sequence[Note]) -> list[Finding]:
    """Name notes whose tuning differs from that of most."""
    cents = {i: 100 * (note.heard - round(note.heard)) for i, note in enumerate(notes) if note.heard is not None}
    if len(cents) < LEAST_TO_TRUST:
        return []
    middle = float(np.median(list(cents.values())))
    return [
        Finding(notes[i].recording.origin, f"out of tune: {off - middle:+.0f} cents against most others", False)
        for i, off in cents.items()
        if abs(off - middle) > DETUNED_CENTS
    ]


def same_sounds(notes: Sequence[Note]) -> tuple[list[Note], list[Finding]]:
    """Leave out notes whose samples are exactly those of another."""
    first: dict[bytes, str] = {}
    kept, findings = [], []
    for note in notes:
        digest = sha256(note.recording.audio.tobytes()).digest()
        if digest in first:
            findings.append(Finding(note.recording.origin, f"duplicate: the same sound as {first[digest]}"))
            continue
        first[digest] = note.recording.origin
        kept.append(note)
    return kept, findings
