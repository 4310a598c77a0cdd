"""`Connection`: one client's end of the socket, and its link."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from contextlib import suppress
from typing import Final, NamedTuple

from ...errors import TncaError
from ...version import __version__
from ..instance import Instance
from ..instruments import InstrumentList
from ..layout import (
    MAGIC,
    MAX_PACKET,
    NAME,
    PROTOCOL,
    TEXT,
    Hello,
    InstrumentRecord,
    List,
    Packet,
    PacketKind,
    Text,
    short_text,
)
from ..link import EngineLink, LinkDamage
from .models import SharedModels
from .player import Bell, Player

_MOST_DESCRIPTORS: Final = 2
_RECORDS_PER_PACKET: Final = 64
_PEER: Final = struct.Struct("3i")


class Parts(NamedTuple):
    """What all connections of an engine share."""

    bell: Bell
    player: Player
    models: SharedModels
    instruments: InstrumentList


class Connection:
    """A client.

    Parameters
    ----------
    end : socket
    parts : Parts

    Attributes
    ----------
    instance : Instance or None
        What plays for it.

    Notes
    -----
    Thread: control.
    """

    def __init__(self, end: socket.socket, parts: Parts) -> None:
        self.end, self._parts = end, parts
        self.instance: Instance | None = None
        self._is_greeted = False
        end.setblocking(False)

    def read(self) -> bool:
        """Take what has arrived; return whether the connection goes on."""
        try:
            if not self._is_of_this_user:
                return False
            data, descriptors, flags, _ = socket.recv_fds(self.end, MAX_PACKET + 1, _MOST_DESCRIPTORS)
        except BlockingIOError:
            return True
        except OSError:
            return False
        try:
            head = _head_of(data)
            if head is None or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                return False
            return self._handle(head, data[ctypes.sizeof(Packet) :], descriptors)
        except (OSError, LinkDamage):
            return False
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def close(self) -> None:
        """End the connection, and free what played for it."""
        self._detach()
        self.end.close()

    def tell(self, line: str) -> None:
        """Send a line for people."""
        self._send(PacketKind.NOTICE, bytes(Text(short_text(line, TEXT))))

    def tell_notices(self) -> None:
        """Send what the instance has to say."""
        while self.instance is not None and self.instance.notices:
            self.tell(self.instance.notices.pop(0))

    def tell_instruments(self) -> None:
        """Send the list of instruments."""
        if not self._is_greeted:
            return
        instruments = self._parts.instruments
        records = instruments.records()
        for first in range(0, max(len(records), 1), _RECORDS_PER_PACKET):
            some = records[first : first + _RECORDS_PER_PACKET]
            head = List(len(records), first, len(some), instruments.revision)
            self._send(PacketKind.INSTRUMENTS, bytes(head) + b"".join(bytes(record) for record in some))

    @property
    def _is_of_this_user(self) -> bool:
        credentials = self.end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        return bool(_PEER.unpack(credentials)[1] == os.getuid())

    def _handle(self, head: Packet, body: bytes, descriptors: list[int]) -> bool:
        if head.kind == PacketKind.HELLO and len(body) == ctypes.sizeof(Hello):
            return self._greet(head.protocol)
        if not self._is_greeted:
            return False
        match head.kind:
            case PacketKind.ATTACH if not body and len(descriptors) == _MOST_DESCRIPTORS:
                self._attach(descriptors)
            case PacketKind.DETACH if not body:
                self._detach()
            case PacketKind.LIST if not body:
                self.tell_instruments()
            case PacketKind.RESOLVE if len(body) == ctypes.sizeof(InstrumentRecord):
                found = self._parts.instruments.resolve(InstrumentRecord.from_buffer_copy(body))
                self._send(PacketKind.RESOLVED, bytes(found))
            case _:
                return False
        return True

    def _greet(self, protocol: int) -> bool:
        hello = bytes(Hello(PROTOCOL, os.getpid(), short_text(__version__, NAME)))
        if protocol != PROTOCOL:
            self._send(PacketKind.REFUSED, hello)
            return False
        bell = self._parts.bell
        self._send(PacketKind.WELCOME, hello, (bell.memory, bell.descriptor))
        self._is_greeted = True
        return True

    def _attach(self, descriptors: list[int]) -> None:
        self._detach()
        link = EngineLink(os.dup(descriptors[0]), os.dup(descriptors[1]))
        parts = self._parts
        try:
            instance = Instance(link, parts.models.make, parts.instruments.choose)
        except TncaError as error:
            link.close()
            self._send(PacketKind.ATTACHED, bytes(Text(short_text(str(error), TEXT))))
            return
        self.instance = instance
        parts.player.add(instance)
        instance.be_ready()
        self._send(PacketKind.ATTACHED, bytes(Text()))

    def _detach(self) -> None:
        if self.instance is not None:
            self._parts.player.remove(self.instance)
            self.instance = None

    def _send(self, kind: PacketKind, body: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Send a packet; a client that takes none any more is found by reading."""
        packet = bytes(Packet(MAGIC, PROTOCOL, kind, len(body), 0)) + body
        with suppress(OSError):
            if descriptors:
                socket.send_fds(self.end, [packet], descriptors)
            else:
                self.end.send(packet)


def _head_of(data: bytes) -> Packet | None:
    """Return the head of a whole packet, else None."""
    if len(data) < ctypes.sizeof(Packet):
        return None
    head = Packet.from_buffer_copy(data)
    is_whole = head.magic == MAGIC and head.size == len(data) - ctypes.sizeof(Packet)
    return head if is_whole else None
