"""Messages that wait for an instrument: while it is read from a file, what comes on its channel is put off a little."""

from __future__ import annotations

from collections.abc import Callable

from ...midi.messages import NUM_CHANNELS, SYSTEM_EXCLUSIVE
from ..voices.note_on import NoteOn

WAITING_S = 0.003
"""What a channel's messages are put off by, again and again, while its instrument is read."""
LONGEST_WAIT_S = 0.1
"""So long they wait at most; then what is there and most similar plays."""


class AwaitedInstruments:
    """Knows which channels wait for an instrument.

    Parameters
    ----------
    note_on : NoteOn
        Lets instruments be read, and knows when they are there.
    path_of : callable
        From a channel to the number of the path that its notes take.
    sample_rate : int

    Attributes
    ----------
    channels : dict
        Those that wait: since when, and for which program.
    put_off : int
        Samples that a message is put off by.
    """

    def __init__(self, note_on: NoteOn, path_of: Callable[[int], int], sample_rate: int) -> None:
        self._note_on, self._path_of = note_on, path_of
        self.put_off, self._longest = round(WAITING_S * sample_rate), round(LONGEST_WAIT_S * sample_rate)
        self.channels: dict[int, tuple[int, int]] = {}

    def begin(self, data: bytes, port: int) -> None:
        """Begin to read what a program change asks for, before it is due."""
        self._is_awaited(_channel_of(data, port), data[1])

    def expect(self, sample: int, data: bytes, port: int) -> None:
        """Let what comes on a channel after a program change wait while its instrument is made ready."""
        channel = _channel_of(data, port)
        if self._is_awaited(channel, data[1]):
            self.channels[channel] = sample, data[1]

    def holds_back(self, sample: int, data: bytes, port: int) -> bool:
        """Tell whether a message is of a channel whose instrument is not there yet, and has not waited too long."""
        channel = _channel_of(data, port)
        if data[0] >= SYSTEM_EXCLUSIVE or channel not in self.channels:
            return False
        since, program = self.channels[channel]
        if sample < since + self._longest and self._is_awaited(channel, program):
            return True
        del self.channels[channel]
        return False

    def clear(self) -> None:
        """Let nothing wait any more."""
        self.channels.clear()

    def _is_awaited(self, channel: int, program: int) -> bool:
        """Tell whether what a program means on a channel is still made ready, which begins now at the latest."""
        return self._note_on.expect(channel, program, self._path_of(channel))


def _channel_of(data: bytes, port: int) -> int:
    return port * NUM_CHANNELS + (data[0] & 0x0F)
