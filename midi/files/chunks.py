"""The container of a Standard MIDI File: header and track chunks, bare or wrapped in RIFF (RMID).

Lengths in files are often wrong: converters count a few bytes too many, recorders never come back to write the
true size, downloads stop early. So a length is believed where a chunk or the end of the file follows, and
otherwise a track ends with its own end-of-track event and the next one is where ``MTrk`` stands.
"""

import struct
from typing import Final, NamedTuple

from ...errors import MidiFileError

_CHUNK_HEADER_BYTES: Final = 8
_HEADER_BYTES: Final = 6
_HEADER: Final = b"MThd"
_TRACK: Final = b"MTrk"
_FORMATS: Final = (0, 1, 2)
_PARALLEL_FORMAT: Final = 1
# The header counts tracks in 16 bits, so no honest file has more chunks.
_MAX_CHUNKS: Final = 2**16
# Blank lines, MacBinary headers of 128 bytes and the headers of web servers stand before the song.
_MAX_PRELUDE_BYTES: Final = 4096


class TrackSpan(NamedTuple):
    """Where the events of a track are: from byte `start` on, before byte `end`."""

    start: int
    end: int


class Container:
    """The chunks of a MIDI file; a cursor over its tracks.

    Parameters
    ----------
    data : bytes
        The whole file.

    Attributes
    ----------
    data : bytes
        The MIDI file, out of its RIFF wrapper.
    format : int
        0 (one track), 1 (parallel tracks) or 2 (patterns played one after another).
    division : int
        Signed 16 bits: ticks per quarter note, or, if negative, an SMPTE rate.
    warnings : list of str
        What was odd and passed over, so far.

    Raises
    ------
    MidiFileError
        If this is no MIDI file.
    """

    def __init__(self, data: bytes) -> None:
        self.warnings: list[str] = []
        self.data = self._unwrapped(data)
        self.format, self._num_promised, self.division, self._position = self._read_header()
        self._num_tracks = 0
        self._num_chunks = 0
        self._num_skipped = 0
        self._claimed = TrackSpan(0, 0)  # by the current track's chunk

    def next_track(self) -> TrackSpan | None:
        """Return where the next track may be, None after the last; `track_ended` has to follow.

        Raises
        ------
        MidiFileError
            If there are more chunks than any song has, or no track at all.
        """
        while self._position < len(self.data):
            kind, size = self._chunk_at(self._position)
            if kind == _TRACK:
                return self._begin_track(size)
            if kind == _HEADER and self._num_tracks:
                # Two files in one: other players stop after the first.
                self.warnings.append(f"ignored another MIDI file at byte {self._position}")
                self._position = len(self.data)
            elif kind is not None and self._is_boundary(end := self._position + _CHUNK_HEADER_BYTES + size):
                self._count_chunk()
                self._num_skipped += 1
                self._position = end
            else:
                self._seek_track()
        self._finish()
        return None

    def track_ended(self, position: int) -> None:
        """Go on behind the current track, whose last event ends before byte `position` of `data`."""
        claimed, name = self._claimed, f"track {self._num_tracks}"
        next_track = position
        if position < claimed.end and self._is_boundary(claimed.end):
            next_track = self.data.find(_TRACK, position, claimed.end)
        if next_track < 0:
            self.warnings.append(f"{name}: ignored {claimed.end - position} bytes after the end-of-track event")
            next_track = claimed.end
        elif position != claimed.end:
            sizes = (end - claimed.start for end in (claimed.end, position))
            self.warnings.append("{}: its chunk claims {} bytes, the track has {}".format(name, *sizes))
        self._position = next_track

    def _begin_track(self, size: int) -> TrackSpan:
        self._count_chunk()
        self._num_tracks += 1
        start = self._position + _CHUNK_HEADER_BYTES
        self._claimed = TrackSpan(start, start + size)
        if self._is_boundary(start + size):
            return self._claimed
        following = self.data.find(_TRACK, start)
        return TrackSpan(start, following if following >= 0 else len(self.data))

    def _count_chunk(self) -> None:
        if self._num_chunks == _MAX_CHUNKS:
            raise MidiFileError(f"more than {_MAX_CHUNKS} chunks, expected a MIDI file of a playable size")
        self._num_chunks += 1

    def _seek_track(self) -> None:
        """Go to the next track, over whatever lies before it."""
        begin = self._position
        found = self.data.find(_TRACK, begin + 1, len(self.data))
        # A chunk header needs its length, too.
        if found < 0 or found + _CHUNK_HEADER_BYTES > len(self.data):
            self.warnings.append(f"ignored {len(self.data) - begin} bytes after the last track")
            self._position = len(self.data)
        else:
            self.warnings.append(f"skipped {found - begin} bytes before track {self._num_tracks + 1}")
            self._position = found

    def _finish(self) -> None:
        if self._num_tracks == 0:
            raise MidiFileError("there is no track chunk, expected at least one 'MTrk'")
        if self._num_skipped:
            self.warnings.append(f"skipped {self._num_skipped} chunks that are no tracks")
            self._num_skipped = 0
        if self._num_promised != self._num_tracks:
            self.warnings.append(f"the header promises {self._num_promised} tracks, the file has {self._num_tracks}")
            self._num_promised = self._num_tracks

    def _chunk_at(self, position: int) -> tuple[bytes | None, int]:
        """Return (identifier, claimed size) of a chunk; None for the identifier if there is none."""
        if position + _CHUNK_HEADER_BYTES > len(self.data):
            return None, 0
        kind, size = struct.unpack_from(">4sL", self.data, position)
        return (kind if kind.isascii() and kind.decode("ascii").isprintable() else None), size

    def _is_boundary(self, position: int) -> bool:
        """Tell whether a chunk begins at `position`, or the file ends there."""
        if position >= len(self.data):
            return position == len(self.data)
        kind, size = self._chunk_at(position)
        if kind in (_TRACK, _HEADER):
            return True
        return kind is not None and position + _CHUNK_HEADER_BYTES + size <= len(self.data)

    def _read_header(self) -> tuple[int, int, int, int]:
        """Return format, promised number of tracks, division and the position behind the header."""
        begin = self.data.find(_HEADER, 0, _MAX_PRELUDE_BYTES)
        if begin < 0:
            raise MidiFileError(f"not a MIDI file: it begins with {_shown(self.data[:4])}, expected 'MThd' or 'RIFF'")
        if begin:
            self.warnings.append(f"ignored {begin} bytes before the header")
        size = self._chunk_at(begin)[1]
        start = begin + _CHUNK_HEADER_BYTES
        least_end = start + _HEADER_BYTES
        is_true = size >= _HEADER_BYTES and self._is_boundary(start + size)
        num_bytes = min(size, max(0, len(self.data) - start))
        if num_bytes < _HEADER_BYTES and self._chunk_at(least_end)[0] != _TRACK:
            raise MidiFileError(f"the header has {num_bytes} bytes, expected at least {_HEADER_BYTES}")
        if not is_true and size != _HEADER_BYTES:
            self.warnings.append(f"the header claims {size} bytes, expected {_HEADER_BYTES}")
        file_format, num_promised, division = struct.unpack_from(">HHh", self.data, start)
        if file_format not in _FORMATS:
            self.warnings.append(f"the header gives format {file_format}, expected 0, 1 or 2; played as 1")
            file_format = _PARALLEL_FORMAT
        return file_format, num_promised, division, start + size if is_true else least_end

    def _unwrapped(self, data: bytes) -> bytes:
        """Return the MIDI file inside a RIFF file of type RMID; any other data as it is."""
        if data[:4] != b"RIFF":
            return data
        if data[8:12] != b"RMID":
            raise MidiFileError(f"not a MIDI file: RIFF of type {_shown(data[8:12])}, expected 'RMID'")
        position = 12
        while position + _CHUNK_HEADER_BYTES <= len(data):
            kind, size = struct.unpack_from("<4sL", data, position)
            start = position + _CHUNK_HEADER_BYTES
            if kind == b"data" and data[start : start + 4] == _HEADER:
                # A song that is longer than its wrapper says is still all there.
                return data[start : start + size] if start + size <= len(data) and size else data[start:]
            position = start + size + size % 2  # RIFF pads to even lengths
        begin = data.find(_HEADER)
        if begin < 0:
            raise MidiFileError("the RIFF file has no MIDI file in a 'data' chunk, expected one")
        self.warnings.append("the lengths in the RIFF file are wrong")
        return data[begin:]


def _shown(raw: bytes) -> str:
    """Return bytes as a short quoted text that fits on a line."""
    return repr(raw)[1:] if raw else "nothing"
