"""The chunks of a SoundFont file: which presets it has, and a copy that readers take where its chunks are odd.

RIFF pads chunks of odd length to an even one. TinySoundFont does not skip that byte, and some writers leave it out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from ...errors import DatasetError

if TYPE_CHECKING:
    from ..config.instruments import InstrumentConfig

DRUM_BANK: Final = 128
PRESET_BYTES: Final = 38
MOST_LISTED: Final = 12
PARTS: Final = (b"phdr", b"pbag", b"pmod", b"pgen", b"inst", b"ibag", b"imod", b"igen", b"shdr")
"""The chunks of `pdta`, in their order."""


@dataclass(frozen=True)
class Preset:
    """A preset of a SoundFont; drum kits are in bank 128."""

    bank: int
    program: int
    name: str


@dataclass(frozen=True)
class _Chunk:
    """A chunk's name, where its content begins, and how many bytes it has."""

    name: bytes
    begin: int
    size: int


class SoundFontFile:
    """A SoundFont's chunks.

    Parameters
    ----------
    path : Path
        An sf2 or sf3 file, whatever its name ends in.

    Raises
    ------
    DatasetError
        It is no SoundFont, is cut off, or holds no presets.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as stream:
                self._chunks, self.is_odd = _read_chunks(stream, path.stat().st_size)
                self.presets = tuple(self._read_presets(stream))
        except OSError as error:
            raise DatasetError(f"cannot read the SoundFont {path}: {error.strerror}") from error
        except (ValueError, struct.error) as error:
            raise DatasetError(f"{path} is not a readable SoundFont: {error}") from error
        if not self.presets:
            raise DatasetError(f"{path} is not a readable SoundFont: it holds no presets")

    def even_copy(self) -> bytes:
        """Return the file with its samples in 16 bits and every chunk of even length."""
        content = self.path.read_bytes()

        def chunk(name: bytes, body: bytes) -> bytes:
            body += b"\0" * (len(body) % 2)
            return name + struct.pack("<I", len(body)) + body

        def copied(name: bytes) -> bytes:
            one = self._chunks[name]
            return chunk(name, content[one.begin : one.begin + one.size])

        lists = [(b"INFO", (b"ifil",)), (b"sdta", (b"smpl",)), (b"pdta", PARTS)]
        parts = [chunk(b"LIST", kind + b"".join(map(copied, names))) for kind, names in lists]
        return chunk(b"RIFF", b"sfbk" + b"".join(parts))

    def tables(self) -> dict[bytes, bytes]:
        """Return the chunks of `pdta` by name: presets, instruments, samples, and their zones and generators."""
        with self.path.open("rb") as stream:
            return {name: self._content(stream, name) for name in PARTS}

    def _content(self, stream: BinaryIO, name: bytes) -> bytes:
        chunk = self._chunks[name]
        stream.seek(chunk.begin)
        return stream.read(chunk.size)

    def _read_presets(self, stream: BinaryIO) -> Iterator[Preset]:
        """Yield the presets, without the last record, which ends them."""
        records = self._content(stream, b"phdr")
        for at in range(0, len(records) - 2 * PRESET_BYTES + 1, PRESET_BYTES):
            name, program, bank = struct.unpack_from("<20sHH", records, at)
            yield Preset(bank, program, name.split(b"\0")[0].decode("latin-1").strip())


def _read_chunks(stream: BinaryIO, size: int) -> tuple[dict[bytes, _Chunk], bool]:
    """Return the chunks within the lists of a SoundFont by name, and whether one has an odd length."""
    head = stream.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"sfbk":
        raise ValueError(f"it begins with {head[:4]!r}, expected a RIFF file of the kind 'sfbk'")
    chunks = list(_walk(stream, 12, size))
    found = {one.name: one for one in chunks}
    cut = next((one for one in chunks if one.begin + one.size > size), None)
    missing = [name.decode() for name in (b"ifil", b"smpl", *PARTS) if name not in found]
    if cut or missing:
        promised = 8 + struct.unpack("<I", head[4:8])[0]
        if promised > size:
            raise ValueError(f"it is cut off: {size:,} of {promised:,} bytes")
        raise ValueError(f"it lacks {', '.join(missing)}" if missing else "a chunk is longer than the file")
    return found, any(one.size % 2 for one in chunks)


def _walk(stream: BinaryIO, begin: int, end: int) -> Iterator[_Chunk]:
    """Yield the chunks of a file, those of lists instead of the lists."""
    at = begin
    while at + 8 <= end:
        stream.seek(at)
        head = stream.read(12)
        name, size = head[:4], struct.unpack("<I", head[4:8])[0]
        if name == b"LIST":
            at += 12
            continue
        yield _Chunk(name, at + 8, size)
        at += 8 + size
        if size % 2:
            stream.seek(at)
            at += stream.read(1) == b"\0"  # names of chunks are letters


def check_programs(path: str | Path, instruments: Sequence[InstrumentConfig]) -> None:
    """Raise `DatasetError`, in one line, where a SoundFont lacks a program that a preset asks for."""
    file = open_file(path)
    there = {(one.bank, one.program) for one in file.presets}
    for one in instruments:
        # TinySoundFont plays the first kit where the one that is asked for is missing.
        wanted = {(DRUM_BANK, one.program), (DRUM_BANK, 0)} if one.drum_keys else {(0, one.program)}
        if not wanted & there:
            raise DatasetError(f"instrument {one.name}: {without_program(file, one.program, one.drum_keys)}")


def without_program(file: SoundFontFile, program: int, drums: bool) -> str:
    """Say that a SoundFont lacks a program or a drum kit, and what it has."""
    kind = "drum kit" if drums else "program"
    return f"{kind} {program} is not in {file.path}, which has {_list(file.presets, drums)}"


def _list(presets: Sequence[Preset], drums: bool) -> str:
    own = sorted({(one.program, one.name) for one in presets if one.bank == (DRUM_BANK if drums else 0)})
    if not own:
        return "no drum kits" if drums else "drum kits and variations alone"
    more = f" and {len(own) - MOST_LISTED} more" if len(own) > MOST_LISTED else ""
    return ", ".join(f"{program} {name}" for program, name in own[:MOST_LISTED]) + more


def open_file(path: str | Path) -> SoundFontFile:
    """Read the chunks of a SoundFont; a missing one is a `DatasetError` that says how to get the usual one."""
    if not Path(path).is_file():
        raise DatasetError(f"no SoundFont at {path}; on Debian: apt-get install fluidr3mono-gm-soundfont")
    return SoundFontFile(Path(path))
