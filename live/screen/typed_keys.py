"""The computer's keyboard as a piano: two rows of keys, and notes that end though no terminal tells of a key let go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

WHITE_KEYS: Final = "asdfghjkl;'"
BLACK_KEYS: Final = "we tyu op "
"""What stands between the white keys: a space where a piano has no black one."""
OFFSETS: Final = {
    "a": 0, "w": 1, "s": 2, "e": 3, "d": 4, "f": 5, "t": 6, "g": 7, "y": 8, "h": 9, "u": 10, "j": 11,
    "k": 12, "o": 13, "l": 14, "p": 15, ";": 16, "'": 17,
}  # fmt: skip
"""Semitones over the C of the octave."""
OCTAVE_RANGE: Final = (-1, 8)
VELOCITY_RANGE: Final = (16, 127)
VELOCITY_STEP: Final = 16

RING_S: Final = 0.8
"""How long a key sounds when nothing more is heard of it; longer than systems wait before a held key repeats."""
REPEATING_S: Final = 0.12
"""A key that comes again sooner than this is held down: nobody types that fast."""
LET_GO_S: Final = 0.25
"""A held key that has not come again for so long was let go."""
DELAY_ACCURACY_S: Final = 0.03

NOTE_ON: Final = 0x90
NOTE_OFF: Final = 0x80
CONTROL_CHANGE: Final = 0xB0
SUSTAIN: Final = 64


@dataclass
class _Sounding:
    note: int
    pressed_s: float
    ends_s: float
    waited_s: float | None  # since the stroke before this one, which it cut short
    is_held: bool = False


class TypedKeys:
    """Turns typed characters into MIDI messages.

    A typed key sounds for a moment. Held down, it comes again and again by the system's key repeat, and sounds on
    until that stops. The first repeat comes late, and could as well be a second stroke: it is taken for one until
    the system's delay is known from the first key that was held. The pedal makes notes last.

    Parameters
    ----------
    send : callable
        Takes a complete MIDI message.
    channel : int
        MIDI channel 0..15 to play on.
    """

    def __init__(self, send: Callable[[bytes], None], channel: int = 0) -> None:
        self.octave = 4
        self.velocity = 96
        self.pedal = False
        self._send = send
        self._channel = channel
        self._sounding: dict[str, _Sounding] = {}
        self._repeat_delay_s: float | None = None

    @property
    def held(self) -> frozenset[str]:
        """The characters whose notes sound, pedal apart."""
        return frozenset(self._sounding)

    def press(self, character: str, now_s: float) -> bool:
        """Play a typed character, or hold its note; return whether it is a key of the piano."""
        key = character.lower()
        if key not in OFFSETS:
            return False
        note = min(12 * (self.octave + 1) + OFFSETS[key], 127)
        self.tick(now_s)
        sounding = self._sounding.get(key)
        if sounding is None:
            self._start(key, note, now_s)
        elif self._is_repeat(sounding, now_s):
            self._hold(sounding, now_s)
        else:
            self._stop(key)
            self._start(key, note, now_s, waited_s=now_s - sounding.pressed_s)
        return True

    def tick(self, now_s: float) -> None:
        """End the notes whose time is over."""
        for key in [key for key, sounding in self._sounding.items() if now_s >= sounding.ends_s]:
            self._stop(key)

    def toggle_pedal(self) -> None:
        """Press the sustain pedal, or let it go."""
        self.pedal = not self.pedal
        self._send(bytes([CONTROL_CHANGE | self._channel, SUSTAIN, 127 if self.pedal else 0]))

    def shift_octave(self, octaves: int) -> None:
        """Move the keyboard; notes that sound stay."""
        self.octave = min(max(self.octave + octaves, OCTAVE_RANGE[0]), OCTAVE_RANGE[1])

    def shift_velocity(self, steps: int) -> None:
        """Play louder or softer from now on."""
        self.velocity = min(max(self.velocity + steps * VELOCITY_STEP, VELOCITY_RANGE[0]), VELOCITY_RANGE[1])

    def release_all(self) -> None:
        """End all notes and let the pedal go."""
        for key in list(self._sounding):
            self._stop(key)
        if self.pedal:
            self.toggle_pedal()

    def _start(self, key: str, note: int, now_s: float, waited_s: float | None = None) -> None:
        self._send(bytes([NOTE_ON | self._channel, note, self.velocity]))
        ring_s = RING_S if self._repeat_delay_s is None else self._repeat_delay_s + LET_GO_S
        self._sounding[key] = _Sounding(note, now_s, now_s + ring_s, waited_s)

    def _stop(self, key: str) -> None:
        self._send(bytes([NOTE_OFF | self._channel, self._sounding.pop(key).note, 0]))

    def _hold(self, sounding: _Sounding, now_s: float) -> None:
        if not sounding.is_held and sounding.waited_s is not None:
            self._repeat_delay_s = sounding.waited_s
        sounding.is_held = True
        sounding.pressed_s = now_s
        sounding.ends_s = now_s + LET_GO_S

    def _is_repeat(self, sounding: _Sounding, now_s: float) -> bool:
        since_s = now_s - sounding.pressed_s
        if sounding.is_held or since_s < REPEATING_S:
            return True
        return self._repeat_delay_s is not None and abs(since_s - self._repeat_delay_s) < DELAY_ACCURACY_S
