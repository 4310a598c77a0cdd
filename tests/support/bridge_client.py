"""The bridge's client as hosts use it, compiled from `bridge/*.c` and called through ctypes."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from random import Random

import numpy as np

from tnca_synth.bridge.jack.program import ClientStatus

SOURCES = Path(__file__).parents[2] / "bridge"
HOST = Path(__file__).parents[2] / "benchmarks" / "bridge_host.c"
WATCHED = ("malloc", "calloc", "free", "pthread_mutex_lock", "poll", "read", "nanosleep", "write")
"""What the host counts when an audio thread calls it."""
STATES = ("inactive", "starting", "running", "overloaded", "not answering", "missing", "other version", "failed")


class Midi(ctypes.Structure):
    _fields_ = (("frame", c_uint32), ("size", c_uint32), ("data", c_char_p))


class Status(ClientStatus):
    @property
    def name(self) -> str:
        return STATES[self.state]


def build(folder: Path, *options: str) -> Path:
    """Compile the client; return the library."""
    library = folder / "client.so"
    sources = sorted(map(str, SOURCES.glob("*.c")))
    command = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread", *options]
    subprocess.run([*command, *sources, "-lm", "-o", str(library)], check=True)
    return library


def build_host(folder: Path, *options: str) -> Path:
    """Compile the host that measures an audio thread; return the program."""
    program = folder / "host"
    wraps = [f"-Wl,--wrap={name}" for name in WATCHED]
    sources = [str(HOST), *sorted(map(str, SOURCES.glob("*.c")))]
    command = ["cc", "-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", f"-I{SOURCES}", *options]
    subprocess.run([*command, *sources, *wraps, "-pthread", "-lm", "-o", str(program)], check=True)
    return program


def load(path: Path) -> ctypes.CDLL:
    """Open the library and declare its functions."""
    library = ctypes.CDLL(str(path))
    floats = POINTER(c_float)
    for name, result, arguments in (
        ("new", c_void_p, ()),
        ("free", None, (c_void_p,)),
        ("configure", None, (c_void_p, c_uint32, c_uint64)),
        ("activate", c_int, (c_void_p, c_uint32, c_uint32, c_uint32)),
        ("deactivate", None, (c_void_p,)),
        ("latency", c_uint32, (c_void_p,)),
        ("process", None, (c_void_p, POINTER(Midi), c_uint32, floats, floats, c_uint32, c_int)),
        ("release", None, (c_void_p,)),
        ("restart", None, (c_void_p,)),
        ("set_parameter", None, (c_void_p, c_uint32, c_float)),
        ("parameter", c_float, (c_void_p, c_uint32)),
        ("parameter_text", None, (c_void_p, c_uint32, c_float, c_char_p, c_size_t)),
        ("parameter_value", c_int, (c_void_p, c_uint32, c_char_p, floats)),
        ("status", None, (c_void_p, POINTER(Status))),
        ("instruments", c_uint32, (c_void_p, c_void_p, c_uint32)),
        ("save", c_void_p, (c_void_p,)),
        ("load", c_int, (c_void_p, c_char_p)),
    ):
        function = getattr(library, f"tnca_client_{name}")
        function.restype, function.argtypes = result, arguments
    return library


class Client:
    """A client, as a host's audio thread and its other threads call it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._client = library.tnca_client_new()
        self.waits = 0  # how often this thread gave up its processor while it processed live

    def __getattr__(self, name: str):
        function = getattr(self._library, f"tnca_client_{name}")
        return lambda *arguments: function(self._client, *arguments)

    def close(self) -> None:
        self._library.tnca_client_free(self._client)
        self._client = None

    def process(self, num_frames: int, messages: Sequence[tuple[int, bytes]] = (), offline: bool = False) -> np.ndarray:
        """Return float32 (N, 2)."""
        out = np.full((2, num_frames), 9.0, np.float32)
        left, right = (out[side].ctypes.data_as(POINTER(c_float)) for side in (0, 1))
        midi = (Midi * max(len(messages), 1))(*((frame, len(data), data) for frame, data in messages))
        switches = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        self._library.tnca_client_process(self._client, midi, len(messages), left, right, num_frames, offline)
        if not offline:
            self.waits += resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - switches
        return out.T

    @property
    def status(self) -> Status:
        status = Status()
        self._library.tnca_client_status(self._client, byref(status))
        return status

    def state(self) -> str:
        pointer = self.save()
        text = ctypes.string_at(pointer).decode()
        ctypes.CDLL(None).free(c_void_p(pointer))
        return text

    def text(self, index: int, value: float) -> str:
        text = ctypes.create_string_buffer(256)
        self.parameter_text(index, value, text, len(text))
        return text.value.decode()


def bounce(
    client: Client, messages: Sequence[tuple[int, bytes]], num_frames: int, chance: Random, max_block: int = 256
) -> np.ndarray:
    """Play (frame, message) offline in blocks of random sizes, zero included; return float32 (N, 2) without delay."""
    latency, frame, at = client.latency(), 0, 0
    blocks = []
    while frame < num_frames + latency:
        size = chance.randrange(max_block + 1)
        block = []
        while at < len(messages) and messages[at][0] < frame + size:
            block.append((messages[at][0] - frame, messages[at][1]))
            at += 1
        blocks.append(client.process(size, block, offline=True))
        frame += size
    return np.concatenate(blocks)[latency : latency + num_frames]


def play(client: Client, rate: int, size: int, messages: Sequence[tuple[int, bytes]] = ()) -> tuple[np.ndarray, float]:
    """Process a block, in real time; return it, and how long it took in seconds."""
    began_s = time.perf_counter()
    block = client.process(size, messages)
    took_s = time.perf_counter() - began_s
    time.sleep(max(size / rate - took_s, 0.0))
    return block, took_s


def play_until(client: Client, rate: int, size: int, is_loud: bool, limit_s: float = 10.0) -> list[float]:
    """Strike a note again and again until there is sound, or silence; return how long the blocks took in seconds."""
    took_s: list[float] = []
    strike = [(0, bytes((0x80, 60, 64))), (0, bytes((0x90, 60, 100)))]
    begin_s = struck_s = time.perf_counter()
    while time.perf_counter() - begin_s < limit_s:
        due = time.perf_counter() - struck_s > 0.05
        struck_s = time.perf_counter() if due else struck_s
        block, one_s = play(client, rate, size, strike if due else ())
        took_s.append(one_s)
        if bool(np.abs(block).max() > 0.0) == is_loud:
            return took_s
    raise AssertionError(f"no {'sound' if is_loud else 'silence'} within {limit_s} s: {client.status.text!r}")


def lose(client: Client, rate: int, size: int, after_s: float, victim: int, number: int) -> tuple[list[float], float]:
    """Let a signal hit the engine while it plays; return the times of the blocks, and how long there was no sound."""
    took_s = play_until(client, rate, size, is_loud=True)
    end_s = time.perf_counter() + after_s
    while time.perf_counter() < end_s:
        took_s += play_until(client, rate, size, is_loud=True)
    assert victim > 0, "no engine to lose"  # 0 would be this process group
    os.kill(victim, number)
    lost_s = time.perf_counter()
    took_s += play_until(client, rate, size, is_loud=False)
    took_s += play_until(client, rate, size, is_loud=True)
    return took_s, time.perf_counter() - lost_s


def engines(folder: Path) -> list[int]:
    """Return the processes of the engine that listens in a folder: the keeper, and the player."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                words = (place / "cmdline").read_bytes()
                if b"bridge-engine" in words and str(folder).encode() in (place / "environ").read_bytes():
                    found.append(int(place.name))
    return sorted(found)


def players_of(folder: Path) -> list[int]:
    """Return the processes of the engine that play."""
    found = []
    for process in engines(folder):
        with suppress(OSError):
            if "/memfd:tnca-synth doorbell" in Path(f"/proc/{process}/maps").read_text():
                found.append(process)
    return found


def engine_of(folder: Path) -> int:
    """Return the process that plays, where there is one alone; 0 if there is none, or it is just being made."""
    return next(iter(players_of(folder)), 0)


@contextmanager
def environment(folder: Path, engine: str = "", players: int = 1) -> Iterator[None]:
    """Let clients of this process look for their engine in a folder of its own, and start it from this tree."""
    folder.chmod(0o700)
    command = engine or f"{sys.executable} -m tnca_synth bridge-engine --detach --players {players}"
    wanted = {"XDG_RUNTIME_DIR": str(folder), "TNCA_SYNTH_ENGINE": command}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
