"""The engine's process: one for each user, started by the first client."""

from __future__ import annotations

import fcntl
import gc
import os
import socket
import stat
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

from ...errors import DeviceError
from ...live.audio.realtime import CONTROL_PRIORITY, promote_thread, undisturbed
from ..layout import FOLDER, LOCK, SOCKET

LOG: Final = "engine.log"
BACKLOG: Final = 64


def runtime_folder() -> Path:
    """Return the folder of the socket; it is made, for this user alone.

    Raises
    ------
    DeviceError
        If somebody else could enter it.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(base) / FOLDER if base.startswith("/") else Path(f"/tmp/{FOLDER}-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
    except OSError as error:
        raise DeviceError(f"{folder} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise DeviceError(f"{folder} must be a folder of yours that nobody else can enter")
    return folder


def serve(lingers_s: float, is_detached: bool, players: int) -> bool:
    """Play for clients until the last one has gone; return whether this was the one engine of the user.

    This process keeps the models and the socket, and forks those that play. If one dies, or is stopped, the next
    one is there within milliseconds.

    Parameters
    ----------
    lingers_s : float
        How long it stays without clients.
    is_detached : bool
        Whether messages go to a log beside the socket once clients can connect.
    players : int
        Processes that play at most.

    Raises
    ------
    DeviceError
        If processes that play end again and again, or the folder of the socket is not this user's alone.
    """
    folder = runtime_folder()
    with _lock(folder) as lock:
        if lock is None:
            return False
        with _listener(folder / SOCKET) as listener:
            from .keeper import Keeper  # what is heavy to import is not needed to find another engine
            from .models import SharedModels
            from .server import BridgeServer

            models = SharedModels()
            if is_detached:
                _write_log(folder / LOG)
            gc.freeze()  # so that what is shared stays shared

            def play(channel: socket.socket) -> NoReturn:
                os.close(lock)  # when the keeper dies another one may take its place, while this process plays on
                _play(lambda: BridgeServer(channel, models).run())

            promote_thread(CONTROL_PRIORITY)
            Keeper(listener, play, players, lingers_s).run()
    return True


def _play(play: Callable[[], None]) -> NoReturn:
    """Serve clients, and end this process, whose cleaning up is the keeper's."""
    status = 1
    try:
        with undisturbed():
            play()
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


@contextmanager
def _lock(folder: Path) -> Iterator[int | None]:
    """Hold the lock of the one engine; give its descriptor, or None if another one holds it."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _listener(path: Path) -> Iterator[socket.socket]:
    """Listen where clients look; the lock says that nobody else does."""
    with suppress(FileNotFoundError):
        path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as listener:
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(BACKLOG)
        try:
            yield listener
        finally:
            with suppress(FileNotFoundError):
                path.unlink()


def _write_log(path: Path) -> None:
    """Let messages go to a file; whoever started this process reads no more."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.dup2(log, 2)
    os.close(log)
