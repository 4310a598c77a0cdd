"""`EngineServer`: everything of a live session but its control, put together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from math import log10
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, Final

from ...engine.bank.bank import Bank
from ...engine.bank.chooser import find_playable
from ...engine.instrument_files import parse_instrument
from ...engine.names import DECODERS, REPRESENTATIONS, number_of
from ...engine.open import OpenSynth, assemble_synth
from ...errors import TncaError
from ...midi.messages import NUM_CHANNELS
from ...midi.ports.backends import Arrival
from ...midi.ports.inputs import MidiInputs
from ...midi.spec import path_controllers as midi
from ...midi.spec.growth_controllers import growth_message, growth_switch
from ..audio.device import list_outputs, open_output
from ..audio.output_devices import default_block_size, find_output
from ..audio.realtime import CONTROL_PRIORITY, promote_thread, undisturbed
from ..producer.channel_memory import ChannelMemory
from ..producer.inbox import Inbox
from ..producer.midi_learn import MidiLearnMap, describe
from ..producer.producer import Producer
from ..producer.warm_up import note_cost_s, warm_up, warm_up_switching
from ..protocol import (
    Closed,
    EngineCommand,
    GrowthStatus,
    Known,
    LiveOptions,
    LiveStatus,
    PartStatus,
    Ready,
    Remembered,
    Resumed,
)
from .programs import MELODIC_CHANNELS, program_messages, program_of
from .recording import LiveRecording
from .views import growth_of, instrument_of, parts_of

STATUS_INTERVAL_S: Final = 0.05
LOOK_S: Final = 0.2
LOOK_AGAIN_S: Final = 0.5
RESTING_INTERVAL_S: Final = 0.2
PORT_POLL_S: Final = 1.0
REMEMBER_S: Final = 0.2
JOIN_S: Final = 5.0
MAX_NOTICES: Final = 8
SILENCE_DB: Final = -120.0
TYPED: Final = "keyboard"
"""Stands for a port in what the control process sends."""


class EngineServer:
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
        self._notices: deque[str] = deque(maxlen=MAX_NOTICES)
        self._inbox = Inbox()
        self._options = options
        self._outputs = list_outputs()
        self._device = find_output(options.audio_out, options.host_api, self._outputs)
        self._block_size = options.block_size or default_block_size(self._device)
        rate = options.sample_rate or self._device.sample_rate
        self._ensemble = _open_ensemble(options, rate)
        if self._ensemble.catalogue is not None:
            self._ensemble.catalogue.open_all()
        self._synth = self._ensemble.synth
        self._playing = options.lock_instrument or options.instrument or ""
        self._parts: tuple[PartStatus, ...] = ()
        self._growth = GrowthStatus()
        self._is_first_choice = False
        self._given_up = ""  # why another engine shall go on
        cost_s = self._warm_up()
        self._synth.forget_parts()
        self._synth.begin_with(None)  # forget what warming up played
        if options.instrument is not None:
            self._ensemble.begin_with(options.instrument)
        self._mapping = MidiLearnMap(options.channel, options.cc_map)
        self._memory = ChannelMemory()
        for data in resumed.messages:
            self._synth.send(data)
            self._memory.follow(data)
        self._recording = LiveRecording(rate, self._notices.append)
        if options.record is not None:
            self._recording.open(options.record, resumed.takes)
        self._inputs = MidiInputs(options.midi_in, self._inbox.append, self._notices.append)
        try:
            self._inputs.start()
            self._output = open_output(self._device, rate, self._block_size)
        except BaseException:
            self._abandon()
            raise
        self._player = Producer(
            self._synth, self._output, self._inbox, self._mapping, self._memory, self._notices.append,
            self._recording.recorder, cost_s,
        )  # fmt: skip
        self._record_choices(options.representation is not None or options.decoder is not None)
        self._thread = threading.Thread(target=self._player.run, name="producer", daemon=True)
        self._ports_polled_s = self._looked_s = self._remembered_s = self._seen_s = 0.0
        self._changes, self._told = self._memory.changes, LiveStatus()
        self._seen: tuple[bytes, int] = (b"", 0)
        self._look()

    def serve(self, pipe: Connection) -> None:
        """Play and obey until told to close, or until the other side of the pipe is gone."""
        with undisturbed():
            self._thread.start()
            take = None if self._recording.recorder is None else self._recording.recorder.parts
            device = self._device.name, self._device.host_api
            outputs = tuple((one.name, one.host_api) for one in self._outputs)
            self._known = self._playable()
            pipe.send(Ready(self._known, self.paths, self.status(), device, take, outputs))
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

    def _playable(self) -> Known:
        """Return what is known of all instruments."""
        programs = {one.name: one.asked_program for one in self._bank.instruments}
        return Known(programs, {name: path.absolute() for name, path in self._ensemble.files.items()})

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
            instrument=self._playing,
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
            is_first_choice=self._is_first_choice,
            is_locked=bool(self._ensemble.locked_instrument),
            parts=self._parts,
            growth=self._growth,
            recording=self._recording.path,
            recorded_s=self._recording.length_s,
            midi_inputs=self._inputs.present_names,
            left_out_messages=meters.left_out,
            model_errors=meters.model_errors,
            growth_cc=self._synth.growth_controllers,
        )

    def close(self) -> Closed:
        """Close output, ports and files; return how it ended."""
        self._inputs.close()
        lost, failed = self._player.lost or self._given_up, self._player.failed
        if self._player.lost is None:
            self._output.close()  # of a device that is gone, PortAudio may wait for ever
        if lost or failed:
            return Closed(None, str(lost or ""), failed, self._recording.suspend())
        try:
            self._recording.close()
        except TncaError as error:
            return Closed(error)
        return Closed()

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
            if (name == chosen[0] or decoder == REPRESENTATIONS[name].default_decoder) and (name, decoder) != chosen
        ]
        switches = (partial(self._ensemble.set_path, *path) for path in others)
        warm_up_switching(self._synth, self._block_size, switches)
        self._ensemble.set_path(*chosen)
        warm_up(self._synth, self._block_size)
        return note_cost_s(self._synth, self._block_size)

    def _abandon(self) -> None:
        self._inputs.close()
        self._recording.abandon(bool(self._resumed.takes))

    def _serve_once(self, pipe: Connection) -> bool:
        """Obey for one interval, look after the ports and tell the status; False once told to close."""
        deadline = monotonic() + (RESTING_INTERVAL_S if self._player.resting else STATUS_INTERVAL_S)
        while pipe.poll(max(deadline - monotonic(), 0.0)):
            command = pipe.recv()
            if command.name == "output":
                self._given_up = f"the sound goes to {command.value} now"
            if command.name in ("close", "output"):
                return False
            self._obey(command)
            if monotonic() > deadline:
                break
        if len(self._bank.instruments) != len(self._known.programs):
            self._known = self._playable()
            pipe.send(self._known)
        book = self._ensemble.book
        while book is not None and book.failures:
            self._notices.append(book.failures.popleft())
        self._look_after_ports()
        self._look_now_and_then()
        self._tell_memory(pipe)
        self._tell_status(pipe)
        return True

    def _look_now_and_then(self) -> None:
        """Look at what is played, if something may have changed: a producer that rests is left alone."""
        now_s, seen = monotonic(), (self._player.last_message, self._memory.changes)
        if seen != self._seen:
            self._seen, self._seen_s = seen, now_s
        # Messages take effect a little later than they are seen.
        is_due = self._player.meters.voices > 0 or now_s - self._seen_s < LOOK_AGAIN_S
        if is_due and now_s - self._looked_s > LOOK_S:
            self._looked_s = now_s
            self._player.do(self._look)

    def _tell_status(self, pipe: Connection) -> None:
        """Tell this moment, if it is another than the last one."""
        status = self.status()
        while self._recording.told:  # first, for the status may say that a take is complete
            pipe.send(self._recording.told.popleft())
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

    def _obey(self, command: EngineCommand) -> None:
        actions: dict[str, Callable[[], None]] = {
            "send": lambda: self._inbox.append(Arrival(perf_counter(), TYPED, command.value)),
            "panic": self._player.panic,
            "learn": lambda: self._mapping.learn(command.value),
            "instrument": lambda: self._when_ready(self._select_instrument, command.value),
            "lock": lambda: self._when_ready(self._lock_instrument, command.value),
            "morph": lambda: self._when_ready(self._morph_into, command.value),
            "reload": lambda: self._reload(*command.value),
            "midi_in": lambda: self._inputs.choose_anew(command.value),
            "record": lambda: self._record(command.value),
            "representation": lambda: self._player.do(lambda: self._select_path(command.value, None)),
            "decoder": lambda: self._player.do(lambda: self._select_path(None, command.value)),
            "growth_cc": lambda: self._player.do(lambda: self._obey_growth_controllers(command.value)),
        }
        actions[command.name]()

    def _when_ready(self, select: Callable[[Any], None], wanted: str | None) -> None:
        """Let the producer choose an instrument, whose file is read here if it comes from one."""
        try:
            name = None if wanted is None else self._ensemble.make_ready(wanted)
        except TncaError as error:
            self._notices.append(str(error))
        else:
            self._player.do(lambda: select(name))

    def _morph_into(self, name: str) -> None:
        """Put an instrument at the right end of every channel's pad. Thread: producer."""
        for channel in range(NUM_CHANNELS):
            self._ensemble.set_morph(channel, name)
        self._look()

    def _reload(self, name: str, content: bytes) -> None:
        """Let notes to come of an instrument be as a newer file of it says."""
        try:
            self._ensemble.replace_instrument(name, parse_instrument(content))
        except TncaError as error:
            self._notices.append(f"the new file of {name} is not played: {error}")
        else:
            self._notices.append(f"{name} plays from its new file")

    def _select_instrument(self, name: str) -> None:
        """Begin with an instrument on all channels until their next program changes. Thread: producer."""
        self._ensemble.follow_midi()
        self._ensemble.begin_with(name)
        self._memory.forget_programs()  # another engine begins with the choice, too
        self._record_instrument()
        self._look()

    def _lock_instrument(self, name: str | None) -> None:
        """Play one instrument whatever MIDI says, or again what it says. Thread: producer."""
        if name is None:
            self._ensemble.follow_midi()
            for index in MELODIC_CHANNELS:
                for data in program_of(self._synth.channel(index)):
                    self._memory.follow(data)
                    self._player.record(data)
        else:
            self._ensemble.lock_instrument(name)
        self._record_instrument()
        self._look()

    def _look(self) -> None:
        """Look at what is played, for the status. Thread: producer."""
        index = (self._options.channel or 1) - 1
        self._parts, self._growth = parts_of(self._ensemble), growth_of(self._ensemble, index)
        chosen = self._synth.first_choice(index)
        self._is_first_choice = bool(chosen)
        asked = instrument_of(self._synth.channel(index), self._ensemble, self._parts)
        self._playing = self._ensemble.locked_instrument or chosen or asked

    def _select_path(self, representation: str | None, decoder: str | None) -> None:
        """Thread: producer."""
        self._ensemble.set_path(representation, decoder)
        self._memory.forget_paths()
        self._record_path()
        self._look()

    def _obey_growth_controllers(self, obeys: bool) -> None:
        """Thread: producer."""
        self._synth.obey_growth_controllers(obeys)
        self._player.record(growth_switch(obeys))
        self._look()

    def _record(self, path: Path | None) -> None:
        """Begin a take, or complete the one that is recorded."""
        if path is None:
            self._recording.end(self._player)
        else:
            self._recording.begin(path, self._player, self._record_state)

    def _record_state(self) -> None:
        """Begin a take with what brings a synth to where this one is. Thread: producer."""
        for data in self._memory.messages():
            self._player.record(data)
        self._record_choices(has_path=True)

    def _record_choices(self, has_path: bool) -> None:
        """Let the recorded MIDI say what was chosen outside MIDI. Thread: producer, or any before it runs."""
        self._record_instrument()
        if has_path:
            self._record_path()
        if self._synth.growth_controllers:
            self._player.record(growth_switch(True))

    def _record_path(self) -> None:
        """Let the recorded MIDI choose the path as the player did, where MIDI has not chosen since."""
        for channel in range(NUM_CHANNELS):
            if self._synth.channel(channel).path != (0, 0):
                continue
            for controller, names, name in (
                (midi.REPRESENTATION, REPRESENTATIONS, self._ensemble.representation),
                (midi.DECODER, DECODERS, self._ensemble.decoder),
            ):
                self._player.record(growth_message(channel, controller, midi.path_value(number_of(names, name))))

    def _record_instrument(self) -> None:
        """Let the recorded MIDI ask for what was chosen, so that rendering it gives the same sound."""
        locked = self._ensemble.locked_instrument
        self._player.keep_program(bool(locked))
        for index in MELODIC_CHANNELS:
            chosen = locked or self._synth.first_choice(index)
            if chosen:
                for data in program_messages(find_playable(self._bank.instruments, chosen), (index,)):
                    self._player.record(data)


def _open_ensemble(options: LiveOptions, sample_rate: int) -> OpenSynth:
    return assemble_synth(
        instrument=options.lock_instrument or options.instrument,
        is_locked=options.lock_instrument is not None,
        representation=options.representation,
        decoder=options.decoder,
        sample_rate=sample_rate,
        seed=options.seed,
        provider=options.provider,
        bank_path=options.bank_path,
        max_voices=options.max_voices,
        on_model_error="mute",
        grows_together=True,
        growth_controllers=options.growth_cc,
        mapping=options.mapping,
        loads_aside=True,
    )
