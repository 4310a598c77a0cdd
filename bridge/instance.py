"""`Instance`: one client's synth, played through its link."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import gcd
from time import perf_counter
from typing import Final, Protocol

from ..engine.arrays import FloatArray
from ..engine.open import OpenSynth
from ..live.producer.polyphony_governor import PolyphonyGovernor
from ..midi.messages import is_complete
from . import controls
from .layout import EventKind, LinkState
from .link import EngineLink, LinkEvent
from .parameters import PARAMETERS

MOST_FRAMES: Final = 4096
"""What one instance renders before others have their turn."""
GIVES_UP_S: Final = 0.25
"""An instance that is so far behind leaves out what nobody waits for any more."""


class MakeSynth(Protocol):
    """Makes synths for a link."""

    def __call__(self, link: EngineLink) -> OpenSynth:
        """Return a synth at power-up."""


class Instance:
    """Plays what a link says.

    Parameters
    ----------
    link : EngineLink
    make : callable
        Makes a synth, at the beginning and where time begins anew.
    choose : callable
        Lets an instrument play a synth, by the value of its parameter.

    Attributes
    ----------
    link : EngineLink

    Notes
    -----
    Thread: made by any; everything else belongs to the player.
    """

    def __init__(self, link: EngineLink, make: MakeSynth, choose: Callable[[OpenSynth, int], None]) -> None:
        self.link = link
        self._make, self._choose = make, choose
        self._pending: deque[LinkEvent] = deque()
        self._governor = PolyphonyGovernor(link.max_voices)
        self._rendered = 0  # frame of the link before which all is rendered
        self._block = 0  # frames that the last turn rendered
        self.notices: list[str] = []
        self._begin(0)
        self._step = link.sample_rate // gcd(link.sample_rate, self._synth.internal_rate)

    def _begin(self, frame: int) -> None:
        """Let time begin anew at a frame of the link, with a synth at power-up."""
        self._open = self._make(self.link)
        self._synth = self._open.synth
        self._origin = -frame  # frame of the synth that is frame 0 of the link
        self._values = [one.default for one in PARAMETERS]
        self._sent_until = 0
        self._is_together: bool | None = None
        self._model_errors = 0

    @property
    def is_due(self) -> bool:
        """Whether there is something to render."""
        return self.link.frames_known - self.link.look_ahead > self._rendered or self.link.has_events

    @property
    def voices(self) -> int:
        """Voices that sound."""
        return self._synth.active_voices

    def turn(self) -> float:
        """Render what is due, `MOST_FRAMES` at most; return how long it took in seconds."""
        began_s = perf_counter()
        link = self.link
        target = link.frames_known - link.look_ahead  # before events are taken: then all of them are there
        offline = link.is_offline
        self._pending.extend(link.take())
        self._grow_together(not offline)
        self._skip(target, offline)
        until = min(target, self._rendered + MOST_FRAMES)
        self._block = until - self._rendered
        while self._rendered < until:
            self._render(self._perform(until))
        is_idle = not offline and not self._pending and self._rendered >= target and self._synth.idle
        link.publish(self._rendered)
        link.be_idle(is_idle)
        self._report()
        return perf_counter() - began_s

    def grow_ahead(self) -> float:
        """Grow now what sounding notes need for the next block, if it is like this one; return how long it took.

        Live alone: what arrives meanwhile for these notes is heard a block later.
        """
        if self.link.is_offline or not self._synth.active_voices or not 0 < self._block <= self.link.max_block:
            return 0.0
        began_s = perf_counter()
        self._synth.grow_ahead(self._block)
        self._block = 0
        return perf_counter() - began_s

    def govern(self, load: float) -> None:
        """Let fewer voices sound under overload, and more again when there is time."""
        late = self.link.shared.late_blocks
        limit = self._governor.observe(perf_counter(), load, late, self._synth.active_voices)
        if limit is not None:
            self._synth.limit_voices(limit)
        shared = self.link.shared
        shared.load, shared.voice_limit = load, self._governor.limit

    def be_ready(self) -> None:
        """Tell the client that it may ask for sound."""
        self.link.shared.state = LinkState.READY

    def close(self) -> None:
        """Free the synth, and leave the link to its client."""
        self._open.close()
        del self._open, self._synth
        self.link.close()

    def _grow_together(self, together: bool) -> None:
        if together != self._is_together:
            self._synth.grow_together(together)
            self._is_together = together

    def _skip(self, target: int, offline: bool) -> None:
        """Leave out frames that are silent anyway, or that the client has given up.

        The synth stands still meanwhile. Only whole steps are left out, after which its resampler is where it was.
        """
        link = self.link
        gap = target - self._rendered
        if self._synth.idle:
            wake = min(self._pending[0].frame - link.latency, target) if self._pending else target
            gap = wake - self._rendered
            least = link.latency + link.max_block  # less than that an offline client asks for at once
        else:
            least = link.latency + round(GIVES_UP_S * link.sample_rate)
        if gap <= least or (offline and not self._synth.idle):
            return
        gap = gap // self._step * self._step
        self.link.silence(self._rendered, self._rendered + gap)
        self._rendered += gap
        self._origin -= gap

    def _perform(self, until: int) -> int:
        """Carry out what is due before a frame; return the frame up to which can be rendered then."""
        ahead = self._synth.latency_frames
        while self._pending:
            event = self._pending[0]
            if event.kind is EventKind.RESTART:
                if event.frame > self._rendered:
                    return min(until, event.frame)
                self._begin(event.frame)
                self._grow_together(not self.link.is_offline)
            elif event.kind is EventKind.PARAMETER and event.parameter == controls.INSTRUMENT:
                if event.frame - ahead > self._rendered:
                    return min(until, event.frame - ahead)
                self._choose(self._open, int(controls.clipped(event.parameter, event.value)))
            elif event.frame >= until + ahead:
                return until
            else:
                self._send_event(event)
            self._pending.popleft()
        return until

    def _send_event(self, event: LinkEvent) -> None:
        if event.kind is EventKind.MIDI:
            self._send_message(event.data, event.frame)
        elif event.kind is EventKind.RELEASE:
            for data in controls.release_messages():
                self._send(data, event.frame)
        elif event.parameter < len(PARAMETERS):
            value = controls.clipped(event.parameter, event.value)
            self._values[event.parameter] = value
            self._set(event.parameter, value, event.frame)

    def _send_message(self, data: bytes, frame: int) -> None:
        """Play a message; what it resets of the parameters is set again."""
        if not is_complete(data):
            return
        self._send(data, frame)
        if controls.resets_controllers(data):
            channel = data[0] & 0x0F
            for index in controls.RESET_WITH_CONTROLLERS:
                self._set_again(index, frame, range(channel, channel + 1))
        elif controls.resets_system(data):
            for index in range(len(PARAMETERS)):
                self._set_again(index, frame, controls.ALL_CHANNELS)

    def _set_again(self, index: int, frame: int, channels: range) -> None:
        value = self._values[index]
        if value != PARAMETERS[index].default:
            for data in controls.parameter_messages(index, value, channels):
                self._send(data, frame)

    def _set(self, index: int, value: float, frame: int) -> None:
        if controls.is_own_corner(index, value):
            for channel in controls.ALL_CHANNELS:
                self._send(controls.corner_message(index, channel, self._synth.channel(channel).program), frame)
        for data in controls.parameter_messages(index, value):
            self._send(data, frame)

    def _send(self, data: bytes, frame: int) -> None:
        """Queue a message for a frame of the link, never before one that was queued already."""
        self._sent_until = max(frame + self._origin, self._sent_until)
        self._synth.send(data, self._sent_until)

    def _render(self, until: int) -> None:
        if until <= self._rendered:
            return
        block: FloatArray = self._synth.render(until - self._rendered)
        self.link.write(self._rendered, block)
        self._rendered = until

    def _report(self) -> None:
        shared, synth = self.link.shared, self._synth
        shared.voices = synth.active_voices
        shared.heartbeat += 1
        if synth.model_errors > self._model_errors:
            self._model_errors = synth.model_errors
            self.notices.append(f"a model {synth.model_failure}")
