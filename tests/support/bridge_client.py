"""The bridge's client as hosts use it, compiled from `bridge/*.c` and called through ctypes."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char, c_char_p, c_float, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

import numpy as np

SOURCES = Path(__file__).parents[2] / "bridge"
STATES = ("inactive", "starting", "running", "overloaded", "not answering", "missing", "other version", "failed")


class Midi(ctypes.Structure):
    _fields_ = (("frame", c_uint32), ("size", c_uint32), ("data", c_char_p))


class Status(ctypes.Structure):
    _fields_ = (
        ("state", c_int),
        ("voices", c_uint32),
        ("voice_limit", c_uint32),
        ("load", c_float),
        ("latency", c_uint32),
        ("late_blocks", c_uint64),
        ("dropped", c_uint64),
        ("restarts", c_uint32),
        ("peak", c_float * 2),
        ("text", c_char * 256),
        ("engine", c_char * 64),
    )

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
        self._library.tnca_client_process(self._client, midi, len(messages), left, right, num_frames, offline)
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


@contextmanager
def environment(folder: Path, engine: str = "") -> Iterator[None]:
    """Let clients of this process look for their engine in a folder of its own, and start it from this tree."""
    folder.chmod(0o700)
    command = engine or f"{sys.executable} -m tnca_synth bridge-engine --detach"
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
