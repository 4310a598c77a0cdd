"""`JackInstrument`: own ports at a JACK server, which the bridge's client plays without Python."""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import (
    CDLL,
    POINTER,
    Structure,
    byref,
    c_char,
    c_char_p,
    c_float,
    c_int,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Final

from ...errors import DeviceError, UsageError
from ..layout import NAME, TEXT

LIBRARY: Final = Path(__file__).with_name("_jack.so")
ENGINE_VARIABLE: Final = "TNCA_SYNTH_ENGINE"


class ClientStatus(Structure):
    """`tnca_status` of `bridge/client.h`."""

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
        ("text", c_char * TEXT),
        ("engine", c_char * NAME),
    )


class JackInstrument:
    """Ports at the JACK server that runs.

    Parameters
    ----------
    name : str
        Of the client; the server makes it unique.

    Raises
    ------
    DeviceError
        If there is no server, or this part was not compiled.
    """

    def __init__(self, name: str) -> None:
        try:
            self._library = _declared(CDLL(str(LIBRARY)))
        except OSError as error:
            raise DeviceError("JACK mode was not compiled: install gcc, and the package again") from error
        if " " not in sys.executable:
            os.environ.setdefault(ENGINE_VARIABLE, f"{sys.executable} -m tnca_synth bridge-engine --detach")
        problem = ctypes.create_string_buffer(TEXT)
        self._handle = self._library.tnca_jack_open(name.encode(), problem, TEXT)
        if not self._handle:
            raise DeviceError(problem.value.decode())

    def set(self, symbol: str, text: str) -> None:
        """Set a parameter by its symbol to what a text means; `UsageError` if it means nothing."""
        if self._library.tnca_jack_set(self._handle, symbol.encode(), text.encode()):
            raise UsageError(f"{symbol} cannot be {text!r}")

    def start(self, connects: bool) -> None:
        """Play from now on; connect to the first two physical outputs if wished."""
        if self._library.tnca_jack_start(self._handle, connects):
            raise DeviceError("the JACK server does not let this client play")

    def connect_midi(self, part_of_name: str) -> int:
        """Connect the MIDI ports whose names have a part; return how many."""
        return int(self._library.tnca_jack_connect_midi(self._handle, part_of_name.encode()))

    @property
    def status(self) -> ClientStatus:
        """What the client says of itself."""
        status = ClientStatus()
        self._library.tnca_jack_status(self._handle, byref(status))
        return status

    @property
    def is_gone(self) -> bool:
        """Whether the server has ended."""
        return bool(self._library.tnca_jack_is_gone(self._handle))

    def close(self) -> None:
        """Leave the server."""
        if self._handle:
            self._library.tnca_jack_close(self._handle)
            self._handle = None


def _declared(library: CDLL) -> CDLL:
    library.tnca_jack_open.restype = c_void_p
    library.tnca_jack_open.argtypes = (c_char_p, c_char_p, c_size_t)
    library.tnca_jack_set.argtypes = (c_void_p, c_char_p, c_char_p)
    library.tnca_jack_start.argtypes = (c_void_p, c_int)
    library.tnca_jack_connect_midi.argtypes = (c_void_p, c_char_p)
    library.tnca_jack_status.argtypes = (c_void_p, POINTER(ClientStatus))
    library.tnca_jack_is_gone.argtypes = library.tnca_jack_close.argtypes = (c_void_p,)
    return library
