"""`Player`: the producer thread, from messages with their moments to blocks in the ring."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from math import ceil
from time import perf_counter, sleep
from typing import Final

import numpy as np

from ..engine.spectral import FloatArray
from ..errors import DeviceError, TncaError
from ..midi.messages import ALL_SOUND_OFF, NUM_CHANNELS, PROGRAM_CHANGE, RESET_CONTROLLERS, control_change
from ..midi.ports import Arrival
from .audio import Output
from .channel_memory import ChannelMemory
from .clock import OutputClock
from .inbox import MANY, Inbox, thinned
from .interfaces import LiveSynth, Meters
from .mapping import MessageMap
from .overload import LOAD_TIME_S, Governor, LoadMeter
from .realtime import PRODUCER_PRIORITY, promote_thread
from .recorder import Recorder
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
EARLY_S: Final = 0.0001
STALL_S: Final = 1.0
LONG_S: Final = 0.5
BURSTS: Final = 3
BURSTS_WITHIN_S: Final = 1.0
"""So many bursts in so short a time tell a device of longer periods."""
STALE_S: Final = 0.1
"""Messages that have waited longer than this and two blocks are not all played any more."""
AFTER_FLOOD_S: Final = 2 * LOAD_TIME_S
"""For so long after a flood the load tells of messages, which fewer voices would not help."""
TELL_EVERY_S: Final = 1.0
PEAK_FALL_S: Final = 0.3
REST_AFTER_S: Final = 1.0
"""So long nothing must have sounded before the producer rests."""
FADE_BLOCKS: Final = 4


class Player:
    """Plays what arrives, until it is told to stop or the output is lost.

    Parameters
    ----------
    synth : LiveSynth
    output : Output
    inbox : Inbox
        Messages; ports append, the producer takes.
    mapping : MessageMap
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

    Notes
    -----
    Thread: `run` is the producer; `do` and `stop` belong to any other, `meters` may be read by all.
    """

    def __init__(
        self,
        synth: LiveSynth,
        output: Output,
        inbox: Inbox,
        mapping: MessageMap,
        memory: ChannelMemory,
        notice: Callable[[str], None],
        recorder: Recorder | None = None,
        note_cost_s: float = 0.0,
    ) -> None:
        self.lost: DeviceError | None = None
        self.last_message = b""
        self._synth, self._output, self._inbox, self._mapping = synth, output, inbox, mapping
        self._memory, self._notice, self._recorder = memory, notice, recorder
        self._tasks: deque[Callable[[], None]] = deque()
        self._stopping, self._panicking = threading.Event(), threading.Event()
        self._governor = Governor(synth.max_voices)
        self._load, self._peaks = LoadMeter(), np.zeros(2)
        self._late = self._left_out = self._model_errors = 0
        self._flooded_until_s = self._failure_told_s = 0.0
        self._block, self._in_step = output.block_size, output.in_step_with_midi
        self._ahead = _frames_ahead(self._block, output.sample_rate, note_cost_s)
        self._delay = self._ahead + (0 if self._in_step else self._block) + synth.latency_frames
        self._full_s, self._underruns = 0.0, 0  # when the ring was last seen full, and broken
        self._bursts_s: deque[float] = deque(maxlen=BURSTS)  # when the device took more at once
        self._is_resting = self._sounds = False
        self._rest, self._sounded_s = Rest(output, recorder), 0.0
        self._wake_delay_s = _wake_delay_s(self._block, output.sample_rate)
        self._clock = OutputClock(output.sample_rate, self._block)
        self._origin = synth.frame  # the frame of the synth that is the output's first
        self._take_begin = 0  # the output's frame that is the recording's first
        self.keeps_program = False  # program changes change nothing, and stay out of the recording
        self.meters = self._read_meters()

    def record(self, data: bytes) -> None:
        """Put a message into the recording only, at its present end. Thread: producer, or any before `run`."""
        if self._recorder is not None:
            self._recorder.message(self._synth.frame - self._origin - self._take_begin, data)

    def record_with(self, recorder: Recorder | None) -> None:
        """Give what is played from here on to a recorder, or to none. Thread: producer."""
        self._recorder, self._take_begin = recorder, self._synth.frame - self._origin
        self._rest.record_with(recorder)

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
        looked_s = perf_counter()
        gives_up_s = looked_s + STALL_S
        while True:
            self._keep_playing()
            looked_at = output.frames_taken
            has_room = output.frames_ahead <= self._ahead - self._block
            taken, now_s = output.frames_taken, perf_counter()  # after looking for room: they are never older
            clock.observe(now_s, taken)
            if has_room:
                break
            # Who has not looked for long cannot tell: it was this process that stood still.
            gives_up_s, looked_s = max(gives_up_s, now_s + STALL_S if now_s > looked_s + LONG_S else 0.0), now_s
            if now_s > gives_up_s:
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
            self._load.observe(0.0, step_s)
            self.meters = self._read_meters()
            if not self._is_asked:  # else the event has been set before it was cleared
                due_s = self._clock.time_of(self._output.frames_taken + self._rest.step_frames) - EARLY_S
                self._inbox.wait(min(max(due_s - perf_counter(), POLL_S), step_s))
        self._origin -= self._rest.end(self._ahead)
        self._is_resting, self._full_s, self._sounded_s = False, perf_counter(), perf_counter()

    def _look_at_the_clock(self) -> None:
        """See the callback take a block, so that the moment is known; none within `STALL_S` is a lost device."""
        output, now_s = self._output, perf_counter()
        before, gives_up_s = output.frames_taken, now_s + STALL_S
        while output.frames_taken == before and not self._is_asked:
            if now_s > gives_up_s:
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
            self._delay += self._ahead // 2
            self._notice(f"the device takes more than {self._block} frames at once: more are kept ready")
        if output.frames_ahead >= self._ahead:
            self._full_s = now_s

    def _produce(self) -> None:
        """Make one block and hand it over; then prepare the next, while the ring is full."""
        began_s = perf_counter()
        if self._panicking.is_set():
            self._silence()
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
        peaks = np.abs(block).max(axis=0)
        self._sounds, self._peaks = bool(peaks.any()), np.maximum(peaks, self._peaks * (1.0 - fall))

    def _silence(self) -> None:
        self._panicking.clear()
        self._inbox.clear()
        self._synth.panic()
        self._memory.reset_controllers()
        for channel in range(NUM_CHANNELS):
            self.record(control_change(channel, ALL_SOUND_OFF, 0))
            self.record(control_change(channel, RESET_CONTROLLERS, 0))

    def _take_messages(self) -> None:
        arrivals = self._inbox.take()
        if not arrivals:
            return
        self.last_message = arrivals[-1].data
        stale_s = STALE_S + 2.0 * self._block / self._output.sample_rate
        if len(arrivals) > MANY or perf_counter() - arrivals[0].time_s > stale_s:
            kept = thinned(arrivals, self._governor.limit)
            self._note_flood(len(arrivals) - len(kept))
            arrivals = kept
        for arrival in arrivals:
            self._play(arrival)

    def _play(self, arrival: Arrival) -> None:
        data = self._mapping.apply(arrival.data)
        if data is None:
            return
        earliest = self._synth.frame + self._synth.latency_frames
        frame = self._frame_of(arrival.time_s)
        if frame < earliest - EARLY_S * self._output.sample_rate:  # less is what the clock may be wrong by
            self._late += 1
        frame = max(frame, earliest)
        self._synth.send(data, frame)
        self._memory.follow(data)
        if self._recorder is not None and not (self.keeps_program and data[0] & 0xF0 == PROGRAM_CHANGE):
            self._recorder.message(frame - self._origin - self._take_begin, data)

    def _note_flood(self, left_out: int) -> None:
        """Count what was left out, say it once, and blame no voice for the work that messages make."""
        now_s = perf_counter()
        if left_out and now_s > self._flooded_until_s:
            self._notice("more MIDI messages than can be played: what they supersede is left out")
        self._left_out += left_out
        self._flooded_until_s = now_s + AFTER_FLOOD_S

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
        """Measure the load, let fewer voices sound if it is too high, and tell of models that failed."""
        now_s = perf_counter()
        load = self._load.observe(spent_s, self._block / self._output.sample_rate)
        if now_s > self._flooded_until_s:
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
            late_messages=self._late,
            left_out=self._left_out,
            model_errors=self._synth.model_errors,
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
