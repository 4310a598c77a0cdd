"""`LiveSession`: starts the engine's process, tells it what the player wants, and knows how it fares."""

from __future__ import annotations

import atexit
import multiprocessing
from collections import deque
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import monotonic
from types import TracebackType
from typing import Any, Final

from ..engine.choices import closest
from ..errors import DeviceError, TncaError, UsageError
from .engine_process import main
from .spawning import one_numeric_thread, signals_held_back
from .state import (
    CONTROL_TARGETS,
    Closed,
    Command,
    LiveOptions,
    LiveStatus,
    Ready,
    Remembered,
    Resumed,
    TakeParts,
)

__all__ = ["CONTROL_TARGETS", "LiveOptions", "LiveSession", "LiveStatus"]

CLOSE_S: Final = 10.0
RECORDING_CLOSE_S: Final = 60.0
"""A long recording may take a while to complete."""
RESTARTS: Final = 3
RESTARTS_WITHIN_S: Final = 60.0
"""An engine that has ended so many times in so short a time is not started again."""
AT_ONCE: Final = ("send", "panic")
"""Commands that mean nothing later."""
MAX_NOTICES: Final = 8


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

    Notes
    -----
    Thread: control; use it from one thread at a time.
    """

    def __init__(self, options: LiveOptions) -> None:
        self.instruments: tuple[str, ...] = ()
        self._paths: dict[str, tuple[str, ...]] = {}
        self._options = options
        self._status = LiveStatus()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._end: Closed | None = None
        self._has_died = self._is_closing = self._is_ready = False
        self._restarts_s: deque[float] = deque(maxlen=RESTARTS)
        self._kept_back: list[Command] = []  # for an engine that is not ready yet
        self._messages: tuple[bytes, ...] = ()  # that bring another engine's channels to where they are
        self._takes: tuple[TakeParts, ...] = ()  # files of the recording while it is not complete, oldest first
        self._notices: tuple[str, ...] = ()  # of processes before this one

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

    def start(self, timeout_s: float = 60.0) -> None:
        """Start the engine, and return when it can be played.

        Raises
        ------
        TncaError
            If it cannot, in one line: an unknown name, no device, a damaged bank, or `timeout_s` is over.
        """
        if self._process is not None:
            return
        atexit.register(self._close_at_exit)
        try:
            self._spawn(None)
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
        if self._process is None:
            return
        self._is_closing = True
        self._tell("close")
        process = self._process
        deadline = monotonic() + (CLOSE_S if self._options.record is None else RECORDING_CLOSE_S)
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
        atexit.unregister(self._close_at_exit)
        self._finish_take()
        if self._end is not None and self._end.error is not None and not self._has_died:
            raise self._end.error

    def __enter__(self) -> LiveSession:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _close_at_exit(self) -> None:
        """Close a session that a program forgot to close: the engine's process ends by no signal."""
        with suppress(TncaError):
            self.close()

    def _spawn(self, resumed: Resumed | None) -> None:
        """Start the engine's process."""
        context = multiprocessing.get_context("spawn")
        self._is_ready = False
        self._pipe, far_end = context.Pipe()
        arguments = (far_end, self._options, resumed)
        self._process = context.Process(target=main, args=arguments, name="tnca-synth", daemon=True)
        with one_numeric_thread(), signals_held_back():
            self._process.start()
        far_end.close()  # so that the pipe ends when the process does

    def _revive(self, reason: str) -> None:
        """Start a new engine, which goes on where the one before has ended as soon as the output is there."""
        goes_on = "; the recording will go on" if self._takes else ""
        self._notices = (*self._notices, *self._status.notices, reason + goes_on)[-MAX_NOTICES:]
        self._status = replace(self._status, voices=0, peak_left_db=-120.0, peak_right_db=-120.0, notices=())
        assert self._process is not None and self._pipe is not None
        self._process.join(1.0)
        self._pipe.close()
        self._spawn(Resumed(self._messages, self._takes))

    def _await_output(self, end: Closed) -> None:
        """Go on with a new engine once the lost output is back."""
        self._know_take(end.take)
        self._revive(f"{end.lost}: waiting for it")

    def _bury(self) -> None:
        """Go on after an engine has died."""
        assert self._process is not None
        self._process.join(1.0)
        code = self._process.exitcode
        self._restart(f"by signal {-code}" if code is not None and code < 0 else f"with status {code}")

    def _restart(self, how: str) -> None:
        """Start another engine in place of one that has ended, unless that has happened too often."""
        now_s = monotonic()
        often = len(self._restarts_s) == RESTARTS and now_s - self._restarts_s[0] < RESTARTS_WITHIN_S
        if self._is_closing or often:
            self._has_died = True
            self._end = Closed(DeviceError(f"the engine's process ended unexpectedly, {how} (TNCA_DEBUG=1 shows why)"))
            return
        self._restarts_s.append(now_s)
        self._revive(f"the engine's process ended {how}: it is started again")

    def _know_take(self, take: TakeParts | None) -> None:
        if take is not None and take not in self._takes:
            self._takes = (*self._takes, take)

    def _finish_take(self) -> None:
        """Complete the recording of engines that have ended before they could."""
        if self._options.record is not None and self._takes:
            from .take import finish_take  # with the libraries of sound files

            finish_take(self._takes, self._options.record)
        self._takes = ()

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
            self._bury()

    def _hear(self, said: Any) -> None:
        if isinstance(said, LiveStatus):
            self._hear_status(said)
        elif isinstance(said, Ready):
            self._hear_ready(said)
        elif isinstance(said, Remembered):
            self._messages = said.messages
        elif isinstance(said, TncaError):
            self._end = Closed(said)
        elif isinstance(said, Closed) and said.lost and not self._is_closing:
            self._await_output(said)
        elif isinstance(said, Closed) and said.failed and not self._is_closing:
            self._know_take(said.take)
            self._restart(f"by a fault ({said.failed})")
        elif isinstance(said, Closed):
            self._end = said

    def _hear_status(self, status: LiveStatus) -> None:
        if status.learned is not None and status.learned != self._status.learned:
            controller, target = status.learned
            self._options = replace(self._options, cc_map={**self._options.cc_map, controller: target})
        self._status = status

    def _hear_ready(self, ready: Ready) -> None:
        self.instruments, self._paths, self._status = ready.instruments, ready.paths, ready.status
        self._know_take(ready.take)
        name, host_api = ready.device
        self._options = replace(self._options, audio_out=name, host_api=host_api)
        self._is_ready = True
        if self._notices:
            self._notices = (*self._notices, f"the audio output {ready.status.audio_device} is back")[-MAX_NOTICES:]
        while self._kept_back:
            self._tell(*self._kept_back.pop(0))

    def _tell(self, name: str, value: object = None) -> None:
        if self._pipe is None:
            return
        if not self._is_ready and name != "close":
            if name not in AT_ONCE:
                self._kept_back.append(Command(name, value))
            return
        with suppress(OSError):  # it has ended: `status` sees that
            self._pipe.send(Command(name, value))
