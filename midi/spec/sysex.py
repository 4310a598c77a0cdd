"""Which SysEx messages are understood: universal ones, those of Roland GS and Yamaha XG, and our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..messages import BEND_CENTRE, NUM_CHANNELS
from .addresses import Setting, settings_at
from .growth_controllers import OWN_CONTROLLERS, SWITCH, SYSEX_ID

_ANY: Final = -1
_VALUE: Final = -2  # part of what the message says
_MAX_14_BIT: Final = 0x3FFF

_PATTERNS: Final = (
    ("gm", (0x7E, _ANY, 0x09, 0x01)),
    ("gm2", (0x7E, _ANY, 0x09, 0x03)),
    ("volume", (0x7F, _ANY, 0x04, 0x01, _VALUE, _VALUE)),
    ("balance", (0x7F, _ANY, 0x04, 0x02, _VALUE, _VALUE)),
    ("fine tuning", (0x7F, _ANY, 0x04, 0x03, _VALUE, _VALUE)),
    ("coarse tuning", (0x7F, _ANY, 0x04, 0x04, _VALUE, _VALUE)),
    ("growth controllers", (*SYSEX_ID, SWITCH, _VALUE)),
)
"""Universal messages and our switch. Two values are the LSB and the MSB of 14 bits."""

_DECODERS: Final[dict[str, Callable[[int], float]]] = {
    "volume": lambda value: (value / _MAX_14_BIT) ** 2,
    "balance": lambda value: max((value - BEND_CENTRE) / (BEND_CENTRE - 1), -1.0),
    "fine tuning": lambda value: (value - BEND_CENTRE) / BEND_CENTRE,
    "coarse tuning": lambda value: float((value >> 7) - 64),
    "growth controllers": float,
}


def settings_of(payload: bytes) -> list[Setting]:
    """Return what a SysEx message without its frame sets, in order; nothing for one that is not understood."""
    growth = _growth(payload)
    if growth is not None:
        return [growth]
    for kind, pattern in _PATTERNS:
        if len(payload) == len(pattern) and all(
            expected in (_ANY, _VALUE, got) for expected, got in zip(pattern, payload, strict=True)
        ):
            values = [got for expected, got in zip(pattern, payload, strict=True) if expected == _VALUE]
            number = sum(value << 7 * place for place, value in enumerate(values))
            return [Setting(kind, None, 0, _DECODERS[kind](number) if values else 0.0)]
    return settings_at(payload)


def _growth(payload: bytes) -> Setting | None:
    """Return what a message sets that gives a controller of ours 14 bits: channel, controller, LSB, MSB."""
    head = len(SYSEX_ID)
    if len(payload) != head + 4 or payload[:head] != bytes(SYSEX_ID):
        return None
    channel, controller, lsb, msb = payload[head:]
    if channel >= NUM_CHANNELS or controller not in OWN_CONTROLLERS:
        return None
    return Setting("growth", channel, controller, msb + lsb / 128)
