"""Where the songs of a corpus come from: folders, files, globs, lists of files, and tar archives of MIDI files."""

from __future__ import annotations

import glob
import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ..engine.render.stem_names import safe_name
from ..errors import MidiFileError, UsageError
from ..midi.files.song import MAX_FILE_BYTES

MIDI_SUFFIXES: Final = (".mid", ".midi", ".kar", ".rmi")
LIST_SUFFIXES: Final = (".txt", ".list")
HASH_CHARACTERS: Final = 12
"""Of a song's hash in its id: among a million songs of one name two are alike with a probability of 0.2 %."""


class SongFile(NamedTuple):
    """A song, before it is read.

    Attributes
    ----------
    id : str
        Its name in letters, digits and hyphens, and the beginning of its hash: the same wherever the file lies.
    source : str
        What it is called in messages and in the manifest.
    path, offset, num_bytes : str, int, int
        Where its bytes lie: in a file, or within an archive.
    sha256 : str
        Of its bytes.
    """

    id: str
    source: str
    path: str
    offset: int
    num_bytes: int
    sha256: str

    def read(self) -> bytes:
        """Return the bytes; `MidiFileError` if they are not what they were any more."""
        try:
            data = _read(self.path, self.offset, self.num_bytes)
        except OSError as error:
            raise MidiFileError(f"{self.source}: cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise MidiFileError(f"{self.source}: it has changed since the songs were listed")
        return data


def find_songs(places: Iterable[str | os.PathLike[str]]) -> list[SongFile]:
    """Return the songs that are named, the largest first and each once, whatever the order of the names.

    The size of a MIDI file is a measure of its notes that takes no reading: what is longest is rendered first, so that
    no worker is left with a long song at the end.

    Parameters
    ----------
    places : iterable of path-like
        Folders are searched through, globs expanded; of a list (``.txt``, one path a line, relative to the list) every
        line is such a place; of a tar archive every member that is a MIDI file is a song.

    Raises
    ------
    UsageError
        If a place does not exist, cannot be read, or no song is found.
    """
    names = [os.fspath(place) for place in places]
    songs: dict[str, SongFile] = {}
    for name in names:
        for song in _songs_at(name, may_be_list=True):
            songs.setdefault(song.id, song)
    if not songs:
        raise UsageError(f"no MIDI files ({', '.join(MIDI_SUFFIXES)}) in {', '.join(map(repr, names)) or 'nothing'}")
    return sorted(songs.values(), key=lambda song: (-song.num_bytes, song.id))


def _songs_at(name: str, may_be_list: bool) -> Iterator[SongFile]:
    path = Path(name)
    try:
        if path.is_dir():
            for found in sorted(path.rglob("*")):
                if found.suffix.lower() in MIDI_SUFFIXES and found.is_file():
                    yield _song_in_file(found)
        elif path.is_file():
            yield from _songs_in_file(path, may_be_list)
        elif matches := sorted(glob.glob(name, recursive=True)):
            for match in matches:
                yield from _songs_at(match, may_be_list)
        else:
            raise UsageError(f"there is no file, folder or match of a pattern {name!r}")
    except OSError as error:
        raise UsageError(f"{name!r} cannot be read: {error.strerror or error}") from error


def _songs_in_file(path: Path, may_be_list: bool) -> Iterator[SongFile]:
    suffix = path.suffix.lower()
    if suffix in MIDI_SUFFIXES:
        yield _song_in_file(path)
    elif suffix == ".tar":
        yield from _songs_in_tar(path)
    elif suffix in LIST_SUFFIXES and may_be_list:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip() and not line.startswith("#"):
                yield from _songs_at(str(path.parent / line.strip()), may_be_list=False)
    else:
        kinds = ", ".join((*MIDI_SUFFIXES, ".tar", *LIST_SUFFIXES))
        raise UsageError(f"{str(path)!r} is no source of songs: expected a folder, a pattern, or one of {kinds}")


def _song_in_file(path: Path) -> SongFile:
    return _song(str(path), str(path), 0, path.stat().st_size)


def _songs_in_tar(path: Path) -> Iterator[SongFile]:
    """Yield the songs of an uncompressed archive, such as a shard of a WebDataset, whose members can be read alone."""
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.isfile() and Path(member.name).suffix.lower() in MIDI_SUFFIXES:
                    yield _song(f"{path}/{member.name}", str(path), member.offset_data, member.size)
    except tarfile.TarError as error:
        raise UsageError(f"{str(path)!r} is no tar archive, or compressed: {error}; unpack it first") from error


def _song(source: str, path: str, offset: int, num_bytes: int) -> SongFile:
    # What is larger than any song is told apart by its beginning, and refused by the worker that gets it.
    num_bytes = min(num_bytes, MAX_FILE_BYTES + 1)
    sha256 = hashlib.sha256(_read(path, offset, num_bytes)).hexdigest()
    name = safe_name(Path(source).stem) or "song"
    return SongFile(f"{name}-{sha256[:HASH_CHARACTERS]}", source, path, offset, num_bytes, sha256)


def _read(path: str, offset: int, num_bytes: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(num_bytes)
