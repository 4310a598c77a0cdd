"""The engine's own process: MIDI in, producer and audio, so that no screen ever holds Python's lock against them.

Messages over the pipe: a `Command` in; `Ready` or a `TncaError` first, then `LiveStatus`, and at last `Closed`, out.
"""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from typing import Final

from ..errors import TncaError
from .state import Closed, LiveOptions

DEBUG_VARIABLE: Final = "TNCA_DEBUG"


def main(pipe: Connection, options: LiveOptions) -> None:
    """Play until told to stop, or until the other side of the pipe is gone. Runs in the child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the control process decides what Ctrl-C means
    if not os.environ.get(DEBUG_VARIABLE):
        _silence_libraries()
    try:
        from .engine import Engine  # after the output is silenced: it loads the libraries

        engine = Engine(options)
    except TncaError as error:
        _tell(pipe, error)
        return
    try:
        engine.serve(pipe)
    finally:
        _tell(pipe, Closed(engine.close()))


def _silence_libraries() -> None:
    """Keep what ALSA and JACK print off the player's screen."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _tell(pipe: Connection, value: object) -> None:
    try:
        pipe.send(value)
    except OSError:  # nobody listens any more
        return
