"""The sequencer: MIDI events at their internal sample on one side, mixed buses at the internal rate on the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count

import numpy as np

from ...midi.commands import (
    ChannelsCut,
    Command,
    ControlsChange,
    DrumChoke,
    KeyPressure,
    NoteCut,
    NoteMove,
    NoteRelease,
    NoteStart,
    PathChange,
    ProgramChange,
    TuningChange,
)
from ...midi.messages import PROGRAM_CHANGE, is_complete
from ...midi.state.interpreter import Interpreter
from ..arrays import FloatArray
from ..mix.fades import Fades
from ..mix.mixer import Mixer, level_vector
from ..mix.rack import NUM_SENDS, Rack
from ..modulation.channel import ChannelControls, control_vector
from ..routing.crossfade import PathGrowers
from ..routing.parts import PlayedPart, played_part
from ..routing.program_switch import ProgramSwitch
from ..voices.allocator import VoiceAllocator
from ..voices.note_on import NoteOn, release_speed
from ..voices.voice import Voice
from .awaited import AwaitedInstruments
from .crowd import Crowd
from .segment import Stretch

SEGMENT_SAMPLES = 4096
"""How much is mixed at once."""
STRETCH_SAMPLES = 262144
"""How much is grown at once where the events to come are known."""
FADE_S = 0.005
PLAN_S = 0.1
"""For this long a full synth steals in the order of one moment, so that the sound need not be known at every note."""


class Sequencer:
    """Plays notes at exact internal samples. Nothing it renders depends on how time is cut into calls.

    Time is cut into stretches: the events of one are carried out, its voices are grown, then it is mixed in segments.
    Events that need the sound up to their moment (the first steal, cutting) end a stretch there. All others do not: a
    note simply starts inside of it, and controls are timelines. A steal ranks all voices, and the steals of the next
    `PLAN_S` follow that order. Where the events to come are known already, workers grow the next stretch while one is
    mixed.

    Attributes
    ----------
    position : int
        Next internal sample to be grown, first of those that events can still reach.
    sounded_until : int
        First internal sample from which all has been silent.
    notes_started, notes_stolen, peak_voices : int
    crowd : Crowd
        Which notes are left out.
    program_switch : ProgramSwitch
        Which path each channel's notes take.
    """

    def __init__(
        self,
        grower: PathGrowers,
        interpreter: Interpreter,
        note_on: NoteOn,
        mixer: Mixer,
        rack: Rack | None,
        max_voices: int,
    ) -> None:
        self._grower = grower
        self._interpreter = interpreter
        self._note_on = note_on
        self._mixer = mixer
        self._rack = rack
        self._allocator = VoiceAllocator(max_voices, grower.progress)
        self.crowd = Crowd(max_voices, grower.sample_rate)
        self._victims: deque[int] = deque()  # notes to be stolen next, up to the sample `_planned_until`
        self._planned_until = 0
        self._plan_length = round(PLAN_S * grower.sample_rate)
        self._num_channels = len(interpreter.channels)
        self._controls = ChannelControls(self._num_channels)
        self.program_switch = ProgramSwitch(grower, interpreter, note_on, self._allocator, self._controls)
        self._queue: list[tuple[int, int, bytes, int]] = []
        self._order = count()
        self._waiting: deque[tuple[int, Command]] = deque()  # commands that need the sound up to their sample
        self._fading = Fades()  # of voices, by channel
        self._started: list[Voice] = []  # in this stretch
        length = round(FADE_S * grower.sample_rate)
        self._fade = (0.5 + 0.5 * np.cos(np.pi * np.arange(1, length + 1) / (length + 1))).astype(np.float32)
        self._sends = np.zeros((mixer.num_buses, NUM_SENDS, SEGMENT_SAMPLES), np.float32)
        self._mixed = 0  # next sample to be mixed
        self._ready: deque[Stretch] = deque()  # from there to `position`
        self._growing: Stretch | None = None  # from `position` on
        self._awaited = AwaitedInstruments(note_on, self.program_switch.path_of, grower.sample_rate)
        self._spare: list[FloatArray] = []  # rooms of stretches that have been mixed
        self._dry_until = 0  # up to this sample nothing is sent to effects
        self.position = self.sounded_until = 0
        self.notes_started = self.notes_stolen = self.peak_voices = 0
        self._refresh_all(0)

    @property
    def num_voices(self) -> int:
        """Voices that sound."""
        return self._allocator.num_playing

    @property
    def is_idle(self) -> bool:
        """Whether nothing sounds, rings or is queued."""
        return self.is_silent and not self._queue

    @property
    def is_silent(self) -> bool:
        """Whether nothing sounds or rings, and nothing will before a queued message is due."""
        if self._waiting or self._fading or self._allocator.voices or self._rings:
            return False
        return not any(stretch.sounds_after(self._mixed) for stretch in self._ready)

    @property
    def _rings(self) -> bool:
        return self._rack is not None and self._rack.rings_until > self._mixed

    def schedule(self, sample: int, data: bytes, port: int = 0) -> None:
        """Queue a complete MIDI message for a sample; one that is past plays at once, a malformed one never."""
        if is_complete(data):
            earliest = self.position if self._growing is None else self._growing.stop
            heappush(self._queue, (max(sample, earliest), next(self._order), data, port))
            if data[0] & 0xF0 == PROGRAM_CHANGE:
                self._awaited.begin(data, port)

    def panic(self) -> None:
        """Forget the queue, fade out every voice and effect, and reset the controllers."""
        self._finish()
        self._queue.clear()
        self._awaited.clear()
        self._waiting.clear()
        self._victims.clear()
        self._interpreter.panic()
        self._refresh_all(self.position)
        voices = list(self._allocator.voices.values())
        if self._ready:
            for stretch in self._ready:
                stretch.fade_out(self._mixed, self._fade)
            self._fading = Fades()
            self._free(voices)
        else:
            self._fade_out(voices)
        if self._rack is not None:
            self._rack.close(self._mixed, self._fade)
            self._dry_until = self._mixed + len(self._fade)

    def limit_voices(self, limit: int) -> None:
        """Let at most `limit` voices sound from now on; those beyond fade out, as if they were stolen."""
        self._finish()
        self._victims.clear()
        self._allocator.limit = limit
        victims = self._allocator.choose_victims(self.position, max(self.num_voices - limit, 0))
        self._fade_out(victims)
        self.notes_stolen += len(victims)

    def parts(self) -> list[PlayedPart]:
        """Return what each channel plays on which a note has begun, in order."""
        return [
            played_part(channel, *asked, self._grower.paths[self.program_switch.path_of(channel)])
            for channel, asked in sorted(self._note_on.played.items())
        ]

    def render(self, num_samples: int, foresight: int = 0) -> FloatArray:
        """Return the buses of the next samples, float32 (2 * num_buses, num_samples).

        Parameters
        ----------
        num_samples : int
        foresight : int
            So many samples beyond them no event will be sent any more.
        """
        out = np.zeros((2 * self._mixer.num_buses, num_samples), np.float32)
        origin, known = self._mixed, self._mixed + num_samples + foresight
        while self._mixed < origin + num_samples:
            if not self._ready:
                self._begin(known)
                self._finish()
                if known >= self.position + STRETCH_SAMPLES:
                    self._begin(known)
            stop = min(origin + num_samples, self._ready[0].stop, self._mixed + SEGMENT_SAMPLES)
            self._mix(stop, out[:, self._mixed - origin : stop - origin])
        return out

    def grow_ahead(self, num_samples: int) -> None:
        """Grow the voices that have begun by what the next samples need, as they are now."""
        self._finish()
        voices = [voice for voice in self._allocator.voices.values() if voice.decoded.has_begun]
        self._grow(voices, self.position + num_samples)

    def _begin(self, known: int) -> None:
        """Carry out the events of the next stretch and start to grow it, unless that has been done."""
        if self._growing is None:
            stop = self._perform(min(known, self.position + STRETCH_SAMPLES))
            self._growing = Stretch(self.position, stop, list(self._allocator.voices.values()))
            self._start_growing(self._growing.voices, stop)

    def _grow(self, voices: Sequence[Voice], until: int) -> None:
        """Have voices decoded up to a sample at least."""
        self._start_growing(voices, until)
        self._grower.finish()

    def _start_growing(self, voices: Sequence[Voice], until: int) -> None:
        """Plan hops of voices, read what is asked of them in each, and let them be grown, until `_grower.finish`."""
        plans = self._grower.plan(voices, until)
        for hops in plans:
            self._controls.read(hops.voices, hops.samples, hops.controls)
        self._grower.start(plans)

    def _finish(self) -> None:
        """Have grown what was begun, and put it together by channels."""
        if self._growing is None:
            return
        stretch, self._growing = self._growing, None
        self._grower.finish()
        self._ready.append(stretch)
        stretch.fill(self._buffer(stretch.stop - stretch.start), self._fading)
        self._count_peak(stretch.voices)
        self._allocator.free_ended(stretch.stop)
        self._forget(stretch.stop)
        self.position = stretch.stop

    def _buffer(self, num_samples: int) -> FloatArray:
        """Return room for the channels of a stretch, (channels, num_samples) with anything in it."""
        buffer = self._spare.pop() if self._spare else np.empty((self._num_channels, 0), np.float32)
        if buffer.shape[1] < num_samples:
            buffer = np.empty((self._num_channels, max(num_samples, SEGMENT_SAMPLES)), np.float32)
        return buffer

    def _perform(self, stop: int) -> int:
        """Carry out commands up to `stop`; return the sample up to which can be rendered now."""
        while self._waiting:
            self._carry_out(self.position, self._waiting.popleft()[1])
        self._take_events(self.position + 1)
        # Before later events are taken: controls remember only what is to come of the segment that they are known in.
        stop = self.program_switch.carry_out(self.position, stop)
        return self._take_events(stop)

    def _take_events(self, stop: int) -> int:
        """Carry out what is queued before `stop`, up to the first command that needs the sound up to its sample."""
        while self._queue and self._queue[0][0] < stop:
            sample, order, data, port = heappop(self._queue)
            if self._awaited.channels and self._awaited.holds_back(sample, data, port):
                heappush(self._queue, (sample + self._awaited.put_off, order, data, port))
                continue
            commands = self._interpreter.handle(data, port)
            if data[0] & 0xF0 == PROGRAM_CHANGE:  # the bank that is chosen is known by now
                self._awaited.expect(sample, data, port)
            for command in self._admitted(sample, commands):
                if self._waiting or (sample > self.position and self._needs_split(sample, command)):
                    self._waiting.append((sample, command))
                    stop = sample
                else:
                    self._carry_out(sample, command)
        return stop

    def _admitted(self, sample: int, commands: list[Command]) -> list[Command]:
        """Leave out a note that a crowd has no room for, with what it would stop."""
        note = next((one for one in commands if isinstance(one, NoteStart)), None)
        if note is None or self.crowd.admits(sample, note.channel, note.key):
            return commands
        return [one for one in commands if not isinstance(one, NoteStart | DrumChoke)]

    def _refresh_all(self, sample: int) -> None:
        for index in range(self._num_channels):
            self._refresh(index, sample)

    def _refresh(self, index: int, sample: int) -> None:
        expression = self._interpreter.expression(index)
        self._controls.set(index, sample, control_vector(expression))
        self._mixer.set_level(index, sample, level_vector(expression))

    def _needs_split(self, sample: int, command: Command) -> bool:
        if isinstance(command, NoteMove):
            return command.is_stroke  # whether the note still sounds is known only then
        if isinstance(command, NoteStart):
            allocator = self._allocator
            return not allocator.has_free_slot or (not self._has_plan(sample) and allocator.is_full)
        if isinstance(command, NoteCut | ChannelsCut):
            return bool(self._cut_by(command))
        return isinstance(command, PathChange)

    def _cut_by(self, command: NoteCut | ChannelsCut) -> list[Voice]:
        """Return the voices that must be silent at once."""
        voices = self._allocator.voices
        if isinstance(command, NoteCut):
            return [voices[command.note_id]] if command.note_id in voices else []
        return [voice for voice in voices.values() if voice.channel in command.channels]

    def _has_plan(self, sample: int) -> bool:
        """Whether it is known already which voice a note at `sample` takes the place of."""
        return bool(self._victims) and sample < self._planned_until

    def _carry_out(self, sample: int, command: Command) -> None:
        match command:
            case NoteStart():
                self._start(sample, command)
            case NoteMove():
                self._move(sample, command)
            case NoteRelease():
                self._release(sample, command)
            case NoteCut() | ChannelsCut():
                self._fade_out(self._cut_by(command))
            case DrumChoke():
                self._choke(sample, command)
            case PathChange():
                self.program_switch.change()
            case ControlsChange():
                for index in command.channels:
                    self._refresh(index, sample)
            case ProgramChange():
                for index in command.channels:
                    self._note_on.begin_with(index, None)
            case KeyPressure():
                self._press(sample, command)
            case TuningChange():
                self._retune(sample)

    def _release(self, sample: int, release: NoteRelease) -> None:
        voice = self._allocator.find(release.note_id)
        if voice is not None and sample < voice.release:  # it has not died, nor was it stolen
            voice.release, voice.release_speed = sample, release_speed(release.velocity)

    def _press(self, sample: int, pressure: KeyPressure) -> None:
        for voice in self._allocator.voices.values():
            if voice.channel in pressure.channels and voice.key == pressure.key:
                self._note_on.press(sample, voice)

    def _retune(self, sample: int) -> None:
        for voice in self._allocator.voices.values():
            if not voice.is_leaving:
                self._note_on.retune(sample, voice)

    def _choke(self, sample: int, choke: DrumChoke) -> None:
        """Let what sounds of some drums fade, notes in their release, too; that needs no sound up to its sample."""
        for voice in list(self._allocator.voices.values()):
            if voice.channel == choke.channel and voice.key in choke.keys and not voice.is_leaving:
                voice.fade_out_at(sample)
                if voice.end <= voice.onset:
                    self._allocator.free(voice)

    def _move(self, sample: int, move: NoteMove) -> None:
        voice = self._allocator.find(move.note_id)
        if voice is not None:
            self._note_on.move(sample, voice, move)
        elif move.is_stroke:
            self._start(sample, NoteStart(move.note_id, move.channel, move.key, move.velocity, move.soft))

    def _start(self, sample: int, note: NoteStart) -> None:
        path = self.program_switch.path_of(note.channel)
        if self._note_on.is_silent(note, path):
            return
        if not self._allocator.has_free_slot:
            self._bring_leaving_to_end()
        if self._has_plan(sample):
            self._steal(sample, self._allocator.find(self._victims.popleft()))
        elif self._allocator.is_full:
            self._plan_stealing(sample)
            self._fade_out([self._allocator.voices[self._victims.popleft()]])
            self.notes_stolen += 1
        voice = self._note_on.make(sample, note, self._allocator.claim(), path)
        self._allocator.add(note.note_id, voice)
        self._started.append(voice)
        self._mixer.note_started(note.channel)
        self.notes_started += 1

    def _plan_stealing(self, sample: int) -> None:
        """Rank the voices now, at `sample`, for all notes of the next `PLAN_S`; what was stolen before makes room."""
        self._bring_leaving_to_end()
        ranked = self._allocator.choose_victims(sample, self._allocator.limit)
        self._victims = deque(voice.note_id for voice in ranked)
        self._planned_until = sample + self._plan_length

    def _steal(self, sample: int, victim: Voice | None) -> None:
        """Let a voice fade out from `sample` on, which may be beyond what is grown."""
        self.notes_stolen += 1
        if victim is None:  # it has died since it was ranked
            return
        if victim.onset >= sample:  # never heard
            self._free([victim])
        elif not self._allocator.has_free_slot:  # successors that prepare have the rest; `sample` is now
            self._fade_out([victim])
        else:
            victim.fade_out_at(min(sample, victim.end))

    def _bring_leaving_to_end(self) -> None:
        """Free the voices that fade out already; what they still had to say sounds on beside the others."""
        voices = [voice for voice in self._allocator.voices.values() if voice.is_leaving]
        stop = max((voice.end for voice in voices), default=self.position)
        self._grow(voices, stop)
        for voice in voices:
            first, audio = voice.take_audio(self.position, stop)
            if len(audio):
                self._fading.add(first, voice.channel, audio)
        self._free(voices)

    def _fade_out(self, voices: list[Voice]) -> None:
        """Free voices at once; what they still had to say fades out beside the others."""
        sounding = [voice for voice in voices if voice.onset < self.position < voice.end]
        fade_end = self.position + len(self._fade)
        # No event beyond this moment has been handled yet, so none can colour the fade.
        self._grow(sounding, fade_end)
        for voice in sounding:
            _, audio = voice.take_audio(self.position, fade_end)
            self._fading.add(self.position, voice.channel, audio * self._fade[: len(audio)])
        self._free(voices)

    def _free(self, voices: list[Voice]) -> None:
        for voice in voices:
            voice.end = min(voice.end, self.position)
            self._allocator.free(voice)

    def _mix(self, stop: int, out: FloatArray) -> None:
        """Add what is ready up to `stop`, and the effects, to the buses."""
        start, stretch = self._mixed, self._ready[0]
        sounding = stretch.sounding(start, stop)
        sends = self._sends[..., : stop - start]
        sends[:] = 0.0
        mono = stretch.mono[:, start - stretch.start : stop - stretch.start]
        self._mixer.mix(mono, sounding, start, out, sends)
        if sounding or self._rings:
            self.sounded_until = stop
            if self._rack is not None:
                sends[..., : max(self._dry_until - start, 0)] = 0.0
                self._rack.process(sends, start, out)
        self._mixed = stop
        if stop == stretch.stop:
            self._spare.append(self._ready.popleft().mono)

    def _forget(self, stop: int) -> None:
        """Drop the past of all controls."""
        self._controls.forget()
        for voice in self._allocator.voices.values():
            if voice.modulation is not None:
                voice.modulation.forget(stop)

    def _count_peak(self, voices: list[Voice]) -> None:
        if self._started and self.peak_voices < self._allocator.limit:
            began = np.sort([voice.onset for voice in voices])
            ended = np.sort([max(min(voice.end, voice.falls_at), voice.onset) for voice in voices])
            times = [voice.onset for voice in self._started]
            together = np.searchsorted(began, times, "right") - np.searchsorted(ended, times, "right")
            self.peak_voices = max(self.peak_voices, int(together.max()))
        self._started.clear()
