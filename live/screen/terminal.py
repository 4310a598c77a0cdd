"""The screen in this process's terminal: signals end it, and so does a terminal that is closed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO, cast

from .screen import PlayScreen, Session

SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP")
SIGNAL_STATUS: Final = 128


def show(session: Session, settings_path: Path, channel: int = 1) -> int:
    """Show the screen until the player leaves or a signal comes; return the exit status.

    Raises
    ------
    TncaError
        If the session was lost meanwhile.
    """
    app = PlayScreen(session, settings_path, channel)
    before = {number: signal.getsignal(number) for name in SIGNALS if (number := getattr(signal, name, None))}
    try:
        with _terminal_that_may_go():
            asyncio.run(_run(app, before))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


async def _run(app: PlayScreen, numbers: Iterable[int]) -> None:
    """Run the screen, and let signals end it as a key would."""
    loop = asyncio.get_running_loop()
    for number in numbers:
        status = 0 if number == signal.SIGINT else SIGNAL_STATUS + number
        with suppress(NotImplementedError):  # Windows has none of these
            loop.add_signal_handler(number, partial(app.exit, status, return_code=status))
    await app.run_async()


@contextmanager
def _terminal_that_may_go() -> Iterator[None]:
    """Let a terminal be closed: textual's writing thread dies of it, and ending the screen would wait for ever."""
    system = cast(Any, sys)
    kept = system.__stderr__  # what textual draws on
    system.__stderr__ = kept if kept is None else _Terminal(kept)
    try:
        yield
    finally:
        system.__stderr__ = kept


class _Terminal:
    """A terminal's stream; after the terminal has gone, it takes what is written and shows it nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except OSError:
            self._leave()

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._leave()

    def _leave(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
