"""`Engine`: everything of a live session but its control, put together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import log10
from multiprocessing.connection import Connection
from time import monotonic, perf_counter
from typing import Final

from ..engine.bank import Bank
from ..engine.choices import DEFAULT_DECODERS
from ..engine.ensemble import Ensemble, find_instrument, open_ensemble
from ..errors import TncaError
from ..midi import paths as midi
from ..midi.inputs import MidiInputs
from ..midi.messages import DRUM_CHANNEL, NUM_CHANNELS, control_change, program_change
from ..midi.ports import Arrival
from .audio import find_output, list_outputs, open_output
from .channel_memory import ChannelMemory
from .inbox import Inbox
from .mapping import MessageMap, describe
from .player import Player
from .realtime import CONTROL_PRIORITY, promote_thread, undisturbed
from .recorder import Recorder
from .state import Closed, Command, LiveOptions, LiveStatus, Ready, Remembered, Resumed
from .take import finish_left_behind
from .warm_up import note_cost_s, warm_up, warm_up_switching

STATUS_INTERVAL_S: Final = 0.05
RESTING_INTERVAL_S: Final = 0.2
PORT_POLL_S: Final = 1.0
REMEMBER_S: Final = 0.2
JOIN_S: Final = 5.0
MAX_NOTICES: Final = 8
SILENCE_DB: Final = -120.0
TYPED: Final = "keyboard"
"""Stands for a port in what the control process sends."""


class Engine:
    """Opens the bank, the output and the MIDI ports, and obeys commands.

    Parameters
    ----------
    options : LiveOptions
    resumed : Resumed, optional
        What to go on from, if another engine has played before this one.

    Raises
    ------
    TncaError
        If it cannot play.

    Notes
    -----
    Thread: control, which is the main thread of the engine's process.
    """

    def __init__(self, options: LiveOptions, resumed: Resumed | None = None) -> None:
        self._resumed = resumed = resumed or Resumed()
        promote_thread(CONTROL_PRIORITY)  # threads started from here on inherit it
        self._options = options
        self._notices: deque[str] = deque(maxlen=MAX_NOTICES)
        self._inbox = Inbox()
        self._device = find_output(options.audio_out, options.host_api, list_outputs())
        rate = options.sample_rate or self._device.sample_rate
        self._ensemble = _open_ensemble(options, rate)
        if self._ensemble.repertoire is not None:
            self._ensemble.repertoire.open_all()
        self._synth = self._ensemble.synth
        self._instrument = options.instrument
        cost_s = self._warm_up()
        self._mapping = MessageMap(options.channel, options.cc_map)
        self._memory = ChannelMemory()
        for data in resumed.messages:
            self._synth.send(data)
            self._memory.follow(data)
        self._recorder = self._open_recorder(rate)
        self._inputs = MidiInputs(options.midi_in, self._inbox.append, self._notices.append)
        try:
            self._inputs.start()
            self._output = open_output(self._device, rate, options.block_size)
        except BaseException:
            self._abandon()
            raise
        self._player = Player(
            self._synth, self._output, self._inbox, self._mapping, self._memory, self._notices.append, self._recorder,
            cost_s,
        )  # fmt: skip
        self._record_instrument()
        if options.representation is not None or options.decoder is not None:
            self._record_path()
        self._thread = threading.Thread(target=self._player.run, name="producer", daemon=True)
        self._ports_polled_s = self._remembered_s = 0.0
        self._changes, self._told = self._memory.changes, LiveStatus()

    def serve(self, pipe: Connection) -> None:
        """Play and obey until told to close, or until the other side of the pipe is gone."""
        with undisturbed():
            self._thread.start()
            take = None if self._recorder is None else self._recorder.parts
            device = self._device.name, self._device.host_api
            pipe.send(Ready(self.instruments, self.paths, self.status(), device, take))
            try:
                while self._thread.is_alive() and self._serve_once(pipe):
                    pass
            except (EOFError, OSError):  # the control process is gone
                pass
            self._player.stop()
            self._thread.join(JOIN_S)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the instruments of the bank."""
        return tuple(one.name for one in self._bank.instruments)

    @property
    def paths(self) -> dict[str, tuple[str, ...]]:
        """Names of the representations of the bank, with those of the decoders that fit them."""
        return {name: self._ensemble.decoders_of(name) for name in self._ensemble.representations}

    def status(self) -> LiveStatus:
        """Return this moment."""
        meters, output = self._player.meters, self._output
        left, right = (20.0 * log10(peak) if peak > 1e-6 else SILENCE_DB for peak in meters.peaks)
        last = self._player.last_message
        return LiveStatus(
            instrument=self._instrument or ", ".join(self._ensemble.casting.instruments[-1:]) or "General MIDI",
            representation=self._ensemble.representation,
            decoder=self._ensemble.decoder,
            voices=meters.voices,
            max_voices=meters.limit,
            peak_left_db=left,
            peak_right_db=right,
            load=meters.load,
            underruns=meters.underruns,
            xruns=meters.xruns,
            latency_ms=1e3 * meters.latency_s,
            last_message=describe(last) if last else "",
            midi_ports=self._inputs.open_names,
            audio_device=f"{output.device} ({self._device.host_api})",
            sample_rate=output.sample_rate,
            block_size=output.block_size,
            notices=tuple(self._notices),
            learned=self._mapping.learned,
            late_messages=meters.late_messages,
            left_out_messages=meters.left_out,
            model_errors=meters.model_errors,
        )

    def close(self) -> Closed:
        """Close output, ports and files; return how it ended."""
        self._inputs.close()
        lost, failed = self._player.lost, self._player.failed
        if lost is None:
            self._output.close()  # of a device that is gone, PortAudio may wait for ever
        if lost is not None or failed:
            take = None if self._recorder is None else self._recorder.suspend()
            return Closed(None, "" if lost is None else str(lost), failed, take)
        try:
            if self._recorder is not None:
                self._recorder.close()
        except TncaError as error:
            return Closed(error)
        return Closed()

    def _open_recorder(self, rate: int) -> Recorder | None:
        """Record if that is wanted, and complete what killed processes have left in that folder."""
        path = self._options.record
        if path is None:
            return None
        if not self._resumed.takes:
            for rescued in finish_left_behind(path.parent):
                self._notices.append(f"a recording that had broken off is in {rescued} now")
        return Recorder(path, rate, self._notices.append, self._resumed.takes)

    @property
    def _bank(self) -> Bank:
        assert self._ensemble.bank is not None
        return self._ensemble.bank

    def _warm_up(self) -> float:
        """Play through every model, the chosen path last and most; return what the start of a note costs then."""
        chosen = self._ensemble.representation, self._ensemble.decoder
        others = [
            (name, decoder)
            for name, decoders in self.paths.items()
            for decoder in decoders
            if (name == chosen[0] or decoder == DEFAULT_DECODERS[name]) and (name, decoder) != chosen
        ]
        switches = (partial(self._ensemble.set_path, *path) for path in others)
        warm_up_switching(self._synth, self._options.block_size, switches)
        self._ensemble.set_path(*chosen)
        warm_up(self._synth, self._options.block_size)
        return note_cost_s(self._synth, self._options.block_size)

    def _abandon(self) -> None:
        self._inputs.close()
        if self._recorder is not None and self._resumed.takes:
            with suppress(TncaError):
                self._recorder.close()  # what was recorded before is kept
        elif self._recorder is not None:
            self._recorder.discard()

    def _serve_once(self, pipe: Connection) -> bool:
        """Obey for one interval, look after the ports and tell the status; False once told to close."""
        deadline = monotonic() + (RESTING_INTERVAL_S if self._player.resting else STATUS_INTERVAL_S)
        while pipe.poll(max(deadline - monotonic(), 0.0)):
            command = pipe.recv()
            if command.name == "close":
                return False
            self._obey(command)
            if monotonic() > deadline:
                break
        self._look_after_ports()
        self._tell_memory(pipe)
        self._tell_status(pipe)
        return True

    def _tell_status(self, pipe: Connection) -> None:
        """Tell this moment, if it is another than the last one."""
        status = self.status()
        if status != self._told:
            pipe.send(status)
            self._told = status

    def _tell_memory(self, pipe: Connection) -> None:
        """Tell what another engine would need to go on, when that has changed."""
        if self._memory.changes != self._changes and monotonic() - self._remembered_s > REMEMBER_S:
            self._changes, self._remembered_s = self._memory.changes, monotonic()
            pipe.send(Remembered(self._memory.messages()))

    def _look_after_ports(self) -> None:
        self._inputs.check_sensing()
        if monotonic() - self._ports_polled_s > PORT_POLL_S:
            self._ports_polled_s = monotonic()
            self._inputs.poll()

    def _obey(self, command: Command) -> None:
        actions: dict[str, Callable[[], None]] = {
            "send": lambda: self._inbox.append(Arrival(perf_counter(), TYPED, command.value)),
            "panic": self._player.panic,
            "learn": lambda: self._mapping.learn(command.value),
            "instrument": lambda: self._player.do(lambda: self._select_instrument(command.value)),
            "representation": lambda: self._player.do(lambda: self._select_path(command.value, None)),
            "decoder": lambda: self._player.do(lambda: self._select_path(None, command.value)),
        }
        actions[command.name]()

    def _select_instrument(self, name: str) -> None:
        """Thread: producer."""
        self._ensemble.casting.play_only(find_instrument(self._bank.instruments, name))
        self._synth.recast()
        self._instrument = name
        self._record_instrument()

    def _select_path(self, representation: str | None, decoder: str | None) -> None:
        """Thread: producer."""
        self._ensemble.set_path(representation, decoder)
        self._memory.forget_paths()
        self._record_path()

    def _record_path(self) -> None:
        """Let the recorded MIDI choose the path as the player did."""
        if self._recorder is None:
            return
        for channel in range(NUM_CHANNELS):
            for controller, names, name in (
                (midi.REPRESENTATION, midi.REPRESENTATIONS, self._ensemble.representation),
                (midi.DECODER, midi.DECODERS, self._ensemble.decoder),
            ):
                self._player.record(control_change(channel, controller, midi.path_value(names, name)))

    def _record_instrument(self) -> None:
        """Let the recorded MIDI ask for what plays, so that rendering it gives the same sound."""
        if self._recorder is None or self._instrument is None:
            return
        program = find_instrument(self._bank.instruments, self._instrument).program
        for channel in range(NUM_CHANNELS):
            if channel != DRUM_CHANNEL:
                self._player.record(program_change(channel, program))


def _open_ensemble(options: LiveOptions, sample_rate: int) -> Ensemble:
    return open_ensemble(
        instrument=options.instrument,
        representation=options.representation,
        decoder=options.decoder,
        sample_rate=sample_rate,
        seed=options.seed,
        provider=options.provider,
        bank_path=options.bank_path,
        max_voices=options.max_voices,
        on_model_error="mute",
        grows_together=True,
    )
