"""One note out of one file: trimmed to its sound, and held through the loop that its file or its map names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from ....engine.arrays import FloatArray
from ...measure.recording import Loop, Recording
from .checks import mono_note, read_sound
from .envelope import fades_while_held, find_hold_s, trim
from .marks import read_marks

LOOPED_S: Final = 4.0
"""How long a note that loops is held at least: long enough to learn that it goes on."""


@dataclass(frozen=True, eq=False)
class NoteFile:
    """A trimmed note, and what its file says of it.

    Attributes
    ----------
    audio : float32 (N,), the onset at sample 0
    key : the key that the file names, or None
    loop : what was repeated while the note was held, or None
    hold_s : seconds from onset to release, where a loop tells them
    """

    audio: FloatArray
    key: int | None = None
    loop: Loop | None = None
    hold_s: float | None = None

    def louder(self, gain: float) -> NoteFile:
        """Return it with its samples multiplied."""
        return replace(self, audio=(self.audio * np.float32(gain)).astype(np.float32))


def read_note_file(path: Path, sample_rate: int) -> NoteFile:
    """Read and trim one note; `AudioFileError` with the reason where it is of no use."""
    sound, rate = read_sound(path)
    marks = read_marks(path)
    return note_of(sound, rate, sample_rate, marks.loop, marks.key)


def note_of(
    sound: FloatArray, rate: float, sample_rate: int, loop: tuple[int, int] | None, key: int | None = None
) -> NoteFile:
    """Check and trim a sound, float32 (N, audio channels) at `rate`, and hold it through its loop, in frames of it."""
    if loop is None or not 0 <= loop[0] < loop[1] <= len(sound):
        audio, _ = trim(mono_note(sound, rate, sample_rate), sample_rate)
        return NoteFile(audio, key)
    held, released = follow_loop(sound, loop, int(LOOPED_S * rate))
    audio, cut = trim(mono_note(held, rate, sample_rate), sample_rate)
    cut_s = cut / sample_rate
    hold_s = released / rate - cut_s
    if not 0 < hold_s <= len(audio) / sample_rate:
        return NoteFile(audio, key)
    return NoteFile(audio, key, Loop(loop[0] / rate - cut_s, loop[1] / rate - cut_s), hold_s)


def follow_loop(sound: FloatArray, loop: tuple[int, int], least: int) -> tuple[FloatArray, int]:
    """Hold a sound through its loop for at least so many frames, then let it go.

    Parameters
    ----------
    sound : float32 (N, audio channels)
    loop : first frame that repeats, and the one behind the last

    Returns
    -------
    (sound, frames held): up to the end of the loop, the loop as often as it takes, and what the file has behind it
    """
    begin, end = loop
    rounds = max(0, -(-(least - end) // (end - begin)))
    held = np.concatenate([sound[:end], np.tile(sound[begin:end], (rounds, 1))])
    return np.concatenate([held, sound[end:]]), len(held)


def recorded_note(
    note: NoteFile,
    sample_rate: int,
    instrument: str,
    pitch: int,
    velocity: int,
    *,
    pitched: bool = True,
    hold_s: float | None = None,
    origin: str = "",
) -> Recording:
    """Make a recording of a note; `hold_s` where something says it, else it is read from the level."""
    hold_s = note.hold_s or hold_s or find_hold_s(note.audio, sample_rate)
    hold_s = min(hold_s, len(note.audio) / sample_rate)
    sustains = note.loop is not None or not fades_while_held(note.audio, hold_s, sample_rate)
    return Recording(note.audio, instrument, pitch, velocity, hold_s, pitched, sustains, origin=origin, loop=note.loop)
