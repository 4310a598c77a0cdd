"""Standard MIDI Files: `read_midi_file` gives a `Song`, a list of messages with their times in seconds."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple

from ...errors import MidiFileError
from ..messages import NOTE_OFF, NOTE_ON, is_note_start
from .chunks import Container
from .song_ports import SongPorts
from .sources import MidiSource, midi_bytes
from .tempo import is_known_rate, make_clock
from .track import Track, read_track

MAX_FILE_BYTES: Final = 64 * 2**20
MAX_EVENTS: Final = 4_000_000
MAX_DURATION_S: Final = 24 * 3600.0
MAX_WARNINGS: Final = 20
MAX_PAUSE_S: Final = 60.0
"""Messages that follow the last note after a longer pause have nothing left to change."""

_SEQUENTIAL_FORMAT: Final = 2


class TimedMessage(NamedTuple):
    """A complete MIDI message: its time in seconds from the start, the index of its track, and its port from 0 on."""

    time_s: float
    track: int
    data: bytes
    port: int = 0


@dataclass(frozen=True)
class Song:
    """A MIDI file, ready to play.

    Attributes
    ----------
    messages : list of TimedMessage
        By time; at equal times by track, then in file order. Channel and system messages, no meta events.
    duration_s : float
        Time of the end of the last track in seconds, at most 24 h; no message is later. An end of track beyond 24 h
        counts as a minute after the last message.
    format : int
        0 (one track), 1 (parallel tracks) or 2 (patterns, here one after another).
    num_notes : int
        Number of note-ons, at least 1.
    track_names : list of str
        One per track, possibly empty.
    warnings : list of str
        What was odd about the file and passed over, one line each.
    num_ports : int
        MIDI ports that it plays on, 1..16, each of 16 channels.
    """

    messages: list[TimedMessage]
    duration_s: float
    format: int
    num_notes: int
    track_names: list[str]
    warnings: list[str]
    num_ports: int = 1

    def __repr__(self) -> str:
        """Tell how long it is and how much there is in it."""
        tracks = len(self.track_names)
        return f"<Song of {self.duration_s:.1f} s, {self.num_notes} notes in {tracks} track{'s'[: tracks != 1]}>"


def read_midi_file(source: MidiSource) -> Song:
    """Read a Standard MIDI File of format 0, 1 or 2, bare or wrapped in RIFF.

    Parameters
    ----------
    source : path, bytes, binary file object or mido.MidiFile
        A file object is read from where it stands to its end, and not closed.

    Raises
    ------
    UsageError
        If it is none of these.
    MidiFileError
        If the file cannot be read, is no MIDI file, is larger than 64 MiB or 4 million events, or has no notes in
        its first 24 h. The text is one line that names the file. What is damaged is left out, with a warning.
    """
    data, name = midi_bytes(source, MAX_FILE_BYTES)
    return parse_midi(data, name)


def parse_midi(data: bytes, name: str = "MIDI data") -> Song:
    """Read a Standard MIDI File from its bytes.

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str
        What errors call it.

    Raises
    ------
    MidiFileError
        As `read_midi_file`.
    """
    try:
        return _parse(data)
    except MidiFileError as error:
        raise MidiFileError(f"{_one_line(name)}: {error}") from error


def _parse(data: bytes) -> Song:
    if len(data) > MAX_FILE_BYTES:
        raise MidiFileError(f"larger than {MAX_FILE_BYTES // 2**20} MiB, expected a MIDI file of a playable size")
    container = Container(data)
    tracks, warnings = _read_tracks(container)
    if not is_known_rate(container.division):
        warnings.append("the SMPTE division is not of 24, 25, 29 or 30 frames/s; taken as it is")
    is_sequential = container.format == _SEQUENTIAL_FORMAT
    groups = [[track] for track in tracks.items()] if is_sequential else [list(tracks.items())]
    ports = SongPorts(tracks.values())
    messages, duration_s = _in_time(groups, container.division, ports, warnings)
    all_warnings = _shortened(container.warnings + warnings + ports.warnings)
    num_notes = sum(is_note_start(message.data) for message in messages)
    if num_notes == 0:
        reasons = "".join(f"; {warning}" for warning in all_warnings)
        raise MidiFileError(f"{len(messages)} messages but no notes, expected at least one{reasons}")
    return Song(
        messages=messages,
        duration_s=duration_s,
        format=container.format,
        num_notes=num_notes,
        track_names=[track.name for track in tracks.values()],
        warnings=all_warnings,
        num_ports=ports.count,
    )


def _read_tracks(container: Container) -> tuple[dict[int, Track], list[str]]:
    """Return the tracks by index, and their warnings with the track's number (from 1) in front."""
    tracks: dict[int, Track] = {}
    warnings: list[str] = []
    num_left = MAX_EVENTS
    while (span := container.next_track()) is not None:
        index = len(tracks)
        try:
            tracks[index] = track = read_track(container.data, span.start, span.end, num_left)
        except MidiFileError as error:
            raise MidiFileError(f"track {index + 1}: {error}") from error
        container.track_ended(track.end_position)
        num_left -= track.num_events
        warnings += (f"track {index + 1}: {warning}" for warning in track.warnings)
    return tracks, warnings


def _in_time(
    groups: Iterable[list[tuple[int, Track]]], division: int, ports: SongPorts, warnings: list[str]
) -> tuple[list[TimedMessage], float]:
    """Return the messages of groups of parallel tracks, group after group, and the end of the last in s."""
    messages: list[TimedMessage] = []
    start_s, num_late = 0.0, 0
    for group in groups:
        clock = make_clock(division, [tempo for _, track in group for tempo in track.tempos])
        events = [
            (tick, index, data, place)
            for index, track in group
            for tick, data, port in track.events
            for place in ports.of(data, port)
        ]
        # The sort is stable, so events of one tick keep the order of tracks and of the file.
        events.sort(key=itemgetter(0))
        timed = [TimedMessage(start_s + clock.seconds(tick), index, data, place) for tick, index, data, place in events]
        end_s = start_s + clock.seconds(max(track.end_tick for _, track in group))
        num_kept = _num_in_time(timed)
        num_late += len(timed) - num_kept
        messages += timed[:num_kept]
        if end_s > MAX_DURATION_S:
            warnings.append(f"the end of track is at {end_s / 3600:.1f} h; the song ends with its last message")
            last_s = messages[-1].time_s if messages else 0.0
            end_s = min(last_s + MAX_PAUSE_S, MAX_DURATION_S)
        start_s = end_s
    if num_late:
        limit_h = MAX_DURATION_S / 3600
        warnings.append(f"ignored {num_late} messages long after the last note, or later than {limit_h:.0f} h")
    return messages, start_s


def _num_in_time(messages: list[TimedMessage]) -> int:
    """Return how many messages come before the limit, and before a long pause that no note follows."""
    num_timely = bisect_right(messages, MAX_DURATION_S, key=attrgetter("time_s"))
    num_kept = next((i for i in range(num_timely, 0, -1) if _is_note(messages[i - 1].data)), 0)
    before_s = messages[num_kept - 1].time_s if num_kept else 0.0
    while num_kept < num_timely and messages[num_kept].time_s - before_s <= MAX_PAUSE_S:
        before_s = messages[num_kept].time_s
        num_kept += 1
    return num_kept


def _is_note(data: bytes) -> bool:
    return data[0] & 0xF0 in (NOTE_ON, NOTE_OFF)


def _shortened(warnings: list[str]) -> list[str]:
    """Return as many warnings as anyone reads, and the number of the others."""
    num_more = len(warnings) - MAX_WARNINGS
    return warnings if num_more <= 0 else [*warnings[:MAX_WARNINGS], f"and {num_more} more warnings"]


def _one_line(name: str) -> str:
    return name if name.isprintable() else repr(name)
