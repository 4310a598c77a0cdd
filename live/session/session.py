"""`LiveSession`: starts the engine's process, tells it what the player wants, and knows how it fares."""

from __future__ import annotations

import atexit
import multiprocessing
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from os import PathLike
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Final

from ...engine.bank.chooser import instrument_name
from ...engine.instrument_files import is_file_name, read_instrument
from ...engine.names import closest
from ...errors import DeviceError, TncaError, UsageError
from ...midi.messages import Encodable, message_bytes
from ..options import sound_file
from ..protocol import (
    CONTROL_TARGETS,
    Closed,
    EngineCommand,
    Known,
    LiveOptions,
    LiveStatus,
    Ready,
    Remembered,
    Resumed,
    TakeParts,
    TakeTold,
)
from .process import main
from .spawning import one_numeric_thread, signals_held_back
from .watch import InstrumentWatch

__all__ = ["CONTROL_TARGETS", "LiveOptions", "LiveSession", "LiveStatus"]

CLOSE_S: Final = 10.0
RECORDING_CLOSE_S: Final = 60.0
"""A long recording may take a while to complete."""
OUTPUT_S: Final = 15.0
"""How long another audio output may take to open."""
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
    recordings : tuple of Path
        Sound files that were begun, oldest first.

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
        self._outputs: tuple[tuple[str, str], ...] = ()
        self._programs: dict[str, int | None] = {}
        self._options = options
        self._fallback: LiveOptions | None = None  # while another output is tried
        self._fallback_at_s = 0.0
        self._status = LiveStatus()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._end: Closed | None = None
        self._has_died = self._is_closing = self._is_ready = False
        self._restarts_s: deque[float] = deque(maxlen=RESTARTS)
        self._kept_back: list[EngineCommand] = []  # for an engine that is not ready yet
        self._messages: tuple[bytes, ...] = ()  # that bring another engine's channels to where they are
        self._takes: tuple[TakeParts, ...] = ()  # files of the recording while it is not complete, oldest first
        self.recordings: tuple[Path, ...] = () if options.record is None else (options.record,)
        self._notices: tuple[str, ...] = ()  # of processes before this one
        self._watch = InstrumentWatch()

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
    def outputs(self) -> tuple[str, ...]:
        """Audio outputs to choose among, known from `start` on."""
        return tuple(f"{name} ({host_api})" for name, host_api in self._outputs)

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
        self._look_at_instruments()
        return replace(self._status, notices=(*self._notices, *self._status.notices)[-MAX_NOTICES:])

    def _look_at_instruments(self) -> None:
        """Tell the engine of instruments whose files have changed, and the player of files that cannot be played."""
        for changed in self._watch.look() if self._is_ready else ():
            if changed.fault:
                line = f"the new file of {changed.name} is not played: {changed.fault}"
                self._notices = (*self._notices, line)[-MAX_NOTICES:]
            else:
                self._tell("reload", (changed.name, changed.content))

    def select_instrument(self, name: str | int | PathLike[str]) -> None:
        """Let every channel but the drums begin with this instrument, until its next program change.

        Notes that sound stay as they are. `name` may be a program number, or the path of an instrument file; what was
        locked is so no more.

        Raises
        ------
        UsageError
            If the bank has no such instrument.
        BankError
            If the file cannot be played.
        """
        name = self._named(name)
        self._options = replace(self._options, instrument=name, lock_instrument=None)
        self._tell("instrument", name)

    @property
    def own_instruments(self) -> tuple[str, ...]:
        """Names of the player's own instruments, known from `start` on."""
        return self._watch.names

    def morph_into(self, name: str | int | PathLike[str]) -> None:
        """Put an instrument at the right end of the pad of timbres of every channel, for notes to come.

        Raises
        ------
        UsageError
            If there is no such instrument.
        BankError
            If its file cannot be played.
        """
        self._tell("morph", self._named(name))

    def _named(self, wanted: str | int | PathLike[str]) -> str:
        """Return the name of an instrument, or the whole path of its file."""
        if isinstance(wanted, int) or not is_file_name(wanted):
            return instrument_name(wanted if isinstance(wanted, int) else str(wanted), self._programs)
        path = Path(wanted).expanduser().absolute()
        read_instrument(path)  # a file that cannot be played is told here, and not by a notice later
        return str(path)

    def lock_instrument(self, name: str | int | PathLike[str]) -> None:
        """Play all new notes but the drums with this instrument, whatever program changes ask for, until `follow_midi`.

        Raises
        ------
        UsageError
            If the bank has no such instrument.
        BankError
            If the file cannot be played.
        """
        name = self._named(name)
        self._options = replace(self._options, lock_instrument=name)
        self._tell("lock", name)

    def follow_midi(self) -> None:
        """Let programs say again what plays: nothing is locked, and what was chosen here is forgotten."""
        self._options = replace(self._options, instrument=None, lock_instrument=None)
        self._tell("lock", None)

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

    def obey_growth_controllers(self, obeys: bool = True) -> None:
        """Let CC 20 to 28 and 102 to 106 move growth, path and blend from now on, or not."""
        self._options = replace(self._options, growth_cc=obeys)
        self._tell("growth_cc", obeys)

    def select_midi_inputs(self, names: Sequence[str]) -> None:
        """Listen to these ports from now on, by number or a part of their name; to none: as if none were named."""
        self._options = replace(self._options, midi_in=tuple(names))
        self._tell("midi_in", tuple(names))

    def select_output(self, name: str) -> None:
        """Sound through another audio output, one of `outputs`; channels stay as they are.

        If it cannot be opened within `OUTPUT_S`, the one before is opened again.

        Raises
        ------
        UsageError
            If there is none of that name, or something is being recorded, which has one sample rate.
        """
        name = closest(name, self.outputs, "audio output")
        if self._options.record is not None:
            raise UsageError("complete the recording before going to another audio output")
        self._fallback, self._fallback_at_s = self._options, monotonic() + OUTPUT_S
        device, host_api = self._outputs[self.outputs.index(name)]
        self._options = replace(self._options, audio_out=device, host_api=host_api, sample_rate=None)
        self._tell("output", name)

    def start_recording(self, path: Path | None = None) -> Path:
        """Record what is played from now on, with the MIDI beside it; return the sound's path.

        Parameters
        ----------
        path : Path, optional
            WAV or FLAC file; by default a new one named after the time, beside the last one or in the current folder.

        Raises
        ------
        UsageError
            If something is recorded already, or the path is no sound file's.
        """
        if self._options.record is not None:
            raise UsageError(f"{self._options.record} is being recorded already")
        path = sound_file(str(path or self._new_take()))
        self._options = replace(self._options, record=path)
        self.recordings = (*self.recordings, path)
        self._tell("record", path)
        return path

    def stop_recording(self) -> None:
        """Complete the recording, while playing goes on; without one it does nothing."""
        self._tell("record", None)

    def _new_take(self) -> Path:
        last = self.recordings[-1] if self.recordings else Path("take.wav")
        name = f"take-{datetime.now():%Y%m%d-%H%M%S}"
        path = last.with_name(name + last.suffix)
        number = 1
        while path.exists() or path in self.recordings:
            number += 1
            path = last.with_name(f"{name}-{number}{last.suffix}")
        return path

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
        self._revive(end.lost if self._fallback is not None else f"{end.lost}: waiting for it")

    def _fall_back(self, reason: str) -> None:
        """Go on with the output that played before another one was tried."""
        assert self._fallback is not None and self._process is not None
        self._options, self._fallback = self._fallback, None
        self._process.kill()
        self._revive(reason)

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
            from ..recording.take import finish_take  # with the libraries of sound files

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
        if self._fallback is not None and monotonic() > self._fallback_at_s and not self._is_closing:
            self._fall_back(f"the audio output {self._options.audio_out} cannot be opened")

    def _hear(self, said: Any) -> None:
        if isinstance(said, LiveStatus):
            self._hear_status(said)
        elif isinstance(said, Ready):
            self._hear_ready(said)
        elif isinstance(said, TakeTold):
            self._hear_take(said.take)
        elif isinstance(said, Known):
            self._hear_known(said)
        elif isinstance(said, Remembered):
            self._messages = said.messages
        elif isinstance(said, TncaError) and self._fallback is not None:
            self._fall_back(str(said))
        elif isinstance(said, TncaError):
            self._end = Closed(said)
        elif isinstance(said, Closed) and said.lost and not self._is_closing:
            self._await_output(said)
        elif isinstance(said, Closed) and said.failed and not self._is_closing:
            self._know_take(said.take)
            self._restart(f"by a fault ({said.failed})")
        elif isinstance(said, Closed):
            self._end = said

    def _hear_known(self, known: Known) -> None:
        self.instruments, self._programs = tuple(known.programs), known.programs
        self._watch.follow(known.files)

    def _hear_take(self, take: TakeParts | None) -> None:
        if take is not None:
            self._know_take(take)
            return
        self._takes = ()
        self._options = replace(self._options, record=None)

    def _hear_status(self, status: LiveStatus) -> None:
        if status.learned is not None and status.learned != self._status.learned:
            controller, target = status.learned
            self._options = replace(self._options, cc_map={**self._options.cc_map, controller: target})
        self._status = status

    def _hear_ready(self, ready: Ready) -> None:
        self._paths, self._status = ready.paths, ready.status
        self._hear_known(ready.known)
        self._outputs = ready.outputs
        how = "is back" if self._fallback is None else "plays now"
        self._fallback = None
        self._know_take(ready.take)
        name, host_api = ready.device
        self._options = replace(self._options, audio_out=name, host_api=host_api)
        self._is_ready = True
        if self._notices:
            self._notices = (*self._notices, f"the audio output {ready.status.audio_device} {how}")[-MAX_NOTICES:]
        while self._kept_back:
            self._tell(*self._kept_back.pop(0))

    def _tell(self, name: str, value: object = None) -> None:
        if self._pipe is None:
            return
        if not self._is_ready and name != "close":
            if name not in AT_ONCE:
                self._kept_back.append(EngineCommand(name, value))
            return
        with suppress(OSError):  # it has ended: `status` sees that
            self._pipe.send(EngineCommand(name, value))
