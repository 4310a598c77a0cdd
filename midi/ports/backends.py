"""MIDI systems and their input ports: the only home of python-rtmidi."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from ...errors import DeviceError
from .jack_server import JackServerView
from .port_names import OWN_NAME, PortName, is_jack, port_names

VIEW_NAME: Final = f"{OWN_NAME}-look"
JACK_CLIENT_NAME: Final = f"{OWN_NAME}-midi"
"""JACK's clients need names of their own, and the one that plays is called `OWN_NAME`."""


class Arrival(NamedTuple):
    """A complete message, the moment it came in (`time.perf_counter`, seconds), and the port's name."""

    time_s: float
    port: str
    data: bytes


Deliver = Callable[[Arrival], None]
OnMessage = Callable[[bytes], None]


class PortBackend(Protocol):
    """What is asked of a MIDI system."""

    name: str

    @property
    def virtual_name(self) -> str:
        """What others see the port of `open_virtual` as."""
        ...

    def ports(self) -> list[PortName]:
        """Return the input ports there are now."""
        ...

    def open(self, port: PortName, on_message: OnMessage) -> Callable[[], None]:
        """Open a port of `ports`; return what closes it."""
        ...

    def open_virtual(self, on_message: OnMessage) -> Callable[[], None]:
        """Make a port that others can connect to; return what closes it."""
        ...

    def close(self) -> None:
        """Look no longer."""
        ...


class RtMidiBackend:
    """One API of RtMidi; JACK's ports are looked at without a part in its periods (see `midi.ports.jack_server`).

    Raises
    ------
    DeviceError
        If the API does not work here.
    """

    def __init__(self, api: int, name: str) -> None:
        import rtmidi

        self.name = name
        self.virtual_name = JACK_CLIENT_NAME if is_jack(name) else OWN_NAME
        self._rtmidi, self._api = rtmidi, api
        self._view: JackServerView | None = None
        self._scanner: Any = None
        try:
            self._names()
        except Exception as error:  # rtmidi raises SystemError, RtMidiError or its own by platform
            raise DeviceError(f"MIDI through {name} does not work here: {error}") from error

    def ports(self) -> list[PortName]:
        """Return the input ports there are now."""
        return port_names(self._names(), self.name)

    def open(self, port: PortName, on_message: OnMessage) -> Callable[[], None]:
        """Open a port of `ports`; return what closes it."""

        def connect(client: Any) -> None:
            client.open_port(_place(port, _names_of(client)), "in")

        return self._open(connect, on_message)

    def open_virtual(self, on_message: OnMessage) -> Callable[[], None]:
        """Make a port that others can connect to; return what closes it."""
        return self._open(lambda client: client.open_virtual_port("in"), on_message)

    def close(self) -> None:
        """Look no longer."""
        if self._view is not None:
            self._view.close()
        if self._scanner is not None:
            self._scanner.delete()
        self._view = self._scanner = None

    def _names(self) -> list[str | None]:
        if is_jack(self.name):
            return [_decoded(name) for name in self._server_view().midi_sources()]
        if self._scanner is None:
            self._scanner = self._client(VIEW_NAME)
        return _names_of(self._scanner)

    def _server_view(self) -> JackServerView:
        """Return a view of the server that runs now: it may be another one than before."""
        if self._view is not None and not self._view.is_running:
            self._view.close()
            self._view = None
        if self._view is None:
            self._view = JackServerView(VIEW_NAME)
        return self._view

    def _client(self, name: str) -> Any:
        return self._rtmidi.MidiIn(self._api, name=name)

    def _open(self, connect: Callable[[Any], object], on_message: OnMessage) -> Callable[[], None]:
        try:
            client = self._client(self.virtual_name)
        except Exception as error:
            raise DeviceError(f"a MIDI port cannot be opened through {self.name}: {error}") from error
        # The clock comes too: it is a sign of life of keyboards that send no active sensing while it runs.
        client.ignore_types(sysex=False, timing=False, active_sense=False)
        # The message and the time since the one before, of which we only use the former.
        client.set_callback(lambda event, _data: on_message(bytes(event[0])))
        try:
            connect(client)
        except Exception as error:
            client.delete()
            raise DeviceError(f"a MIDI port cannot be opened through {self.name}: {error}") from error

        def close() -> None:
            client.cancel_callback()
            client.close_port()
            client.delete()

        return close


def find_backend() -> PortBackend:
    """Return the first MIDI system that works and has ports, else the first that works.

    Raises
    ------
    DeviceError
        If none works, with a hint.
    """
    try:
        import rtmidi
    except ImportError as error:
        raise DeviceError(f"python-rtmidi cannot be imported ({error}): pip install python-rtmidi") from error
    working: list[PortBackend] = []
    for api in rtmidi.get_compiled_api():
        with suppress(DeviceError):
            working.append(RtMidiBackend(api, rtmidi.get_api_display_name(api)))
    if not working:
        raise DeviceError(
            "no MIDI system works here: on Linux load the ALSA sequencer (modprobe snd-seq) or start a JACK server"
        )
    best = next((one for one in working if one.ports()), working[0])
    for other in working:
        if other is not best:
            other.close()
    return best


def list_inputs() -> tuple[str, list[tuple[int, str]]]:
    """Return the MIDI system's name, and number and name of its ports; `DeviceError` with a hint if none works."""
    backend = find_backend()
    try:
        return backend.name, [(port.index, port.label) for port in backend.ports()]
    finally:
        backend.close()


def _names_of(client: Any) -> list[str | None]:
    """Return the names that an RtMidi client sees, None for ports that vanish meanwhile."""
    names: list[str | None] = []
    for index in range(client.get_port_count()):
        try:
            names.append(_decoded(client.get_port_name(index, encoding=None)))
        except Exception:  # of RtMidi's own kinds, by platform
            names.append(None)
    return names


def _decoded(name: bytes | str) -> str:
    """Return a name of any encoding as text that can be printed."""
    if isinstance(name, str):
        return name
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _place(port: PortName, names: list[str | None]) -> int:
    """Return where a port is in a list that may be newer than the port."""
    if port.index < len(names) and names[port.index] == port.raw:
        return port.index
    if port.raw not in names:
        raise DeviceError(f"the port {port.label!r} is gone")
    return names.index(port.raw)
