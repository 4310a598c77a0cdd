"""`Player`: the thread that renders for all clients, woken once a period for all of them."""

from __future__ import annotations

import fcntl
import mmap
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Final

from ...live.audio.realtime import PRODUCER_PRIORITY, promote_thread
from ...live.producer.polyphony_governor import LoadMeter
from ..instance import Instance
from ..layout import MAGIC, PROTOCOL, Doorbell
from ..link import fence

LOOKS_UP_MS: Final = 250
"""The player looks up at least so often: what should have woken it and did not is found then."""
_ADD_SEALS: Final = 1033  # F_ADD_SEALS
_SEALS: Final = 0x1 | 0x2 | 0x4  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW


class Bell:
    """The doorbell: a page and an eventfd that all clients have.

    Attributes
    ----------
    page : Doorbell
    memory, descriptor : int
        File descriptors for clients.
    """

    def __init__(self) -> None:
        self.memory = os.memfd_create("tnca-synth doorbell", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.memory, mmap.PAGESIZE)
        fcntl.fcntl(self.memory, _ADD_SEALS, _SEALS)
        self.page = Doorbell.from_buffer(mmap.mmap(self.memory, mmap.PAGESIZE))
        self.page.magic, self.page.protocol, self.page.pid = MAGIC, PROTOCOL, os.getpid()
        self.descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def ring(self) -> None:
        """Wake who waits. Thread: any."""
        with suppress(BlockingIOError):
            os.eventfd_write(self.descriptor, 1)

    def wait(self, is_awaited: Callable[[], bool]) -> None:
        """Sleep until it rings, or `LOOKS_UP_MS`, unless there is something to do already. Thread: player."""
        self.page.asleep = 1
        fence()
        if not is_awaited():
            select.select((self.descriptor,), (), (), LOOKS_UP_MS / 1000.0)
        self.page.asleep = 0
        with suppress(BlockingIOError):
            os.eventfd_read(self.descriptor)


class Player:
    """Renders what instances are due to render.

    Parameters
    ----------
    bell : Bell
    fail : callable
        Is told of an instance that cannot go on, and why; called by the player's thread.

    Attributes
    ----------
    load : float
        Share of real time that rendering takes.
    turned_s : float
        When the player last showed that it lives.

    Notes
    -----
    Thread: `run` is the player; `add`, `remove` and `stop` belong to any other.
    """

    def __init__(self, bell: Bell, fail: Callable[[Instance, str], None]) -> None:
        self._bell, self._fail = bell, fail
        self._instances: tuple[Instance, ...] = ()
        self._tasks: deque[Callable[[], None]] = deque()
        self._stopping = threading.Event()
        self._ahead: list[Instance] = []  # what may grow ahead
        self._spent_s = 0.0  # growing ahead, since the last turn
        self._meter = LoadMeter()
        self._measured_s = self.turned_s = perf_counter()

    @property
    def load(self) -> float:
        """Share of real time that rendering takes."""
        return self._meter.load

    def add(self, instance: Instance) -> None:
        """Render for an instance from now on."""
        self._do(lambda: self._set((*self._instances, instance)))

    def remove(self, instance: Instance) -> None:
        """Render no more for an instance, and close it."""
        self._do(lambda: self._drop(instance))

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping.set()
        self._bell.ring()

    def run(self) -> None:
        """Render until stopped. Thread: player."""
        promote_thread(PRODUCER_PRIORITY)
        while not self._stopping.is_set():
            while self._tasks:
                self._tasks.popleft()()
            if not self._turn() and not self._grow_ahead():
                self._bell.wait(self._is_awaited)
                self.turned_s = perf_counter()

    def _do(self, task: Callable[[], None]) -> None:
        self._tasks.append(task)
        self._bell.ring()

    def _set(self, instances: tuple[Instance, ...]) -> None:
        self._instances = instances

    def _drop(self, instance: Instance) -> None:
        self._set(tuple(one for one in self._instances if one is not instance))
        self._ahead = [one for one in self._ahead if one is not instance]
        instance.close()

    def _is_awaited(self) -> bool:
        return bool(self._tasks) or self._stopping.is_set() or any(one.is_due for one in self._instances)

    def _turn(self) -> bool:
        """Let each instance that is due render; return whether one was."""
        spent_s, self._spent_s = self._spent_s, 0.0
        turned: list[Instance] = []
        for instance in self._instances:
            try:
                if instance.is_due:
                    spent_s += instance.turn()
                    turned.append(instance)
            except Exception as error:  # whatever it is: the other instances go on
                self._set(tuple(one for one in self._instances if one is not instance))
                self._ahead = []
                self._fail(instance, f"{type(error).__name__}: {error}")
        if turned:
            self._measure(spent_s, turned)
            self._ahead = turned
        else:
            self._spent_s = spent_s
        return bool(turned)

    def _grow_ahead(self) -> bool:
        """Do some of the work of the next block while nothing is due; return whether there was some."""
        while self._ahead:
            spent_s = self._ahead.pop().grow_ahead()
            if spent_s:
                self._spent_s += spent_s
                return True
        return False

    def _measure(self, spent_s: float, turned: list[Instance]) -> None:
        now_s = perf_counter()
        self._meter.observe(spent_s, max(now_s - self._measured_s, 1e-6))
        self._measured_s = self.turned_s = now_s
        for instance in turned:
            if not instance.link.is_offline:
                instance.govern(self._meter.load)
