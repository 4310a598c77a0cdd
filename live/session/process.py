"""The engine's own process: MIDI in, producer and audio, so that no screen ever holds Python's lock against them.

Messages over the pipe: a `Command` in; `Ready` or a `TncaError` first, then `LiveStatus`, and at last `Closed`, out.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

from ...errors import DeviceError, TncaError
from ..protocol import Closed, LiveOptions, Resumed, TakeParts

RETRY_S: Final = 1.0
STOPPING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)
"""Signals that ask a program to end."""
DEBUG_VARIABLE: Final = "TNCA_DEBUG"


def main(pipe: Connection, options: LiveOptions, resumed: Resumed | None = None) -> None:
    """Play until told to stop, or until the other side of the pipe is gone. Runs in the child process.

    Whoever sends a signal to all processes of a terminal or a service means the player's; that one tells this one to
    finish its recording and end.

    Parameters
    ----------
    pipe : Connection
    options : LiveOptions
    resumed : Resumed, optional
        What to go on from, if this process takes the place of another.
    """
    _ignore_signals()
    if not os.environ.get(DEBUG_VARIABLE):
        _silence_libraries()
    try:
        from .server import EngineServer  # after the output is silenced: it loads the libraries

        if resumed is not None and not _await_output(pipe, options):
            _tell(pipe, Closed())
            return
        engine = EngineServer(options, resumed)
    except EOFError:  # the player is gone: nobody else completes the recording
        _finish_takes(options, () if resumed is None else resumed.takes)
        return
    except TncaError as error:
        _tell(pipe, error)
        return
    engine.serve(pipe)
    end = engine.close()
    if not _tell(pipe, end) and end.take is not None:
        _finish_takes(options, (end.take,))
    if end.lost:
        os._exit(0)  # PortAudio's own farewell may never end


def _ignore_signals() -> None:
    """Ignore what asks a program to end; `session` has started this process with these signals held back."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _await_output(pipe: Connection, options: LiveOptions) -> bool:
    """Return True when the output is there, False when told to close; `EOFError` says that nobody waits any more."""
    from ..audio.device import list_outputs
    from ..audio.output_devices import find_output

    while True:
        try:
            find_output(options.audio_out, options.host_api, list_outputs(refresh=True))
            return True
        except DeviceError:
            pass
        try:
            if pipe.poll(RETRY_S) and pipe.recv().name == "close":
                return False
        except OSError as error:
            raise EOFError from error


def _finish_takes(options: LiveOptions, takes: tuple[TakeParts, ...]) -> None:
    from ..recording.take import finish_take

    if options.record is not None:
        with suppress(TncaError):
            finish_take(takes, options.record)


def _silence_libraries() -> None:
    """Keep what ALSA and JACK print off the player's screen."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _tell(pipe: Connection, value: object) -> bool:
    """Say something; return whether there is somebody to hear it."""
    try:
        pipe.send(value)
    except OSError:
        return False
    return True
