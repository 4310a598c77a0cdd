"""Where MIDI files come from: a path, bytes, a binary file object, or a mido.MidiFile."""

from __future__ import annotations

import os
from io import BytesIO
from typing import Any, Protocol, cast

from ...errors import MidiFileError, UsageError


class Readable(Protocol):
    """A binary file object."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes."""
        ...


class Savable(Protocol):
    """What can write itself as a Standard MIDI File, such as a mido.MidiFile."""

    def save(self, *, file: Any) -> None:
        """Write into a binary file object."""
        ...


MidiSource = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | Savable
"""What is taken for a MIDI file."""


def midi_bytes(source: MidiSource, max_bytes: int) -> tuple[bytes, str]:
    """Return the bytes of a MIDI file, one more than `max_bytes` at most, and what to call it in messages.

    Raises
    ------
    UsageError
        If the source is none of `MidiSource`.
    MidiFileError
        If it cannot be read, in one line.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), "MIDI data"
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        try:
            with open(source, "rb") as file:
                return file.read(max_bytes + 1), name
        except (OSError, ValueError) as error:
            raise _unreadable(name, error) from error
    if hasattr(source, "save"):
        return _saved(cast(Savable, source)), str(getattr(source, "filename", None) or "MIDI data")
    if not hasattr(source, "read"):
        raise UsageError(
            f"expected a MIDI file as a path, bytes, a binary file object or a mido.MidiFile, got {_kind(source)}"
        )
    name = str(getattr(source, "name", "MIDI data"))
    return _read(source, max_bytes + 1, name), name


def _read(source: Readable, num_bytes: int, name: str) -> bytes:
    """Return up to so many bytes; a pipe may give them in pieces."""
    parts: list[bytes] = []
    try:
        while num_bytes > 0 and (part := source.read(num_bytes)):
            if not isinstance(part, bytes | bytearray):
                raise UsageError(f"{name}: expected a binary file object, got one of text: open it with mode 'rb'")
            parts.append(bytes(part))
            num_bytes -= len(part)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    return b"".join(parts)


def _saved(source: Savable) -> bytes:
    buffer = BytesIO()
    try:
        source.save(file=buffer)
    except Exception as error:  # whatever another library raises is about its object
        raise MidiFileError(f"the {_kind(source)} cannot be written as a MIDI file: {error}") from error
    return buffer.getvalue()


def _unreadable(name: str, error: Exception) -> MidiFileError:
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return MidiFileError(f"{name if name.isprintable() else repr(name)}: cannot be read: {reason}")


def _kind(value: object) -> str:
    return type(value).__name__
