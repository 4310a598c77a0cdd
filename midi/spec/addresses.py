"""Parameter addresses of Roland GS and Yamaha XG: what bytes that are written to an address set.

Both standards give every parameter an address of three bytes; a message names the first and brings one byte or more,
which go to it and to those that follow. The tables below hold the parameters that exist here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import log2
from typing import Final, NamedTuple

from ..messages import (
    ATTACK_TIME,
    BANK_LSB,
    BANK_MSB,
    BRIGHTNESS,
    CHORUS_SEND,
    DECAY_TIME,
    DRUM_CHANNEL,
    NUM_CHANNELS,
    PAN,
    PORTAMENTO,
    PORTAMENTO_TIME,
    RELEASE_TIME,
    REVERB_SEND,
    RPN_BEND_RANGE,
    RPN_FINE_TUNING,
    RPN_MODULATION_RANGE,
    TIMBRE,
    VIBRATO_DELAY,
    VIBRATO_DEPTH,
    VIBRATO_RATE,
    VOLUME,
)

Decode = Callable[[bytes], float]

_MAX_SHIFT: Final = 24
_MODULATION_CENTS: Final = 600  # of full modulation at 127, in GS


class Setting(NamedTuple):
    """A parameter and its value.

    Attributes
    ----------
    name : str
        What is set. For the whole module: "gm", "gm2", "gs", "xg" (resets, if the value is 0), "volume", "balance",
        "fine tuning", "coarse tuning", "reverb", "chorus" and "growth controllers". For a part: "control" and
        "parameter" (of a number), "growth" (a controller of ours), "program", "scale" (of a note 0..11), "key shift",
        "detune", "lowest key", "highest key", "rhythm", "poly" and "receive".
    part : int or None
        Part 0..15, at first on the MIDI channel of the same number, or 16..31 for those of the next port; None for the
        whole module.
    number : int
        Which controller, parameter or note of the scale.
    value : float
        In the unit of the name: semitones, linear gain, -1..1, or the byte itself.
    """

    name: str
    part: int | None
    number: int
    value: float


class Field(NamedTuple):
    """A row of a table: what is set, how many bytes it takes, and what they mean."""

    name: str
    number: int = 0
    size: int = 1
    decode: Decode = lambda data: float(data[0])


def _shift(data: bytes) -> float:
    """Return semitones of a byte with its middle at 64, 24 at most."""
    return float(max(-_MAX_SHIFT, min(data[0] - 64, _MAX_SHIFT)))


def _nibbles(data: bytes) -> int:
    """Return the number that the lower halves of bytes make."""
    number = 0
    for byte in data:
        number = number << 4 | byte & 0x0F
    return number


def _tuning(data: bytes) -> float:
    """Return semitones of tenths of a cent, 1024 in the middle."""
    return max(-1.0, min((_nibbles(data) - 1024) / 1000.0, 1.0))


def _detuning(data: bytes) -> float:
    """Return semitones of tenths of a hertz, 128 in the middle: what they come to at 440 Hz."""
    return 12.0 * log2(1.0 + (_nibbles(data) - 128) / 10.0 / 440.0)


def _pan(data: bytes) -> float:
    """Return a position 0..127 of the panorama; 0 asks for chance there, which is the middle here."""
    return float(data[0] or 64)


def _gain(data: bytes) -> float:
    """Return the linear gain of 40 log10(v / 127) dB."""
    return (data[0] / 127.0) ** 2


def _return(data: bytes) -> float:
    """Return the linear gain of what comes back of an effect: 1 at 64."""
    return data[0] / 64.0


def _control(number: int) -> Field:
    return Field("control", number)


_BALANCE: Final = Field("balance", decode=lambda data: max(-1.0, min((data[0] - 64) / 63.0, 1.0)))
_BEND_RANGE: Final = Field("parameter", RPN_BEND_RANGE, decode=lambda data: max(_shift(data), 0.0) * 128.0)
_FINE_TUNE: Final = Field("parameter", RPN_FINE_TUNING, 2, lambda data: float(data[0] << 7 | data[1]))
_MODULATION_RANGE: Final = Field(
    "parameter", RPN_MODULATION_RANGE, decode=lambda data: round(data[0] / 127 * _MODULATION_CENTS / 100 * 128)
)
_DETUNE: Final = Field("detune", size=2, decode=_detuning)
_ON_OFF: Final = Field("control", PORTAMENTO, decode=lambda data: 127.0 if data[0] else 0.0)


def _scale(first: int) -> dict[int, Field]:
    """Return the rows of the twelve notes of a scale, C to B, a cent each step."""
    return {first + note: Field("scale", note, decode=lambda data: (data[0] - 64) / 100.0) for note in range(12)}


_GS_SYSTEM: Final = {
    0x0000: Field("fine tuning", size=4, decode=_tuning),
    0x0004: Field("volume", decode=_gain),
    0x0005: Field("coarse tuning", decode=_shift),
    0x0006: _BALANCE,
    0x007F: Field("gs"),
    0x00B0: Field("reverb", decode=lambda _: 1.0),  # a macro brings the level 64 with it
    0x00B3: Field("reverb", decode=_return),
    0x00B8: Field("chorus", decode=lambda _: 1.0),
    0x00BA: Field("chorus", decode=_return),
}
"""By the lower two bytes of the address, seven bits each, behind 40."""
_GS_PART: Final = {
    0x00: _control(BANK_MSB),
    0x01: Field("program"),
    0x02: Field("receive"),
    0x13: Field("poly"),
    0x15: Field("rhythm"),
    0x16: Field("key shift", decode=_shift),
    0x17: _DETUNE,
    0x19: _control(VOLUME),
    0x1C: Field("control", PAN, decode=_pan),
    0x1D: Field("lowest key"),
    0x1E: Field("highest key"),
    0x21: _control(CHORUS_SEND),
    0x22: _control(REVERB_SEND),
    0x2A: _FINE_TUNE,
    0x30: _control(VIBRATO_RATE),
    0x31: _control(VIBRATO_DEPTH),
    0x32: _control(BRIGHTNESS),
    0x33: _control(TIMBRE),
    0x34: _control(ATTACK_TIME),
    0x35: _control(DECAY_TIME),
    0x36: _control(RELEASE_TIME),
    0x37: _control(VIBRATO_DELAY),
    **_scale(0x40),
}
"""By the last byte of the address, behind 40 1x."""
_GS_PART_CONTROL: Final = {0x04: _MODULATION_RANGE, 0x10: _BEND_RANGE}
"""Behind 40 2x."""
_XG_SYSTEM: Final = {
    0x00: Field("fine tuning", size=4, decode=_tuning),
    0x04: Field("volume", decode=_gain),
    0x06: Field("coarse tuning", decode=_shift),
    0x7E: Field("xg"),
    0x7F: Field("xg"),
}
"""Behind 00 00."""
_XG_EFFECTS: Final = {0x0C: Field("reverb", decode=_return), 0x2C: Field("chorus", decode=_return)}
"""Behind 02 01."""
_XG_PART: Final = {
    0x01: _control(BANK_MSB),
    0x02: _control(BANK_LSB),
    0x03: Field("program"),
    0x04: Field("receive"),
    0x05: Field("poly"),
    0x07: Field("rhythm"),
    0x08: Field("key shift", decode=_shift),
    0x09: _DETUNE,
    0x0B: _control(VOLUME),
    0x0E: Field("control", PAN, decode=_pan),
    0x0F: Field("lowest key"),
    0x10: Field("highest key"),
    0x12: _control(CHORUS_SEND),
    0x13: _control(REVERB_SEND),
    0x15: _control(VIBRATO_RATE),
    0x16: _control(VIBRATO_DEPTH),
    0x17: _control(VIBRATO_DELAY),
    0x18: _control(BRIGHTNESS),
    0x19: _control(TIMBRE),
    0x1A: _control(ATTACK_TIME),
    0x1B: _control(DECAY_TIME),
    0x1C: _control(RELEASE_TIME),
    0x23: _BEND_RANGE,
    **_scale(0x41),
    0x67: _ON_OFF,
    0x68: _control(PORTAMENTO_TIME),
}
"""Behind 08 and the part."""

_ROLAND, _GS, _DATA_SET = 0x41, 0x42, 0x12
_YAMAHA, _XG = 0x43, 0x4C
_GS_GROUP_B: Final = 0x50  # parts of the second port, whatever port the message comes by
_GS_MODE_SET: Final = 0x7F  # of the SC-88, at 00 00 7F: one module or two


def settings_at(payload: bytes) -> list[Setting]:
    """Return what a GS or XG message without its frame sets, in order; nothing for any other message.

    A message with a wrong checksum sets nothing: the modules that these were written for show an error then and go on
    as before, so what its author heard is the song without it.
    """
    if len(payload) > 4 and payload[0] == _ROLAND and payload[2:4] == bytes((_GS, _DATA_SET)):
        return _written(payload[4:-1], _gs_field) if sum(payload[4:]) % 128 == 0 else []
    if len(payload) > 3 and payload[0] == _YAMAHA and payload[2] == _XG:
        kind, body = payload[1] & 0xF0, payload[3:]
        if kind == 0x10:
            return _written(body, _xg_field)
        if kind == 0x00 and sum(body) % 128 == 0:  # a bulk dump: number of bytes, address, bytes, checksum
            return _written(body[2:-1], _xg_field)
    return []


def _written(block: bytes, find: Callable[[int], tuple[Field, int | None] | None]) -> list[Setting]:
    """Return what an address of three bytes and the bytes behind it set."""
    return list(_settings(block, find)) if len(block) > 3 else []


def _settings(block: bytes, find: Callable[[int], tuple[Field, int | None] | None]) -> Iterator[Setting]:
    address, data = block[0] << 14 | block[1] << 7 | block[2], block[3:]
    position = 0
    while position < len(data):
        found = find(address + position)
        size = 1
        if found is not None:
            field, part = found
            raw = data[position : position + field.size]
            if len(raw) == field.size:
                size = field.size
                yield Setting(field.name, part, field.number, field.decode(raw))
        position += size


def _gs_field(address: int) -> tuple[Field, int | None] | None:
    high, middle, low = address >> 14, address >> 7 & 0x7F, address & 0x7F
    if high == 0 and (middle, low) == (0, _GS_MODE_SET):
        return Field("gs", decode=lambda _: 0.0), None
    if high not in (0x40, _GS_GROUP_B):
        return None
    block, part = middle & 0x70, _gs_part(middle & 0x0F)
    if high == _GS_GROUP_B:
        part += NUM_CHANNELS
    elif block == 0:
        return _row(_GS_SYSTEM, middle << 7 | low, None)
    return _row({0x10: _GS_PART, 0x20: _GS_PART_CONTROL}.get(block, {}), low, part)


def _xg_field(address: int) -> tuple[Field, int | None] | None:
    high, middle, low = address >> 14, address >> 7 & 0x7F, address & 0x7F
    if high == 0x08 and middle < 2 * NUM_CHANNELS:
        return _row(_XG_PART, low, middle)
    return _row({0x0000: _XG_SYSTEM, 0x02 << 7 | 0x01: _XG_EFFECTS}.get(high << 7 | middle, {}), low, None)


def _row(table: dict[int, Field], key: int, part: int | None) -> tuple[Field, int | None] | None:
    field = table.get(key)
    return None if field is None else (field, part)


def _gs_part(block: int) -> int:
    """Return the part 0..15 of a block's number in its address: block 0 is part 10."""
    return DRUM_CHANNEL if block == 0 else block - 1 if block <= DRUM_CHANNEL else block
