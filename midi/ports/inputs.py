"""The MIDI inputs of a player: opened, watched, found again by name, and released when they fall silent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from ...errors import DeviceError
from ..messages import FIRST_STATUS
from .backends import Arrival, Deliver, PortBackend, find_backend
from .port_names import PortName, choose, hardware, label
from .stuck_notes import KeysDown

ACTIVE_SENSING: Final = 0xFE
NOT_DELIVERED: Final = frozenset((ACTIVE_SENSING, 0xF8, 0xF9, 0xF1))
"""Signs of life that play nothing: active sensing, clock, tick and time code."""
SENSING_TIMEOUT_S: Final = 0.33
"""MIDI 1.0 asks for 300 ms of silence; a little more forgives a late poll."""
POLLS_BETWEEN_SEARCHES: Final = 5
"""Where no MIDI system works, one is looked for again after so many polls."""


class OpenPort:
    """A port that is listened to: stamps what arrives, and knows what it left sounding.

    Thread: `receive` belongs to the port's thread, the rest to the control thread.
    """

    def __init__(self, name: str, deliver: Deliver, now: Callable[[], float]) -> None:
        self.name = name
        self.close: Callable[[], None] = lambda: None
        self._deliver, self._now = deliver, now
        self._held = KeysDown()
        self._last_s = now()
        self._is_sensing = False

    def receive(self, data: bytes) -> None:
        """Take a message from the port's thread; never raises."""
        self._last_s = self._now()  # by any message: with its clock running, a keyboard may send no active sensing
        if not data or data[0] < FIRST_STATUS:
            return
        if data[0] == ACTIVE_SENSING:
            self._is_sensing = True
        if data[0] not in NOT_DELIVERED:
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


@dataclass(eq=False)
class _Wanted:
    """A port that shall be open, known by its name and which of that name it is.

    Attributes
    ----------
    key : what the port is called while it is open, see `PortName.key`
    port : None while it is not there
    """

    name: str
    occurrence: int
    key: tuple[str, int]
    port: OpenPort | None = None

    @property
    def label(self) -> str:
        return label(self.name, self.occurrence)


class MidiInputs:
    """The ports that a player wants, kept open while they come and go.

    Two ports of one name are told apart by which came first in the list when the player began. A port that stays
    plugged in keeps its place, whatever the list looks like later: it is never taken for one that has left.

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
        self._asked, self._deliver, self._notice = tuple(wanted), deliver, notice
        self._find, self._now = find, now
        self._backend: PortBackend | None = None
        self._wanted: list[_Wanted] = []
        self._others: set[tuple[str, int]] = set()  # ports that are none of ours, while they are plugged in
        self._refused: set[tuple[str, int]] = set()  # that could not be opened, and it was told
        self._virtual: OpenPort | None = None
        self._polls = 0
        self._listed: list[PortName] = []

    @property
    def open_names(self) -> tuple[str, ...]:
        """Names of the ports that are open now."""
        virtual = () if self._virtual is None else (self._virtual.name,)
        return (*(one.label for one in self._wanted if one.port is not None), *virtual)

    @property
    def present_names(self) -> tuple[str, ...]:
        """Names of all ports that there were at the last poll."""
        return tuple(port.label for port in self._listed)

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
            if self._asked:
                raise
            self._notice(str(error))
            return
        self._begin()

    def poll(self) -> None:
        """Notice ports that came or went; call this about once a second."""
        if self._backend is None:
            self._search()
            return
        present = self._present()
        keys = {port.key for port in present}
        for one in self._wanted:
            if one.port is not None and one.key not in keys:
                self._lose(one)
        self._others &= keys
        self._find_again(present)
        if self._virtual is not None and not self._wanted and self._open_first_hardware(present):
            self._notice(f"MIDI port {self._wanted[0].label!r} found")

    def check_sensing(self) -> None:
        """Release the notes of ports whose active sensing stopped; call this every 50 ms or so."""
        for one in self._wanted:
            if one.port is not None and one.port.has_fallen_silent():
                one.port.release_notes()
                self._notice(f"MIDI port {one.label!r} fell silent: its notes are released")

    def choose_anew(self, wanted: Sequence[str]) -> None:
        """Listen to other ports from now on, as `start` does; what cannot be opened is told."""
        self._close_ports()
        self._asked = tuple(wanted)
        if self._backend is None:
            return
        try:
            self._begin()
        except DeviceError as error:
            self._notice(str(error))

    def close(self) -> None:
        """Close all ports."""
        self._close_ports()
        if self._backend is not None:
            with suppress(Exception):
                self._backend.close()
            self._backend = None

    def _present(self) -> list[PortName]:
        assert self._backend is not None
        try:
            self._listed = self._backend.ports()
        except Exception:  # a system that broke has no ports
            self._listed = []
        return self._listed

    def _close_ports(self) -> None:
        for port in [*(one.port for one in self._wanted), self._virtual]:
            if port is not None:
                port.release_notes()
                with suppress(Exception):
                    port.close()
        self._wanted.clear()
        self._virtual = None

    def _open_keys(self) -> set[tuple[str, int]]:
        return {one.key for one in self._wanted if one.port is not None}

    def _search(self) -> None:
        """Look for a MIDI system where there was none: a server may have been started meanwhile."""
        self._polls += 1
        if self._polls % POLLS_BETWEEN_SEARCHES == 0:
            with suppress(DeviceError):
                self._backend = self._find()
                self._begin()

    def _begin(self) -> None:
        """Open what is wanted, on a system that works."""
        present = self._present()
        if self._asked:
            self._open_asked(present)
        elif not self._open_first_hardware(present):
            self._open_virtual()
        self._others = {port.key for port in present} - self._open_keys()

    def _open_asked(self, present: list[PortName]) -> None:
        chosen: list[PortName] = []
        for text in self._asked:
            port = choose(text, present, chosen)
            if port not in chosen:
                chosen.append(port)
        for port in chosen:
            self._open(port)

    def _open_first_hardware(self, present: list[PortName]) -> bool:
        """Open the first keyboard that can be opened; return whether there is one."""
        assert self._backend is not None
        for port in hardware(present, self._backend.name):
            try:
                self._open(port)
            except DeviceError as error:
                if port.key not in self._refused:
                    self._notice(str(error))
                self._refused.add(port.key)
                continue
            return True
        return False

    def _open(self, port: PortName, one: _Wanted | None = None) -> None:
        """Open a port, for one that was wanted before or as a new one."""
        assert self._backend is not None
        one = one or _Wanted(port.name, port.occurrence, port.key)
        opened = OpenPort(one.label, self._deliver, self._now)
        opened.close = self._backend.open(port, opened.receive)
        one.key, one.port = port.key, opened
        if one not in self._wanted:
            self._wanted.append(one)

    def _open_virtual(self) -> None:
        assert self._backend is not None
        name = self._backend.virtual_name
        port = OpenPort(name, self._deliver, self._now)
        try:
            port.close = self._backend.open_virtual(port.receive)
        except DeviceError as error:
            self._notice(str(error))
            return
        self._virtual = port
        self._notice(f"no MIDI keyboard found: connect one to the port {name!r} ({self._backend.name})")

    def _find_again(self, present: list[PortName]) -> None:
        """Open what is wanted and came back; whatever else came is none of ours."""
        new = [port for port in present if port.key not in self._others | self._open_keys()]
        for one in self._wanted:
            fitting = [port for port in new if port.name == one.name]
            fitting.sort(key=lambda port: port.occurrence != one.occurrence)
            if one.port is None and fitting:
                new.remove(fitting[0])
                with suppress(DeviceError):  # tried again at the next poll
                    self._open(fitting[0], one)
                    self._notice(f"MIDI port {one.label!r} is back")
        lost = {one.name for one in self._wanted if one.port is None}
        self._others |= {port.key for port in new if port.name not in lost}

    def _lose(self, one: _Wanted) -> None:
        port, one.port = one.port, None
        assert port is not None
        port.release_notes()
        with suppress(Exception):
            port.close()
        self._notice(f"MIDI port {one.label!r} is gone: waiting for it")
