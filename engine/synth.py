"""`Synth`: raw MIDI messages in, stereo frames out. No thread, no clock, no device."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Literal, NamedTuple

import numpy as np

from ..errors import ModelError, UsageError
from ..midi.messages import Encodable, message_bytes
from ..midi.state.channel import Channel
from ..midi.state.interpreter import MAX_PORTS, Interpreter
from .arguments import check_channel, check_whole
from .arrays import FloatArray
from .bank.interfaces import Instrument, InstrumentChooser
from .bank.path import SignalPath
from .decoders.base import Decoder
from .events.growth_messages import GrowthControls
from .events.sequencer import SEGMENT_SAMPLES, Sequencer
from .growth.grower import Grower
from .growth.worker_process import WorkerProcess
from .growth.workers import WorkerGrower
from .kernel.cores import AUTO, wanted_core
from .mix.limiter import Limiter
from .mix.mixer import Mixer
from .mix.rack import Rack
from .mix.resampler import Resampler
from .models.interfaces import GrowthModel
from .routing.checks import check_parameters, check_path
from .routing.crossfade import PathGrowers
from .routing.parts import PlayedPart
from .routing.program_switch import FindPath
from .voices.note_on import NoteOn


class StemBlock(NamedTuple):
    """One block with its parts.

    Attributes
    ----------
    mix : float32 (num_frames, 2), as `Synth.render` gives it
    stems : float32 (channels, num_frames, 2), each MIDI channel before the limiter, with the reverb and chorus of what
        it sends; they sum to the mix where that is quiet
    """

    mix: FloatArray
    stems: FloatArray


class Synth(GrowthControls):
    """A polyphonic synthesizer whose notes grow.

    Parameters
    ----------
    growth : GrowthModel
        Grows spectral frames.
    decoder : Decoder
        Turns them into sound; it must have `voices.num_slots` slots and be used by no one else.
    bank : InstrumentChooser
        Says what plays a key.
    sample_rate : int
        Of the output, 8,000..192,000 Hz.
    internal_rate : int, optional
        At which paths are mixed, in Hz: a whole multiple of the rate of each of them. By default the first path's.
    max_voices : int
        Notes that sound at once, 1..1024; a further one steals.
    seed : int
        Root of all chance: equal seeds and events give equal samples.
    fire_rate : float
        Probability that a cell updates in a step, above 0 and at most 1; below 1 no two notes grow alike.
    stems : bool
        Whether MIDI channels are kept apart, for `render_stems`.
    effects : bool
        Whether there are a reverb and a chorus for channels to send to (CC 91 and 93).
    grows_together : bool
        Whether voices that need a hop within the next half hop are grown with those that need one now. In small blocks
        that serves several times as many voices. A release, a bend or a controller may then be heard up to half a
        hop (6 ms) later than its frame, and which it is depends on block sizes; the onset of a note stays exact.
        Notes that go over to another path are prepared in a thread of their own.
    worker_processes : sequence of WorkerProcess
        Processes that grow some of the voices, with the same models; voices do not grow together then. They change no
        bit of the sound, unless sounding notes go over to another decoder.
    core : "auto", "kernel", "graph" or "numpy"
        What voices are grown with, where it can do what is asked; see `engine.kernel.cores`.
    on_model_error : "raise" or "mute"
        What a model that raises, or gives NaN or infinity, does beside cutting its note: `render` raises, or counts it.
    num_ports : int
        MIDI ports, 1..16, each of 16 channels: the channels of a second port are 16..31, and so on.
    growth_controllers : bool
        Whether controllers that MIDI leaves undefined move the growth, see `obey_growth_controllers`.

    Attributes
    ----------
    model_errors : int
        Notes cut so far because a model failed.
    model_failure : str
        The last of these failures, "" before the first.

    Raises
    ------
    UsageError
        If a parameter is out of range.

    Notes
    -----
    Thread: producer. Use it from one thread at a time.
    """

    def __init__(
        self,
        growth: GrowthModel,
        decoder: Decoder,
        bank: InstrumentChooser,
        *,
        sample_rate: int = 44100,
        internal_rate: int | None = None,
        max_voices: int = 64,
        seed: int = 0,
        fire_rate: float = 1.0,
        stems: bool = False,
        effects: bool = True,
        grows_together: bool = False,
        worker_processes: Sequence[WorkerProcess] = (),
        core: str = AUTO,
        on_model_error: Literal["raise", "mute"] = "raise",
        num_ports: int = 1,
        growth_controllers: bool = False,
    ) -> None:
        if not 1 <= num_ports <= MAX_PORTS:
            raise UsageError(f"num_ports must be in 1..{MAX_PORTS}, got {num_ports}")
        first = SignalPath(growth, decoder, bank)
        self._internal_rate = rate = growth.spec.sample_rate if internal_rate is None else internal_rate
        check_parameters(first, rate, max_voices, fire_rate, on_model_error)
        self.sample_rate = sample_rate
        self.max_voices = max_voices
        self.model_errors, self.model_failure = 0, ""
        self._raises = on_model_error == "raise"
        self._has_stems = stems
        interpreter = Interpreter(num_ports, growth_controllers)
        self._interpreter = interpreter
        mixer = Mixer(rate, stems, len(interpreter.channels))
        num_signals = 2 * mixer.num_buses
        self._resampler = Resampler(rate, sample_rate, num_signals, wanted_core(core) == "kernel")
        self._first = (
            WorkerGrower(growth, decoder, max_voices, fire_rate, worker_processes, core, rate)
            if worker_processes
            else Grower(growth, decoder, max_voices, fire_rate, grows_together, core, rate)
        )
        progress = self._first.progress
        self._growers = PathGrowers(
            first,
            self._first,
            lambda path: Grower(  # without this synth, which would be a circle
                path.growth, path.decoder, max_voices, fire_rate, grows_together, core, rate, progress
            ),
            aside=grows_together,
        )
        self._note_on = NoteOn(interpreter, self._growers.paths, seed, rate)
        self._sequencer = Sequencer(
            self._growers,
            interpreter,
            self._note_on,
            mixer,
            Rack(rate, wanted_core(core) == "kernel") if effects else None,
            max_voices,
        )
        self._limiter = Limiter(sample_rate)
        self._lead_in = self._limiter.look_ahead_frames  # what the limiter gives before frame 0
        self._delayed_stems = np.zeros((num_signals if stems else 0, self._lead_in), np.float32)
        self._frame = 0

    def __repr__(self) -> str:
        """Tell rate, voices and place in time."""
        return (
            f"<Synth at {self.sample_rate} Hz, frame {self._frame}, {self.active_voices} of {self.max_voices} voices>"
        )

    @property
    def internal_rate(self) -> int:
        """Rate in Hz at which paths are mixed."""
        return self._internal_rate

    @property
    def frame(self) -> int:
        """Number of the next frame that `render` returns."""
        return self._frame

    @property
    def latency_frames(self) -> int:
        """How many frames before its time an event must be sent to play exactly then.

        The resampler and the limiter look this far ahead. Rendered sound is not delayed by it: output frame n is
        what happens at second n / sample_rate. An event sent later plays later, by this much at most.
        """
        return self._limiter.look_ahead_frames + self._resampler.look_ahead_frames

    @property
    def core(self) -> str:
        """What grows the voices of the first path: "kernel" or "graph", where they can do what is asked, or "numpy"."""
        return "numpy" if self._first.kernel is None else self._first.kernel.kernel.name

    @property
    def active_voices(self) -> int:
        """Voices that sound now."""
        return self._sequencer.num_voices

    @property
    def peak_voices(self) -> int:
        """Most voices that ever sounded at once."""
        return self._sequencer.peak_voices

    @property
    def notes_started(self) -> int:
        """Notes played so far."""
        return self._sequencer.notes_started

    @property
    def notes_stolen(self) -> int:
        """Notes cut short so far because all voices were busy."""
        return self._sequencer.notes_stolen

    @property
    def notes_left_out(self) -> int:
        """Notes not played so far because more began at once than anyone hears; see `engine.events.crowd`."""
        return self._sequencer.crowd.num_left_out

    @property
    def substitutions(self) -> tuple[str, ...]:
        """Instruments that stand in for others, each named once: "Wanted Program: Playing Instrument"."""
        return tuple(self._note_on.substitutions)

    @property
    def silent_keys(self) -> tuple[str, ...]:
        """Drums that were struck and have no sound, each named once: "drum key 34 (Metronome Bell) of standard-kit"."""
        return tuple(self._note_on.silent_keys)

    @property
    def idle(self) -> bool:
        """Whether nothing is queued, no voice sounds, no effect rings, and all that sounded has been rendered."""
        return self._sequencer.is_idle and self._frame >= self._silent_from_frame

    @property
    def silent(self) -> bool:
        """As `idle`, but messages may be queued that can still wake it."""
        return self._sequencer.is_silent and self._frame >= self._silent_from_frame

    @property
    def _silent_from_frame(self) -> int:
        last = self._sequencer.sounded_until
        return ceil((last + self._resampler.tail_samples) * self.sample_rate / self._internal_rate) if last else 0

    def send(
        self, data: bytes | bytearray | memoryview | Encodable, at_frame: int | None = None, port: int = 0
    ) -> None:
        """Queue a complete MIDI message.

        Parameters
        ----------
        data : bytes or mido.Message
            One message with its status byte; what is malformed does nothing.
        at_frame : int, optional
            Output frame at which it takes effect, to the nearest internal sample; None is the next frame rendered.
            It is exact if sent `latency_frames` ahead, that is before frames from ``at_frame - latency_frames`` on
            are rendered; later ones take effect as soon as possible, in the order sent. So do events of one frame.
        port : int
            The MIDI port that it is for, 0 for the first.

        Raises
        ------
        UsageError
            If it is no message, the frame no whole number, or there is no such port.
        """
        if not 0 <= check_whole("port", port) < self.num_ports:
            raise UsageError(f"the MIDI port must be in 0..{self.num_ports - 1}, got {port}")
        frame = self._frame if at_frame is None else check_whole("at_frame", at_frame)
        sample = (2 * frame * self._internal_rate + self.sample_rate) // (2 * self.sample_rate)
        self._sequencer.schedule(sample, message_bytes(data), port)

    @property
    def num_ports(self) -> int:
        """MIDI ports, each of 16 channels."""
        return self._interpreter.num_ports

    @property
    def growth_controllers(self) -> bool:
        """Whether controllers that MIDI leaves undefined move the growth."""
        return self._interpreter.obeys_growth

    def obey_growth_controllers(self, obeys: bool = True) -> None:
        """Let CC 20 to 28 and 102 to 106 move growth, path and blend from the next frame on, or not.

        At first they do not: others use these controllers for ends of their own. What they have set stays set. A song
        can say the same by SysEx (`midi.spec.growth_controllers.growth_switch`), until its next reset.
        """
        self._interpreter.obey_growth(obeys)

    def grow_together(self, together: bool) -> None:
        """Let voices grow together from the next frame on, or not, as the parameter `grows_together` says."""
        self._growers.grow_together(together)

    def set_path(self, path: SignalPath, channel: int | None = None) -> None:
        """Let another path grow and sound a MIDI channel, or all; it takes over sounding notes within 20 ms.

        Raises
        ------
        UsageError
            The path does not fit: its rate is no whole part of the internal one, or its decoder lacks a field.
        """
        check_path(path, self._internal_rate)
        self._sequencer.program_switch.choose(check_channel(channel, len(self._interpreter.channels)), path)

    def find_paths_with(self, find: FindPath) -> None:
        """Let MIDI choose among the paths that a function finds; see `engine.routing.program_switch`."""
        self._sequencer.program_switch.find = find

    def panic(self) -> None:
        """Silence everything as soon as possible: forget queued events, fade voices and effects, reset controllers."""
        self._sequencer.panic()

    def limit_voices(self, limit: int) -> None:
        """Let at most `limit` voices sound from the next frame on, 1..max_voices; those beyond fade out.

        Released notes go first, the quietest before all others; then the oldest.

        Raises
        ------
        UsageError
            If the limit is out of range.
        """
        if not 1 <= check_whole("the limit of voices", limit) <= self.max_voices:
            raise UsageError(f"the limit of voices must be in 1..{self.max_voices}, got {limit}")
        self._sequencer.limit_voices(limit)

    def parts(self) -> list[PlayedPart]:
        """Return what each MIDI channel plays on which a note has begun, in order."""
        return self._sequencer.parts()

    def forget_parts(self) -> None:
        """Forget what channels have played so far: nobody heard it."""
        self._note_on.played.clear()

    def channel(self, index: int) -> Channel:
        """Return the state of a MIDI channel at the end of what was rendered, for reading."""
        return self._interpreter.channels[check_channel(index, len(self._interpreter.channels)) or 0]

    def begin_with(self, instrument: Instrument | None, channel: int | None = None) -> None:
        """Let notes to come of a MIDI channel or of all, be an instrument's until the next program change there.

        Drum channels stay drums. None is the way back: what the channel's program says.
        """
        known = check_channel(channel, len(self._interpreter.channels))
        for index in range(len(self._interpreter.channels)) if known is None else (known,):
            self._note_on.begin_with(index, instrument)

    def first_choice(self, channel: int) -> str:
        """Return the name of what a MIDI channel begins with, see `begin_with`; "" where its program says."""
        return self._note_on.first_choice(channel)

    def morph_into(self, channel: int, corner: int, instrument: Instrument | None) -> None:
        """Put an instrument that no program means into a corner of a channel's pad, for notes to come.

        Parameters
        ----------
        corner : 0 right, 1 upper, 2 far
        instrument : None is the way back: what the corner's program says
        """
        known = check_channel(channel, len(self._interpreter.channels))
        self._note_on.morph_into(known or 0, corner, instrument)

    def morphs_into(self, channel: int, corner: int) -> str:
        """Return the name of what `morph_into` has put into a corner of a channel's pad, "" where a program says."""
        return self._note_on.morphs_into(channel, corner)

    def recast(self) -> None:
        """Ask the bank anew what plays each key, for notes to come: its answers have changed."""
        self._note_on.recast()

    def render(self, num_frames: int, foresight: int = 0) -> FloatArray:
        """Return the next frames, float32 (num_frames, 2) within -1..1.

        Block sizes change nothing about the samples, given that events are sent `latency_frames` ahead.

        Parameters
        ----------
        num_frames : int
        foresight : int
            The events of so many frames beyond these have been sent, too. Helpers grow them meanwhile; an event sent
            for them later may be late.

        Raises
        ------
        ModelError
            If a model raised, or gave NaN or infinity, and `on_model_error` is "raise". The note has been cut and the
            block is lost; the synth can go on.
        """
        return self._render(num_frames, foresight, None)

    def grow_ahead(self, num_frames: int) -> None:
        """Grow now what sounding notes need for the next frames: work of that block is done when there is time for it.

        They will not hear what is sent after this for those frames; notes that begin there are as exact as ever.
        """
        self._sequencer.grow_ahead(self._resampler.samples_needed(num_frames))

    def render_stems(self, num_frames: int, foresight: int = 0) -> StemBlock:
        """Return the next frames as `render` does, together with the stems they are made of.

        Raises
        ------
        UsageError
            If the synth was made without ``stems=True``.
        """
        if not self._has_stems:
            raise UsageError("render_stems needs a Synth made with stems=True")
        stems = np.empty((len(self._interpreter.channels), num_frames, 2), np.float32)
        return StemBlock(self._render(num_frames, foresight, stems), stems)

    def _render(self, num_frames: int, foresight: int, stems: FloatArray | None) -> FloatArray:
        num_frames, foresight = check_whole("num_frames", num_frames), check_whole("foresight", foresight)
        if num_frames < 0 or foresight < 0:
            raise UsageError(f"num_frames and foresight must be 0 or more, got {num_frames} and {foresight}")
        out = np.empty((num_frames, 2), np.float32)
        piece = max(1, SEGMENT_SAMPLES * self.sample_rate // self._internal_rate)
        for start in range(0, num_frames, piece):
            stop = min(start + piece, num_frames)
            mix, parts = self._advance(stop - start, num_frames - stop + foresight)
            out[start:stop] = mix.T
            if stems is not None:
                stems[:, start:stop] = parts.reshape(len(stems), 2, -1).transpose(0, 2, 1)
        self._frame += num_frames
        self._report_failures()
        return out

    def _advance(self, num_frames: int, foresight: int) -> tuple[FloatArray, FloatArray]:
        """Return the next frames and the stems they are made of: (2, N), and (2 * channels, N) or (0, N)."""
        known = foresight * self._internal_rate // self.sample_rate
        lead_in, self._lead_in = self._lead_in, 0
        num_frames += lead_in
        signals = self._resampler.process(
            self._sequencer.render(self._resampler.samples_needed(num_frames), known), num_frames
        )
        mix = signals.reshape(-1, 2, num_frames).sum(axis=0) if self._has_stems else signals
        line = np.concatenate((self._delayed_stems, signals[: len(self._delayed_stems)]), axis=1)
        self._delayed_stems = line[:, num_frames:].copy()
        return self._limiter.process(mix)[:, lead_in:], line[:, lead_in:num_frames]

    def _report_failures(self) -> None:
        failures = self._growers.take_failures()
        self.model_errors += len(failures)
        self.model_failure = failures[-1] if failures else self.model_failure
        if failures and self._raises:
            more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
            raise ModelError(f"a model {failures[0]}{more}")
