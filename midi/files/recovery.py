"""Where the events of a damaged track go on."""

from typing import Final, NamedTuple

from ..messages import END_OF_EXCLUSIVE, FIRST_STATUS, SYSTEM_EXCLUSIVE, data_length

WINDOW_BYTES: Final = 1024
"""How far to look for an intact event."""
_META: Final = 0xFF
_END_OF_TRACK: Final = 0x2F
_MAX_NUMBER_BYTES: Final = 4
# Bytes taken from the middle of events often make one event by chance, but hardly this many.
_NUM_INTACT_EVENTS: Final = 4


class _Place(NamedTuple):
    """A place between two events, and what the event before it leaves."""

    position: int
    running_status: int | None
    is_end: bool = False


def next_event(data: bytes, start: int, end: int, running_status: int | None, window: int = WINDOW_BYTES) -> int | None:
    """Return the first position from `start` on where intact events begin with their delta time; None if there is none.

    Away from `start` itself, the first event must have its own status byte. No event may end behind `end`; places
    up to `window` bytes away are looked at.
    """
    for position in range(start, min(end, start + window)):
        if goes_on(data, position, end, running_status if position == start else None):
            return position
    return None


def goes_on(data: bytes, position: int, end: int, running_status: int | None) -> bool:
    """Tell whether the next few events from a delta time at `position` on are intact; so is the end of the data."""
    place = _Place(position, running_status)
    for _ in range(_NUM_INTACT_EVENTS):
        if place.is_end or place.position == end:
            return True
        after = _after_event(data, place, end)
        if after is None:
            return False
        place = after
    return True


def has_status(data: bytes, position: int, end: int) -> bool:
    """Tell whether an event from a delta time at `position` on has its own status byte."""
    after = _after_number(data, position, end)
    return after is not None and after < end and data[after] >= FIRST_STATUS


def _after_event(data: bytes, place: _Place, end: int) -> _Place | None:
    """Return the place behind one event; None if it is damaged."""
    position = _after_number(data, place.position, end)
    if position is None or position >= end:
        return None
    status = data[position]
    if status < FIRST_STATUS:
        if place.running_status is None:
            return None
        status = place.running_status
    else:
        position += 1
    if status in (SYSTEM_EXCLUSIVE, END_OF_EXCLUSIVE):
        return _after_exclusive(data, position, end, place.running_status)
    if status == _META:
        return _after_meta(data, position, end, place.running_status)
    # An undefined status byte is taken for an event without data, or its value would be read as a delta time.
    length = data_length(status) or 0
    if position + length > end or not data[position : position + length].isascii():
        return None
    return _Place(position + length, status if status < SYSTEM_EXCLUSIVE else place.running_status)


def _after_exclusive(data: bytes, position: int, end: int, running_status: int | None) -> _Place | None:
    after = _after_sized(data, position, end)
    if after is None or not data[position : after - 1].isascii():
        return None
    return _Place(after, running_status)


def _after_meta(data: bytes, position: int, end: int, running_status: int | None) -> _Place | None:
    if position >= end or data[position] >= FIRST_STATUS:
        return None
    after = _after_sized(data, position + 1, end)
    return None if after is None else _Place(after, running_status, data[position] == _END_OF_TRACK)


def _after_sized(data: bytes, position: int, end: int) -> int | None:
    """Return the position behind a length and that many bytes."""
    start = _after_number(data, position, end)
    if start is None:
        return None
    length = 0
    for byte in data[position:start]:
        length = length << 7 | byte & 0x7F
    return start + length if start + length <= end else None


def _after_number(data: bytes, position: int, end: int) -> int | None:
    """Return the position behind a number of at most 4 bytes."""
    for index in range(position, min(end, position + _MAX_NUMBER_BYTES)):
        if data[index] < FIRST_STATUS:
            return index + 1
    return None
