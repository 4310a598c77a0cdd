"""`LiveSession`: starts the engine's process, tells it what the player wants, and knows how it fares."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import monotonic
from types import TracebackType
from typing import Any, Final

from ..engine.choices import closest
from ..errors import DeviceError, TncaError, UsageError
from .engine_process import main
from .state import CONTROL_TARGETS, Closed, Command, LiveOptions, LiveStatus, Ready

__all__ = ["CONTROL_TARGETS", "LiveOptions", "LiveSession", "LiveStatus"]

CLOSE_S: Final = 10.0
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class LiveSession:
    """The control side of live play.

    A context manager: entering starts, leaving closes.

    Parameters
    ----------
    options : LiveOptions

    Attributes
    ----------
    instruments, decoders, representations : tuple of str
        Names to choose among, known from `start` on.

    Notes
    -----
    Thread: control; use it from one thread at a time.
    """

    def __init__(self, options: LiveOptions) -> None:
        self.instruments: tuple[str, ...] = ()
        self.decoders: tuple[str, ...] = ()
        self.representations: tuple[str, ...] = ()
        self._options = options
        self._status = LiveStatus()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._end: Closed | None = None

    def start(self, timeout_s: float = 20.0) -> None:
        """Start the engine, and return when it can be played.

        Raises
        ------
        TncaError
            If it cannot, in one line: an unknown name, no device, a damaged bank, or `timeout_s` is over.
        """
        if self._process is not None:
            return
        context = multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self._process = context.Process(target=main, args=(far_end, self._options), name="tnca-synth", daemon=True)
        with _one_numeric_thread():
            self._process.start()
        far_end.close()  # so that the pipe ends when the process does
        try:
            self._await_ready(timeout_s)
        except BaseException:
            self.close()
            raise

    def status(self) -> LiveStatus:
        """Return the latest moment.

        Raises
        ------
        TncaError
            If the engine's process has ended.
        """
        self._listen()
        if self._end is not None:
            raise self._end.error or DeviceError("the engine has stopped")
        return self._status

    def select_instrument(self, name: str) -> None:
        """Play all new notes that are not drums with this instrument; sounding ones stay.

        Raises
        ------
        UsageError
            If the bank has no such instrument.
        """
        self._tell("instrument", closest(name, self.instruments, "instrument"))

    def select_decoder(self, name: str) -> None:
        """Hear all notes through this decoder from now on; `UsageError` if there is none of that name."""
        self._tell("decoder", closest(name, self.decoders, "decoder"))

    def send(self, data: bytes) -> None:
        """Play a complete MIDI message as if a port had sent it, now."""
        self._tell("send", bytes(data))

    def learn(self, target: str | None) -> None:
        """Map the next control that moves onto one of `CONTROL_TARGETS`; None stops learning."""
        if target is not None and target not in CONTROL_TARGETS:
            raise UsageError(f"unknown control target {target!r}: expected one of {', '.join(CONTROL_TARGETS)}")
        self._tell("learn", target)

    def panic(self) -> None:
        """Silence everything."""
        self._tell("panic")

    def close(self) -> None:
        """Fade out, finish recordings, end the process; closing twice does nothing.

        Raises
        ------
        TncaError
            If a recording could not be completed.
        """
        process, self._process = self._process, None
        if process is None:
            return
        self._tell("close")
        deadline = monotonic() + CLOSE_S
        while self._end is None and process.is_alive() and monotonic() < deadline:
            self._listen(0.05)
        process.join(1.0)
        if process.is_alive():
            process.kill()
            process.join()
        self._listen()
        assert self._pipe is not None
        self._pipe.close()
        self._pipe = None
        if self._end is not None and self._end.error is not None:
            raise self._end.error

    def __enter__(self) -> LiveSession:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _await_ready(self, timeout_s: float) -> None:
        assert self._pipe is not None
        if not self._pipe.poll(timeout_s):
            raise DeviceError(f"the engine was not ready after {timeout_s:g} s")
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise DeviceError("the engine's process ended while it started (TNCA_DEBUG=1 shows why)") from error
        if isinstance(answer, TncaError):
            raise answer
        assert isinstance(answer, Ready)
        self.instruments, self.decoders = answer.instruments, answer.decoders
        self.representations, self._status = answer.representations, answer.status

    def _listen(self, timeout_s: float = 0.0) -> None:
        """Read what the engine has said."""
        if self._pipe is None or self._end is not None:
            return
        try:
            while self._pipe.poll(timeout_s):
                self._hear(self._pipe.recv())
                timeout_s = 0.0
        except (EOFError, OSError):
            self._end = Closed(DeviceError("the engine's process ended unexpectedly (TNCA_DEBUG=1 shows why)"))

    def _hear(self, said: Any) -> None:
        if isinstance(said, LiveStatus):
            self._status = said
        elif isinstance(said, Closed):
            self._end = said

    def _tell(self, name: str, value: object = None) -> None:
        if self._pipe is not None:
            with suppress(OSError):  # it has ended: `status` says so
                self._pipe.send(Command(name, value))


@contextmanager
def _one_numeric_thread() -> Iterator[None]:
    """Let a process that is started meanwhile compute with one thread: others would take the core the audio needs."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
