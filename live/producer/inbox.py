"""`Inbox`: messages on their way from the ports to the producer, and what is left out when they are too many."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Final

from ...midi.messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    BANK_LSB,
    BANK_MSB,
    CHANNEL_PRESSURE,
    CONTROL_CHANGE,
    DATA_DECREMENT,
    DATA_ENTRY_LSB,
    DATA_ENTRY_MSB,
    DATA_INCREMENT,
    NOTE_OFF,
    NOTE_ON,
    NRPN_LSB,
    NRPN_MSB,
    NUM_CHANNELS,
    PITCH_BEND,
    POLY_ON,
    PROGRAM_CHANGE,
    RPN_LSB,
    RPN_MSB,
    SYSTEM_EXCLUSIVE,
    SYSTEM_RESET,
    control_change,
    is_complete,
)
from ...midi.ports.backends import Arrival

CAPACITY: Final = 2**17
"""More than arrives in a second by any cable; what comes while so many wait pushes the oldest out."""
MANY: Final = 128
"""Messages of one block up to which all are played: more than hands send, or a song that sets up its parts."""
MOST_ORDERED: Final = 128
"""Of messages whose order matters, so many of a flood are played, the newest."""

_ORDERED: Final = frozenset(
    (
        *(BANK_MSB, BANK_LSB, DATA_ENTRY_MSB, DATA_ENTRY_LSB, DATA_INCREMENT, DATA_DECREMENT),
        *(NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB),
    )
)
"""Controllers that mean something by what came before them: the last value alone does not tell."""
_STEPS: Final = (DATA_INCREMENT, DATA_DECREMENT)
_ENDING: Final = frozenset((ALL_SOUND_OFF, *range(ALL_NOTES_OFF, POLY_ON + 1)))
"""Channel mode messages that end the notes of their channel."""


class Inbox:
    """A queue of arrivals with many writers and one reader, none of whom ever waits.

    Attributes
    ----------
    arrived : threading.Event
        Set by every message; the reader clears it before it waits for more.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.arrived = threading.Event()
        self._waiting: deque[Arrival] = deque(maxlen=capacity)
        self._capacity = capacity

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Arrival | None:
        """The oldest message that waits. Thread: producer."""
        return self._waiting[0] if self._waiting else None

    def append(self, arrival: Arrival) -> None:
        """Add a message. Thread: any."""
        self._waiting.append(arrival)
        self.arrived.set()

    def wait(self, timeout_s: float) -> None:
        """Wait until a message arrives, or not longer. Thread: producer."""
        self.arrived.wait(timeout_s)

    def clear(self) -> None:
        """Forget what waits. Thread: producer."""
        self._waiting.clear()

    def take(self) -> list[Arrival]:
        """Return what waits, oldest first. Thread: producer.

        Where messages were pushed out, All Notes Off comes first: what ended notes may be among them.
        """
        count = len(self._waiting)
        taken = [self._waiting.popleft() for _ in range(count)]
        if count == self._capacity:
            first = taken[0]
            endings = (control_change(channel, ALL_NOTES_OFF, 0) for channel in range(NUM_CHANNELS))
            taken[:0] = [Arrival(first.time_s, first.port, data) for data in endings]
        return taken


class _Thinning:
    """Decides, from the newest message to the oldest, which ones still matter."""

    def __init__(self, most_starts: int) -> None:
        self._starts_left, self._ordered_left = most_starts, MOST_ORDERED
        self._superseded: set[tuple[int, int]] = set()  # status and number of what a later message sets anew
        self._ended: set[tuple[int, int]] = set()  # channel and key
        self._silent: set[int] = set()  # channels whose notes are ended later
        self._next_ordered: dict[int, bytes] = {}  # by channel; SysEx and resets by their status

    def keeps(self, data: bytes) -> bool:
        """Tell whether a message still matters, given all later ones."""
        if not is_complete(data):
            return False
        kind, channel = data[0] & 0xF0, data[0] & 0x0F
        if kind in (NOTE_ON, NOTE_OFF):
            return self._keeps_note(channel, data[1], is_start=kind == NOTE_ON and data[2] > 0)
        if kind == CONTROL_CHANGE and data[1] in _ENDING:
            self._silent.add(channel)
            return self._is_latest(data[0], data[1])
        if kind == PROGRAM_CHANGE or (kind == CONTROL_CHANGE and data[1] in _ORDERED):
            return self._keeps_ordered(channel, data, is_step=kind == CONTROL_CHANGE and data[1] in _STEPS)
        if data[0] >= SYSTEM_EXCLUSIVE:
            return data[0] in (SYSTEM_EXCLUSIVE, SYSTEM_RESET) and self._keeps_ordered(data[0], data, is_step=False)
        return self._is_latest(data[0], 0 if kind in (PITCH_BEND, CHANNEL_PRESSURE) else data[1])

    def _is_latest(self, status: int, number: int) -> bool:
        is_latest = (status, number) not in self._superseded
        self._superseded.add((status, number))
        return is_latest

    def _keeps_note(self, channel: int, key: int, is_start: bool) -> bool:
        if channel in self._silent:
            return False
        has_ended = (channel, key) in self._ended
        if not is_start:
            self._ended.add((channel, key))
            return not has_ended
        if has_ended or not self._starts_left:
            return False
        self._starts_left -= 1
        return True

    def _keeps_ordered(self, stream: int, data: bytes, is_step: bool) -> bool:
        """Keep what is not at once said anew, as far as there is room."""
        later, self._next_ordered[stream] = self._next_ordered.get(stream), data
        is_anew = later == data if data[0] >= SYSTEM_EXCLUSIVE else later is not None and _says_anew(later, data)
        if (is_anew and not is_step) or not self._ordered_left:
            return False
        self._ordered_left -= 1
        return True


def _says_anew(later: bytes, data: bytes) -> bool:
    return later[0] == data[0] and (len(data) == 2 or later[1] == data[1])


def thinned(arrivals: Sequence[Arrival], most_starts: int) -> list[Arrival]:
    """Return the arrivals of a flood that still matter, in their order.

    Left out are notes that end before they sound, all but the last value of each controller, wheel and pressure, and
    what a later message cuts off. Of notes that begin the newest `most_starts` are kept: the others would be stolen.
    Keys that come up are never left out, so no note sticks.

    Parameters
    ----------
    arrivals : sequence of Arrival
        Oldest first.
    most_starts : int
        Notes that may begin.
    """
    thinning = _Thinning(most_starts)
    kept = [arrival for arrival in reversed(arrivals) if thinning.keeps(arrival.data)]
    kept.reverse()
    return kept
