"""Standard MIDI Files: `read_midi_file` gives a `Song`, a list of messages with their times in seconds."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple

from ..errors import MidiFileError
from .chunks import split_chunks
from .messages import is_note_start
from .sources import MidiSource, midi_bytes
from .tempo import make_clock
from .track import Track, read_track

MAX_FILE_BYTES: Final = 64 * 2**20
MAX_EVENTS: Final = 2_000_000
MAX_DURATION_S: Final = 24 * 3600.0

_SEQUENTIAL_FORMAT: Final = 2


class TimedMessage(NamedTuple):
    """A complete MIDI message with its time in seconds from the start and the index of its track."""

    time_s: float
    track: int
    data: bytes


@dataclass(frozen=True)
class Song:
    """A MIDI file, ready to play.

    Attributes
    ----------
    messages : list of TimedMessage
        By time; at equal times by track, then in file order. Channel and system messages, no meta events.
    duration_s : float
        Time of the end of the last track in seconds, at most 24 h; no message is later.
    format : int
        0 (one track), 1 (parallel tracks) or 2 (patterns, here one after another).
    num_notes : int
        Number of note-ons, at least 1.
    track_names : list of str
        One per track, possibly empty.
    warnings : list of str
        What was odd about the file and passed over, one line each.
    """

    messages: list[TimedMessage]
    duration_s: float
    format: int
    num_notes: int
    track_names: list[str]
    warnings: list[str]

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
        If the file cannot be read, is no MIDI file, is damaged, larger than 64 MiB, longer than 24 h or 2
        million events, or has no notes. The text is one line that names the file.
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
    container = split_chunks(data)
    tracks, warnings = _read_tracks(container.tracks)
    is_sequential = container.format == _SEQUENTIAL_FORMAT
    groups = [[track] for track in tracks.items()] if is_sequential else [list(tracks.items())]
    messages, duration_s = _in_time(groups, container.division)
    num_notes = sum(is_note_start(message.data) for message in messages)
    if num_notes == 0:
        raise MidiFileError(f"{len(messages)} messages but no notes, expected at least one")
    return Song(
        messages=messages,
        duration_s=duration_s,
        format=container.format,
        num_notes=num_notes,
        track_names=[track.name for track in tracks.values()],
        warnings=container.warnings + warnings,
    )


def _read_tracks(bodies: list[bytes]) -> tuple[dict[int, Track], list[str]]:
    """Return the tracks by index, and their warnings with the track's number (from 1) in front."""
    tracks: dict[int, Track] = {}
    warnings: list[str] = []
    num_left = MAX_EVENTS
    for index, body in enumerate(bodies):
        try:
            tracks[index] = track = read_track(body, num_left)
        except MidiFileError as error:
            raise MidiFileError(f"track {index + 1}: {error}") from error
        num_left -= track.num_events
        warnings += (f"track {index + 1}: {warning}" for warning in track.warnings)
    return tracks, warnings


def _in_time(groups: Iterable[list[tuple[int, Track]]], division: int) -> tuple[list[TimedMessage], float]:
    """Return the messages of groups of parallel tracks, group after group, and the end of the last in s."""
    messages: list[TimedMessage] = []
    start_s = 0.0
    for group in groups:
        clock = make_clock(division, [tempo for _, track in group for tempo in track.tempos])
        end_s = start_s + clock.seconds(max(track.end_tick for _, track in group))
        if end_s > MAX_DURATION_S:
            raise MidiFileError(f"lasts {end_s / 3600:.1f} h, expected at most {MAX_DURATION_S / 3600:.0f} h")
        events = [(tick, index, data) for index, track in group for tick, data in track.events]
        # The sort is stable, so events of one tick keep the order of tracks and of the file.
        events.sort(key=itemgetter(0))
        messages += (TimedMessage(start_s + clock.seconds(tick), index, data) for tick, index, data in events)
        start_s = end_s
    return messages, start_s


def _one_line(name: str) -> str:
    return name if name.isprintable() else repr(name)
