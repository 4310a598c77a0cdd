"""A folder of recorded notes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from os.path import realpath
from pathlib import Path, PurePath
from typing import Final

from ...engine.arrays import FloatArray
from ...errors import AudioFileError, DatasetError
from ..measure.recording import Recording
from .audio.checks import read_note
from .audio.envelope import trim
from .audio.heard import names_are_keys, semitones_off, transposition
from .audio.note_file import NoteFile, read_note_file, recorded_note
from .audio.pitch import detect_pitch
from .base import CheckedSource
from .naming import notes_csv
from .naming.drums import drum_key, free_key
from .naming.names import instrument_name
from .naming.naming import NameParts, read_names

SUFFIXES: Final = (
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".aif", ".aiff", ".aifc"),
    *(".ogg", ".oga", ".opus", ".mp3", ".au", ".snd", ".caf"),
)
OTHER_AUDIO: Final = (".m4a", ".mp4", ".aac", ".wma", ".ape", ".wv", ".wvc", ".mpc", ".ac3", ".mka", ".webm")
DEFAULT_VELOCITY: Final = 100
UNPITCHED_KEY: Final = 60
NUM_HEARD: Final = 5
"""Notes of a folder that are heard before numbers in its names are believed to be keys."""


@dataclass(frozen=True)
class FolderEntry:
    """One file to load, with its row of `notes.csv` if there is one, or with what speaks against it."""

    path: Path
    row: notes_csv.Row | None = None
    problem: str | None = None


class FolderSource(CheckedSource[FolderEntry]):
    """Notes from a folder and all folders in it.

    A note's pitch stands in its `notes.csv` (see `notes_csv.read_rows`), or in its name, or is detected from the
    sound. How names are to be read is learned from all of them (see `naming`). Its instrument is named by `notes.csv`,
    by the sub-folders it lies in (``strings/Violin 1`` is ``strings-violin-1``), by what else its name says, or by
    the folder itself, whichever comes first. Notes of the same key and velocity are kept, all of them. A `notes.csv`
    lists the notes of its folder and of those below: other files there are skipped. Where most notes sound otherwise
    than their names say, the report warns.

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
    unpitched : collection of str, or bool
        Instruments without a fundamental; True for all. Their key is what the name says, or 60.
    drums : bool
        All notes are drums of one kit, each with a key of its own: what its name says, what General MIDI has for it
        (``snare`` is 38), or a free one.
    velocity : int
        Of notes that do not tell theirs.
    compare : bool
        Compare names with what sounds, for the warning.

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
        unpitched: Collection[str] | bool = (),
        drums: bool = False,
        velocity: int = DEFAULT_VELOCITY,
        compare: bool = True,
    ) -> None:
        super().__init__(f"the folder {path}")
        self.path = Path(path)
        if not self.path.is_dir():
            raise DatasetError(f"there is no folder {path}")
        self.sample_rate = sample_rate
        self.instrument = instrument
        self.middle_c_octave = middle_c_octave
        self.unpitched = unpitched if isinstance(unpitched, bool) else frozenset(unpitched)
        self.drums = drums
        self.velocity = velocity
        self.compare = compare
        self._names: dict[PurePath, NameParts] = {}
        self._offsets: list[int] = []
        self._drums: dict[str, int] = {}

    def names(self) -> list[NameParts]:
        """Return what the names of all files say, without a look into the files."""
        entries = [one for one in self._scan(self.path, frozenset()) if not one.problem]
        return list(read_names([self._relative(one.path) for one in entries], self.middle_c_octave).values())

    def _entries(self) -> Iterator[FolderEntry]:
        entries = list(self._scan(self.path, frozenset()))
        self._offsets, self._drums = [], {}
        self._names = read_names([self._relative(one.path) for one in entries], self.middle_c_octave)
        self._check_bare_keys()
        yield from entries
        warning = transposition(self._offsets, self.middle_c_octave)
        if warning:
            self._remarks.append(f"warning: {warning}")

    def _relative(self, path: Path) -> Path:
        return path.relative_to(self.path) if path.is_relative_to(self.path) else Path(path.name)

    def _check_bare_keys(self) -> None:
        """Forget numbers that were taken for keys where the notes of a folder do not sound so."""
        bare: dict[PurePath, list[PurePath]] = {}
        for path, parts in self._names.items():
            if parts.is_bare:
                bare.setdefault(path.parent, []).append(path)
        for inside in bare.values():
            if self._is_unpitched(self._instrument(self._names[inside[0]].prefix)):
                continue
            chosen = [
                inside[i * (len(inside) - 1) // max(NUM_HEARD - 1, 1)] for i in range(min(NUM_HEARD, len(inside)))
            ]
            if not names_are_keys(self._heard_above(path) for path in chosen):
                for path in inside:
                    self._names[path] = replace(self._names[path], pitch=None, is_bare=False)

    def _heard_above(self, path: PurePath) -> int | None:
        """Return how many semitones a file sounds above its name, or None where it cannot be told."""
        pitch = self._names[path].pitch
        try:
            audio, _ = trim(read_note(self.path / path, self.sample_rate), self.sample_rate)
        except AudioFileError:
            return None
        return None if pitch is None else semitones_off(audio, self.sample_rate, pitch)

    def _scan(self, folder: Path, above: frozenset[Path]) -> Iterator[FolderEntry]:
        """List a folder in the order of names; a link back to a folder above is not followed."""
        real = Path(realpath(folder))
        if real in above:
            return
        table = folder / notes_csv.FILE_NAME
        try:
            is_listed = table.is_file()
            paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            yield FolderEntry(folder, problem=f"unreadable: {error.strerror}")
            return
        if is_listed:
            yield from self._listed(table)
            return
        for path in paths:
            try:
                is_folder = path.is_dir()
            except OSError as error:
                yield FolderEntry(path, problem=f"unreadable: {error.strerror}")
                continue
            if is_folder:
                yield from self._within(path, above | {real})
            elif path.suffix.lower() in SUFFIXES:
                yield FolderEntry(path)
            elif path.suffix.lower() in OTHER_AUDIO:
                yield FolderEntry(path, problem=f"unsupported: {path.suffix} is not read, convert it to WAV or FLAC")

    def _within(self, folder: Path, above: frozenset[Path]) -> Iterator[FolderEntry]:
        """List a sub-folder; one that is named like a sound file should hold something."""
        inside = list(self._scan(folder, above))
        yield from inside
        if not inside and folder.suffix.lower() in SUFFIXES:
            yield FolderEntry(folder, problem="folder: it is named like a sound file, and holds none")

    def _listed(self, table: Path) -> Iterator[FolderEntry]:
        """List the rows of a table, then the files that it leaves out."""
        rows = notes_csv.read_rows(table, self.middle_c_octave)
        for row in rows:
            yield FolderEntry(row.path, row, row.problem)
        listed = {realpath(row.path) for row in rows}
        for path in sorted(table.parent.rglob("[!.]*")):
            if path.suffix.lower() in SUFFIXES and realpath(path) not in listed:
                yield FolderEntry(path, problem=f"unlisted: {notes_csv.FILE_NAME} does not name it")

    def _load(self, entry: FolderEntry) -> Recording:
        if entry.problem:
            raise AudioFileError(entry.problem)
        row = entry.row or notes_csv.Row(entry.path, "")
        if entry.row and not entry.path.is_file():
            raise AudioFileError(f"unreadable: there is no such file, but {row.where} names it")
        parts = self._names[self._relative(entry.path)]
        if parts.problem and row.pitch is None:  # what the table says of a file, its name need not
            raise AudioFileError(parts.problem)
        instrument = self.instrument or row.instrument or self._instrument(parts.prefix)
        note = read_note_file(entry.path, self.sample_rate)
        pitched = not self._is_unpitched(instrument)
        pitch = parts.pitch if row.pitch is None else row.pitch
        if self.drums:
            pitch = self._drum_key(parts, pitch)
            instrument = f"{self._kit_name(row.instrument)}:{pitch}"
        elif pitch is None:
            pitch = self._detected(note) if pitched else UNPITCHED_KEY
        elif pitched and self.compare:
            self._compare(note.audio, pitch)
        velocity = row.velocity or parts.velocity or self.velocity
        origin = str(self._relative(entry.path))
        return recorded_note(
            note, self.sample_rate, instrument, pitch, velocity, pitched=pitched, hold_s=row.hold_s, origin=origin
        )

    def _is_unpitched(self, instrument: str) -> bool:
        return self.drums or self.unpitched is True or (self.unpitched is not False and instrument in self.unpitched)

    def _instrument(self, words: str) -> str:
        """Return the instrument that the words of sub-folder or name give, else that of this folder."""
        return self.instrument or instrument_name(words) or instrument_name(self.path.resolve().name) or "folder"

    def _kit_name(self, listed: str | None) -> str:
        return (self.instrument or listed or self._instrument("")).replace(":", "-")

    def _drum_key(self, parts: NameParts, named: int | None) -> int:
        """Return the key of a drum: what its name says, what General MIDI has for its words, or a free one."""
        name = f"{parts.prefix}/{parts.words}"
        key = next((key for key in (named, drum_key(parts.words), drum_key(parts.prefix)) if key is not None), None)
        if key is None:
            key = self._drums.get(name, free_key(self._drums.values()))
        self._drums[name] = key
        return key

    def _compare(self, audio: FloatArray, pitch: int) -> None:
        """Remember how far a note sounds from its name."""
        off = semitones_off(audio, self.sample_rate, pitch)
        if off is not None:
            self._offsets.append(off)

    def _detected(self, note: NoteFile) -> int:
        """Return the pitch that a note sounds, or else the key that its file names."""
        try:
            return detect_pitch(note.audio, self.sample_rate).key
        except AudioFileError as error:
            if note.key is not None:
                return note.key
            raise AudioFileError(f"{error}; give its pitch in its name or in {notes_csv.FILE_NAME}") from error
