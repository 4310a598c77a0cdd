"""`Player`: the producer thread, from messages with their moments to blocks in the ring."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import perf_counter, sleep
from typing import Final, Protocol

import numpy as np

from ..engine.spectral import FloatArray
from ..errors import DeviceError, TncaError
from ..midi.messages import PROGRAM_CHANGE
from ..midi.ports import Arrival
from .audio import Output
from .clock import OutputClock
from .mapping import MessageMap
from .overload import Governor
from .realtime import PRODUCER_PRIORITY, promote_thread
from .recorder import Recorder

MIN_AHEAD_FRAMES: Final = 256
"""What lies ready in the ring at least: at small periods more blocks, so that the time to make one stays useful."""
AHEAD_BLOCKS: Final = 2
MAX_AHEAD_FRAMES: Final = 8192
MAX_NOTE_FRAMES: Final = 1024
"""What the cost of a note's start may add at most."""
RESERVE: Final = 1.1
"""How much longer than a usual one the start of a note may take before the ring runs dry."""
WAKE_DELAY: Final = 0.3
"""Part of a period from the callback to the making of a block, so that MIDI which came with it is there too:"""
MAX_WAKE_DELAY_S: Final = 0.0008
"""at most so long, for in large periods MIDI does not take longer."""
POLL_S: Final = 0.0002
EARLY_S: Final = 0.0001
STALL_S: Final = 1.0
BURSTS: Final = 3
BURSTS_WITHIN_S: Final = 1.0
"""So many bursts in so short a time tell a device of longer periods."""
LOAD_TIME_S: Final = 0.3
PEAK_FALL_S: Final = 0.3
FADE_BLOCKS: Final = 4


class LiveSynth(Protocol):
    """What the player asks of `engine.Synth`."""

    sample_rate: int
    max_voices: int

    @property
    def frame(self) -> int:
        """Number of the next frame."""
        ...

    @property
    def latency_frames(self) -> int:
        """How far ahead events must be sent."""
        ...

    @property
    def active_voices(self) -> int:
        """Voices that sound."""
        ...

    def send(self, data: bytes, at_frame: int | None = None) -> None:
        """Queue a message."""
        ...

    def render(self, num_frames: int) -> FloatArray:
        """Return the next frames."""
        ...

    def grow_ahead(self, num_frames: int) -> None:
        """Do now what the next frames of sounding notes need."""
        ...

    def limit_voices(self, limit: int) -> None:
        """Let fewer or more voices sound."""
        ...

    def panic(self) -> None:
        """Silence everything."""
        ...


@dataclass(frozen=True)
class Meters:
    """What the producer knows of itself, for other threads to read."""

    voices: int = 0
    limit: int = 0
    peaks: tuple[float, float] = (0.0, 0.0)
    load: float = 0.0
    underruns: int = 0
    xruns: int = 0
    late_messages: int = 0
    latency_s: float = 0.0
    device: str = ""


class Player:
    """Plays what arrives, until it is told to stop or the output is lost.

    Parameters
    ----------
    synth : LiveSynth
    output : Output
    inbox : deque of Arrival
        Messages; ports append, the producer takes.
    mapping : MessageMap
    notice : callable
        Takes lines for people.
    recorder : Recorder, optional
        Is given what is played.
    note_cost_s : float
        How long the block takes in which a note starts: a slower machine keeps more blocks ready, and so gets a longer
        latency instead of gaps.

    Attributes
    ----------
    lost : DeviceError or None
        Why `run` returned by itself.

    Notes
    -----
    Thread: `run` is the producer; `do` and `stop` belong to any other, `meters` may be read by all.
    """

    def __init__(
        self,
        synth: LiveSynth,
        output: Output,
        inbox: deque[Arrival],
        mapping: MessageMap,
        notice: Callable[[str], None],
        recorder: Recorder | None = None,
        note_cost_s: float = 0.0,
    ) -> None:
        self.lost: DeviceError | None = None
        self.last_message = b""
        self._synth, self._output, self._inbox, self._mapping = synth, output, inbox, mapping
        self._notice, self._recorder = notice, recorder
        self._tasks: deque[Callable[[], None]] = deque()
        self._stopping = threading.Event()
        self._governor = Governor(synth.max_voices)
        self._load, self._peaks, self._late = 0.0, np.zeros(2), 0
        self._block, self._in_step = output.block_size, output.in_step_with_midi
        self._ahead = _frames_ahead(self._block, output.sample_rate, note_cost_s)
        self._delay = self._ahead + (0 if self._in_step else self._block) + synth.latency_frames
        self._full_s, self._underruns = 0.0, 0  # when the ring was last seen full, and broken
        self._bursts_s: deque[float] = deque(maxlen=BURSTS)  # when the device took more at once
        self._wake_delay_s = _wake_delay_s(self._block, output.sample_rate)
        self._clock = OutputClock(output.sample_rate, self._block)
        self._origin = synth.frame  # the frame of the synth that is the output's first
        self.keeps_program = False  # program changes change nothing, and stay out of the recording
        self.meters = self._read_meters()

    def record(self, data: bytes) -> None:
        """Put a message into the recording only, at its present end. Thread: producer, or any before `run`."""
        if self._recorder is not None:
            self._recorder.message(self._synth.frame - self._origin, data)

    def do(self, task: Callable[[], None]) -> None:
        """Let the producer run a task between two blocks."""
        self._tasks.append(task)

    def stop(self) -> None:
        """Let `run` fade out and return."""
        self._stopping.set()

    def run(self) -> None:
        """Play. Thread: producer."""
        promote_thread(PRODUCER_PRIORITY)
        try:
            self._prime()
            while not self._stopping.is_set():
                self._wait_for_room()
                self._produce()
            self._fade_out()
        except DeviceError as error:
            self.lost = error

    def _prime(self) -> None:
        for _ in range(self._ahead // self._block):
            self._produce()

    def _wait_for_room(self) -> None:
        """Return when the callback has taken a block; follow its clock.

        Raises
        ------
        DeviceError
            If the device asks for nothing any more.
        """
        output, clock = self._output, self._clock
        gives_up_s = perf_counter() + STALL_S
        while True:
            self._keep_playing()
            looked_at = output.frames_taken
            has_room = output.frames_ahead <= self._ahead - self._block
            taken, now_s = output.frames_taken, perf_counter()  # after looking for room: they are never older
            clock.observe(now_s, taken)
            if has_room:
                break
            if now_s > gives_up_s:
                raise DeviceError(f"the audio output {output.device!r} has stopped")
            # A little early: who only looks when the callback is expected would never learn that it comes sooner.
            # And of the frames taken before looking: a callback in between makes room that has not been seen.
            due_s = clock.time_of(looked_at) - EARLY_S if clock.is_set else 0.0
            sleep(min(max(due_s - now_s, POLL_S), self._block / output.sample_rate))
        if self._in_step and taken:
            sleep(max(clock.time_of(taken - self._block) + self._wake_delay_s - perf_counter(), 0.0))

    def _keep_playing(self) -> None:
        """Let the callback read; keep more ready if it takes more at once than its period says.

        PortAudio calls several times in a row where the device's own period is longer than the block asked for. A ring
        that was full a moment ago and is dry now tells. It does so at every such period; a single burst is a device
        that lost time, for which latency must not grow.
        """
        output, now_s = self._output, perf_counter()
        output.keep_playing(self._ahead)
        has_broken, self._underruns = output.underruns > self._underruns, output.underruns
        is_burst = has_broken and now_s - self._full_s < 1.5 * self._block / output.sample_rate
        if is_burst:
            self._bursts_s.append(now_s)
        repeats = len(self._bursts_s) == BURSTS and now_s - self._bursts_s[0] < BURSTS_WITHIN_S
        if is_burst and repeats and self._ahead < MAX_AHEAD_FRAMES:
            self._bursts_s.clear()
            self._ahead += self._ahead
            self._delay += self._ahead // 2
            self._notice(f"the device takes more than {self._block} frames at once: more are kept ready")
        if output.frames_ahead >= self._ahead:
            self._full_s = now_s

    def _produce(self) -> None:
        """Make one block and hand it over; then prepare the next, while the ring is full."""
        began_s = perf_counter()
        self._take_messages()
        while self._tasks:
            self._run_task(self._tasks.popleft())
        block = self._synth.render(self._block)
        self._hand_over(block)
        if self._output.frames_ahead > self._ahead - self._block:  # else the next block is waited for already
            self._synth.grow_ahead(self._block)
        self._observe(perf_counter() - began_s)

    def _hand_over(self, block: FloatArray) -> None:
        self._output.write(block)
        if self._recorder is not None:
            self._recorder.block(block)
        fall = self._block / (self._output.sample_rate * PEAK_FALL_S)
        self._peaks = np.maximum(np.abs(block).max(axis=0), self._peaks * (1.0 - fall))

    def _take_messages(self) -> None:
        inbox, synth = self._inbox, self._synth
        while inbox:
            arrival = inbox.popleft()
            self.last_message = arrival.data
            data = self._mapping.apply(arrival.data)
            if data is None:
                continue
            earliest = synth.frame + synth.latency_frames
            frame = self._frame_of(arrival.time_s)
            if frame < earliest:
                self._late += 1
                frame = earliest
            synth.send(data, frame)
            if self._recorder is not None and not (self.keeps_program and data[0] & 0xF0 == PROGRAM_CHANGE):
                self._recorder.message(frame - self._origin, data)

    def _frame_of(self, time_s: float) -> int:
        """Return the synth's frame at which a message that arrived then shall play."""
        if not self._clock.is_set:
            return self._synth.frame + self._synth.latency_frames
        frame = self._clock.frame_at(time_s)
        if self._in_step:  # it came with the beginning of a period, and only its way here took a while
            frame = (frame + self._block // 4) // self._block * self._block
        return self._origin + frame + self._delay

    def _run_task(self, task: Callable[[], None]) -> None:
        try:
            task()
        except TncaError as error:
            self._notice(str(error))

    def _observe(self, spent_s: float) -> None:
        """Measure the load, and let fewer voices sound if it is too high."""
        block_s = self._block / self._output.sample_rate
        weight = min(block_s / LOAD_TIME_S, 1.0)
        self._load += weight * (spent_s / block_s - self._load)
        limit = self._governor.observe(perf_counter(), self._load, self._output.underruns, self._synth.active_voices)
        if limit is not None:
            self._synth.limit_voices(limit)
            is_whole = limit == self._synth.max_voices
            self._notice("full polyphony again" if is_whole else f"high load: at most {limit} voices for now")
        self.meters = self._read_meters()

    def _read_meters(self) -> Meters:
        output = self._output
        return Meters(
            voices=self._synth.active_voices,
            limit=self._governor.limit,
            peaks=(float(self._peaks[0]), float(self._peaks[1])),
            load=self._load,
            underruns=output.underruns,
            xruns=output.xruns,
            late_messages=self._late,
            latency_s=self._delay / output.sample_rate + output.latency_s,
            device=output.device,
        )

    def _fade_out(self) -> None:
        """Let the last blocks fade, and wait until they have sounded."""
        fade = np.linspace(1.0, 0.0, FADE_BLOCKS * self._block, dtype=np.float32)
        for start in range(0, len(fade), self._block):
            self._wait_for_room()
            block = self._synth.render(self._block)
            self._hand_over(block * fade[start : start + self._block, None])
        gives_up_s = perf_counter() + STALL_S
        while self._output.frames_ahead and perf_counter() < gives_up_s:
            sleep(POLL_S)


def _wake_delay_s(block: int, sample_rate: int) -> float:
    return min(WAKE_DELAY * block / sample_rate, MAX_WAKE_DELAY_S)


def _frames_ahead(block: int, sample_rate: int, note_cost_s: float) -> int:
    """Return how many frames to keep ready: whole blocks, enough to start a note while the callback goes on."""
    wanted = min((RESERVE * note_cost_s + _wake_delay_s(block, sample_rate)) * sample_rate, MAX_NOTE_FRAMES)
    return max(AHEAD_BLOCKS, ceil(max(wanted, MIN_AHEAD_FRAMES) / block)) * block
