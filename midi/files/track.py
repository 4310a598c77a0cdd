"""The events of one track chunk.

Events are split here and not by mido, which (1.3.3) loses the delta time of every meta event it does not
know, takes data bytes after a SysEx for another SysEx, refuses a whole file for one odd key signature, and
reads 80,000 events a second. One damaged event costs that event, not the song.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from ...errors import MidiFileError
from ..messages import END_OF_EXCLUSIVE, FIRST_STATUS, SYSTEM_EXCLUSIVE, data_length, is_complete
from .recovery import goes_on, has_status, next_event
from .text import decode_name

_META: Final = 0xFF
_TRACK_NAME: Final = 0x03
_DEVICE_NAME: Final = 0x09
_PORT: Final = 0x21
_END_OF_TRACK: Final = 0x2F
_SET_TEMPO: Final = 0x51
_TEMPO_BYTES: Final = 3
_MAX_NUMBER_BYTES: Final = 4
_MAX_NUMBER: Final = 2**28 - 1
# One byte too many or too few shifts what follows by so much at most.
_SHIFT_BYTES: Final = 8
_LENGTH_ERROR_BYTES: Final = 16
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
    end_position : int
        Position in the file behind the last event that was read.
    num_events : int
        Number of events read, meta events included.
    warnings : list of str
        What was odd and passed over.
    """

    events: list[tuple[int, bytes, Port]] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    name: str = ""
    end_tick: int = 0
    end_position: int = 0
    num_events: int = 0
    warnings: list[str] = field(default_factory=list)


def read_track(data: bytes, start: int, end: int, max_events: int) -> Track:
    """Decode the events of a track, up to its end-of-track event.

    Parameters
    ----------
    data : bytes
        The file.
    start, end : int
        The events are from byte `start` on, before byte `end`.
    max_events : int
        Give up beyond this many events.

    Raises
    ------
    MidiFileError
        If there are more events. Whatever is damaged is left out, with a warning.
    """
    return _TrackReader(data, start, end).read(max_events)


class _DamagedEventError(Exception):
    """An event cannot be read; the next one may begin at `position` or later."""

    def __init__(self, text: str, position: int) -> None:
        super().__init__(text)
        self.position = position


class _TrackReader:
    """A cursor over the events of a track."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self._position = start
        self._end = end
        self._begin = start  # of the current event, its delta time included
        self._tick = 0
        self._begin_tick = 0
        self._running_status: int | None = None
        self._exclusive_parts: list[bytes] = []  # of a SysEx message that may be continued
        self._exclusive_tick = 0  # of its latest part
        self._is_ended = False
        self._oddities: Counter[str] = Counter()  # one warning per kind, however often it happens
        self._port: Port = None
        self._track = Track()

    def read(self, max_events: int) -> Track:
        track = self._track
        while not self._is_ended and self._position < self._end:
            if track.num_events >= max_events:
                raise MidiFileError(f"more than {max_events} events, expected a song of a playable size")
            track.num_events += 1
            self._begin, self._begin_tick = self._position, self._tick
            try:
                self._tick += self._number("a delta time")
                self._event()
            except _DamagedEventError as damage:
                self._oddities[str(damage)] += 1
                self._recover(damage.position)
        self._close_exclusive()
        track.end_tick = self._tick
        track.end_position = self._position
        if not self._is_ended:
            self._oddities["no end-of-track event"] += 1
        track.warnings = [f"{oddity} (x {count})" for oddity, count in self._oddities.items()]
        return track

    def _recover(self, start: int) -> None:
        """Go to the next event that can be read, from byte `start` on; to the end if there is none."""
        found = next_event(self._data, start, self._end, self._running_status)
        if found is None:
            found = self._end
            if start < found:
                self._oddities["skipped byte at the end"] += found - start
        else:
            # Looking is work, too: a file of nothing but damage shall not take longer than the longest song.
            self._track.num_events += found - start
        self._position = found

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
            payload = self._sized("a meta event")
            if kind != _END_OF_TRACK:
                self._expect_more("a meta event that is longer than it says", self._position)
            self._meta(kind, payload)
        else:
            self._message(status)

    def _message(self, status: int) -> None:
        if status < FIRST_STATUS:
            self._position -= 1
            if self._running_status is None:
                raise _DamagedEventError("skipped data without a status byte before it", self._position)
            status = self._running_status
        length = data_length(status)
        if length is None:
            raise _DamagedEventError(f"skipped undefined status byte 0x{status:02X}", self._position)
        if status < SYSTEM_EXCLUSIVE:
            # Meta and SysEx events should cancel running status; files that go on using it are common.
            self._running_status = status
        payload = self._take(length, "a message")
        if status > SYSTEM_EXCLUSIVE:
            # Files have no place for these, so whoever wrote one may have forgotten its data.
            self._expect_more("a system message without its data", self._position - length)
        elif not payload.isascii():
            self._check_shift(status)
        self._emit(self._tick, bytes((status,)) + self._clipped(payload))

    def _check_shift(self, status: int) -> None:
        """Tell data bytes above 127, which are clipped, from a byte too many or too few before them."""
        following = self._data, self._position, self._end
        if has_status(*following) or goes_on(*following, status):
            return
        self._track.num_events += _SHIFT_BYTES  # looking is work, too
        shifted = next_event(self._data, self._begin + 1, self._end, None, _SHIFT_BYTES)
        if shifted is not None:
            self._tick = self._begin_tick  # what was read as a delta time was none
            raise _DamagedEventError("skipped a byte that belongs to no event", shifted)

    def _expect_more(self, what: str, start: int) -> None:
        """Give the current event up if only places from `start` on, but not what follows it, make sense."""
        if goes_on(self._data, self._position, self._end, self._running_status):
            return
        self._track.num_events += _LENGTH_ERROR_BYTES
        shifted = next_event(self._data, start, self._end, self._running_status, _LENGTH_ERROR_BYTES)
        if shifted is not None:
            raise _DamagedEventError(f"skipped {what}", shifted)

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
            self._track.name = decode_name(payload)

    def _set_tempo(self, payload: bytes) -> None:
        tempo_us = int.from_bytes(payload[:_TEMPO_BYTES], "big")
        if len(payload) >= _TEMPO_BYTES and tempo_us > 0:
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
        """Take a number of 7 bits per byte, the last byte below 128; of a longer one its low 28 bits."""
        value, begin = 0, self._position
        while True:
            byte = self._byte(what)
            value = (value << 7 | byte & 0x7F) & _MAX_NUMBER
            if byte < FIRST_STATUS:
                break
        if self._position - begin > _MAX_NUMBER_BYTES:
            self._oddities[f"a number of more than {_MAX_NUMBER_BYTES} bytes in {what}, of which 28 bits count"] += 1
        return value

    def _byte(self, what: str) -> int:
        if self._position >= self._end:
            raise self._cut_off(what)
        byte = self._data[self._position]
        self._position += 1
        return byte

    def _take(self, count: int, what: str) -> bytes:
        end = self._position + count
        if end > self._end:
            raise self._cut_off(what)
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def _cut_off(self, what: str) -> _DamagedEventError:
        return _DamagedEventError(f"the track ends inside {what}", self._position)
