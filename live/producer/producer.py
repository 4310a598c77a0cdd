"""`Producer`: the producer thread, from messages with their moments to blocks in the ring."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from math import ceil
from time import perf_counter, sleep
from typing import Final

import numpy as np

from ...engine.arrays import FloatArray
from ...errors import DeviceError, TncaError
from ..audio.clock import STALL_S, OutputClock, Watch
from ..audio.device import Output
from ..audio.realtime import PRODUCER_PRIORITY, promote_thread
from ..recording.recorder import Recorder
from .channel_memory import ChannelMemory
from .feed import EARLY_S, Feed
from .inbox import Inbox
from .interfaces import LiveSynth, Meters
from .midi_learn import MidiLearnMap
from .polyphony_governor import LoadMeter, PolyphonyGovernor
from .rest import Rest

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
BURSTS: Final = 3
BURSTS_WITHIN_S: Final = 1.0
"""So many bursts in so short a time tell a device of longer periods."""
TELL_EVERY_S: Final = 1.0
PEAK_FALL_S: Final = 0.3
DEBUG_VARIABLE: Final = "TNCA_DEBUG"
REST_AFTER_S: Final = 1.0
"""So long nothing must have sounded before the producer rests."""
FADE_BLOCKS: Final = 4


class Producer:
    """Plays what arrives, until it is told to stop or the output is lost.

    Parameters
    ----------
    synth : LiveSynth
    output : Output
    inbox : Inbox
        Messages; ports append, the producer takes.
    mapping : MidiLearnMap
    memory : ChannelMemory
        Is told what is played.
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
    failed : str
        What went wrong in `run`, if that was not foreseen.

    Notes
    -----
    Thread: `run` is the producer; `do` and `stop` belong to any other, `meters` may be read by all.
    """

    def __init__(
        self,
        synth: LiveSynth,
        output: Output,
        inbox: Inbox,
        mapping: MidiLearnMap,
        memory: ChannelMemory,
        notice: Callable[[str], None],
        recorder: Recorder | None = None,
        note_cost_s: float = 0.0,
    ) -> None:
        self.lost: DeviceError | None = None
        self.failed = ""
        self._synth, self._output, self._inbox = synth, output, inbox
        self._notice, self._recorder = notice, recorder
        self._tasks: deque[Callable[[], None]] = deque()
        self._stopping, self._panicking = threading.Event(), threading.Event()
        self._governor = PolyphonyGovernor(synth.max_voices)
        self._load, self._peaks = LoadMeter(), np.zeros(2)
        self._model_errors, self._failure_told_s = 0, 0.0
        self._block, self._in_step = output.block_size, output.in_step_with_midi
        self._ahead = _frames_ahead(self._block, output.sample_rate, note_cost_s)
        self._full_s, self._underruns = 0.0, 0  # when the ring was last seen full, and broken
        self._bursts_s: deque[float] = deque(maxlen=BURSTS)  # when the device took more at once
        self._is_resting = self._sounds = False
        self._rest, self._sounded_s = Rest(output, recorder), 0.0
        self._wake_delay_s = _wake_delay_s(self._block, output.sample_rate)
        self._clock = OutputClock(output.sample_rate, self._block)
        self._feed = Feed(synth, output, inbox, mapping, memory, self._clock, notice, recorder)
        self._feed.delay += self._ahead
        self.meters = self._read_meters()

    def record(self, data: bytes) -> None:
        """Put a message into the recording only, at its present end. Thread: producer, or any before `run`."""
        self._feed.record(data)

    def record_with(self, recorder: Recorder | None) -> None:
        """Give what is played from here on to a recorder, or to none. Thread: producer."""
        self._recorder = recorder
        self._feed.record_with(recorder)
        self._rest.record_with(recorder)

    def keep_program(self, keeps: bool) -> None:
        """Say whether program changes change nothing, so that they stay out of the recording. Thread: producer."""
        self._feed.keeps_program = keeps

    def do(self, task: Callable[[], None]) -> None:
        """Let the producer run a task between two blocks."""
        self._tasks.append(task)
        self._inbox.arrived.set()

    def panic(self) -> None:
        """Let the producer silence everything before its next block, and forget what waits."""
        self._panicking.set()
        self._inbox.arrived.set()

    def stop(self) -> None:
        """Let `run` fade out and return."""
        self._stopping.set()
        self._inbox.arrived.set()

    def run(self) -> None:
        """Play. Thread: producer."""
        promote_thread(PRODUCER_PRIORITY)
        try:
            self._prime()
            while not self._stopping.is_set():
                self._wait_for_room()
                self._produce()
                if self._may_rest():
                    self._rest_until_asked()
            self._fade_out()
        except DeviceError as error:
            self.lost = error
        except Exception as error:  # a fault of ours: another engine can go on, this one cannot
            self.failed = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            if os.environ.get(DEBUG_VARIABLE):
                raise

    @property
    def last_message(self) -> bytes:
        """The newest message, b"" before the first."""
        return self._feed.last_message

    @property
    def resting(self) -> bool:
        """Whether nothing sounds, and the producer waits to be asked."""
        return self._is_resting

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
        watch = Watch(perf_counter())
        while True:
            self._keep_playing()
            looked_at = output.frames_taken
            has_room = output.frames_ahead <= self._ahead - self._block
            taken, now_s = output.frames_taken, perf_counter()  # after looking for room: they are never older
            clock.observe(now_s, taken)
            if has_room:
                break
            if watch.is_in_vain(now_s):
                raise DeviceError(f"the audio output {output.device!r} has stopped")
            # A little early: who only looks when the callback is expected would never learn that it comes sooner.
            # And of the frames taken before looking: a callback in between makes room that has not been seen.
            due_s = clock.time_of(looked_at) - EARLY_S if clock.is_set else 0.0
            sleep(min(max(due_s - now_s, POLL_S), self._block / output.sample_rate))
        if self._in_step and taken:
            sleep(max(clock.time_of(taken - self._block) + self._wake_delay_s - perf_counter(), 0.0))

    def _may_rest(self) -> bool:
        now_s = perf_counter()
        if self._sounds or not self._synth.idle or self._is_asked:
            self._sounded_s = now_s
        return self._rest.is_possible and now_s - self._sounded_s > REST_AFTER_S

    @property
    def _is_asked(self) -> bool:
        """Whether there is something to do but to go on as before."""
        return bool(self._inbox or self._tasks) or self._panicking.is_set() or self._stopping.is_set()

    def _rest_until_asked(self) -> None:
        """Let silence lie ready, and look after the device and its clock now and then, until something arrives.

        The frames of the synth stand still meanwhile.
        """
        step_s = self._rest.step_frames / self._output.sample_rate
        self._rest.begin()
        self._is_resting, self._peaks = True, np.zeros(2)
        while not self._is_asked:
            self._inbox.arrived.clear()
            self._rest.fill_up()
            self._output.keep_playing(self._ahead)
            self._look_at_the_clock()
            self._observe(0.0, step_s)
            if not self._is_asked:  # else the event has been set before it was cleared
                due_s = self._clock.time_of(self._output.frames_taken + self._rest.step_frames) - EARLY_S
                self._inbox.wait(min(max(due_s - perf_counter(), POLL_S), step_s))
        due = self._feed.frame_due()
        # What came with a period whose block was taken already is for the block after what else lies ready then.
        is_late = due is not None and due < self._output.frames_taken + self._ahead
        self._feed.origin -= self._rest.end(self._ahead - is_late * self._block)
        self._is_resting, self._full_s, self._sounded_s = False, perf_counter(), perf_counter()

    def _look_at_the_clock(self) -> None:
        """See the callback take a block, so that the moment is known; none within `STALL_S` is a lost device."""
        output, now_s = self._output, perf_counter()
        before, watch = output.frames_taken, Watch(now_s)
        while output.frames_taken == before and not self._is_asked:
            if watch.is_in_vain(now_s):
                raise DeviceError(f"the audio output {output.device!r} has stopped")
            sleep(POLL_S)
            now_s = perf_counter()
        self._clock.observe(now_s, output.frames_taken)

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
            self._feed.delay += self._ahead // 2
            self._notice(f"the device takes more than {self._block} frames at once: more are kept ready")
        if output.frames_ahead >= self._ahead:
            self._full_s = now_s

    def _produce(self) -> None:
        """Make one block and hand it over; then prepare the next, while the ring is full."""
        began_s = perf_counter()
        if self._panicking.is_set():
            self._panicking.clear()
            self._feed.silence()
        while self._tasks:  # before messages, which take effect at frames to come
            self._run_task(self._tasks.popleft())
        self._feed.take(self._governor.limit)
        block = self._synth.render(self._block)
        self._hand_over(block)
        if self._output.frames_ahead > self._ahead - self._block:  # else the next block is waited for already
            self._synth.grow_ahead(self._block)
        self._observe(perf_counter() - began_s, self._block / self._output.sample_rate)

    def _hand_over(self, block: FloatArray) -> None:
        self._output.write(block)
        if self._recorder is not None:
            self._recorder.block(block)
        fall = self._block / (self._output.sample_rate * PEAK_FALL_S)
        peaks = np.abs(block).max(axis=0)
        self._sounds, self._peaks = bool(peaks.any()), np.maximum(peaks, self._peaks * (1.0 - fall))

    def _run_task(self, task: Callable[[], None]) -> None:
        try:
            task()
        except TncaError as error:
            self._notice(str(error))

    def _observe(self, spent_s: float, made_s: float) -> None:
        """Measure the load, let fewer voices sound if it is too high, and tell of models that failed."""
        now_s = perf_counter()
        load = self._load.observe(spent_s, made_s)
        if now_s > self._feed.flooded_until_s:
            limit = self._governor.observe(now_s, load, self._output.underruns, self._synth.active_voices)
            if limit is not None:
                self._synth.limit_voices(limit)
                is_whole = limit == self._synth.max_voices
                self._notice("full polyphony again" if is_whole else f"high load: at most {limit} voices for now")
        self._tell_failures(now_s)
        self.meters = self._read_meters()

    def _tell_failures(self, now_s: float) -> None:
        """Tell of notes that a model's failure cut, not more often than people can read."""
        errors = self._synth.model_errors
        if errors > self._model_errors and now_s > self._failure_told_s + TELL_EVERY_S:
            more = f" ({errors - self._model_errors} notes)" if errors > self._model_errors + 1 else ""
            self._notice(f"a model {self._synth.model_failure}{more}")
            self._model_errors, self._failure_told_s = errors, now_s

    def _read_meters(self) -> Meters:
        output = self._output
        return Meters(
            voices=self._synth.active_voices,
            limit=self._governor.limit,
            peaks=(float(self._peaks[0]), float(self._peaks[1])),
            load=self._load.load,
            underruns=output.underruns,
            xruns=output.xruns,
            late_messages=self._feed.late,
            left_out=self._feed.left_out,
            model_errors=self._synth.model_errors,
            latency_s=self._feed.delay / output.sample_rate + output.latency_s,
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
