"""Who takes which path: chosen for each MIDI channel, and changed under notes that sound.

That would cost too much for one block, so it is done aside: the successors of notes are prepared while the notes still
sound themselves, and then all go over together. All is over within 20 ms.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...midi.state.interpreter import Interpreter
from ..bank.path import SignalPath
from ..modulation.channel import ChannelControls
from ..voices.allocator import VoiceAllocator
from ..voices.note_on import NoteOn
from ..voices.voice import Voice
from .crossfade import PathGrowers

PREPARATION_S = 0.0136
"""How long successors prepare. With what limiter and resampler look ahead, all is over after 19.3 ms."""
FEW = 4
"""So few notes settle for twice as many hops as their growth asks for at least."""

FindPath = Callable[[SignalPath, int, int], SignalPath | None]
"""From the path chosen outside MIDI, and MIDI's numbers of representation and decoder, to a path if there is one."""


class ProgramSwitch:
    """Knows the path of every MIDI channel, and lets sounding notes go over to it.

    Parameters
    ----------
    growers, interpreter, note_on, allocator, controls
        What it works with.

    Attributes
    ----------
    find : callable or None
        Finds what MIDI asks for; without it MIDI changes no path.
    """

    def __init__(
        self,
        growers: PathGrowers,
        interpreter: Interpreter,
        note_on: NoteOn,
        allocator: VoiceAllocator,
        controls: ChannelControls,
    ) -> None:
        self.find: FindPath | None = None
        self._growers, self._interpreter = growers, interpreter
        self._note_on, self._allocator, self._controls = note_on, allocator, controls
        self._chosen = [0] * len(interpreter.channels)
        self._found: dict[tuple[int, int, int], int] = {}
        self._has_changed = False
        self._preparation = round(PREPARATION_S * growers.sample_rate)
        self._due: dict[int, int] = {}  # note id -> sample at which it goes over
        self._successors: dict[int, Voice] = {}  # note id -> what it goes over to, where that prepares

    def choose(self, channel: int | None, path: SignalPath) -> None:
        """Let a channel, or all, take a path from now on, whatever MIDI has chosen there."""
        for index in range(len(self._chosen)) if channel is None else (channel,):
            self._chosen[index] = self._growers.number(path)
            self._interpreter.channels[index].path = (0, 0)
        self._has_changed = True

    def change(self) -> None:
        """Take note that MIDI has chosen anew."""
        self._has_changed = True

    def path_of(self, channel: int) -> int:
        """Return the number of the path that notes of a MIDI channel take; drums none that has no drums, if any has."""
        state, chosen = self._interpreter.channels[channel], self._chosen[channel]
        wanted = chosen if state.path == (0, 0) else self._find(chosen, *state.path)
        if state.is_drums:
            fitting = (one for one in (wanted, chosen, 0) if self._growers.paths[one].bank.has_drums)
            return next(fitting, wanted)
        return wanted

    def carry_out(self, position: int, stop: int) -> int:
        """Do what is due at `position`; return the sample up to which can be rendered then."""
        if self._has_changed:
            self._has_changed = False
            self._plan(position)
        if not self._due:
            return stop
        self._allocator.free_ended(position)
        ready = [note_id for note_id, sample in self._due.items() if sample <= position]
        for note_id in ready:
            del self._due[note_id]
        self._go_over(ready, position)
        return min([stop, *self._due.values()])

    def _plan(self, position: int) -> None:
        """Decide when each of the notes goes over that are on another path than their channel's."""
        self._growers.await_preparation()
        for successor in self._successors.values():
            self._allocator.give_back(successor.slot)
        self._successors = {}
        voices = [voice for voice in self._allocator.voices.values() if not voice.is_leaving]
        movers = [voice for voice in voices if voice.path != self.path_of(voice.channel)]
        self._due = {voice.note_id: position for voice in movers}
        sounding = [
            voice for voice in movers if self._has_grown(voice) and self._may_go_over_at(voice) <= position < voice.end
        ]
        if sounding:
            self._prepare(sounding, position)

    def _prepare(self, voices: list[Voice], position: int) -> None:
        """Let the successors of voices prepare from now on; those that find no slot go over by themselves, later."""
        sample, care = position + self._preparation, 2 if len(voices) <= FEW else 1
        cast = []
        for voice in voices:
            if not self._allocator.can_take_over:
                break
            successor = self._successor(voice)
            cast.append(self._growers.seed(voice, successor, sample, self._asked(successor, position), care))
            self._successors[voice.note_id], self._due[voice.note_id] = successor, sample
        if cast:
            self._growers.prepare(cast, sample)

    def _asked(self, successor: Voice, position: int) -> NDArray[np.float64]:
        """Return what is asked of a successor, (K,), as it is now: what is to come it cannot know."""
        asked: NDArray[np.float64] = self._controls.now([successor], position)[0]
        return asked

    def _has_grown(self, voice: Voice) -> bool:
        return self._growers.progress.num_frames[voice.slot] > 0

    @staticmethod
    def _may_go_over_at(voice: Voice) -> int:
        """Return when a voice has come in itself."""
        return voice.rises_at + voice.crossfade

    def _successor(self, voice: Voice) -> Voice:
        """Return what a note goes over to, in a slot of its own."""
        successor = voice.successor(self._allocator.claim())
        retuned = self._note_on.recast_voice(successor, self.path_of(voice.channel))
        self._growers.progress.succeed(voice.slot, successor.slot, retuned)
        return successor

    def _go_over(self, notes: list[int], position: int) -> None:
        """Let notes go over to their successors; those that have none yet get one, which settles at once."""
        cast = []
        for note_id in notes:
            if note_id in self._successors:
                self._growers.await_preparation(self._successors[note_id].path)
            voice, successor = self._allocator.find(note_id), self._successors.pop(note_id, None)
            if voice is None or voice.end <= position or voice.path == self.path_of(voice.channel):
                if successor is not None:
                    self._allocator.give_back(successor.slot)
            elif successor is not None:
                self._take_over(voice, successor, position)
            elif not self._has_grown(voice):
                self._note_on.recast_voice(voice, self.path_of(voice.channel))
            elif position < self._may_go_over_at(voice):
                self._due[note_id] = self._may_go_over_at(voice)
            elif not self._allocator.can_take_over:
                self._due[note_id] = position + voice.crossfade
            else:
                successor = self._successor(voice)
                cast.append(self._growers.seed(voice, successor, position, self._asked(successor, position)))
                self._take_over(voice, successor, position)
        self._growers.settle(cast)

    def _take_over(self, voice: Voice, successor: Voice, position: int) -> None:
        voice.hand_over(successor, position)
        self._allocator.take_over(voice, successor)

    def _find(self, chosen: int, representation: int, decoder: int) -> int:
        """Return the number of the path that MIDI asks for; the one chosen outside if there is no such path."""
        wanted = (chosen, representation, decoder)
        if wanted not in self._found:
            path = None if self.find is None else self.find(self._growers.paths[chosen], representation, decoder)
            self._found[wanted] = chosen if path is None else self._growers.number(path)
        return self._found[wanted]
