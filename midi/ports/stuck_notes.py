"""What a sender left down: keys and pedals, so that they can be lifted when it goes away."""

from __future__ import annotations

from typing import Final

from ..messages import (
    CONTROL_CHANGE,
    NOTE_OFF,
    NOTE_ON,
    PITCH_BEND,
    SOSTENUTO,
    SUSTAIN,
    control_change,
    is_complete,
    note_off,
    pitch_bend,
)

_PEDALS: Final = frozenset((SUSTAIN, SOSTENUTO))


class KeysDown:
    """Follows messages and knows which keys, pedals and pitch wheels are not at rest."""

    def __init__(self) -> None:
        self._keys: dict[tuple[int, int], None] = {}
        self._pedals: dict[tuple[int, int], None] = {}
        self._bent: dict[int, None] = {}

    def follow(self, data: bytes) -> None:
        """Take a message; malformed ones do nothing."""
        if not is_complete(data) or data[0] >= 0xF0:
            return
        kind, channel = data[0] & 0xF0, data[0] & 0x0F
        if kind == NOTE_ON and data[2]:
            self._keys[channel, data[1]] = None
        elif kind in (NOTE_ON, NOTE_OFF):
            self._keys.pop((channel, data[1]), None)
        elif kind == CONTROL_CHANGE and data[1] in _PEDALS:
            if data[2]:
                self._pedals[channel, data[1]] = None
            else:
                self._pedals.pop((channel, data[1]), None)
        elif kind == PITCH_BEND:
            if data[1:] == b"\x00\x40":
                self._bent.pop(channel, None)
            else:
                self._bent[channel] = None

    def release(self) -> list[bytes]:
        """Return the messages that lift everything, and forget it."""
        messages = [note_off(channel, key) for channel, key in list(self._keys)]
        messages += [control_change(channel, pedal, 0) for channel, pedal in list(self._pedals)]
        messages += [pitch_bend(channel, 0) for channel in list(self._bent)]
        self._keys.clear()
        self._pedals.clear()
        self._bent.clear()
        return messages
