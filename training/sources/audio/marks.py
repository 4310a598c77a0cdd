"""What a sound file's own chunks say of its note: the loop of a sampler and the key it was recorded for.

WAV files keep them in `smpl`, AIFF files in `MARK` and `INST` (Audio Interchange File Format, Apple, 1989).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

MOST_CHUNKS: Final = 256
MOST_BYTES: Final = 1 << 16
MIN_LOOP_FRAMES: Final = 8
SMPL_HEADER: Final = struct.Struct("<9I")
SMPL_LOOP: Final = struct.Struct("<6I")
FORWARD_MODES: Final = (1, 2)


@dataclass(frozen=True)
class Marks:
    """What a file's chunks say; None where they say nothing.

    Attributes
    ----------
    key : the MIDI key whose pitch the file sounds at its own rate
    loop : first frame of the part that repeats, and the frame behind its last
    """

    key: int | None = None
    loop: tuple[int, int] | None = None


def read_marks(path: Path) -> Marks:
    """Read the marks of a WAV or AIFF file; what is damaged, or another format, has none."""
    try:
        with path.open("rb") as stream:
            head = stream.read(12)
            if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
                chunks = dict(_chunks(stream, "<I", (b"smpl",)))
                return _of_smpl(chunks[b"smpl"]) if b"smpl" in chunks else Marks()
            if head[:4] == b"FORM" and head[8:11] == b"AIF":
                chunks = dict(_chunks(stream, ">I", (b"MARK", b"INST")))
                return _of_inst(chunks[b"INST"], chunks.get(b"MARK", b"")) if b"INST" in chunks else Marks()
    except (OSError, struct.error):
        pass
    return Marks()


def _chunks(stream: BinaryIO, size_format: str, wanted: tuple[bytes, ...]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the wanted chunks of a file, from byte 12 on."""
    at = 12
    for _ in range(MOST_CHUNKS):
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:
            return
        (size,) = struct.unpack(size_format, head[4:])
        if head[:4] in wanted:
            yield head[:4], stream.read(min(size, MOST_BYTES))
        at += 8 + size + size % 2


def _of_smpl(body: bytes) -> Marks:
    header = SMPL_HEADER.unpack_from(body)
    key, num_loops = header[3], header[7]
    loop = None
    if num_loops and len(body) >= SMPL_HEADER.size + SMPL_LOOP.size:
        _, _, first, last, _, _ = SMPL_LOOP.unpack_from(body, SMPL_HEADER.size)
        loop = _checked(first, last + 1)
    return Marks(key if key <= 127 else None, loop)


def _of_inst(inst: bytes, mark: bytes) -> Marks:
    key, _, _, _, _, _, _, mode, begin, end = struct.unpack_from(">bbbbbbhhhh", inst)
    places = dict(_positions(mark))
    is_looped = mode in FORWARD_MODES and begin in places and end in places
    return Marks(key if key >= 0 else None, _checked(places[begin], places[end]) if is_looped else None)


def _positions(mark: bytes) -> Iterator[tuple[int, int]]:
    """Yield (number, frame) of the markers of an AIFF file."""
    (count,) = struct.unpack_from(">H", mark) if mark else (0,)
    at = 2
    for _ in range(count):
        number, position, name_bytes = struct.unpack_from(">hIB", mark, at)
        yield number, position
        at += 6 + (name_bytes + 2) // 2 * 2


def _checked(begin: int, end: int) -> tuple[int, int] | None:
    return (begin, end) if end - begin >= MIN_LOOP_FRAMES else None
