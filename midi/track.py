"""The events of one track chunk.

Events are split here and not by mido, which (1.3.3) loses the delta time of every meta event it does not
know, takes data bytes after a SysEx for another SysEx, refuses a whole file for one odd key signature, and
reads 80,000 events a second. What the meta events say is mido's to decode.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from mido.midifiles.meta import build_meta_message

from ..errors import MidiFileError
from .messages import END_OF_EXCLUSIVE, FIRST_STATUS, SYSTEM_EXCLUSIVE, data_length, is_complete

_META: Final = 0xFF
_TRACK_NAME: Final = 0x03
_DEVICE_NAME: Final = 0x09
_PORT: Final = 0x21
_END_OF_TRACK: Final = 0x2F
_SET_TEMPO: Final = 0x51
_MAX_NUMBER_BYTES: Final = 4
_ABOVE_7_BITS: Final = bytes(range(FIRST_STATUS, 256))
_CLIP_TO_7_BITS: Final = bytes(min(byte, 127) for byte in range(256))

Port = int | str | None
"""The MIDI port of an event: a number (meta event 21), a name (09) where there is no number, or None for neither."""


@dataclass
class Track:
    """What a track chunk says.

    Attributes
    ----------
    events : list of (int, bytes, Port)
        (tick, complete message, port) in file order; no meta events.
    tempos : list of (int, int)
        (tick, microseconds per quarter note).
    name : str
        Track name, possibly empty.
    end_tick : int
        Tick of the end of the track.
    num_events : int
        Number of events read, meta events included.
    warnings : list of str
        What was odd and passed over.
    """

    events: list[tuple[int, bytes, Port]] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    name: str = ""
    end_tick: int = 0
    num_events: int = 0
    warnings: list[str] = field(default_factory=list)


def read_track(body: bytes, max_events: int) -> Track:
    """Decode the body of a track chunk.

    Parameters
    ----------
    body : bytes
        The chunk without its header.
    max_events : int
        Give up beyond this many events.

    Raises
    ------
    MidiFileError
        If the events do not fit the chunk, or make no sense.
    """
    return _TrackReader(body).read(max_events)


class _TrackReader:
    """A cursor over the body of a track chunk."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0
        self._tick = 0
        self._running_status: int | None = None
        self._exclusive_parts: list[bytes] = []  # of a SysEx message that may be continued
        self._exclusive_tick = 0  # of its latest part
        self._is_ended = False
        self._oddities: Counter[str] = Counter()  # one warning per kind, however often it happens
        self._port: Port = None
        self._track = Track()

    def read(self, max_events: int) -> Track:
        track = self._track
        while not self._is_ended and self._position < len(self._body):
            if track.num_events == max_events:
                raise MidiFileError(f"more than {max_events} events, expected a song of a playable size")
            track.num_events += 1
            self._tick += self._number("a delta time")
            self._event()
        self._close_exclusive()
        track.end_tick = self._tick
        if not self._is_ended:
            self._oddities["no end-of-track event"] += 1
        self._oddities["ignored byte after the end-of-track event"] += len(self._body) - self._position
        track.warnings = [f"{oddity} (x {count})" for oddity, count in self._oddities.items() if count]
        return track

    def _event(self) -> None:
        status = self._byte("an event")
        if status == END_OF_EXCLUSIVE:
            self._escape(self._sized("an F7 event"))
            return
        self._close_exclusive()
        if status == SYSTEM_EXCLUSIVE:
            self._exclusive_parts = [b"\xf0"]
            self._continue_exclusive(self._sized("a SysEx event"))
        elif status == _META:
            kind = self._byte("a meta event")
            self._meta(kind, self._sized("a meta event"))
        else:
            self._message(status)

    def _message(self, status: int) -> None:
        if status < FIRST_STATUS:
            if self._running_status is None:
                raise self._error(f"data byte {status} with no status before it, expected a status byte")
            self._position -= 1
            status = self._running_status
        length = data_length(status)
        if length is None:
            raise self._error(f"undefined status byte 0x{status:02X}, expected 0x80..0xFF")
        if status < SYSTEM_EXCLUSIVE:
            # Meta and SysEx events should cancel running status; files that go on using it are common.
            self._running_status = status
        self._emit(self._tick, bytes((status,)) + self._clipped(self._take(length, "a message")))

    def _escape(self, payload: bytes) -> None:
        """Take an F7 event: the continuation of a SysEx message, or any bytes to be sent as they are."""
        if self._exclusive_parts:
            self._continue_exclusive(payload)
        elif is_complete(payload):
            self._emit(self._tick, payload)
        else:
            self._oddities["ignored escaped bytes that are not one MIDI message"] += 1

    def _continue_exclusive(self, payload: bytes) -> None:
        self._exclusive_parts.append(self._clipped(payload.removesuffix(b"\xf7")))
        self._exclusive_tick = self._tick
        if payload.endswith(b"\xf7"):
            self._close_exclusive()

    def _close_exclusive(self) -> None:
        if self._exclusive_parts:
            self._emit(self._exclusive_tick, b"".join(self._exclusive_parts) + b"\xf7")
            self._exclusive_parts = []

    def _meta(self, kind: int, payload: bytes) -> None:
        if kind == _END_OF_TRACK:
            self._is_ended = True
        elif kind == _SET_TEMPO:
            self._set_tempo(payload)
        elif kind == _PORT and payload:
            self._port = payload[0]
        elif kind == _DEVICE_NAME and not isinstance(self._port, int):
            self._port = payload.strip(b"\0 ").decode("latin-1") or None
        elif kind == _TRACK_NAME and not self._track.name:
            text = build_meta_message(kind, payload).name
            self._track.name = _as_utf8(text).strip("\0 \r\n\t")

    def _set_tempo(self, payload: bytes) -> None:
        try:
            tempo_us = build_meta_message(_SET_TEMPO, payload).tempo
        except (IndexError, ValueError):
            tempo_us = 0
        if tempo_us > 0:
            self._track.tempos.append((self._tick, tempo_us))
        else:
            self._oddities["ignored tempo of less than 3 bytes or 0 us"] += 1

    def _emit(self, tick: int, message: bytes) -> None:
        self._track.events.append((tick, message, self._port))

    def _clipped(self, raw: bytes) -> bytes:
        if raw.isascii():
            return raw
        self._oddities["clipped data byte above 127"] += len(raw) - len(raw.translate(None, delete=_ABOVE_7_BITS))
        return raw.translate(_CLIP_TO_7_BITS)

    def _sized(self, what: str) -> bytes:
        """Take a length and that many bytes."""
        return self._take(self._number(what), what)

    def _number(self, what: str) -> int:
        """Take a number of 7 bits per byte, the last byte below 128."""
        value = 0
        for _ in range(_MAX_NUMBER_BYTES):
            byte = self._byte(what)
            value = value << 7 | byte & 0x7F
            if byte < FIRST_STATUS:
                return value
        raise self._error(f"a number of more than {_MAX_NUMBER_BYTES} bytes in {what}")

    def _byte(self, what: str) -> int:
        try:
            byte = self._body[self._position]
        except IndexError:
            raise self._error(f"truncated: the track ends inside {what}") from None
        self._position += 1
        return byte

    def _take(self, count: int, what: str) -> bytes:
        end = self._position + count
        if end > len(self._body):
            raise self._error(f"truncated: {what} needs {count} bytes, {len(self._body) - self._position} are left")
        taken = self._body[self._position : end]
        self._position = end
        return taken

    def _error(self, text: str) -> MidiFileError:
        return MidiFileError(f"{text} (at byte {self._position} of the track)")


def _as_utf8(text: str) -> str:
    """Return text that mido decoded as Latin-1 as the UTF-8 it may have been."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return text
