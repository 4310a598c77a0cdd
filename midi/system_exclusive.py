"""The few SysEx messages every General MIDI synthesizer answers."""

from typing import Final

_ANY: Final = -1

_RESETS: Final = (
    (0x7E, _ANY, 0x09, 0x01),  # General MIDI system on
    (0x7E, _ANY, 0x09, 0x03),  # General MIDI 2 system on
    (0x41, _ANY, 0x42, 0x12, 0x40, 0x00, 0x7F, 0x00, _ANY),  # Roland GS reset; the last byte is a checksum
    (0x41, _ANY, 0x42, 0x12, 0x00, 0x00, 0x7F, _ANY, _ANY),  # Roland SC-88 system mode set
    (0x43, _ANY, 0x4C, 0x00, 0x00, 0x7E, 0x00),  # Yamaha XG system on
    (0x43, _ANY, 0x4C, 0x00, 0x00, 0x7F, 0x00),  # Yamaha XG all parameters reset
)
_MASTER_VOLUME: Final = (0x7F, _ANY, 0x04, 0x01, _ANY, _ANY)


def _matches(payload: bytes, pattern: tuple[int, ...]) -> bool:
    return len(payload) == len(pattern) and all(
        expected in (_ANY, got) for expected, got in zip(pattern, payload, strict=True)
    )


def is_reset(data: bytes) -> bool:
    """Tell whether a complete SysEx message asks for a reset (GM, GM2, GS or XG)."""
    return any(_matches(data[1:-1], pattern) for pattern in _RESETS)


def master_volume_of(data: bytes) -> int | None:
    """Return the 14-bit value of a universal master volume message, None for any other SysEx."""
    payload = data[1:-1]
    return payload[5] << 7 | payload[4] if _matches(payload, _MASTER_VOLUME) else None
