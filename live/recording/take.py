"""The files of a take while it is recorded, and what is made of them when the process that recorded it was killed.

The sound goes to a hidden sound file, the messages to a hidden *journal* beside it, as they come. Whoever records holds
a lock on the journal, which the system takes away when the process ends in whatever way.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from ...engine.output.audiofile import mend
from ...errors import AudioFileError, TncaError
from ...midi.files.writer import write_midi_file
from ...midi.messages import ALL_SOUND_OFF, NUM_CHANNELS, control_change
from ..protocol import TakeParts

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: there takes that were left behind are not looked for
    fcntl = None

SUFFIX: Final = ".journal"
_HEAD: Final = struct.Struct("<QI")  # frame and length of a message
_MAX_LENGTH: Final = 2**24

Messages = list[tuple[int, bytes]]
"""Frames of the take, and what plays there."""


class Journal:
    """The messages of a take, on disk as soon as they are appended.

    Parameters
    ----------
    path : Path
    target : Path
        What the take shall be called.
    sample_rate : int
        Hz, of its frames.

    Raises
    ------
    OSError
        If it cannot be written; also by `append`.
    """

    def __init__(self, path: Path, target: Path, sample_rate: int) -> None:
        self.path = path
        self._file: BinaryIO = path.open("xb", buffering=0)
        _lock(self._file)
        self._file.write(json.dumps({"target": target.name, "sample_rate": sample_rate}).encode() + b"\n")

    def append(self, frame: int, data: bytes) -> None:
        """Note that a message plays at a frame of the take."""
        self._file.write(_HEAD.pack(frame, len(data)) + data)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def read_journal(path: Path) -> tuple[dict[str, Any], Messages]:
    """Return the facts and the messages of a journal; a last message that is cut off is left out.

    Raises
    ------
    ValueError, OSError
        If it is none, or cannot be read.
    """
    head, _, rest = path.read_bytes().partition(b"\n")
    facts = json.loads(head)
    if not isinstance(facts, dict) or not isinstance(facts.get("target"), str):
        raise ValueError("it names no take")
    if not isinstance(facts.get("sample_rate"), int):
        raise ValueError("it names no sample rate")
    return facts, list(_records(rest))


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _HEAD.size <= len(data):
        frame, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if length > _MAX_LENGTH or at + length > len(data):
            return
        yield frame, data[at : at + length]
        at += length


def messages_before(journal: Path, num_frames: int) -> tuple[dict[str, Any], Messages]:
    """Return facts of a take that broke off after so many frames, and its messages up to there; all notes end there."""
    facts, messages = read_journal(journal)
    ends = [(num_frames, control_change(channel, ALL_SOUND_OFF, 0)) for channel in range(NUM_CHANNELS)]
    return facts, [one for one in messages if one[0] < num_frames] + ends


def finish_parts(parts: TakeParts, path: Path) -> int:
    """Make a take of what a killed process left; return its frames, 0 if there were none.

    Parameters
    ----------
    parts : TakeParts
    path : Path
        Of the sound; the MIDI file is called alike.

    Raises
    ------
    TncaError
        If that cannot be done; the parts stay.
    """
    try:
        num_frames = mend(parts.sound)
        facts, messages = messages_before(parts.journal, num_frames)
        if num_frames:
            write_midi_file(path.with_suffix(".mid"), messages, facts["sample_rate"])
            os.replace(parts.sound, path)
    except (OSError, ValueError) as error:
        raise AudioFileError(f"cannot complete the recording {parts.sound}: {error}") from error
    parts.remove()
    return num_frames


def finish_take(takes: Sequence[TakeParts], path: Path) -> None:
    """Make a take of what several processes left, of which each has gone on with the one before; see `finish_parts`.

    The oldest that is still there is it: who has gone on with it has not got as far as to take its place.
    """
    parts = next((one for one in takes if one.exist), None)
    if parts is not None:
        finish_parts(parts, path)
    for one in takes:
        one.remove()


def finish_left_behind(folder: Path) -> list[Path]:
    """Complete the takes in a folder whose processes were killed, under names that are free; return these."""
    return [path for parts in _left_behind(folder) if (path := _finished(parts)) is not None]


def _finished(parts: TakeParts) -> Path | None:
    try:
        target = parts.sound.with_name(Path(read_journal(parts.journal)[0]["target"]).name)
        path = free_name(target)
        return path if finish_parts(parts, path) else None
    except (OSError, ValueError, TncaError):
        return None


def _left_behind(folder: Path) -> Iterator[TakeParts]:
    journals: Sequence[Path] = sorted(folder.glob(f".*{SUFFIX}")) if fcntl is not None else ()
    for journal in journals:
        parts = TakeParts(journal.with_suffix(".part"), journal)
        if not journal.is_file():
            continue
        with suppress(OSError), journal.open("rb") as file:
            if _lock(file) and parts.sound.is_file():
                yield parts


def free_name(path: Path) -> Path:
    """Return a name like ``take-rescued.wav`` for a sound that exists neither with its suffix nor as MIDI."""
    number, name = 1, f"{path.stem}-rescued"
    while any(path.with_name(name + suffix).exists() for suffix in (path.suffix, ".mid")):
        number, name = number + 1, f"{path.stem}-rescued-{number + 1}"
    return path.with_name(name + path.suffix)


def _lock(file: BinaryIO) -> bool:
    """Lock a file as long as it is open; return whether that was granted."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
