"""A JACK server seen from outside: its MIDI ports, its rate and its period, read through libjack itself.

A JACK client takes part in every period once it is activated, ports or not: the server waits for its thread, and a
thread that wakes late is heard. The client here is never activated, so that looking costs the sound nothing.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import threading
from functools import cache
from typing import Any, Final

from ...errors import DeviceError

LIBRARIES: Final = ("jack", "libjack64", "libjack")
NO_START_SERVER: Final = 0x01
PORT_IS_OUTPUT: Final = 0x02
MIDI_TYPE: Final = b"8 bit raw midi"
_ON_SHUTDOWN: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class JackServerView:
    """A client of the running JACK server that is never activated.

    Parameters
    ----------
    name : str
        Of the client; the server makes it unique.

    Raises
    ------
    DeviceError
        If libjack is missing or no server runs. None is started.

    Notes
    -----
    Thread: control.
    """

    def __init__(self, name: str) -> None:
        self._jack = _library()
        self._is_gone = threading.Event()
        self._client = self._jack.jack_client_open(name.encode(), NO_START_SERVER, None)
        if not self._client:
            raise DeviceError("no JACK server runs (start one: jackd, or PipeWire with pipewire-jack)")
        # Held here, for the library only borrows it.
        self._on_shutdown = _ON_SHUTDOWN(lambda _argument: self._is_gone.set())
        self._jack.jack_on_shutdown(self._client, self._on_shutdown, None)

    @property
    def is_running(self) -> bool:
        """Whether the server is still the one that was found."""
        return self._client is not None and not self._is_gone.is_set()

    @property
    def period(self) -> int:
        """Frames of a period of the server."""
        return int(self._jack.jack_get_buffer_size(self._alive()))

    @property
    def sample_rate(self) -> int:
        """Rate of the server, Hz."""
        return int(self._jack.jack_get_sample_rate(self._alive()))

    def midi_sources(self) -> list[bytes]:
        """Return the names of the ports that MIDI comes from, in the server's order.

        Raises
        ------
        DeviceError
            If the server has ended.
        """
        names = self._jack.jack_get_ports(self._alive(), None, MIDI_TYPE, PORT_IS_OUTPUT)
        if not names:
            return []
        found: list[bytes] = []
        while names[len(found)] is not None:
            found.append(names[len(found)])
        self._jack.jack_free(names)
        return found

    def close(self) -> None:
        """Leave the server; a second call does nothing."""
        client, self._client = self._client, None
        if client is not None:
            self._jack.jack_client_close(client)

    def _alive(self) -> Any:
        if not self.is_running:
            raise DeviceError("the JACK server has ended")
        return self._client


def jack_period() -> int | None:
    """Return the period of the running JACK server in frames; None if there is none."""
    try:
        view = JackServerView("tnca-synth-look")
    except DeviceError:
        return None
    try:
        return view.period
    except DeviceError:
        return None
    finally:
        view.close()


@cache
def _library() -> Any:
    """Return libjack with the types of what is called."""
    name = next(filter(None, map(ctypes.util.find_library, LIBRARIES)), None)
    if name is None:
        raise DeviceError("JACK is not installed (libjack is missing)")
    try:
        jack: Any = ctypes.CDLL(name)
    except OSError as error:
        raise DeviceError(f"JACK cannot be used: {error}") from error
    client = ctypes.c_void_p
    for function, result, arguments in (
        (jack.jack_client_open, client, [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]),
        (jack.jack_client_close, ctypes.c_int, [client]),
        (jack.jack_on_shutdown, None, [client, _ON_SHUTDOWN, ctypes.c_void_p]),
        (jack.jack_get_buffer_size, ctypes.c_uint32, [client]),
        (jack.jack_get_sample_rate, ctypes.c_uint32, [client]),
        (
            jack.jack_get_ports,
            ctypes.POINTER(ctypes.c_char_p),
            [client, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong],
        ),
        (jack.jack_free, None, [ctypes.c_void_p]),
    ):
        function.restype, function.argtypes = result, arguments
    return jack
