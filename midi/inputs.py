"""The MIDI inputs of a player: opened, watched, found again by name, and released when they fall silent."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Final

from ..errors import DeviceError
from .held_keys import HeldKeys
from .messages import FIRST_STATUS
from .ports import CLIENT_NAME, Arrival, Deliver, PortBackend, find_backend

ACTIVE_SENSING: Final = b"\xfe"
SENSING_TIMEOUT_S: Final = 0.33
"""MIDI 1.0 asks for 300 ms of silence; a little more forgives a late poll."""
_NOT_HARDWARE: Final = re.compile(r"through|virtual|timidity|fluid|rtmidi|rtpmidi|loop|announce|tnca-synth", re.I)
_JACK_HARDWARE: Final = re.compile(r"^(system|a2j|alsa|midi-bridge)", re.I)
_ALSA_NUMBERS: Final = re.compile(r"\s+\d+:\d+$")


class OpenPort:
    """A port that is listened to: stamps what arrives, and knows what it left sounding.

    Thread: `receive` belongs to the port's thread, the rest to the control thread.
    """

    def __init__(self, name: str, deliver: Deliver, now: Callable[[], float]) -> None:
        self.name = name
        self.close: Callable[[], None] = lambda: None
        self._deliver, self._now = deliver, now
        self._held = HeldKeys()
        self._last_s = now()
        self._is_sensing = False

    def receive(self, data: bytes) -> None:
        """Take a message from the port's thread; never raises."""
        self._last_s = self._now()
        if data[:1] == ACTIVE_SENSING:
            self._is_sensing = True
        elif data and data[0] >= FIRST_STATUS:
            self._held.follow(data)
            self._deliver(Arrival(self._last_s, self.name, data))

    def has_fallen_silent(self) -> bool:
        """Whether a port that sent active sensing stopped doing so."""
        return self._is_sensing and self._now() - self._last_s > SENSING_TIMEOUT_S

    def release_notes(self) -> None:
        """Release what this port left sounding."""
        self._is_sensing = False
        for data in self._held.release():
            self._deliver(Arrival(self._now(), self.name, data))


class MidiInputs:
    """The ports that a player wants, kept open while they come and go.

    Parameters
    ----------
    wanted : sequence of str
        Port numbers or parts of names; empty: the first hardware port, else a virtual one.
    deliver : callable
        Takes every `Arrival`, in the port's own thread: it must be quick and must not raise.
    notice : callable
        Takes lines for people.
    find : callable
        Returns the MIDI system; raises `DeviceError`.

    Notes
    -----
    Thread: control.
    """

    def __init__(
        self,
        wanted: Sequence[str],
        deliver: Deliver,
        notice: Callable[[str], None],
        find: Callable[[], PortBackend] = find_backend,
        now: Callable[[], float] = perf_counter,
    ) -> None:
        self._wanted, self._deliver, self._notice = tuple(wanted), deliver, notice
        self._find, self._now = find, now
        self._backend: PortBackend | None = None
        self._open: dict[str, OpenPort] = {}
        self._names: list[str] = []  # that shall be open, by their stable names
        self._virtual: OpenPort | None = None

    @property
    def open_names(self) -> tuple[str, ...]:
        """Names of the ports that are open now."""
        virtual = () if self._virtual is None else (self._virtual.name,)
        return (*self._open, *virtual)

    def start(self) -> None:
        """Open what is wanted.

        Raises
        ------
        DeviceError
            If a port that was named is not there. No MIDI at all is only a notice when none was named.
        """
        try:
            self._backend = self._find()
        except DeviceError as error:
            if self._wanted:
                raise
            self._notice(str(error))
            return
        present = self._present()
        self._names = [choose(wanted, present) for wanted in self._wanted] or first_hardware(present, self._backend)
        self._names = list(dict.fromkeys(self._names))
        if not self._names:
            self._open_virtual()
        for name in self._names:
            self._open_port(name, present.index(name))

    def poll(self) -> None:
        """Notice ports that came or went; call this about once a second."""
        if self._backend is None:
            return
        present = self._present()
        for name in self._names:
            if name in self._open and name not in present:
                self._lose(name)
            elif name not in self._open and name in present:
                with suppress(DeviceError):
                    self._open_port(name, present.index(name))
                    self._notice(f"MIDI port {name!r} is back")
        if self._virtual is not None and not self._names:
            self._adopt_hardware(present)

    def check_sensing(self) -> None:
        """Release the notes of ports whose active sensing stopped; call this every 50 ms or so."""
        for port in list(self._open.values()):
            if port.has_fallen_silent():
                port.release_notes()
                self._notice(f"MIDI port {port.name!r} fell silent: its notes are released")

    def close(self) -> None:
        """Close all ports."""
        for port in [*self._open.values(), *filter(None, (self._virtual,))]:
            with suppress(Exception):
                port.close()
        self._open.clear()
        self._virtual = None

    def _present(self) -> list[str]:
        assert self._backend is not None
        try:
            return [stable_name(name) for name in self._backend.names()]
        except Exception:
            return []

    def _open_port(self, name: str, index: int) -> None:
        assert self._backend is not None
        port = OpenPort(name, self._deliver, self._now)
        port.close = self._backend.open(index, port.receive)
        self._open[name] = port

    def _open_virtual(self) -> None:
        assert self._backend is not None
        port = OpenPort(CLIENT_NAME, self._deliver, self._now)
        try:
            port.close = self._backend.open_virtual(port.receive)
        except DeviceError as error:
            self._notice(str(error))
            return
        self._virtual = port
        self._notice(f"no MIDI keyboard found: connect one to the port {CLIENT_NAME!r} ({self._backend.name})")

    def _adopt_hardware(self, present: list[str]) -> None:
        """Open a keyboard that was plugged in where there had been none."""
        assert self._backend is not None
        for name in first_hardware(present, self._backend):
            with suppress(DeviceError):
                self._open_port(name, present.index(name))
                self._names = [name]
                self._notice(f"MIDI port {name!r} found")

    def _lose(self, name: str) -> None:
        port = self._open.pop(name)
        port.release_notes()
        with suppress(Exception):
            port.close()
        self._notice(f"MIDI port {name!r} is gone: waiting for it")


def stable_name(name: str) -> str:
    """Return a port's name without the numbers that ALSA gives it anew at every plugging."""
    return _ALSA_NUMBERS.sub("", name)


def first_hardware(present: list[str], backend: PortBackend) -> list[str]:
    """Return the first port that looks like hardware, in a list, or an empty one."""
    is_jack = "jack" in backend.name.lower()
    for name in present:
        if not _NOT_HARDWARE.search(name) and (not is_jack or _JACK_HARDWARE.search(name)):
            return [name]
    return []


def choose(wanted: str, present: list[str]) -> str:
    """Return the port that a number or a part of a name means.

    Raises
    ------
    DeviceError
        If there is none; it lists what there is.
    """
    if wanted.isdecimal() and int(wanted) < len(present):
        return present[int(wanted)]
    for name in present:
        if wanted.lower() in name.lower() and CLIENT_NAME not in name:
            return name
    there = ", ".join(f"{index}: {name}" for index, name in enumerate(present)) or "none"
    raise DeviceError(f"no MIDI input port matches {wanted!r}; there are: {there} (see: tnca-synth devices)")
