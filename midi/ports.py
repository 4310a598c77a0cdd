"""MIDI systems and their input ports: the only home of python-rtmidi."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from ..errors import DeviceError

CLIENT_NAME: Final = "tnca-synth"


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

    def names(self) -> list[str]:
        """Return the names of the input ports there are now."""
        ...

    def open(self, index: int, on_message: OnMessage) -> Callable[[], None]:
        """Open a port of `names`; return what closes it."""
        ...

    def open_virtual(self, on_message: OnMessage) -> Callable[[], None]:
        """Make a port that others can connect to; return what closes it."""
        ...


class RtMidiBackend:
    """One API of RtMidi."""

    def __init__(self, api: int, name: str) -> None:
        import rtmidi

        self.name = name
        self._rtmidi, self._api = rtmidi, api
        try:
            self._scanner = self._client(f"{CLIENT_NAME}-scan")
            self._scanner.get_ports()
        except Exception as error:  # rtmidi raises SystemError, RtMidiError or its own by platform
            raise DeviceError(f"MIDI through {name} does not work here: {error}") from error

    def names(self) -> list[str]:
        """Return the names of the input ports there are now, our own left out."""
        return [str(name) for name in self._scanner.get_ports()]

    def open(self, index: int, on_message: OnMessage) -> Callable[[], None]:
        """Open a port of `names`; return what closes it."""
        return self._open(lambda client: client.open_port(index, "in"), on_message)

    def open_virtual(self, on_message: OnMessage) -> Callable[[], None]:
        """Make a port that others can connect to; return what closes it."""
        return self._open(lambda client: client.open_virtual_port("in"), on_message)

    def _client(self, name: str) -> Any:
        return self._rtmidi.MidiIn(self._api, name=name)

    def _open(self, connect: Callable[[Any], object], on_message: OnMessage) -> Callable[[], None]:
        client = self._client(CLIENT_NAME)
        client.ignore_types(sysex=False, timing=True, active_sense=False)
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
    return next((one for one in working if one.names()), working[0])


def list_inputs() -> tuple[str, list[str]]:
    """Return the MIDI system's name and its input ports; `DeviceError` with a hint if there is none."""
    backend = find_backend()
    return backend.name, [name for name in backend.names() if CLIENT_NAME not in name]
