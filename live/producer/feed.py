"""`Feed`: brings what has arrived to the synth, every message at the frame that it is for."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

from ...midi.messages import ALL_SOUND_OFF, NUM_CHANNELS, PROGRAM_CHANGE, RESET_CONTROLLERS, control_change
from ...midi.ports.backends import Arrival
from ..audio.clock import OutputClock
from ..audio.device import Output
from ..recording.recorder import Recorder
from .channel_memory import ChannelMemory
from .inbox import MANY, Inbox, thinned
from .interfaces import LiveSynth
from .midi_learn import MidiLearnMap
from .polyphony_governor import LOAD_TIME_S

EARLY_S: Final = 0.0001
"""By so much the clock of the output may be wrong."""
STALE_S: Final = 0.1
"""Messages that have waited longer than this and two blocks are not all played any more."""
AFTER_FLOOD_S: Final = 2 * LOAD_TIME_S
"""For so long after a flood the load tells of messages, which fewer voices would not help."""


class Feed:
    """Takes messages out of the inbox.

    Parameters
    ----------
    synth, output, inbox, mapping, memory, clock, notice, recorder
        As the player has them.

    Attributes
    ----------
    origin : int
        The frame of the synth that is the output's first.
    delay : int
        Frames from the arrival of a message to its sound.
    late, left_out : int
        Messages that came too late for their own place; that later ones superseded in a flood.
    keeps_program : bool
        Whether program changes change nothing, and stay out of the recording.
    flooded_until_s : float
        When what a flood has left behind is over.
    last_message : bytes

    Notes
    -----
    Thread: producer.
    """

    def __init__(
        self,
        synth: LiveSynth,
        output: Output,
        inbox: Inbox,
        mapping: MidiLearnMap,
        memory: ChannelMemory,
        clock: OutputClock,
        notice: Callable[[str], None],
        recorder: Recorder | None,
    ) -> None:
        self._synth, self._inbox, self._mapping, self._memory = synth, inbox, mapping, memory
        self._clock, self._notice, self._recorder = clock, notice, recorder
        self._rate, self._block, self._in_step = output.sample_rate, output.block_size, output.in_step_with_midi
        self.origin = synth.frame
        self.delay = (0 if self._in_step else self._block) + synth.latency_frames
        self._take_begin = 0  # the output's frame that is the recording's first
        self.keeps_program = False
        self.late = self.left_out = 0
        self.flooded_until_s = 0.0
        self.last_message = b""

    def take(self, most_starts: int) -> None:
        """Send the synth what has arrived; of a flood what still matters, and at most so many notes that begin."""
        arrivals = self._inbox.take()
        if not arrivals:
            return
        self.last_message = arrivals[-1].data
        stale_s = STALE_S + 2.0 * self._block / self._rate
        if len(arrivals) > MANY or perf_counter() - arrivals[0].time_s > stale_s:
            kept = thinned(arrivals, most_starts)
            self._note_flood(len(arrivals) - len(kept))
            arrivals = kept
        for arrival in arrivals:
            self._play(arrival)

    def frame_due(self) -> int | None:
        """Return the frame of the output that the oldest waiting message is for; None if nothing waits."""
        first = self._inbox.first
        if first is None or not self._clock.is_set:
            return None
        return self._frame_of(first.time_s) - self.origin - self._synth.latency_frames

    def silence(self) -> None:
        """Silence everything, and forget what waits."""
        self._inbox.clear()
        self._synth.panic()
        self._memory.reset_controllers()
        for channel in range(NUM_CHANNELS):
            self.record(control_change(channel, ALL_SOUND_OFF, 0))
            self.record(control_change(channel, RESET_CONTROLLERS, 0))

    def record(self, data: bytes) -> None:
        """Put a message into the recording only, at its present end."""
        if self._recorder is not None:
            self._recorder.message(self._synth.frame - self.origin - self._take_begin, data)

    def record_with(self, recorder: Recorder | None) -> None:
        """Give what is played from here on to a recorder, or to none."""
        self._recorder, self._take_begin = recorder, self._synth.frame - self.origin

    def _play(self, arrival: Arrival) -> None:
        data = self._mapping.apply(arrival.data)
        if data is None:
            return
        earliest = self._synth.frame + self._synth.latency_frames
        frame = self._frame_of(arrival.time_s)
        if frame < earliest - EARLY_S * self._rate:
            self.late += 1
        frame = max(frame, earliest)
        self._synth.send(data, frame)
        self._memory.follow(data)
        if self._recorder is not None and not (self.keeps_program and data[0] & 0xF0 == PROGRAM_CHANGE):
            self._recorder.message(frame - self.origin - self._take_begin, data)

    def _note_flood(self, left_out: int) -> None:
        """Count what was left out, say it once, and blame no voice for the work that messages make."""
        now_s = perf_counter()
        if left_out and now_s > self.flooded_until_s:
            self._notice("more MIDI messages than can be played: what they supersede is left out")
        self.left_out += left_out
        self.flooded_until_s = now_s + AFTER_FLOOD_S

    def _frame_of(self, time_s: float) -> int:
        """Return the synth's frame at which a message that arrived then shall play."""
        if not self._clock.is_set:
            return self._synth.frame + self._synth.latency_frames
        frame = self._clock.frame_at(time_s)
        if self._in_step:  # it came with the beginning of a period, and only its way here took a while
            frame = (frame + self._block // 4) // self._block * self._block
        return self.origin + frame + self.delay
