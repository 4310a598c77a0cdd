"""Writing what was played as a Standard MIDI File of format 0, to the exact frame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...errors import MidiFileError
from ...whole_files import write_whole
from ..messages import SYSTEM_EXCLUSIVE, is_complete

_MAX_DIVISION = 0x7FFF
_END_OF_TRACK = b"\xff\x2f\x00"


def encode_midi_file(messages: Iterable[tuple[int, bytes]], sample_rate: int) -> bytes:
    """Return a MIDI file in which one tick is one frame.

    Parameters
    ----------
    messages : iterable of (int, bytes)
        Frame and complete message, in any order; those of one frame stay in theirs. Channel messages and SysEx are
        kept: files have no place for others.
    sample_rate : int
        Frames per second; a multiple of 8 above 32,767.
    """
    beats_per_s = -(-sample_rate // _MAX_DIVISION)
    while sample_rate % beats_per_s or 1_000_000 % beats_per_s:
        beats_per_s += 1
    tempo_us = 1_000_000 // beats_per_s
    track = bytearray(b"\x00\xff\x51\x03" + tempo_us.to_bytes(3, "big"))
    last = 0
    for frame, data in sorted(messages, key=lambda message: message[0]):
        if not is_complete(data) or data[0] > SYSTEM_EXCLUSIVE:
            continue
        frame = max(frame, last)
        track += _variable_length(frame - last)
        track += data if data[0] != SYSTEM_EXCLUSIVE else data[:1] + _variable_length(len(data) - 1) + data[1:]
        last = frame
    track += b"\x00" + _END_OF_TRACK
    division = sample_rate // beats_per_s
    header = b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01" + division.to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track)


def write_midi_file(path: Path, messages: Iterable[tuple[int, bytes]], sample_rate: int) -> None:
    """Write a MIDI file, whole or not at all; `MidiFileError` says why not."""
    try:
        write_whole(path, encode_midi_file(messages, sample_rate))
    except OSError as error:
        raise MidiFileError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


def _variable_length(value: int) -> bytes:
    """Return a number in the seven-bit groups of MIDI files."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | (value & 0x7F))
    return bytes(reversed(groups))
