"""`Keeper`: forks the processes that play, shares clients out among them, and replaces those that end."""

from __future__ import annotations

import os
import select
import selectors
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final, NoReturn

from ...errors import DeviceError

LOOKS_UP_S: Final = 0.5
MOST_DEATHS: Final = 100
WITHIN_S: Final = 10.0
"""So many deaths within so short a time are no accident: clients that come back find a new process within 0.1 s."""
ENDS_WITHIN_S: Final = 2.0
_REPORTS: Final = 64


@dataclass
class PlayerProcess:
    """A process that plays.

    Attributes
    ----------
    pid : int
    channel : socket
        Clients' connections go there; a packet comes back for each that has ended.
    num_clients : int
    """

    pid: int
    channel: socket.socket
    num_clients: int = 0


class Keeper:
    """Keeps processes that play for clients, until there are no clients any more.

    The first one is there from the beginning, a further one is forked where all have clients. A client stays where it
    is; one that loses its process connects anew.

    Parameters
    ----------
    listener : socket
        Where clients connect.
    play : callable
        What a forked process does with its channel, and then ends.
    most : int
        Processes that play at most.
    lingers_s : float
        How long it stays without clients.

    Notes
    -----
    A process that plays goes on for its clients when this one dies.
    """

    def __init__(
        self, listener: socket.socket, play: Callable[[socket.socket], NoReturn], most: int, lingers_s: float
    ) -> None:
        self._listener, self._play, self._most, self._lingers_s = listener, play, most, lingers_s
        self._players: list[PlayerProcess] = []
        self._selector = selectors.DefaultSelector()
        self._began: deque[float] = deque(maxlen=MOST_DEATHS)
        self._used_s = monotonic()

    def run(self) -> None:
        """Keep playing until nobody is left.

        Raises
        ------
        DeviceError
            If processes that play end again and again.
        """
        self._listener.setblocking(False)
        with _child_signals() as news:
            for end in (self._listener, news):
                self._selector.register(end, selectors.EVENT_READ)
            self._fork()
            try:
                while self._has_clients or monotonic() - self._used_s < self._lingers_s:
                    self._turn(news)
            except BaseException:
                for player in self._players:
                    os.kill(player.pid, signal.SIGTERM)
                raise
            finally:
                self._selector.close()
                self._listener.close()
                for player in self._players:
                    player.channel.close()  # without clients it ends then
        for player in self._players:
            _await_end(player.pid)

    @property
    def _has_clients(self) -> bool:
        return any(player.num_clients for player in self._players)

    def _turn(self, news: socket.socket) -> None:
        ready = {key.fileobj: key for key, _ in self._selector.select(min(LOOKS_UP_S, self._lingers_s))}
        for key in ready.values():
            if key.data is not None:
                self._hear(key.data)
        if news in ready:
            news.recv(_REPORTS)
            self._bury()
        if self._listener in ready:  # last: clients of those that have just ended come back
            self._accept()

    def _accept(self) -> None:
        """Hand a client over to the process with the fewest clients."""
        try:
            end, _ = self._listener.accept()
        except OSError:
            return
        with end:
            if all(player.num_clients for player in self._players) and len(self._players) < self._most:
                self._fork()
            for player in sorted(self._players, key=lambda one: one.num_clients):
                with suppress(OSError):  # it is gone, or takes nothing any more; the client tries again if all are
                    socket.send_fds(player.channel, [b"\0"], [end.fileno()])
                    player.num_clients += 1
                    return

    def _hear(self, player: PlayerProcess) -> None:
        """Take note of clients that have left."""
        with suppress(OSError):
            for _ in range(_REPORTS):
                if not player.channel.recv(1):
                    self._selector.unregister(player.channel)  # it has ended: a signal says so
                    return
                player.num_clients -= 1
                self._used_s = monotonic()

    def _fork(self) -> None:
        if len(self._began) == MOST_DEATHS and monotonic() - self._began[0] < WITHIN_S:
            raise DeviceError(f"a process that plays ended {MOST_DEATHS} times within {WITHIN_S:g} s")
        self._began.append(monotonic())
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if not pid:
            self._leave_to(its, ours)
        its.close()
        ours.setblocking(False)
        player = PlayerProcess(pid, ours)
        self._players.append(player)
        self._selector.register(ours, selectors.EVENT_READ, player)

    def _leave_to(self, its: socket.socket, ours: socket.socket) -> NoReturn:
        """Play, in a process that was just forked; what belongs to the keeper is closed there."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for end in (self._listener, ours, *(player.channel for player in self._players)):
            end.close()
        self._play(its)

    def _bury(self) -> None:
        """Replace processes that have ended; one that somebody stops is ended."""
        for player in list(self._players):
            pid, status = os.waitpid(player.pid, os.WUNTRACED | os.WNOHANG)
            if not pid:
                continue
            if os.WIFSTOPPED(status):
                os.kill(pid, signal.SIGKILL)
                continue
            self._players.remove(player)
            with suppress(KeyError):
                self._selector.unregister(player.channel)
            player.channel.close()
            self._used_s = monotonic()  # its clients come back
            if player.num_clients or not self._players:
                self._fork()


def _await_end(pid: int) -> None:
    """Wait for a process that has nothing to do any more; end it if it stays."""
    descriptor = os.pidfd_open(pid)
    try:
        if not select.select((descriptor,), (), (), ENDS_WITHIN_S)[0]:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    finally:
        os.close(descriptor)


@contextmanager
def _child_signals() -> Iterator[socket.socket]:
    """Give a socket that becomes readable when a child ends or is stopped."""
    news, end = socket.socketpair()
    with news, end:
        news.setblocking(False)
        end.setblocking(False)
        former = signal.signal(signal.SIGCHLD, lambda *_: None)
        wakeup = signal.set_wakeup_fd(end.fileno(), warn_on_full_buffer=False)
        try:
            yield news
        finally:
            signal.set_wakeup_fd(wakeup)
            signal.signal(signal.SIGCHLD, former)
