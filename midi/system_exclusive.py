"""Which SysEx messages are understood: universal ones, and those of Roland GS and Yamaha XG that files rely on."""

from typing import Final, NamedTuple

from .growth import SYSEX_ID

_ANY: Final = -1
_VALUE: Final = -2  # part of what the message says

_PATTERNS: Final = (
    ("gm", (0x7E, _ANY, 0x09, 0x01)),
    ("gm", (0x7E, _ANY, 0x09, 0x03)),  # General MIDI 2
    ("gs", (0x41, _ANY, 0x42, 0x12, 0x40, 0x00, 0x7F, 0x00, _ANY)),  # GS reset; the last byte is a checksum
    ("gs", (0x41, _ANY, 0x42, 0x12, 0x00, 0x00, 0x7F, _ANY, _ANY)),  # SC-88 system mode set
    ("xg", (0x43, _ANY, 0x4C, 0x00, 0x00, 0x7E, 0x00)),  # XG system on
    ("xg", (0x43, _ANY, 0x4C, 0x00, 0x00, 0x7F, 0x00)),  # XG all parameters reset
    ("volume", (0x7F, _ANY, 0x04, 0x01, _VALUE, _VALUE)),
    ("balance", (0x7F, _ANY, 0x04, 0x02, _VALUE, _VALUE)),
    ("fine tuning", (0x7F, _ANY, 0x04, 0x03, _VALUE, _VALUE)),
    ("coarse tuning", (0x7F, _ANY, 0x04, 0x04, _VALUE, _VALUE)),
    ("gs rhythm part", (0x41, _ANY, 0x42, 0x12, 0x40, _VALUE, 0x15, _VALUE, _ANY)),
    ("growth", (*SYSEX_ID, _VALUE, _VALUE, _VALUE, _VALUE)),  # channel, controller, LSB, MSB
    ("xg part mode", (0x43, _ANY, 0x4C, 0x08, _VALUE, 0x07, _VALUE)),
)
_RESETS: Final = ("gm", "gs", "xg")


class Exclusive(NamedTuple):
    """A SysEx message that is understood: its kind, and the data bytes that vary."""

    kind: str
    values: tuple[int, ...]

    @property
    def is_reset(self) -> bool:
        """Whether it asks for the state at power-up."""
        return self.kind in _RESETS

    @property
    def value_14_bit(self) -> int:
        """Return its two data bytes as a number, the lower one first."""
        return self.values[1] << 7 | self.values[0]


def recognise(payload: bytes) -> Exclusive | None:
    """Return what a SysEx message without its frame says, None for any other."""
    for kind, pattern in _PATTERNS:
        if len(payload) == len(pattern) and all(
            expected in (_ANY, _VALUE, got) for expected, got in zip(pattern, payload, strict=True)
        ):
            values = (got for expected, got in zip(pattern, payload, strict=True) if expected == _VALUE)
            return Exclusive(kind, tuple(values))
    return None


def gs_part_channel(part: int) -> int | None:
    """Return the MIDI channel of a GS part's address byte 0x10..0x1F, None for others: part 0x10 is channel 9."""
    if not 0x10 <= part <= 0x1F:
        return None
    block = part & 0x0F
    return 9 if block == 0 else block - 1 if block < 10 else block
