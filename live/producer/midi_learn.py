"""What happens to a message between its port and the synth: channel filter, control mapping, MIDI learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...midi.messages import CONTROL_CHANGE, ENSEMBLE_BLEND, is_complete
from ...midi.spec.general_midi import key_name, program_name
from ...midi.spec.growth_controllers import (
    DAMAGE,
    FIRE_RATE,
    GROWTH_RATE,
    LIFE_THRESHOLD,
    MORPH_X,
    MORPH_Y,
    OWN_CONTROLLERS,
    growth_message,
)
from ...midi.spec.path_controllers import DECODER, REPRESENTATION

TARGET_CONTROLLERS: Final = {
    "modulation": 1,
    "breath": 2,
    "portamento-time": 5,
    "volume": 7,
    "pan": 10,
    "expression": 11,
    "sustain": 64,
    "portamento": 65,
    "sostenuto": 66,
    "soft": 67,
    "resonance": 71,
    "release": 72,
    "attack": 73,
    "brightness": 74,
    "decay": 75,
    "reverb": 91,
    "chorus": 93,
    "growth-rate": GROWTH_RATE,
    "fire-rate": FIRE_RATE,
    "life-threshold": LIFE_THRESHOLD,
    "damage": DAMAGE,
    "morph-x": MORPH_X,
    "morph-y": MORPH_Y,
    "representation": REPRESENTATION,
    "decoder": DECODER,
    "blend": ENSEMBLE_BLEND,
}
"""The controller of each of `live.protocol.CONTROL_TARGETS`: standard, or ours, sent as SysEx."""

_NOT_LEARNED: Final = frozenset((0, 6, 32, 38, *range(96, 102), *range(120, 128)))
"""Bank, data entry and parameter numbers, and the channel mode messages, are no knobs."""
_NAMES: Final = {number: name for name, number in TARGET_CONTROLLERS.items() if number not in OWN_CONTROLLERS}


class MidiLearnMap:
    """Filters and rewrites messages as the player asked.

    What is mapped onto a controller of ours acts, whether or not the controllers themselves were asked for.

    Parameters
    ----------
    channel : int or None
        1..16: drop what is for other MIDI channels.
    controllers : mapping of int to str
        Incoming controller number to target name.

    Attributes
    ----------
    learning : str or None
        The target that the next moved control is bound to.
    learned : tuple of int and str, or None
        The control bound since `learn` was called.
    """

    def __init__(self, channel: int | None = None, controllers: Mapping[int, str] | None = None) -> None:
        self.learning: str | None = None
        self.learned: tuple[int, str] | None = None
        self._channel = None if channel is None else channel - 1
        self._controllers = {number: TARGET_CONTROLLERS[name] for number, name in (controllers or {}).items()}
        self._wounds: dict[tuple[int, int], int] = {}  # latest value of what is mapped onto damage

    def learn(self, target: str | None) -> None:
        """Bind the next moved control to a target; None binds none. Thread: control."""
        self.learned, self.learning = None, target

    def apply(self, data: bytes) -> bytes | None:
        """Return the message for the synth, or None if there is nothing to play.

        Thread: producer.
        """
        if not is_complete(data):
            return None
        if data[0] >= 0xF0:
            return data if data[0] in (0xF0, 0xFF) else None
        if self._channel is not None and data[0] & 0x0F != self._channel:
            return None
        if data[0] & 0xF0 != CONTROL_CHANGE:
            return data
        if self.learning is not None and data[1] not in _NOT_LEARNED:
            self.learned = (data[1], self.learning)
            self._controllers[data[1]] = TARGET_CONTROLLERS[self.learning]
            self.learning = None
        target = self._controllers.get(data[1])
        if target is None:
            return data
        return self._to_growth(data, target) if target in OWN_CONTROLLERS else bytes((data[0], target, data[2]))

    def _to_growth(self, data: bytes, target: int) -> bytes | None:
        """Return the message that moves the growth as a control change says; None where it moves nothing."""
        channel, value = data[0] & 0x0F, data[2]
        if target == DAMAGE:  # each message damages anew, so only a rise is one
            before, self._wounds[channel, data[1]] = self._wounds.get((channel, data[1]), 0), value
            if value <= before:
                return None
            value -= before
        return growth_message(channel, target, value)


def describe(data: bytes) -> str:
    """Return a MIDI message in words, for people."""
    if not is_complete(data):
        return f"malformed ({data[:8].hex(' ')})"
    if data[0] >= 0xF0:
        return f"SysEx, {len(data)} bytes" if data[0] == 0xF0 else f"system {data[0]:02X}"
    kind, channel = data[0] & 0xF0, (data[0] & 0x0F) + 1
    number, value = data[1], data[-1]
    bend = (value << 7 | number) - 8192
    texts = {
        0x80: f"note off {key_name(number)}",
        0x90: f"note on {key_name(number)} velocity {value}" if value else f"note off {key_name(number)}",
        0xA0: f"key pressure {key_name(number)} {value}",
        0xB0: f"control {number}{f' ({_NAMES[number]})' if number in _NAMES else ''} {value}",
        0xC0: f"program {number + 1} ({program_name(number)})",
        0xD0: f"pressure {number}",
        0xE0: f"bend {bend:+d}",
    }
    return f"ch {channel} {texts[kind]}"
