"""A song in another key; drums stay what they are."""

from __future__ import annotations

from dataclasses import replace

from ..messages import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, NUM_CHANNELS, POLY_PRESSURE, is_note_start
from ..state.interpreter import Interpreter
from .song import Song, TimedMessage

PORTAMENTO_CONTROL = 84
MAX_KEY = 127


def transpose(song: Song, semitones: int) -> Song:
    """Return a song with all melodic keys moved.

    Keys that would lie beyond 0..127 are left out, and a warning tells how many notes that were.

    Parameters
    ----------
    song : Song
    semitones : int
        Up; negative is down.
    """
    if semitones == 0:
        return song
    mover = _Mover(semitones, song.num_ports)
    messages = [moved for message in song.messages if (moved := mover.move(message)) is not None]
    warnings = [*song.warnings]
    if mover.num_left_out:
        warnings.append(f"{mover.num_left_out} notes lie beyond the keys 0..{MAX_KEY} once transposed: left out")
    return replace(song, messages=messages, warnings=warnings, num_notes=song.num_notes - mover.num_left_out)


class _Mover:
    """Moves keys, and remembers where each that is down has gone."""

    def __init__(self, semitones: int, num_ports: int) -> None:
        self._semitones = semitones
        self._interpreter = Interpreter(num_ports)  # knows which channels are drums
        self._moved: dict[tuple[int, int], int] = {}  # by channel and key
        self.num_left_out = 0

    def move(self, message: TimedMessage) -> TimedMessage | None:
        """Return a message in the new key, None if there it is beyond all keys."""
        data = message.data
        kind, channel = data[0] & 0xF0, NUM_CHANNELS * message.port + (data[0] & 0x0F)
        if kind not in (NOTE_ON, NOTE_OFF, POLY_PRESSURE):
            self._interpreter.handle(data, message.port)
        if kind == CONTROL_CHANGE and data[1] == PORTAMENTO_CONTROL:
            key = self._target(channel, data[2])
            return message._replace(data=bytes((data[0], data[1], key))) if 0 <= key <= MAX_KEY else None
        if kind not in (NOTE_ON, NOTE_OFF, POLY_PRESSURE):
            return message
        is_start = is_note_start(data)
        if is_start:
            self._moved[channel, data[1]] = self._target(channel, data[1])
        key = self._moved.get((channel, data[1]), self._target(channel, data[1]))
        if not 0 <= key <= MAX_KEY:
            self.num_left_out += is_start
            return None
        return message._replace(data=bytes((data[0], key, data[2])))

    def _target(self, channel: int, key: int) -> int:
        return key if self._interpreter.channels[channel].is_drums else key + self._semitones
