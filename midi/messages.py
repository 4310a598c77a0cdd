"""Raw complete MIDI messages (`bytes`): status bytes, controller numbers, builders and checks.

A *complete* message carries its own status byte (running status resolved) and all its data bytes. MIDI
channels count from 0 here: the drum channel, printed as 10 on instruments, is 9.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from ..errors import UsageError

FIRST_STATUS: Final = 0x80
NOTE_OFF: Final = 0x80
NOTE_ON: Final = 0x90
POLY_PRESSURE: Final = 0xA0
CONTROL_CHANGE: Final = 0xB0
PROGRAM_CHANGE: Final = 0xC0
CHANNEL_PRESSURE: Final = 0xD0
PITCH_BEND: Final = 0xE0
SYSTEM_EXCLUSIVE: Final = 0xF0
END_OF_EXCLUSIVE: Final = 0xF7
SYSTEM_RESET: Final = 0xFF

BANK_MSB: Final = 0
MODULATION: Final = 1
BREATH: Final = 2
PORTAMENTO_TIME: Final = 5
DATA_ENTRY_MSB: Final = 6
VOLUME: Final = 7
PAN: Final = 10
EXPRESSION: Final = 11
ENSEMBLE_BLEND: Final = 28  # undefined in MIDI; here how an ensemble of decoders is mixed
NEUTRAL_BLEND: Final = 38  # of 127: 0.3
BANK_LSB: Final = 32
DATA_ENTRY_LSB: Final = 38
SUSTAIN: Final = 64
PORTAMENTO: Final = 65
SOSTENUTO: Final = 66
SOFT_PEDAL: Final = 67
TIMBRE: Final = 71
RELEASE_TIME: Final = 72
ATTACK_TIME: Final = 73
BRIGHTNESS: Final = 74
DECAY_TIME: Final = 75
VIBRATO_RATE: Final = 76
VIBRATO_DEPTH: Final = 77
VIBRATO_DELAY: Final = 78
PORTAMENTO_CONTROL: Final = 84
REVERB_SEND: Final = 91
CHORUS_SEND: Final = 93
DATA_INCREMENT: Final = 96
DATA_DECREMENT: Final = 97
NRPN_LSB: Final = 98
NRPN_MSB: Final = 99
RPN_LSB: Final = 100
RPN_MSB: Final = 101
ALL_SOUND_OFF: Final = 120
RESET_CONTROLLERS: Final = 121
ALL_NOTES_OFF: Final = 123
OMNI_OFF: Final = 124
OMNI_ON: Final = 125
MONO_ON: Final = 126
POLY_ON: Final = 127

RPN_BEND_RANGE: Final = 0
RPN_FINE_TUNING: Final = 1
RPN_COARSE_TUNING: Final = 2
RPN_TUNING_PROGRAM: Final = 3
RPN_TUNING_BANK: Final = 4
RPN_MODULATION_RANGE: Final = 5
RPN_MPE: Final = 6
RPN_NULL: Final = 0x3FFF

NUM_CHANNELS: Final = 16
DRUM_CHANNEL: Final = 9
DEFAULT_RELEASE_VELOCITY: Final = 64
BEND_CENTRE: Final = 8192

_DATA_LENGTHS: Final = {
    **{kind | channel: 2 for kind in (0x80, 0x90, 0xA0, 0xB0, 0xE0) for channel in range(NUM_CHANNELS)},
    **{kind | channel: 1 for kind in (0xC0, 0xD0) for channel in range(NUM_CHANNELS)},
    # System common and real time; 0xF4, 0xF5, 0xF9 and 0xFD are undefined.
    **{0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0},
    **dict.fromkeys((248, 250, 251, 252, 254, 255), 0),
}


class Encodable(Protocol):
    """What knows its bytes, such as a mido.Message."""

    def bytes(self) -> Any:
        """Return the status byte and all data bytes, as numbers."""
        ...


def message_bytes(message: bytes | bytearray | memoryview | Encodable) -> bytes:
    """Return one complete MIDI message as bytes; `UsageError` for what is none."""
    if isinstance(message, bytes):
        return message
    if isinstance(message, bytearray | memoryview):
        return bytes(message)
    if hasattr(message, "bytes"):
        return bytes(message.bytes())
    raise UsageError(f"expected a MIDI message as bytes or a mido.Message, got {message!r}")


def data_length(status: int) -> int | None:
    """Return how many data bytes follow a status byte; None for SysEx and for undefined statuses."""
    return _DATA_LENGTHS.get(status)


def is_complete(data: bytes) -> bool:
    """Tell whether `data` is exactly one well-formed MIDI message."""
    if not data:
        return False
    if data[0] == SYSTEM_EXCLUSIVE:
        return len(data) >= 2 and data[-1] == END_OF_EXCLUSIVE and data[1:-1].isascii()
    return len(data) - 1 == _DATA_LENGTHS.get(data[0]) and data[1:].isascii()


def is_note_start(data: bytes) -> bool:
    """Tell whether a complete message is a note-on that sounds; velocity 0 means note-off."""
    return data[0] & 0xF0 == NOTE_ON and data[2] > 0


def check_range(name: str, value: int, low: int, high: int) -> int:
    """Return `value` if it lies in `low..high`.

    Raises
    ------
    ValueError
        If it does not; the text names the range and what was got.
    """
    if not low <= value <= high:
        raise ValueError(f"{name} must be in {low}..{high}, got {value}")
    return value


def _channel_message(kind: int, channel: int, **values: int) -> bytes:
    status = kind | check_range("channel", channel, 0, NUM_CHANNELS - 1)
    return bytes((status, *(check_range(name, value, 0, 127) for name, value in values.items())))


def _split_14_bit(value: int) -> tuple[int, int]:
    """Return (MSB, LSB)."""
    return value >> 7, value & 0x7F


def note_on(channel: int, key: int, velocity: int) -> bytes:
    """Build a note-on: channel 0..15, key 0..127, velocity 0..127 (0 means note-off).

    Raises
    ------
    ValueError
        If a value is out of range; so do all builders here.
    """
    return _channel_message(NOTE_ON, channel, key=key, velocity=velocity)


def note_off(channel: int, key: int, velocity: int = DEFAULT_RELEASE_VELOCITY) -> bytes:
    """Build a note-off with a release velocity 0..127."""
    return _channel_message(NOTE_OFF, channel, key=key, velocity=velocity)


def poly_pressure(channel: int, key: int, pressure: int) -> bytes:
    """Build a pressure message for one key, pressure 0..127."""
    return _channel_message(POLY_PRESSURE, channel, key=key, pressure=pressure)


def control_change(channel: int, controller: int, value: int) -> bytes:
    """Build a control change; controllers 120..127 are the channel mode messages."""
    return _channel_message(CONTROL_CHANGE, channel, controller=controller, value=value)


def program_change(channel: int, program: int) -> bytes:
    """Build a program change; programs count from 0."""
    return _channel_message(PROGRAM_CHANGE, channel, program=program)


def channel_pressure(channel: int, pressure: int) -> bytes:
    """Build a pressure message for a whole channel, pressure 0..127."""
    return _channel_message(CHANNEL_PRESSURE, channel, pressure=pressure)


def pitch_bend(channel: int, bend: int) -> bytes:
    """Build a pitch bend, -8192..8191; 0 is the centre and the ends are the channel's bend range."""
    check_range("bend", bend, -BEND_CENTRE, BEND_CENTRE - 1)
    msb, lsb = _split_14_bit(bend + BEND_CENTRE)
    return _channel_message(PITCH_BEND, channel, lsb=lsb, msb=msb)


def registered_parameter(channel: int, parameter: int, value: int) -> list[bytes]:
    """Build the control changes that set a registered parameter and then deselect it (RPN null).

    Parameters
    ----------
    channel : int
        MIDI channel, 0..15.
    parameter : int
        RPN number, 0..16383, e.g. `RPN_BEND_RANGE`.
    value : int
        Data entry as 14 bits, 0..16383. For the bend range: semitones * 128 + cents.
    """
    parameter_msb, parameter_lsb = _split_14_bit(check_range("parameter", parameter, 0, 0x3FFF))
    value_msb, value_lsb = _split_14_bit(check_range("value", value, 0, 0x3FFF))
    null_msb, null_lsb = _split_14_bit(RPN_NULL)
    changes = (
        (RPN_MSB, parameter_msb),
        (RPN_LSB, parameter_lsb),
        (DATA_ENTRY_MSB, value_msb),
        (DATA_ENTRY_LSB, value_lsb),
        (RPN_MSB, null_msb),
        (RPN_LSB, null_lsb),
    )
    return [control_change(channel, controller, setting) for controller, setting in changes]


def system_exclusive(payload: bytes) -> bytes:
    """Wrap data bytes 0..127 into a SysEx message.

    Raises
    ------
    ValueError
        If a byte is above 127.
    """
    for byte in payload:
        check_range("SysEx data byte", byte, 0, 127)
    return bytes((SYSTEM_EXCLUSIVE, *payload, END_OF_EXCLUSIVE))


def master_volume(volume: int) -> bytes:
    """Build the universal real-time master volume message, volume 0..16383, to all devices."""
    msb, lsb = _split_14_bit(check_range("volume", volume, 0, 0x3FFF))
    return system_exclusive(bytes((0x7F, 0x7F, 0x04, 0x01, lsb, msb)))
