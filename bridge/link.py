"""The engine's side of a link: events out of shared memory, sound into it. Nothing that a client wrote is trusted."""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import struct
from contextlib import suppress
from threading import Lock
from typing import Final, NamedTuple

import numpy as np

from ..engine.arrays import FloatArray
from ..engine.names import MAX_SEED, SAMPLE_RATE_RANGE_HZ
from ..errors import TncaError
from .layout import (
    EVENT_BYTES,
    LINK_HEADER,
    MAGIC,
    MAX_BLOCK,
    MAX_EXTRA,
    MAX_MESSAGE,
    NUM_AUDIO_CHANNELS,
    PROTOCOL,
    EventKind,
    Link,
    latency_frames,
    link_size,
    look_ahead_frames,
)

_EVENT: Final = struct.Struct("<QIHH")
_PARAMETER: Final = struct.Struct("<If")
_MAX_FRAME: Final = 1 << 62
_MAX_VOICES: Final = 1024
_MAX_AUDIO_FRAMES: Final = 1 << 20
_SEALS: Final = 0x2 | 0x4  # F_SEAL_SHRINK, F_SEAL_GROW
_GET_SEALS: Final = 1034  # F_GET_SEALS
_SIZES: Final = {EventKind.PARAMETER: _PARAMETER.size, EventKind.RELEASE: 0, EventKind.RESTART: 0}
_KINDS: Final = {int(kind): kind for kind in EventKind}


class LinkDamage(TncaError):
    """A client wrote what cannot be: nothing of its link can be trusted any more."""


class LinkEvent(NamedTuple):
    """An event that was checked.

    Attributes
    ----------
    frame : int
        Of the link.
    kind : EventKind
    data : bytes
        A MIDI message; b"" for other kinds.
    parameter, value : int and float
        Which parameter, and what it is set to.
    """

    frame: int
    kind: EventKind
    data: bytes = b""
    parameter: int = 0
    value: float = 0.0


_fence_lock = Lock()


def fence() -> None:
    """Let what was written before be seen by others before what is written after: a lock's hand-over is a barrier."""
    with _fence_lock:
        pass
    with _fence_lock:
        pass


class EngineLink:
    """A link that was checked.

    Parameters
    ----------
    memory : int
        Descriptor of its memory; it is closed.
    reply : int
        Descriptor of the eventfd on which a client waits; it belongs to the link from now on.

    Attributes
    ----------
    sample_rate, max_block, max_voices, seed, latency : int
    look_ahead : int
        Frames by which events must be known before they are rendered.

    Raises
    ------
    LinkDamage
        If the memory could change its size, or a number in it is out of range.
    """

    def __init__(self, memory: int, reply: int) -> None:
        self._reply = reply
        try:
            self._map(memory)
            self._check()
        except BaseException:
            self.close()
            raise
        finally:
            os.close(memory)
        self._sequence = self._read = self._last_frame = 0
        self._dropped = 0

    def _map(self, memory: int) -> None:
        try:
            seals, size = fcntl.fcntl(memory, _GET_SEALS), os.fstat(memory).st_size
        except OSError as error:
            raise LinkDamage(f"a link's memory must be a memfd: {error.strerror}") from error
        most = link_size(EVENT_BYTES, _MAX_AUDIO_FRAMES)
        if seals & _SEALS != _SEALS or not LINK_HEADER <= size <= most:
            raise LinkDamage(f"a link's memory must be sealed and have {LINK_HEADER}..{most} bytes, got {size}")
        self._memory = mmap.mmap(memory, size)
        self._size = size
        self.shared = Link.from_buffer(self._memory)

    def _check(self) -> None:
        head = Link.from_buffer_copy(self._memory)  # it may change while it is looked at
        self.sample_rate, self.max_block, self.max_voices = head.sample_rate, head.max_block, head.max_voices
        self.seed, self._audio_frames = head.seed, head.audio_frames
        low, high = SAMPLE_RATE_RANGE_HZ
        if (head.magic, head.protocol) != (MAGIC, PROTOCOL):
            raise LinkDamage("a link has another magic number or version")
        if not (
            low <= self.sample_rate <= high
            and 1 <= self.max_block <= MAX_BLOCK
            and 1 <= self.max_voices <= _MAX_VOICES
            and self.seed <= MAX_SEED
        ):
            raise LinkDamage("a number in a link is out of range")
        self.latency, self.look_ahead = head.latency, look_ahead_frames(self.sample_rate)
        least = latency_frames(self.sample_rate, self.max_block)
        frames = self._audio_frames
        if (
            not least <= self.latency <= least + MAX_EXTRA
            or head.event_bytes != EVENT_BYTES
            or frames & (frames - 1)
            or not 4 * (self.latency + self.max_block) <= frames <= _MAX_AUDIO_FRAMES
            or not head.size == self._size == link_size(EVENT_BYTES, frames)
        ):
            raise LinkDamage("the sizes in a link do not fit together")
        audio = np.frombuffer(self._memory, np.float32, NUM_AUDIO_CHANNELS * frames, LINK_HEADER + EVENT_BYTES)
        self._audio = audio.reshape(NUM_AUDIO_CHANNELS, frames)

    def close(self) -> None:
        """Leave the memory to the client."""
        with suppress(AttributeError):
            del self._audio
        with suppress(AttributeError):
            del self.shared
        with suppress(AttributeError, BufferError):
            self._memory.close()
        with suppress(AttributeError):
            del self._memory  # where somebody still looks at it, it is freed with the last look
        if self._reply >= 0:
            os.close(self._reply)
            self._reply = -1

    @property
    def frames_known(self) -> int:
        """Frame before which all events are known; look at it before `take`."""
        known: int = self.shared.frames_known
        if known > _MAX_FRAME:
            raise LinkDamage("a link's time is out of range")
        return known

    @property
    def is_offline(self) -> bool:
        """Whether the client waits for its sound."""
        return bool(self.shared.offline)

    @property
    def has_events(self) -> bool:
        """Whether events are there that were not taken."""
        return bool(self.shared.events_written != self._read)

    def take(self) -> list[LinkEvent]:
        """Return the events that were written since.

        Raises
        ------
        LinkDamage
            If the ring is no sequence of events.
        """
        written: int = self.shared.events_written
        size = written - self._read
        if not 0 <= size <= EVENT_BYTES or size % 8:
            raise LinkDamage("a link's ring of events is damaged")
        if not size:
            return []
        begin = LINK_HEADER + self._read % EVENT_BYTES
        head = self._memory[begin : min(begin + size, LINK_HEADER + EVENT_BYTES)]
        data = head + self._memory[LINK_HEADER : LINK_HEADER + size - len(head)]
        events = self._parse(data)
        self._read = written
        self.shared.dropped = self._dropped
        fence()
        self.shared.events_read = written
        return events

    def _parse(self, data: bytes) -> list[LinkEvent]:
        events = []
        at = 0
        while at < len(data):
            if len(data) - at < _EVENT.size:
                raise LinkDamage("an event of a link is cut off")
            frame, sequence, number, size = _EVENT.unpack_from(data, at)
            begin = at + _EVENT.size
            at = begin + (size + 7) // 8 * 8
            if at > len(data) or size > MAX_MESSAGE or sequence != self._sequence:
                raise LinkDamage("an event of a link is damaged")
            if not self._last_frame <= frame <= _MAX_FRAME:
                raise LinkDamage("an event of a link is out of time")
            self._sequence = (self._sequence + 1) & 0xFFFFFFFF
            self._last_frame = frame
            event = _checked(frame, number, data[begin : begin + size])
            if event is None:
                self._dropped += 1
            else:
                events.append(event)
        return events

    def write(self, frame: int, block: FloatArray) -> None:
        """Put sound into the ring, float32 (N, 2), from a frame on; `publish` hands it over."""
        frames = self._audio_frames
        for start in range(0, len(block), frames):
            self._put(frame + start, block[start : start + frames])

    def _put(self, frame: int, block: FloatArray) -> None:
        begin = frame % self._audio_frames
        head = min(len(block), self._audio_frames - begin)
        self._audio[:, begin : begin + head] = block[:head].T
        if head < len(block):
            self._audio[:, : len(block) - head] = block[head:].T

    def silence(self, frame: int, until: int) -> None:
        """Put silence into the ring for frames up to `until`; of a long time what the ring holds."""
        frame = max(frame, until - self._audio_frames)
        if frame < until:
            self.write(frame, np.zeros((until - frame, NUM_AUDIO_CHANNELS), np.float32))

    def publish(self, rendered_to: int) -> None:
        """Hand over what was written before a frame, and wake the client if it waits."""
        fence()
        self.shared.rendered_to = rendered_to
        fence()
        if self.shared.waiting:
            with suppress(BlockingIOError):
                os.eventfd_write(self._reply, 1)

    def be_idle(self, is_idle: bool) -> None:
        """Say that nothing sounds or waits any more, or that this may change."""
        self.shared.idle_at = self._read + 1 if is_idle else 0


def _checked(frame: int, number: int, data: bytes) -> LinkEvent | None:
    """Return an event, None for one that means nothing."""
    kind = _KINDS.get(number)
    if kind is None:
        return None
    if kind is EventKind.MIDI:
        return LinkEvent(frame, kind, data) if data and data[0] & 0x80 else None
    if len(data) != _SIZES[kind]:
        return None
    if kind is not EventKind.PARAMETER:
        return LinkEvent(frame, kind)
    parameter, value = _PARAMETER.unpack(data)
    return LinkEvent(frame, kind, parameter=parameter, value=value) if math.isfinite(value) else None
