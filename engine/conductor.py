"""The conductor: MIDI events at their internal sample on one side, mixed buses at the internal rate on the other."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count

import numpy as np

from ..midi.commands import Command, NoteCut, NoteMove, NoteStart, PathChange
from ..midi.messages import (
    ALL_SOUND_OFF,
    CHANNEL_PRESSURE,
    CONTROL_CHANGE,
    DATA_ENTRY_MSB,
    NUM_CHANNELS,
    PITCH_BEND,
    POLY_PRESSURE,
    PROGRAM_CHANGE,
    SYSTEM_EXCLUSIVE,
    SYSTEM_RESET,
    is_complete,
)
from ..midi.performance import Performance
from .controls import ChannelControls, control_vector
from .effects.rack import NUM_SENDS, Rack
from .fades import Fades
from .mixer import Mixer, level_vector
from .paths import Growers
from .spectral import FloatArray
from .switching import Switchboard
from .voices import Voice, VoiceAllocator
from .voicing import Voicing, release_speed

SEGMENT_SAMPLES = 4096
FADE_S = 0.005
_EXPRESSIVE = (PITCH_BEND, CONTROL_CHANGE, CHANNEL_PRESSURE, PROGRAM_CHANGE)


class Conductor:
    """Plays notes at exact internal samples. Nothing it renders depends on how time is cut into calls.

    Events that need the sound up to their moment (stealing, cutting) split a segment there. All others do not:
    a note simply starts inside a segment, and controls are timelines.

    Attributes
    ----------
    position : int
        Next internal sample to be rendered.
    sounded_until : int
        First internal sample from which all has been silent.
    notes_started, notes_stolen, peak_voices : int
    switchboard : Switchboard
        Which path each channel's notes take.
    """

    def __init__(
        self,
        grower: Growers,
        performance: Performance,
        voicing: Voicing,
        mixer: Mixer,
        rack: Rack | None,
        max_voices: int,
    ) -> None:
        self._grower = grower
        self._performance = performance
        self._voicing = voicing
        self._mixer = mixer
        self._rack = rack
        self._allocator = VoiceAllocator(max_voices)
        self.switchboard = Switchboard(grower, performance, voicing, self._allocator)
        self._controls = ChannelControls(NUM_CHANNELS)
        self._queue: list[tuple[int, int, bytes]] = []
        self._order = count()
        self._tuning_changes = 0
        self._waiting: deque[tuple[int, Command]] = deque()  # commands that need the sound up to their sample
        self._fading = Fades()  # of voices, by channel
        self._started: list[Voice] = []  # in this segment
        length = round(FADE_S * grower.sample_rate)
        self._fade = (0.5 + 0.5 * np.cos(np.pi * np.arange(1, length + 1) / (length + 1))).astype(np.float32)
        self._mono = np.zeros((NUM_CHANNELS, SEGMENT_SAMPLES), np.float32)
        self._sends = np.zeros((mixer.num_buses, NUM_SENDS, SEGMENT_SAMPLES), np.float32)
        self._dry_until = 0  # up to this sample nothing is sent to effects
        self.position = self.sounded_until = 0
        self.notes_started = self.notes_stolen = self.peak_voices = 0
        self._refresh_all(0)

    @property
    def num_voices(self) -> int:
        """Voices that sound."""
        return self._allocator.num_playing

    @property
    def substitutions(self) -> dict[str, None]:
        """Which instruments stand in for others, each once, in order of appearance."""
        return self._voicing.substitutions

    @property
    def is_idle(self) -> bool:
        """Whether nothing sounds, rings or is queued."""
        return not (self._queue or self._waiting or self._fading or self._allocator.voices or self._rings)

    @property
    def _rings(self) -> bool:
        return self._rack is not None and self._rack.rings_until > self.position

    def schedule(self, sample: int, data: bytes) -> None:
        """Queue a complete MIDI message for a sample; one that is past plays at once, a malformed one never."""
        if is_complete(data):
            heappush(self._queue, (max(sample, self.position), next(self._order), data))

    def panic(self) -> None:
        """Forget the queue, fade out every voice and effect, and reset the controllers."""
        self._queue.clear()
        self._waiting.clear()
        self._performance.panic()
        self._refresh_all(self.position)
        self._fade_out(list(self._allocator.voices.values()))
        if self._rack is not None:
            self._rack.close(self.position, self._fade)
            self._dry_until = self.position + len(self._fade)

    def limit_voices(self, limit: int) -> None:
        """Let at most `limit` voices sound from now on; those beyond fade out, as if they were stolen."""
        self._allocator.limit = limit
        victims = self._allocator.choose_victims(self.position, max(self.num_voices - limit, 0))
        self._fade_out(victims)
        self.notes_stolen += len(victims)

    def recast(self) -> None:
        """Ask the bank anew what plays each key: its answers have changed. Sounding notes stay as they are."""
        self._voicing.recast()

    def render(self, num_samples: int) -> FloatArray:
        """Return the buses of the next samples, float32 (2 * num_buses, num_samples)."""
        out = np.zeros((2 * self._mixer.num_buses, num_samples), np.float32)
        origin, end = self.position, self.position + num_samples
        while self.position < end:
            start = self.position
            stop = self._perform(min(end, start + SEGMENT_SAMPLES))
            if stop > start:
                self._render_segment(stop, out[:, start - origin : stop - origin])
        return out

    def _perform(self, stop: int) -> int:
        """Carry out commands up to `stop`; return the sample up to which can be rendered now."""
        while self._waiting:
            self._carry_out(self.position, self._waiting.popleft()[1])
        self._take_events(self.position + 1)
        # Before later events are taken: controls remember only what is to come of the segment that they are known in.
        stop = self.switchboard.carry_out(self.position, stop, self._controls.at)
        return self._take_events(stop)

    def _take_events(self, stop: int) -> int:
        """Carry out what is queued before `stop`, up to the first command that needs the sound up to its sample."""
        while self._queue and self._queue[0][0] < stop:
            sample, _, data = heappop(self._queue)
            for command in self._handle(sample, data):
                if self._waiting or (sample > self.position and self._needs_split(command)):
                    self._waiting.append((sample, command))
                    stop = sample
                else:
                    self._carry_out(sample, command)
        return stop

    def _handle(self, sample: int, data: bytes) -> list[Command]:
        commands = self._performance.handle(data)
        kind, channel = data[0] & 0xF0, data[0] & 0x0F
        if data[0] in (SYSTEM_EXCLUSIVE, SYSTEM_RESET) or (kind == CONTROL_CHANGE and data[1] == DATA_ENTRY_MSB):
            self._refresh_all(sample)
        elif kind in _EXPRESSIVE:
            for index in self._performance.led_by(channel):
                self._refresh(index, sample)
        elif kind == POLY_PRESSURE:
            self._press(sample, channel, data[1])
        if self._performance.tuning_changes != self._tuning_changes:
            self._tuning_changes = self._performance.tuning_changes
            for voice in self._allocator.voices.values():
                if not voice.is_leaving:
                    self._voicing.retune(sample, voice)
        if kind == CONTROL_CHANGE and data[1] == ALL_SOUND_OFF:
            # Notes in their release, too, which the performance has forgotten.
            silent = self._performance.led_by(channel)
            return [NoteCut(voice.note_id) for voice in self._allocator.voices.values() if voice.channel in silent]
        return commands

    def _press(self, sample: int, channel: int, key: int) -> None:
        for voice in self._allocator.voices.values():
            if voice.channel == channel and voice.key == key:
                self._voicing.press(sample, voice)

    def _refresh_all(self, sample: int) -> None:
        for index in range(NUM_CHANNELS):
            self._refresh(index, sample)

    def _refresh(self, index: int, sample: int) -> None:
        expression = self._performance.expression(index)
        self._controls.set(index, sample, control_vector(expression))
        self._mixer.set_level(index, sample, level_vector(expression))

    def _needs_split(self, command: Command) -> bool:
        if isinstance(command, NoteMove):
            return command.is_stroke  # whether the note still sounds is known only then
        return isinstance(command, NoteCut | PathChange) or (isinstance(command, NoteStart) and self._allocator.is_full)

    def _carry_out(self, sample: int, command: Command) -> None:
        if isinstance(command, NoteStart):
            self._start(sample, command)
            return
        if isinstance(command, PathChange):
            self.switchboard.change()
            return
        voice = self._allocator.voices.get(command.note_id)
        if isinstance(command, NoteMove):
            self._move(sample, command, voice)
        elif voice is None:  # died or stolen
            return
        elif isinstance(command, NoteCut):
            self._fade_out([voice])
        elif sample < voice.release:
            voice.release, voice.release_speed = sample, release_speed(command.velocity)

    def _move(self, sample: int, move: NoteMove, voice: Voice | None) -> None:
        if voice is not None:
            self._voicing.move(sample, voice, move)
        elif move.is_stroke:
            self._start(sample, NoteStart(move.note_id, move.channel, move.key, move.velocity, move.soft))

    def _start(self, sample: int, note: NoteStart) -> None:
        if self._allocator.is_full:
            self._fade_out([self._allocator.choose_victim(sample)])
            self.notes_stolen += 1
        path = self.switchboard.path_of(note.channel)
        voice = self._voicing.make(sample, note, self._allocator.claim(), path)
        self._allocator.voices[note.note_id] = voice
        self._started.append(voice)
        self._mixer.note_started(note.channel)
        self.notes_started += 1

    def _fade_out(self, voices: list[Voice]) -> None:
        """Free voices at once; what they still had to say fades out beside the others."""
        sounding = [voice for voice in voices if voice.onset < self.position < voice.end]
        fade_end = self.position + len(self._fade)
        # No event beyond this moment has been handled yet, so none can colour the fade.
        self._grower.grow(sounding, fade_end, self._controls.at)
        for voice in sounding:
            _, audio = voice.take_audio(self.position, fade_end)
            self._fading.add(self.position, voice.channel, audio * self._fade[: len(audio)])
        for voice in voices:
            voice.end = min(voice.end, self.position)
            self._allocator.free(voice)

    def _render_segment(self, stop: int, out: FloatArray) -> None:
        start, mono = self.position, self._mono[:, : stop - self.position]
        voices = list(self._allocator.voices.values())
        self._grower.grow(voices, stop, self._controls.at)
        sounding = {voice.channel for voice in voices} | self._fading.targets
        for channel in sounding:
            mono[channel] = 0.0
        self._fading.mix(start, stop, mono.__getitem__)
        for voice in voices:
            first, audio = voice.take_audio(start, stop)
            mono[voice.channel, first - start : first - start + len(audio)] += audio
        self._mix(mono, sounding, out)
        self._count_peak(voices)
        self._allocator.free_ended(stop)
        self._forget(stop)
        if sounding or self._rings:
            self.sounded_until = stop
        self.position = stop

    def _mix(self, mono: FloatArray, sounding: set[int], out: FloatArray) -> None:
        """Add the channels (16, N) and the effects to the buses."""
        num_samples = out.shape[1]
        sends = self._sends[..., :num_samples]
        sends[:] = 0.0
        self._mixer.mix(mono, sounding, self.position, out, sends)
        if self._rack is None:
            return
        if self.position < self._dry_until:
            sends[..., : self._dry_until - self.position] = 0.0
        if sounding or self._rings:
            self._rack.process(sends, self.position, out)

    def _forget(self, stop: int) -> None:
        """Drop the past of all controls."""
        self._controls.forget()
        for voice in self._allocator.voices.values():
            if voice.gestures is not None:
                voice.gestures.forget(stop)

    def _count_peak(self, voices: list[Voice]) -> None:
        for new in self._started:
            together = sum(voice.onset <= new.onset < voice.end for voice in voices)
            self.peak_voices = max(self.peak_voices, together)
        self._started.clear()
