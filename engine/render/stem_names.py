"""The parts of a song: what each MIDI channel is called, for people and for files."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from ...midi.files.song import Song
from ...midi.messages import NUM_CHANNELS, is_note_start
from ...midi.spec.general_midi import program_name
from ...midi.state.interpreter import Interpreter
from ..output.sinks import Stem

MAX_NAME_CHARACTERS: Final = 40


def stem_names(song: Song) -> dict[int, str]:
    """Return the file name, without suffix, of every MIDI channel that plays, by channel (of a second port 16..31).

    It begins with the number of the channel, so that no two are alike in any case. What follows is the name of the
    channel's only track, or else the instrument that plays its first note.
    """
    return {channel: f"channel-{channel + 1:02}-{part}" for channel, part in _parts(song).items()}


def name_stems(song: Song, by: str) -> dict[Stem, str]:
    """Return the file names, without suffix, of a song's stems, by the MIDI channels that each sums.

    Parameters
    ----------
    by : "channel" or "part"
        A part is what has one name: the channels of tracks that are called the same, or else of one instrument.
    """
    if by == "channel":
        return {(channel,): name for channel, name in stem_names(song).items()}
    channels: dict[str, list[int]] = {}
    for channel, part in _parts(song).items():
        channels.setdefault(part, []).append(channel)
    return {tuple(own): f"part-{part}" for part, own in channels.items()}


def _parts(song: Song) -> dict[int, str]:
    """Return what each MIDI channel that plays is called: its only track's name, or else its first instrument's."""
    interpreter = Interpreter(song.num_ports)
    programs: dict[int, str] = {}
    tracks: dict[int, set[int]] = {}
    for message in song.messages:
        if not is_note_start(message.data):
            interpreter.handle(message.data, message.port)
            continue
        channel = NUM_CHANNELS * message.port + (message.data[0] & 0x0F)
        tracks.setdefault(channel, set()).add(message.track)
        if channel not in programs:
            state = interpreter.channels[channel]
            programs[channel] = "drums" if state.is_drums else program_name(state.program)
    shared = [track for known in tracks.values() for track in known]
    names = {}
    for channel in sorted(tracks):
        own = [song.track_names[track] for track in tracks[channel] if shared.count(track) == 1]
        title = own[0] if len(tracks[channel]) == len(own) == 1 else ""
        names[channel] = safe_name(title) or safe_name(programs[channel])
    return names


def safe_name(text: str) -> str:
    """Return a text as lower-case letters, digits and hyphens of ASCII, which every file system takes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_NAME_CHARACTERS].strip("-")
