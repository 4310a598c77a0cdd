"""Random damage for both sides of the bridge: a client that writes nonsense, and an engine that does."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import random
import socket
import struct
import threading
import time
from pathlib import Path

import bridge_client
import numpy as np

from tnca_synth.bridge.layout import (
    EVENT_BYTES,
    FOLDER,
    LINK_HEADER,
    MAGIC,
    MAX_INSTRUMENTS,
    NUM_AUDIO_CHANNELS,
    PROTOCOL,
    SOCKET,
    Doorbell,
    Event,
    EventKind,
    Hello,
    InstrumentRecord,
    Link,
    List,
    Packet,
    PacketKind,
    Text,
    latency_frames,
    link_size,
)

RATE, BLOCK, AUDIO_FRAMES = 48_000, 256, 4096
ADD_SEALS, SEALS = 1033, 0x1 | 0x2 | 0x4
EDGES = (0, 1, 7, 8, 255, 256, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1)


def packet(kind: int, body: bytes = b"") -> bytes:
    """Return a whole packet."""
    return bytes(Packet(MAGIC, PROTOCOL, kind, len(body), 0)) + body


class RawClient:
    """A client that can write what it likes."""

    def __init__(self, folder: Path) -> None:
        self.end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.end.settimeout(20.0)
        self.end.connect(str(folder / FOLDER / SOCKET))

    def greet(self) -> Packet:
        """Greet the engine; return the head of its answer."""
        self.end.send(packet(PacketKind.HELLO, bytes(Hello(PROTOCOL, os.getpid(), b"raw"))))
        data, descriptors, _, _ = socket.recv_fds(self.end, 65536, 2)
        for descriptor in descriptors[:1]:
            os.close(descriptor)
        self.bell = descriptors[1] if len(descriptors) > 1 else -1
        return Packet.from_buffer_copy(data)

    def attach(self, head: Link | None = None, seals: int = SEALS, size: int = 0) -> None:
        """Send a link."""
        head = link_head() if head is None else head
        memory = os.memfd_create("raw", os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, size or head.size)
        fcntl.fcntl(memory, ADD_SEALS, seals)
        self.memory = mmap.mmap(memory, size or head.size)
        self.shared = Link.from_buffer(self.memory)
        ctypes.memmove(ctypes.addressof(self.shared), bytes(head), min(len(bytes(head)), size or head.size))
        reply = os.eventfd(0)
        socket.send_fds(self.end, [packet(PacketKind.ATTACH)], (memory, reply))
        os.close(memory)
        os.close(reply)
        self.sequence = self.written = 0

    def write(self, data: bytes) -> None:
        """Put bytes into the ring, and say so."""
        at = self.written % EVENT_BYTES
        head = min(len(data), EVENT_BYTES - at)
        self.memory[LINK_HEADER + at : LINK_HEADER + at + head] = data[:head]
        self.memory[LINK_HEADER : LINK_HEADER + len(data) - head] = data[head:]
        self.written += len(data)
        self.shared.events_written = self.written

    def event(self, frame: int, kind: int, data: bytes) -> bytes:
        """Return an event as it lies in the ring."""
        whole = bytes(Event(frame, self.sequence, kind, len(data))) + data
        self.sequence += 1
        return whole + bytes(-len(whole) % 8)

    def ring(self) -> None:
        """Wake the engine."""
        os.eventfd_write(self.bell, 1)

    def answer(self) -> bytes:
        """Return the next packet; b"" when the engine has ended the connection."""
        try:
            return self.end.recv(65536)
        except ConnectionError:
            return b""

    def close(self) -> None:
        """Leave."""
        self.end.close()
        if getattr(self, "bell", -1) >= 0:
            os.close(self.bell)


def link_head(**changes: int) -> Link:
    """Return the head of a link that is right but for the changes."""
    head = Link(
        magic=MAGIC, protocol=PROTOCOL, size=link_size(EVENT_BYTES, AUDIO_FRAMES), sample_rate=RATE, max_block=BLOCK,
        latency=latency_frames(RATE, BLOCK), event_bytes=EVENT_BYTES, audio_frames=AUDIO_FRAMES, max_voices=16,
    )  # fmt: skip
    for name, value in changes.items():
        setattr(head, name, value)
    return head


def random_message(chance: random.Random) -> bytes:
    """Return bytes that are sometimes a MIDI message."""
    match chance.randrange(8):
        case 0:
            return chance.randbytes(chance.randrange(12))
        case 1:
            return b"\xf0" + bytes(chance.randrange(128) for _ in range(chance.randrange(40))) + b"\xf7"
        case 2:
            return bytes((0x90 | chance.randrange(16), chance.randrange(128), chance.randrange(128)))
        case _:
            status = chance.choice((0x80, 0xA0, 0xB0, 0xB0, 0xB0, 0xC0, 0xD0, 0xE0)) | chance.randrange(16)
            return bytes((status, chance.randrange(128), chance.randrange(128)))[: 2 if 0xC0 <= status < 0xE0 else 3]


def random_event(client: RawClient, chance: random.Random, frame: int) -> bytes:
    """Return an event that is whole, with anything in it."""
    match chance.randrange(10):
        case 0:
            value = chance.choice((float("nan"), float("inf"), -1e30, chance.uniform(-300.0, 300.0)))
            return client.event(frame, EventKind.PARAMETER, struct.pack("<If", chance.randrange(24), value))
        case 1:
            return client.event(frame, chance.randrange(70), chance.randbytes(chance.randrange(20)))
        case 2 if chance.randrange(50) == 0:
            return client.event(frame, chance.choice((EventKind.RELEASE, EventKind.RESTART)), b"")
        case _:
            return client.event(frame, EventKind.MIDI, random_message(chance))


def damage(client: RawClient, chance: random.Random) -> None:
    """Write what no client does into the link."""
    match chance.randrange(4):
        case 0:
            name = chance.choice(("events_written", "frames_known", "offline", "waiting", "late_blocks"))
            setattr(client.shared, name, chance.choice(EDGES))
        case 1:
            client.write(chance.randbytes(8 * chance.randrange(1, 64)))
        case 2:
            client.sequence += chance.randrange(1, 5)
            client.write(client.event(0, EventKind.MIDI, b"\xc0\x01"))
        case _:
            at = chance.randrange(LINK_HEADER + EVENT_BYTES)
            client.memory[at : at + 16] = chance.randbytes(16)
    client.ring()


def fuzz_engine(folder: Path, messages: int, seed: int) -> dict[str, int]:
    """Send random events and packets to the engine of a folder, from one client after another."""
    chance = random.Random(seed)
    counts = {"events": 0, "links": 0, "packets": 0, "ended": 0}
    while counts["events"] < messages:
        for _ in range(4):
            counts["packets"] += random_packets(folder, chance)
        client = RawClient(folder)
        client.greet()
        client.attach()
        client.answer()
        counts["links"] += 1
        frame = 0
        for _ in range(chance.randrange(20, 200)):
            frame += chance.randrange(BLOCK)
            burst = chance.randrange(1, 64)
            data = b"".join(random_event(client, chance, frame) for _ in range(burst))
            if not await_room(client, len(data)):
                break
            client.write(data)
            counts["events"] += burst
            client.shared.frames_known = frame + 1
            client.ring()
        damage(client, chance)
        counts["ended"] += not client.end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        client.close()
    return counts


def await_room(client: RawClient, size: int) -> bool:
    """Wait until the engine has read enough for `size` more bytes."""
    end_s = time.monotonic() + 20.0
    while client.written + size - client.shared.events_read > EVENT_BYTES:
        time.sleep(0.0005)
        if time.monotonic() > end_s:
            raise AssertionError("the engine reads no more")
    return True


def random_packets(folder: Path, chance: random.Random) -> int:
    """Send a few packets of nonsense on a connection."""
    client = RawClient(folder)
    if chance.randrange(2):
        client.greet()
    count = chance.randrange(1, 6)
    for _ in range(count):
        match chance.randrange(4):
            case 0:
                data = chance.randbytes(chance.randrange(64))
            case 1:
                data = packet(chance.randrange(80), chance.randbytes(chance.choice((0, 16, 72, 144, 256))))
            case 2:
                data = packet(PacketKind.RESOLVE, chance.randbytes(ctypes.sizeof(InstrumentRecord)))
            case _:
                data = bytes(Packet(MAGIC, chance.randrange(4), chance.randrange(80), chance.choice(EDGES) % 2**32, 0))
        try:
            client.end.send(data or b"x")
        except OSError:
            break
    client.close()
    return count


class WildEngine:
    """An engine that greets well and then writes nonsense into packets, doorbell and link."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._chance = random.Random(seed)
        (folder / FOLDER).mkdir(mode=0o700, exist_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(folder / FOLDER / SOCKET))
        self._listener.listen(8)
        self._listener.settimeout(0.2)
        self._memory = os.memfd_create("wild", os.MFD_ALLOW_SEALING)
        os.ftruncate(self._memory, mmap.PAGESIZE)
        fcntl.fcntl(self._memory, ADD_SEALS, SEALS)
        self._page = Doorbell.from_buffer(mmap.mmap(self._memory, mmap.PAGESIZE))
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)
        self._stops = threading.Event()
        self.messages = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._stops.set()
        self._thread.join()
        self._listener.close()
        os.close(self._memory)
        os.close(self._bell)

    def _run(self) -> None:
        while not self._stops.is_set():
            try:
                end, _ = self._listener.accept()
            except TimeoutError:
                continue
            with end:
                end.settimeout(0.05)
                self._serve(end)

    def _serve(self, end: socket.socket) -> None:
        shared: mmap.mmap | None = None
        for _ in range(self._chance.randrange(50, 400)):
            try:
                data, descriptors, _, _ = socket.recv_fds(end, 65536, 2)
            except TimeoutError:
                data, descriptors = b"", []
            except OSError:
                return
            if len(data) >= ctypes.sizeof(Packet):
                head = Packet.from_buffer_copy(data)
                if head.kind == PacketKind.HELLO:
                    hello = bytes(Hello(PROTOCOL, os.getpid(), b"wild"))
                    socket.send_fds(end, [packet(PacketKind.WELCOME, hello)], (self._memory, self._bell))
                elif head.kind == PacketKind.ATTACH and descriptors:
                    shared = mmap.mmap(descriptors[0], os.fstat(descriptors[0]).st_size)
                    end.send(packet(PacketKind.ATTACHED, bytes(Text())))
            for descriptor in descriptors:
                os.close(descriptor)
            if shared is not None:
                self._scribble(shared)
            if self._chance.randrange(30) == 0 and not self._say(end):
                return
            if self._stops.is_set():
                return

    def _scribble(self, shared: mmap.mmap) -> None:
        """Write nonsense where the engine writes."""
        chance, link = self._chance, Link.from_buffer(shared)
        for _ in range(2000):
            self.messages += 1
            name = chance.choice(("events_read", "rendered_to", "idle_at", "state", "voices", "load", "heartbeat"))
            near = link.frames_known + chance.randrange(-2000, 2000)
            value = chance.choice((*EDGES, max(near, 0), link.events_written, link.events_written + 1))
            setattr(link, name, float(value) if name == "load" else value % 2**64)
            self._page.asleep = chance.randrange(3)
            self._page.heartbeat += 1
        begin = LINK_HEADER + EVENT_BYTES
        audio = np.frombuffer(shared, np.uint32, (len(shared) - begin) // 4, begin)
        audio[:] = np.random.default_rng(chance.randrange(2**32)).integers(0, 2**32, len(audio), np.uint32)
        del audio, link

    def _say(self, end: socket.socket) -> bool:
        """Send a packet of nonsense; return whether the connection goes on."""
        chance = self._chance
        kind = chance.choice((*range(64, 72), PacketKind.INSTRUMENTS, PacketKind.NOTICE, PacketKind.RESOLVED))
        sizes = (0, ctypes.sizeof(List), ctypes.sizeof(Text), ctypes.sizeof(InstrumentRecord), 16 + 144 * 3)
        body = bytearray(chance.randbytes(chance.choice(sizes)))
        if kind == PacketKind.INSTRUMENTS and len(body) > 16:
            body[:16] = bytes(List(chance.choice((3, MAX_INSTRUMENTS, 2**32 - 1)), chance.choice((0, 1, 2**31)), 3, 1))
        try:
            end.send(packet(kind, bytes(body)))
        except OSError:
            return False
        return True


def fuzz_client(library: ctypes.CDLL, folder: Path, messages: int, seed: int) -> dict[str, float]:
    """Let a client play through a wild engine; return the longest block in seconds, and what was played."""
    chance = random.Random(seed)
    engine = WildEngine(folder, seed)
    client = bridge_client.Client(library)
    longest_s, blocks, loud = 0.0, 0, 0
    try:
        client.activate(RATE, BLOCK, 2000)
        end_s = time.monotonic() + 20.0
        while engine.messages < messages or (not loud and time.monotonic() < end_s):
            size = chance.randrange(BLOCK + 1)
            events = [(chance.randrange(BLOCK), random_message(chance)) for _ in range(chance.randrange(4))]
            began_s = time.perf_counter()
            block = client.process(size, events)
            longest_s = max(longest_s, time.perf_counter() - began_s)
            assert np.isfinite(block).all() and np.abs(block).max(initial=0.0) <= 16.0
            blocks, loud = blocks + 1, loud + bool(block.any())
            client.status  # noqa: B018
            client.text(0, float(chance.randrange(256)))
            time.sleep(0.0002)
    finally:
        client.close()
        engine.close()
    return {"messages": engine.messages, "blocks": blocks, "blocks_with_sound": loud, "longest_block_s": longest_s}


def fuzz(library: ctypes.CDLL, folder: Path, messages: int, seed: int) -> dict[str, object]:
    """Fuzz the engine, then the client."""
    witness = bridge_client.Client(library)
    witness.activate(RATE, BLOCK, 20_000)
    victim = bridge_client.engine_of(folder)
    engine = fuzz_engine(folder, messages, seed)
    survived = bridge_client.engine_of(folder) == victim
    bridge_client.play_until(witness, RATE, BLOCK, is_loud=True)
    restarts = witness.status.restarts
    witness.close()
    other = folder / "wild"
    other.mkdir(mode=0o700)
    with bridge_client.environment(other):
        client = fuzz_client(library, other, messages, seed)
    return {"engine": engine, "engine_survived": survived, "restarts": restarts, "client": client}


__all__ = ["NUM_AUDIO_CHANNELS", "RawClient", "fuzz", "fuzz_client", "fuzz_engine", "link_head"]
