"""MIDI is taken from paths, bytes, file objects and mido's objects, and from nothing else."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import mido
import pytest

from tnca_synth.errors import MidiFileError, UsageError
from tnca_synth.midi import read_midi_file

CANON = Path(__file__).parents[2] / "examples" / "canon.mid"
DATA = CANON.read_bytes()


class Drip(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 7, 7))

    def seek(self, *_: int) -> int:
        raise OSError("a pipe")


@pytest.mark.parametrize(
    "source",
    [str, Path, lambda path: DATA, lambda path: bytearray(DATA), lambda path: memoryview(DATA),
     lambda path: io.BytesIO(DATA), lambda path: Drip(DATA), lambda path: mido.MidiFile(path)],
    ids=["text", "path", "bytes", "bytearray", "memoryview", "file", "pipe", "mido"],
)  # fmt: skip
def test_all_sources_give_the_same_song(source: Callable[[Path], object]) -> None:
    song, expected = read_midi_file(source(CANON)), read_midi_file(CANON)  # type: ignore[arg-type]
    assert song.num_notes == expected.num_notes
    assert [message.data for message in song.messages] == [message.data for message in expected.messages]


def test_an_open_file_is_read_from_where_it_stands_and_stays_open(tmp_path: Path) -> None:
    (tmp_path / "padded").write_bytes(b"header" + DATA)
    with open(tmp_path / "padded", "rb") as file:
        file.read(6)
        assert read_midi_file(file).num_notes > 0
        assert not file.closed


@pytest.mark.parametrize("source", [None, 5, 1.5, [], object(), ("a.mid",)])
def test_anything_else_is_a_wrong_call(source: object) -> None:
    with pytest.raises(UsageError, match="expected a MIDI file as a path, bytes"):
        read_midi_file(source)  # type: ignore[arg-type]


def test_a_text_file_object_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="open it with mode 'rb'"):
        read_midi_file(io.StringIO("MThd"))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"MThd", b"\0" * 100])
def test_bytes_that_are_no_song_are_one_line(data: bytes) -> None:
    with pytest.raises(MidiFileError) as error:
        read_midi_file(data)
    assert "\n" not in str(error.value)


def test_a_file_object_that_fails_is_one_line_with_its_name() -> None:
    class Broken(io.BytesIO):
        name = "tape"

        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(MidiFileError, match="tape: cannot be read: Input/output error"):
        read_midi_file(Broken())


def test_an_object_that_cannot_be_saved_is_one_line() -> None:
    class Empty:
        def save(self, *, file: object) -> None:
            raise ValueError("no tracks")

    with pytest.raises(MidiFileError, match="the Empty cannot be written as a MIDI file: no tracks"):
        read_midi_file(Empty())


def test_a_song_is_short_to_look_at() -> None:
    assert len(repr(read_midi_file(CANON))) < 80


def test_a_folder_is_no_song(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match="cannot be read: Is a directory"):
        read_midi_file(os.fspath(tmp_path))
