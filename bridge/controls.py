"""What parameters and events of a client are as MIDI messages, which take effect at their exact sample."""

from __future__ import annotations

from typing import Final

from ..midi.messages import (
    ALL_NOTES_OFF,
    BEND_CENTRE,
    CHORUS_SEND,
    CONTROL_CHANGE,
    NUM_CHANNELS,
    RESET_CONTROLLERS,
    REVERB_SEND,
    SOSTENUTO,
    SUSTAIN,
    SYSTEM_EXCLUSIVE,
    SYSTEM_RESET,
    control_change,
    system_exclusive,
)
from ..midi.spec import growth_controllers as growth
from ..midi.spec.path_controllers import DECODER, REPRESENTATION, path_value
from ..midi.spec.sysex import settings_of
from ..midi.state.system import RESETS
from .parameters import INDEX, PARAMETERS

MASTER: Final = (0x7F, 0x7F, 0x04)
_VOLUME: Final = 0x01
_FINE_TUNING: Final = 0x03
_MAX_14_BIT: Final = 0x3FFF
_CORNERS: Final = dict(
    zip((INDEX["morph_right"], INDEX["morph_upper"], INDEX["morph_far"]), growth.MORPH_PROGRAMS, strict=True)
)
INSTRUMENT: Final = INDEX["instrument"]
RESET_WITH_CONTROLLERS: Final = tuple(
    INDEX[name] for name in ("growth_rate", "fire_rate", "life_threshold", "morph_x", "morph_y")
)
"""Parameters that "reset all controllers" makes neutral on its channel."""
ALL_CHANNELS: Final = range(NUM_CHANNELS)


def clipped(index: int, value: float) -> float:
    """Return a parameter's value within its range, whole where it must be."""
    one = PARAMETERS[index]
    value = min(max(value, one.low), one.high)
    return float(round(value)) if one.is_whole else value


def parameter_messages(index: int, value: float, channels: range = ALL_CHANNELS) -> list[bytes]:
    """Return what sets a parameter on MIDI channels; nothing for the instrument, which no message names."""
    match PARAMETERS[index].symbol:
        case "representation":
            return _growth(REPRESENTATION, path_value(int(value)), channels)
        case "decoder":
            return _growth(DECODER, path_value(int(value)), channels)
        case "growth_rate":
            return _quantity(channels, rate=value)
        case "fire_rate":
            return _quantity(channels, fire_rate=value)
        case "life_threshold":
            return _quantity(channels, life_threshold=value)
        case "damage":
            return _growth(growth.DAMAGE, 1.27 * value, channels)
        case "morph_x":
            return _growth(growth.MORPH_X, 127.0 * value, channels)
        case "morph_y":
            return _growth(growth.MORPH_Y, 127.0 * value, channels)
        case "level":
            share = 10.0 ** (value / 40.0) if value > PARAMETERS[index].low else 0.0
            return [_master(_VOLUME, round(share * _MAX_14_BIT))]
        case "tuning":
            return [_master(_FINE_TUNING, min(round(BEND_CENTRE * (1.0 + value / 100.0)), _MAX_14_BIT))]
        case "reverb":
            return [control_change(channel, REVERB_SEND, round(1.27 * value)) for channel in channels]
        case "chorus":
            return [control_change(channel, CHORUS_SEND, round(1.27 * value)) for channel in channels]
    if index in _CORNERS and value >= 1.0:
        return _growth(_CORNERS[index], value - 1.0, channels)
    return []


def corner_message(index: int, channel: int, program: int) -> bytes:
    """Return what puts a program into the corner that a parameter stands for."""
    return growth.growth_message(channel, _CORNERS[index], program)


def is_own_corner(index: int, value: float) -> bool:
    """Return whether a parameter asks for a channel's own instrument in a corner."""
    return index in _CORNERS and value < 1.0


def release_messages() -> list[bytes]:
    """Return what lifts all keys and pedals."""
    return [
        control_change(channel, controller, 0)
        for channel in ALL_CHANNELS
        for controller in (SUSTAIN, SOSTENUTO, ALL_NOTES_OFF)
    ]


def resets_controllers(data: bytes) -> bool:
    """Return whether a message resets the controllers of its channel."""
    return len(data) == 3 and data[0] & 0xF0 == CONTROL_CHANGE and data[1] == RESET_CONTROLLERS


def resets_system(data: bytes) -> bool:
    """Return whether a message brings everything back to how it is at power-up."""
    if data[0] == SYSTEM_RESET:
        return True
    is_exclusive = data[0] == SYSTEM_EXCLUSIVE and len(data) > 2
    return is_exclusive and any(one.name in RESETS and one.value == 0 for one in settings_of(data[1:-1]))


def _growth(controller: int, value: float, channels: range) -> list[bytes]:
    return [growth.growth_message(channel, controller, value) for channel in channels]


def _quantity(
    channels: range, rate: float | None = None, fire_rate: float | None = None, life_threshold: float | None = None
) -> list[bytes]:
    values = growth.growth_values(rate, fire_rate, life_threshold, None)
    return [data for controller, value in values for data in _growth(controller, value, channels)]


def _master(kind: int, number: int) -> bytes:
    return system_exclusive(bytes((*MASTER, kind, number & 0x7F, number >> 7)))
