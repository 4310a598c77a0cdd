"""Listening to notes: what sounds against what names say, levels, noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final

import numpy as np

from ...engine.arrays import FloatArray
from ...errors import AudioFileError
from ...midi.spec.general_midi import key_name
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
CLEAR_KEYS: Final = range(24, 106)
"""Keys whose pitch can be told from a sound for certain."""
STRIKE_S, REST_DB, LOUD_DB = 0.02, 25.0, 12.0
LEAST_TWO_S, FIRST, LATER = 0.6, 0.35, (0.6, 0.95)
ANOTHER_KEY: Final = 0.8
ALIKE_OCTAVES: Final = 0.03
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


def several_notes(notes: Sequence[Note], sample_rate: int) -> tuple[list[Note], list[Finding]]:
    """Leave out recordings that hold two notes or more, one after the other."""
    kept, findings = [], []
    for note in notes:
        reason = _second_note(note, sample_rate)
        if reason:
            findings.append(Finding(note.recording.origin, f"two notes: {reason}; a file of its own splits them"))
        else:
            kept.append(note)
    return kept, findings


def _second_note(note: Note, sample_rate: int) -> str | None:
    """Say where a pitched recording begins again, or how its pitch differs later on; None where it is one note."""
    audio, own = note.recording.audio, note.recording
    if not own.pitched or own.loop is not None:
        return None
    levels = levels_db(audio, sample_rate, STRIKE_S, 2 * STRIKE_S)
    begin = int(np.argmax(levels > levels.max() - LOUD_DB))
    lowest = np.minimum.accumulate(levels[begin:])
    again = np.flatnonzero((levels[begin:] > lowest + REST_DB) & (levels[begin:] > levels.max() - LOUD_DB))
    if len(again):
        return f"after a rest another begins at {(begin + again[0]) * STRIKE_S:.1f} s"
    return _second_pitch(note, sample_rate)


def _second_pitch(note: Note, sample_rate: int) -> str | None:
    hold_s = note.recording.hold_s
    if hold_s < LEAST_TWO_S:
        return None
    begin, end = (int(share * hold_s * sample_rate) for share in LATER)
    parts = note.recording.audio[: int(FIRST * hold_s * sample_rate)], note.recording.audio[begin:end]
    strongest = [_strongest_hz(part, sample_rate) for part in parts]
    if abs(np.log2(strongest[1] / strongest[0])) < ALIKE_OCTAVES:
        return None
    try:
        first, later = (detect_pitch(part, sample_rate) for part in parts)
    except AudioFileError:
        return None
    off = abs(later.key + later.cents / 100 - first.key - first.cents / 100)
    if off < ANOTHER_KEY or abs(off - 12 * round(off / 12)) < ANOTHER_KEY:
        return None
    return f"{key_name(first.key)}, then {key_name(later.key)}"


def _strongest_hz(audio: FloatArray, sample_rate: int) -> float:
    """Return the frequency of the strongest partial; two parts of one note mostly share it."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 2 * len(audio)))
    return float(1 + np.argmax(spectrum[1:])) * sample_rate / (2 * len(audio))


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
        if not off or note.heard is None or note.recording.pitch + offset.semitones not in CLEAR_KEYS:
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
    """Leave out notes whose samples are exactly those of another of the same key and velocity.

    Drums may share a sound, and a map may use a sample for two layers: that is a doubt.
    """
    first: dict[bytes, Note] = {}
    kept, findings = [], []
    for note in notes:
        other = first.setdefault(sha256(note.recording.audio.tobytes()).digest(), note).recording
        own = note.recording
        if other is own:
            kept.append(note)
            continue
        is_refused = (other.pitch, other.velocity) == (own.pitch, own.velocity)
        findings.append(Finding(own.origin, f"duplicate: the same sound as {other.origin}", is_refused))
        if not is_refused:
            kept.append(note)
    return kept, findings
