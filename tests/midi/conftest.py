"""Builders of MIDI files, byte by byte, for the tests of this folder."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tnca_synth.midi import Song, parse_midi

END_OF_TRACK = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x40"  # C4 for 480 ticks


class FileBuilder:
    """Makes files out of raw events; lengths are right unless a test makes them wrong."""

    note = NOTE
    end_of_track = END_OF_TRACK

    @staticmethod
    def chunk(kind: bytes, body: bytes) -> bytes:
        """Return a chunk with its true length."""
        return kind + struct.pack(">L", len(body)) + body

    def header(self, num_tracks: int, file_format: int = 1, division: int = 480) -> bytes:
        """Return a header chunk; `division` is signed."""
        return self.chunk(b"MThd", struct.pack(">HHh", file_format, num_tracks, division))

    def track(self, events: bytes) -> bytes:
        """Return a track chunk of events, with an end-of-track event added."""
        return self.chunk(b"MTrk", events + END_OF_TRACK)

    def file(self, *tracks: bytes, file_format: int = 1, division: int = 480) -> bytes:
        """Return a file of tracks given as events without an end of track."""
        chunks = b"".join(map(self.track, tracks))
        return self.header(len(tracks), file_format, division) + chunks

    def song(self, *tracks: bytes, file_format: int = 1, division: int = 480) -> Song:
        """Return the song read from `file`."""
        return parse_midi(self.file(*tracks, file_format=file_format, division=division))


@pytest.fixture(scope="session")
def build() -> FileBuilder:
    """Return the builder of MIDI files."""
    return FileBuilder()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    """Return a function that writes bytes to a file and returns its path."""

    def write_song(data: bytes) -> Path:
        path = tmp_path / "song.mid"
        path.write_bytes(data)
        return path

    return write_song
