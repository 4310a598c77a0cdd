"""What a song is about to do, seen before it is played: which channels play, and whether it changes their path."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ...midi.files.song import Song
from ...midi.messages import CONTROL_CHANGE, NUM_CHANNELS, SYSTEM_EXCLUSIVE, is_note_start
from ...midi.spec.path_controllers import DECODER, REPRESENTATION
from ...midi.spec.sysex import settings_of


@dataclass(frozen=True)
class PlayedChannel:
    """A MIDI channel that played.

    Attributes
    ----------
    number : int
        Counted through all ports, from 1: channel 1 of the second port is 17. Stems are named by it.
    port, channel : int
        Port and MIDI channel, from 1.
    notes : int
        Notes that the song has for it.
    """

    number: int
    port: int
    channel: int
    notes: int


def played_channels(song: Song) -> tuple[PlayedChannel, ...]:
    """Return the MIDI channels that a song has notes for."""
    starts = (one for one in song.messages if is_note_start(one.data))
    notes = Counter((one.port, one.data[0] & 0x0F) for one in starts)
    return tuple(
        PlayedChannel(NUM_CHANNELS * port + channel + 1, port + 1, channel + 1, count)
        for (port, channel), count in sorted(notes.items())
    )


def changes_path(song: Song, growth_controllers: bool = False) -> bool:
    """Return whether a song chooses representations or decoders for sounding notes: by controller, or by SysEx."""
    chosen = (REPRESENTATION, DECODER)
    exclusive = [one.data[1:-1] for one in song.messages if one.data[0] == SYSTEM_EXCLUSIVE]
    settings = [setting for payload in exclusive for setting in settings_of(payload)]
    if any(setting.name == "growth" and setting.number in chosen for setting in settings):
        return True
    if not growth_controllers and all(setting.name != "growth controllers" for setting in settings):
        return False
    heads = ((one.data[0] & 0xF0, one.data[1]) for one in song.messages if len(one.data) > 2)
    return any(status == CONTROL_CHANGE and controller in chosen for status, controller in heads)
