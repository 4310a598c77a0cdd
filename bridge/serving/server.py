"""`BridgeServer`: a process that plays, as its clients see it: one connection for each of them."""

from __future__ import annotations

import gc
import selectors
import socket
import threading
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import Final

from ..instance import Instance
from .connection import Connection, Parts
from .models import SharedModels
from .player import Bell, Player

BEAT_S: Final = 0.1
STUCK_S: Final = 5.0
"""A player that has not turned for so long is no sign of life."""
LOOKS_AGAIN_S: Final = 1.0


class BridgeServer:
    """Plays for the clients that the keeper hands over, until the keeper and the last one have gone.

    Parameters
    ----------
    channel : socket
        From the keeper: clients' connections come there; a packet goes back for each that has ended.
    models : SharedModels

    Notes
    -----
    Thread: `run` is the control thread; it starts the player's.
    """

    def __init__(self, channel: socket.socket, models: SharedModels) -> None:
        self._channel, self._is_kept = channel, True
        bell = Bell()
        self._parts = Parts(bell, Player(bell, self._failed), models, models.instruments)
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._failures: deque[tuple[Instance, str]] = deque()
        self._looked_s = perf_counter()

    def run(self) -> None:
        """Serve until nobody is left."""
        self._channel.setblocking(False)
        self._selector.register(self._channel, selectors.EVENT_READ, None)
        thread = threading.Thread(target=self._play, name="player")
        thread.start()
        try:
            while self._is_kept or self._connections:
                self._turn()
        finally:
            for connection in list(self._connections):
                self._leave(connection)
            self._parts.player.stop()
            thread.join()
            self._selector.close()

    def _play(self) -> None:
        """Render until stopped. Thread: player."""
        self._parts.models.warm_up()
        self._parts.player.run()

    def _turn(self) -> None:
        for key, _ in self._selector.select(BEAT_S):
            if key.data is None:
                self._accept()
            elif not key.data.read():
                self._leave(key.data)
        if perf_counter() - self._parts.player.turned_s < STUCK_S:
            self._parts.bell.page.heartbeat += 1
        while self._failures:
            self._end(*self._failures.popleft())
        has_changed = self._looks_again and self._parts.instruments.look_again()
        for connection in list(self._connections):
            connection.tell_notices()
            if has_changed:
                connection.tell_instruments()

    @property
    def _looks_again(self) -> bool:
        """Whether it is time to see if the user's instruments have changed."""
        now_s = perf_counter()
        is_due = now_s - self._looked_s > LOOKS_AGAIN_S
        self._looked_s = now_s if is_due else self._looked_s
        return is_due

    def _accept(self) -> None:
        """Take a client over from the keeper, or note that the keeper has gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        for descriptor in descriptors:
            connection = Connection(socket.socket(fileno=descriptor), self._parts)
            self._connections.add(connection)
            self._selector.register(connection.end, selectors.EVENT_READ, connection)
        if not data:
            self._is_kept = False
            self._selector.unregister(self._channel)

    def _leave(self, connection: Connection) -> None:
        self._selector.unregister(connection.end)
        connection.close()
        self._connections.discard(connection)
        with suppress(OSError):
            self._channel.send(b"\0")
        gc.collect()  # it is switched off while the engine plays

    def _failed(self, instance: Instance, reason: str) -> None:
        """Remember an instance that cannot go on. Thread: player."""
        self._failures.append((instance, reason))

    def _end(self, instance: Instance, reason: str) -> None:
        """End the connection of an instance that cannot go on."""
        for connection in list(self._connections):
            if connection.instance is instance:
                connection.tell(reason)
                self._leave(connection)
