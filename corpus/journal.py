"""What is known of a corpus: a journal while it grows, a Parquet manifest and an index when it is complete."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import UsageError
from ..whole_files import replacing, write_whole
from .render import FACTS, MIX, SOURCE, Row, file_md5, song_folder

JOURNAL: Final = "journal.jsonl"
MANIFEST: Final = "manifest.parquet"
HEADER: Final = "corpus.json"
INDEX: Final = "index.json"
BATCH_ROWS: Final = 10_000
_FILE = pa.struct([("file", pa.string()), ("md5", pa.string())])
_STEM = pa.struct([("file", pa.string()), ("channels", pa.list_(pa.int16()))])
SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("folder", pa.string()),
        ("source", pa.string()),
        ("source_sha256", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("seed", pa.int64()),
        ("version", pa.string()),
        ("commit", pa.string()),
        ("bank_sha256", pa.string()),
        ("options", pa.string()),
        ("representation", pa.string()),
        ("decoder", pa.string()),
        ("provider", pa.string()),
        ("core", pa.string()),
        ("audio_seconds", pa.float64()),
        ("sample_rate", pa.int32()),
        ("notes", pa.int32()),
        ("notes_left_out", pa.int32()),
        ("peak_dbfs", pa.float64()),
        ("loudness_lufs", pa.float64()),
        ("instruments", pa.list_(pa.string())),
        ("substitutions", pa.list_(pa.string())),
        ("warnings", pa.list_(pa.string())),
        ("stems", pa.list_(_STEM)),
        ("files", pa.list_(_FILE)),
    ]
)


class Journal:
    """The rows of a corpus, one JSON object a line; of two with one id the later one counts.

    A context manager; one process at a time may hold it.

    Parameters
    ----------
    corpus : Path
        Its folder. Where there is no journal but a manifest, the rows of the manifest are taken over.

    Attributes
    ----------
    places : dict of str to int
        Where the row of each id begins in the file.
    failed : set of str
        Ids of songs that could not be rendered.

    Raises
    ------
    UsageError
        If another run holds the journal.
    """

    def __init__(self, corpus: Path) -> None:
        self._corpus = corpus
        self.places: dict[str, int] = {}
        self.failed: set[str] = set()
        path = corpus / JOURNAL
        if not path.exists() and (corpus / MANIFEST).exists():
            with replacing(path) as part, part.open("wb") as file:
                for row in _manifest_rows(corpus / MANIFEST):
                    file.write(_line(row))
        self._file: BinaryIO = path.open("a+b")
        try:
            _lock(self._file, corpus)
            self._read()
        except BaseException:
            self._file.close()
            raise

    def _read(self) -> None:
        """Find all rows; a last line that was not written to its end is cut off."""
        self._file.seek(0)
        end = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            self._note(json.loads(line), end)
            end += len(line)
        self._file.truncate(end)
        self._file.seek(end)

    def _note(self, row: Row, place: int) -> None:
        self.places[row["id"]] = place
        (self.failed.discard if row["status"] == "done" else self.failed.add)(row["id"])

    def append(self, row: Row) -> None:
        """Add a row, whole or not at all."""
        place = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(_line(row))
            self._file.flush()
        except OSError:
            self._file.truncate(place)
            raise
        self._note(row, place)

    def forget(self, song_id: str) -> None:
        """Let a row count no more: its song is to be rendered again."""
        self.places.pop(song_id, None)
        self.failed.discard(song_id)

    def rows(self) -> Iterator[Row]:
        """Give the rows in order of their ids."""
        for song_id in sorted(self.places):
            self._file.seek(self.places[song_id])
            yield json.loads(self._file.readline())

    def finish(self, version: str) -> None:
        """Write manifest and index, each whole or not at all, and remove the journal, which they replace."""
        with replacing(self._corpus / MANIFEST) as part, pq.ParquetWriter(part, SCHEMA) as writer:
            rows = self.rows()
            while batch := list(islice(rows, BATCH_ROWS)):
                filled = [{"folder": self._folder(row["id"]), **row} for row in batch]
                writer.write_table(pa.Table.from_pylist(filled, SCHEMA))
        write_whole(self._corpus / INDEX, json.dumps(self._index(version), indent=1).encode())
        (self._corpus / JOURNAL).unlink()

    def _folder(self, song_id: str) -> str:
        return song_folder(self._corpus, song_id).relative_to(self._corpus).as_posix()

    def _index(self, version: str) -> dict[str, Any]:
        """Return what loaders of music data sets read: paths with their MD5, by song and by stem."""
        songs: dict[str, dict[str, Any]] = {}
        stems: dict[str, dict[str, Any]] = {}
        for row in self.rows():
            if row["status"] != "done":
                continue
            folder = self._folder(row["id"])
            files = {one["file"]: [f"{folder}/{one['file']}", one["md5"]] for one in row["files"]}
            mix = next(path for file, path in files.items() if file.startswith(f"{MIX}."))
            song = songs[row["id"]] = {"audio": mix, "midi": files[SOURCE], "notes": files[FACTS]}
            if row["stems"]:
                own = {f"{row['id']}/{Path(one['file']).stem}": files[one["file"]] for one in row["stems"]}
                stems.update({name: {"audio": path} for name, path in own.items()})
                song["tracks"] = list(own)
        metadata = {name: [name, file_md5(self._corpus / name)] for name in (HEADER, MANIFEST)}
        parts = {"tracks": stems, "multitracks": songs} if stems else {"tracks": songs}
        return {"version": version, "metadata": metadata, **parts}

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _line(row: Row) -> bytes:
    return json.dumps(row, allow_nan=False).encode() + b"\n"


def _manifest_rows(path: Path) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            yield from batch.to_pylist()


def _lock(file: BinaryIO, corpus: Path) -> None:
    """Hold the journal until it is closed, as far as the system knows how; it lets go if the process dies."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UsageError(f"another run is writing the corpus {str(corpus)!r}; wait for it") from error
