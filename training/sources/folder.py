"""A folder of recorded notes, WAV or FLAC."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...engine.spectral import FloatArray
from ...errors import AudioFileError, DatasetError
from ..recordings import Recording
from . import notes_csv
from .base import CheckedSource
from .checks import read_note
from .envelope import find_hold_s, trim
from .names import NameParts, instrument_name, parse_name
from .pitch import detect_pitch

SUFFIXES: Final = (".wav", ".wave", ".flac")
OTHER_AUDIO: Final = (".aif", ".aiff", ".au", ".caf", ".m4a", ".mp3", ".mp4", ".ogg", ".opus", ".w64", ".wma")
DEFAULT_VELOCITY: Final = 100
UNPITCHED_KEY: Final = 60


@dataclass(frozen=True)
class FolderEntry:
    """One file to load, with its row of `notes.csv` if there is one, or with what speaks against it."""

    path: Path
    row: notes_csv.Row | None = None
    problem: str | None = None


class FolderSource(CheckedSource[FolderEntry]):
    """Notes from a folder and all folders in it.

    A note's pitch stands in its `notes.csv` (see `notes_csv.read_rows`), or in its name (see `names.parse_name`), or
    is detected from the sound. Its instrument is named by `notes.csv`, by the sub-folders it lies in
    (``strings/Violin 1`` is ``strings-violin-1``), by what stands before the pitch in its name, or by the folder
    itself, whichever comes first. A `notes.csv` lists the notes of its folder and of those below: other files
    there are skipped.

    Parameters
    ----------
    path : path-like
        The folder.
    sample_rate : int
        Of the recordings to yield, in Hz.
    instrument : str or None
        One name for all notes.
    middle_c_octave : int
        The octave in which names call key 60 C: 4, or 3 in some sample libraries.
    unpitched : collection of str
        Instruments without a fundamental, such as drums. Their key is what the name says, or 60.
    velocity : int
        Of notes that do not tell theirs.

    Raises
    ------
    DatasetError
        There is no such folder; while iterating: a `notes.csv` makes no sense, or no recording was usable.
    """

    def __init__(
        self,
        path: str | Path,
        sample_rate: int,
        *,
        instrument: str | None = None,
        middle_c_octave: int = 4,
        unpitched: Collection[str] = (),
        velocity: int = DEFAULT_VELOCITY,
    ) -> None:
        super().__init__(f"the folder {path}")
        self.path = Path(path)
        if not self.path.is_dir():
            raise DatasetError(f"there is no folder {path}")
        self.sample_rate = sample_rate
        self.instrument = instrument
        self.middle_c_octave = middle_c_octave
        self.unpitched = frozenset(unpitched)
        self.velocity = velocity

    def _entries(self) -> Iterator[FolderEntry]:
        yield from self._scan(self.path, frozenset())

    def _scan(self, folder: Path, above: frozenset[Path]) -> Iterator[FolderEntry]:
        """List a folder in the order of names; a link back to a folder above is not followed."""
        real = folder.resolve()
        if real in above:
            return
        table = folder / notes_csv.FILE_NAME
        if table.is_file():
            yield from self._listed(table)
            return
        try:
            paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            yield FolderEntry(folder, problem=f"unreadable: {error.strerror}")
            return
        for path in paths:
            if path.is_dir():
                yield from self._scan(path, above | {real})
            elif path.suffix.lower() in SUFFIXES:
                yield FolderEntry(path)
            elif path.suffix.lower() in OTHER_AUDIO:
                yield FolderEntry(path, problem=f"unsupported: {path.suffix} is not read, convert to WAV or FLAC")

    def _listed(self, table: Path) -> Iterator[FolderEntry]:
        """List the rows of a table, then the files that it leaves out."""
        rows = notes_csv.read_rows(table, self.middle_c_octave)
        for row in rows:
            yield FolderEntry(row.path, row, row.problem)
        listed = {row.path.resolve() for row in rows}
        for path in sorted(table.parent.rglob("[!.]*")):
            if path.suffix.lower() in SUFFIXES and path.resolve() not in listed:
                yield FolderEntry(path, problem=f"unlisted: {notes_csv.FILE_NAME} does not name it")

    def _load(self, entry: FolderEntry) -> Recording:
        if entry.problem:
            raise AudioFileError(entry.problem)
        row = entry.row or notes_csv.Row(entry.path, "")
        if entry.row and not entry.path.is_file():
            raise AudioFileError(f"unreadable: there is no such file, but {row.where} names it")
        # What the table says of a file, its name need not: it is read leniently then.
        parts = self._name_parts(entry.path, lenient=row.pitch is not None)
        instrument = self.instrument or row.instrument or self._instrument(entry.path, parts.prefix)
        audio, _ = trim(read_note(entry.path, self.sample_rate), self.sample_rate)
        pitched = instrument not in self.unpitched
        pitch = parts.pitch if row.pitch is None else row.pitch
        if pitch is None:
            pitch = self._detected(audio) if pitched else UNPITCHED_KEY
        velocity = row.velocity or parts.velocity or self.velocity
        hold_s = min(row.hold_s or find_hold_s(audio, self.sample_rate), len(audio) / self.sample_rate)
        return Recording(audio, instrument, pitch, velocity, hold_s, pitched)

    def _name_parts(self, path: Path, lenient: bool) -> NameParts:
        try:
            return parse_name(path.stem, self.middle_c_octave)
        except AudioFileError:
            if lenient:
                return NameParts("")
            raise

    def _instrument(self, path: Path, prefix: str) -> str:
        """Return the instrument that folders or name give: sub-folder, else prefix, else this folder."""
        folders = path.parent.relative_to(self.path).parts if path.is_relative_to(self.path) else ()
        return instrument_name("-".join(folders or (prefix,))) or instrument_name(self.path.resolve().name) or "folder"

    def _detected(self, audio: FloatArray) -> int:
        try:
            return detect_pitch(audio, self.sample_rate).key
        except AudioFileError as error:
            raise AudioFileError(f"{error}; give its pitch in its name or in {notes_csv.FILE_NAME}") from error
