"""The container of a Standard MIDI File: header and track chunks, bare or wrapped in RIFF (RMID)."""

import struct
from dataclasses import dataclass
from typing import Final

from ..errors import MidiFileError

_CHUNK_HEADER_BYTES: Final = 8
_HEADER_BYTES: Final = 6
_FORMATS: Final = (0, 1, 2)
# The header counts tracks in 16 bits, so no honest file has more chunks.
_MAX_CHUNKS: Final = 2**16


@dataclass(frozen=True)
class Container:
    """What the chunks of a file hold.

    Attributes
    ----------
    format : int
        0 (one track), 1 (parallel tracks) or 2 (patterns played one after another).
    division : int
        Signed 16 bits: ticks per quarter note, or, if negative, an SMPTE rate.
    tracks : list of bytes
        The events of each track, undecoded.
    warnings : list of str
        What was odd and passed over.
    """

    format: int
    division: int
    tracks: list[bytes]
    warnings: list[str]


def split_chunks(data: bytes) -> Container:
    """Split the bytes of a MIDI file into its tracks.

    No length field is trusted beyond the bytes that are there.

    Raises
    ------
    MidiFileError
        If this is no MIDI file, or a chunk reaches beyond its end.
    """
    if data[:4] == b"RIFF":
        data = _unwrap_riff(data)
    if data[:4] != b"MThd":
        raise MidiFileError(f"not a MIDI file: it begins with {_shown(data[:4])}, expected 'MThd' or 'RIFF'")
    header, position = _chunk_at(data, 0)[1:]
    if len(header) < _HEADER_BYTES:
        raise MidiFileError(f"the header has {len(header)} bytes, expected at least {_HEADER_BYTES}")
    file_format, num_promised, division = struct.unpack(">HHh", header[:_HEADER_BYTES])
    if file_format not in _FORMATS:
        raise MidiFileError(f"the header gives format {file_format}, expected 0, 1 or 2")
    tracks, warnings = _read_tracks(data, position, num_promised)
    return Container(file_format, division, tracks, warnings)


def _read_tracks(data: bytes, position: int, num_promised: int) -> tuple[list[bytes], list[str]]:
    """Return the bodies of all track chunks from `position` on, and warnings."""
    tracks: list[bytes] = []
    warnings: list[str] = []
    num_skipped = 0
    while position < len(data):
        if len(tracks) + num_skipped == _MAX_CHUNKS:
            raise MidiFileError(f"more than {_MAX_CHUNKS} chunks, expected a MIDI file of a playable size")
        try:
            kind, body, end = _chunk_at(data, position)
        except MidiFileError:
            # Players stop at the promised number of tracks and so never see what an editor left behind them.
            if len(tracks) < num_promised or not tracks:
                raise
            warnings.append(f"ignored {len(data) - position} bytes after the last track")
            break
        if kind == b"MTrk":
            tracks.append(body)
        else:
            num_skipped += 1
        position = end
    if num_skipped:
        warnings.append(f"skipped {num_skipped} chunks that are no tracks")
    if not tracks:
        raise MidiFileError("there is no track chunk, expected at least one 'MTrk'")
    if len(tracks) != num_promised:
        warnings.append(f"the header promises {num_promised} tracks, the file has {len(tracks)}")
    return tracks, warnings


def _chunk_at(data: bytes, position: int) -> tuple[bytes, bytes, int]:
    """Return (identifier, body, position of the next chunk)."""
    num_left = len(data) - position
    if num_left < _CHUNK_HEADER_BYTES:
        raise MidiFileError(f"truncated: {num_left} bytes at byte {position}, expected the 8 of a chunk header")
    kind, size = struct.unpack_from(">4sL", data, position)
    if not (kind.isascii() and kind.decode("ascii").isprintable()):
        raise MidiFileError(f"{_shown(kind)} at byte {position}, expected a chunk such as 'MTrk'")
    start = position + _CHUNK_HEADER_BYTES
    if size > len(data) - start:
        raise MidiFileError(
            f"truncated: chunk {_shown(kind)} at byte {position} claims {size} bytes, {len(data) - start} are left"
        )
    return kind, data[start : start + size], start + size


def _unwrap_riff(data: bytes) -> bytes:
    """Return the MIDI file inside a RIFF file of type RMID."""
    if data[8:12] != b"RMID":
        raise MidiFileError(f"not a MIDI file: RIFF of type {_shown(data[8:12])}, expected 'RMID'")
    position = 12
    while position + _CHUNK_HEADER_BYTES <= len(data):
        kind, size = struct.unpack_from("<4sL", data, position)
        start = position + _CHUNK_HEADER_BYTES
        if size > len(data) - start:
            raise MidiFileError(
                f"truncated: RIFF chunk {_shown(kind)} claims {size} bytes, {len(data) - start} are left"
            )
        if kind == b"data":
            return data[start : start + size]
        position = start + size + size % 2  # RIFF pads to even lengths
    raise MidiFileError("the RIFF file has no 'data' chunk, expected a MIDI file in one")


def _shown(raw: bytes) -> str:
    """Return bytes as a short quoted text that fits on a line."""
    return repr(raw)[1:] if raw else "nothing"
