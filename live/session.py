"""`LiveSession`: starts the engine's process, tells it what the player wants, and knows how it fares."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import monotonic
from types import TracebackType
from typing import Any, Final

from ..engine.choices import closest
from ..errors import DeviceError, TncaError, UsageError
from ..midi.sources import Encodable, message_bytes
from .engine_process import main
from .state import CONTROL_TARGETS, Closed, Command, LiveOptions, LiveStatus, Ready

__all__ = ["CONTROL_TARGETS", "LiveOptions", "LiveSession", "LiveStatus"]

CLOSE_S: Final = 10.0
MAX_NOTICES: Final = 8
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class LiveSession:
    """The control side of live play.

    A context manager: entering starts, leaving closes.

    Parameters
    ----------
    options : LiveOptions

    Attributes
    ----------
    instruments : tuple of str
        Names to choose among, known from `start` on.

    Raises
    ------
    UsageError
        If the options are none.

    Notes
    -----
    Thread: control; use it from one thread at a time.
    """

    def __init__(self, options: LiveOptions) -> None:
        if not isinstance(options, LiveOptions):
            raise UsageError(f"options: expected LiveOptions, got {options!r}")
        self.instruments: tuple[str, ...] = ()
        self._paths: dict[str, tuple[str, ...]] = {}
        self._options = options
        self._status = LiveStatus()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._end: Closed | None = None
        self._has_died = self._is_closing = False
        self._notices: tuple[str, ...] = ()  # of processes before this one

    def __repr__(self) -> str:
        """Tell whether it plays."""
        return f"<LiveSession, {'not started' if self._process is None else 'playing'}>"

    @property
    def representations(self) -> tuple[str, ...]:
        """Names to choose among, known from `start` on."""
        return tuple(self._paths)

    @property
    def decoders(self) -> tuple[str, ...]:
        """Names of the decoders that fit the representation chosen."""
        return self._paths.get(self._options.representation or self._status.representation, ())

    @property
    def process_id(self) -> int | None:
        """Number of the engine's process, None while there is none."""
        return None if self._process is None else self._process.pid

    def start(self, timeout_s: float = 20.0) -> None:
        """Start the engine, and return when it can be played.

        Raises
        ------
        TncaError
            If it cannot, in one line: an unknown name, no device, a damaged bank, or `timeout_s` is over.
        """
        if self._process is not None:
            return
        self._spawn(waits=False)
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
        return replace(self._status, notices=(*self._notices, *self._status.notices)[-MAX_NOTICES:])

    def select_instrument(self, name: str) -> None:
        """Play all new notes that are not drums with this instrument; sounding ones stay.

        Raises
        ------
        UsageError
            If the bank has no such instrument.
        """
        name = closest(name, self.instruments, "instrument")
        self._options = replace(self._options, instrument=name)
        self._tell("instrument", name)

    def select_representation(self, name: str) -> None:
        """Grow all notes in this representation from now on; `UsageError` if there is none of that name."""
        name = closest(name, self.representations, "representation")
        self._options = replace(self._options, representation=name, decoder=None)
        self._tell("representation", name)

    def select_decoder(self, name: str) -> None:
        """Hear all notes through this decoder from now on; `UsageError` if there is none of that name."""
        name = closest(name, self.decoders, "decoder")
        self._options = replace(self._options, decoder=name)
        self._tell("decoder", name)

    def send(self, data: bytes | bytearray | memoryview | Encodable) -> None:
        """Play a complete MIDI message, bytes or a mido.Message, as if a port had sent it, now."""
        self._tell("send", message_bytes(data))

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
        if self._process is None:
            return
        self._is_closing = True
        self._tell("close")
        process = self._process
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
        self._pipe = self._process = None
        if self._end is not None and self._end.error is not None and not self._has_died:
            raise self._end.error

    def __enter__(self) -> LiveSession:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _spawn(self, waits: bool) -> None:
        """Start the engine's process, one that waits for its output or one that insists."""
        context = multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        arguments = (far_end, self._options, waits)
        self._process = context.Process(target=main, args=arguments, name="tnca-synth", daemon=True)
        with _one_numeric_thread():
            self._process.start()
        far_end.close()  # so that the pipe ends when the process does

    def _revive(self, end: Closed) -> None:
        """Start a new engine that waits until the lost output is back."""
        recorded = f"; the recording ends here: {self._options.record}" if self._options.record else ""
        lost = f"{end.lost}: waiting for it{recorded}"
        self._notices = (*self._notices, *self._status.notices, lost)[-MAX_NOTICES:]
        self._status = replace(self._status, voices=0, peak_left_db=-120.0, peak_right_db=-120.0, notices=())
        name, host_api = end.device
        self._options = replace(self._options, audio_out=name, host_api=host_api, record=None)
        assert self._process is not None and self._pipe is not None
        self._process.join(1.0)
        self._pipe.close()
        self._spawn(waits=True)

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
        self._hear(answer)

    def _listen(self, timeout_s: float = 0.0) -> None:
        """Read what the engine has said."""
        if self._pipe is None or self._end is not None:
            return
        try:
            while self._pipe.poll(timeout_s):
                self._hear(self._pipe.recv())
                timeout_s = 0.0
        except (EOFError, OSError):
            self._has_died = True
            self._end = Closed(DeviceError("the engine's process ended unexpectedly (TNCA_DEBUG=1 shows why)"))

    def _hear(self, said: Any) -> None:
        if isinstance(said, LiveStatus):
            self._status = said
        elif isinstance(said, Ready):
            self.instruments, self._paths, self._status = said.instruments, said.paths, said.status
            if self._notices:
                self._notices = (*self._notices, f"the audio output {said.status.audio_device} is back")
        elif isinstance(said, TncaError):
            self._end = Closed(said)
        elif isinstance(said, Closed) and said.lost and not self._is_closing:
            self._revive(said)
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
