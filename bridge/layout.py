"""The structures of `bridge/protocol.h`, as Python sees them; a test compares both field by field."""

from __future__ import annotations

import ctypes
from ctypes import Structure, c_char, c_float, c_int32, c_uint8, c_uint16, c_uint32, c_uint64
from enum import IntEnum
from typing import Final

MAGIC: Final = 0x41434E54
PROTOCOL: Final = 1
FOLDER: Final = "tnca-synth"
SOCKET: Final = "bridge.socket"
LOCK: Final = "bridge.lock"
MAX_BLOCK: Final = 65_536
MIN_AHEAD: Final = 256
MAX_EXTRA: Final = 8192
MAX_MESSAGE: Final = 8192
MAX_PACKET: Final = 32_768
EVENT_BYTES: Final = 262_144
TEXT: Final = 256
NAME: Final = 64
HASH: Final = 65
MAX_INSTRUMENTS: Final = 256
NUM_AUDIO_CHANNELS: Final = 2
STANDS_IN: Final = 1
USER: Final = 2
DRUMS: Final = 4


def look_ahead_frames(sample_rate: int) -> int:
    """Return by how many frames the engine must know events before it renders."""
    return (sample_rate + 999) // 1000


def latency_frames(sample_rate: int, max_block: int) -> int:
    """Return the least delay of a link."""
    return max(max_block, MIN_AHEAD) + look_ahead_frames(sample_rate)


class Link(Structure):
    """The head of a link's memory."""

    _fields_ = (
        ("magic", c_uint32),
        ("protocol", c_uint32),
        ("size", c_uint64),
        ("sample_rate", c_uint32),
        ("max_block", c_uint32),
        ("latency", c_uint32),
        ("event_bytes", c_uint32),
        ("audio_frames", c_uint32),
        ("max_voices", c_uint32),
        ("seed", c_uint64),
        ("fixed_spare", c_uint8 * 80),
        ("events_written", c_uint64),
        ("frames_known", c_uint64),
        ("offline", c_uint32),
        ("waiting", c_uint32),
        ("late_blocks", c_uint64),
        ("client_spare", c_uint8 * 96),
        ("events_read", c_uint64),
        ("rendered_to", c_uint64),
        ("idle_at", c_uint64),
        ("state", c_uint32),
        ("voices", c_uint32),
        ("voice_limit", c_uint32),
        ("load", c_float),
        ("dropped", c_uint64),
        ("heartbeat", c_uint64),
        ("engine_spare", c_uint8 * 72),
    )


class Event(Structure):
    """The head of an event."""

    _fields_ = (("frame", c_uint64), ("sequence", c_uint32), ("kind", c_uint16), ("size", c_uint16))


class ParameterEvent(Structure):
    """The bytes of an event that sets a parameter."""

    _fields_ = (("index", c_uint32), ("value", c_float))


class Doorbell(Structure):
    """The page that all clients of an engine share."""

    _fields_ = (
        ("magic", c_uint32),
        ("protocol", c_uint32),
        ("asleep", c_uint32),
        ("pid", c_uint32),
        ("heartbeat", c_uint64),
        ("spare", c_uint8 * 40),
    )


class Packet(Structure):
    """The head of a packet."""

    _fields_ = (
        ("magic", c_uint32),
        ("protocol", c_uint16),
        ("kind", c_uint16),
        ("size", c_uint32),
        ("spare", c_uint32),
    )


class Hello(Structure):
    """The body of a greeting."""

    _fields_ = (("protocol", c_uint32), ("pid", c_uint32), ("version", c_char * NAME))


class Text(Structure):
    """A line for people."""

    _fields_ = (("text", c_char * TEXT),)


class List(Structure):
    """What a part of the list of instruments begins with."""

    _fields_ = (("total", c_uint32), ("first", c_uint32), ("count", c_uint32), ("revision", c_uint32))


class InstrumentRecord(Structure):
    """One instrument."""

    _fields_ = (
        ("value", c_uint32),
        ("flags", c_uint32),
        ("program", c_int32),
        ("name", c_char * NAME),
        ("hash", c_char * HASH),
        ("spare", c_char * 3),
    )


class LinkState(IntEnum):
    """Where a link is."""

    OPENING = 0
    READY = 1
    FAILED = 2


class EventKind(IntEnum):
    """What an event is."""

    MIDI = 1
    PARAMETER = 2
    RELEASE = 3
    RESTART = 4


class PacketKind(IntEnum):
    """What a packet is."""

    HELLO = 1
    ATTACH = 2
    DETACH = 3
    LIST = 4
    RESOLVE = 5
    WELCOME = 64
    REFUSED = 65
    ATTACHED = 66
    INSTRUMENTS = 67
    RESOLVED = 68
    NOTICE = 69


STRUCTURES: Final = {
    "tnca_link": Link,
    "tnca_event": Event,
    "tnca_parameter_event": ParameterEvent,
    "tnca_doorbell": Doorbell,
    "tnca_packet": Packet,
    "tnca_hello": Hello,
    "tnca_text": Text,
    "tnca_list": List,
    "tnca_instrument": InstrumentRecord,
}
"""By the name in the header."""

LINK_HEADER: Final = ctypes.sizeof(Link)


def link_size(event_bytes: int, audio_frames: int) -> int:
    """Return the size of a link's memory in bytes."""
    return LINK_HEADER + event_bytes + NUM_AUDIO_CHANNELS * 4 * audio_frames


def short_text(text: str, size: int) -> bytes:
    """Return a text as UTF-8 that fits into `size` bytes with its ending zero; no character is cut in two."""
    return text.replace("\0", " ").encode()[: size - 1].decode(errors="ignore").encode()
