"""Who takes which path: chosen for each MIDI channel, and changed under notes that sound.

What many notes would cost at once is spread: more than a few go over in two groups, all within 20 ms. Smaller groups
would cost more: growing one voice by a hop takes nearly as long as growing eight.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from ..midi.messages import NUM_CHANNELS
from ..midi.performance import Performance
from .controls import ControlsAt
from .paths import Growers, Path
from .voices import CROSSFADE_SAMPLES, Voice, VoiceAllocator
from .voicing import Voicing

LEAST_GROUP = 8
MOST_GROUPS = 2
GROUP_SAMPLES = 260
"""From one group to the next, 11.8 ms. With what limiter and resampler look ahead, all is over after 17.5 ms."""

FindPath = Callable[[Path, int, int], Path | None]
"""From the path chosen outside MIDI, and MIDI's numbers of representation and decoder, to a path if there is one."""


class Switchboard:
    """Knows the path of every MIDI channel, and lets sounding notes go over to it.

    Parameters
    ----------
    growers, performance, voicing, allocator
        What it works with.

    Attributes
    ----------
    find : callable or None
        Finds what MIDI asks for; without it MIDI changes no path.
    """

    def __init__(self, growers: Growers, performance: Performance, voicing: Voicing, allocator: VoiceAllocator) -> None:
        self.find: FindPath | None = None
        self._growers, self._performance = growers, performance
        self._voicing, self._allocator = voicing, allocator
        self._chosen = [0] * NUM_CHANNELS
        self._found: dict[tuple[int, int, int], int] = {}
        self._has_changed = False
        self._due: dict[int, int] = {}  # note id -> sample at which it goes over

    def choose(self, channel: int | None, path: Path) -> None:
        """Let a channel, or all, take a path from now on, whatever MIDI has chosen there."""
        for index in range(NUM_CHANNELS) if channel is None else (channel,):
            self._chosen[index] = self._growers.number(path)
            self._performance.channels[index].path = (0, 0)
        self._has_changed = True

    def change(self) -> None:
        """Take note that MIDI has chosen anew."""
        self._has_changed = True

    def path_of(self, channel: int) -> int:
        """Return the number of the path that notes of a MIDI channel take; drums none that has no drums, if any has."""
        state, chosen = self._performance.channels[channel], self._chosen[channel]
        wanted = chosen if state.path == (0, 0) else self._find(chosen, *state.path)
        if state.is_drums:
            fitting = (one for one in (wanted, chosen, 0) if getattr(self._growers.paths[one].bank, "has_drums", True))
            return next(fitting, wanted)
        return wanted

    def carry_out(self, position: int, stop: int, controls_at: ControlsAt) -> int:
        """Let the notes go over that are due at `position`; return the sample up to which can be rendered then."""
        if self._has_changed:
            self._has_changed = False
            self._plan(position)
        if not self._due:
            return stop
        self._allocator.free_ended(position)
        ready = [note_id for note_id, sample in self._due.items() if sample <= position]
        voices = [self._allocator.voices.get(note_id) for note_id in ready]
        for note_id in ready:
            del self._due[note_id]
        self._hand_over([voice for voice in voices if voice is not None], position, controls_at)
        return min(stop, *self._due.values()) if self._due else stop

    def _plan(self, position: int) -> None:
        """Decide when each of the notes goes over that are on another path than their channel's."""
        voices = [voice for voice in self._allocator.voices.values() if not voice.is_leaving]
        movers = [voice for voice in voices if voice.path != self.path_of(voice.channel)]
        group = max(ceil(len(movers) / MOST_GROUPS), LEAST_GROUP)
        self._due = {
            voice.note_id: position + index // group * GROUP_SAMPLES if voice.num_frames else position
            for index, voice in enumerate(movers)
        }

    def _hand_over(self, voices: list[Voice], position: int, controls_at: ControlsAt) -> None:
        pairs = []
        for voice in voices:
            path, allocator = self.path_of(voice.channel), self._allocator
            if path == voice.path:
                continue
            if not voice.num_frames:
                self._voicing.recast_voice(voice, path)
            elif position < voice.rises_at + CROSSFADE_SAMPLES:
                self._due[voice.note_id] = voice.rises_at + CROSSFADE_SAMPLES
            elif not allocator.can_take_over:
                self._due[voice.note_id] = position + CROSSFADE_SAMPLES
            elif voice.end > position:
                twin = voice.hand_over(allocator.claim(), voice.path, position)
                self._voicing.recast_voice(twin, path)
                allocator.take_over(voice, twin)
                pairs.append((voice, twin))
        self._growers.prepare(pairs, position, controls_at)

    def _find(self, chosen: int, representation: int, decoder: int) -> int:
        """Return the number of the path that MIDI asks for; the one chosen outside if there is no such path."""
        wanted = (chosen, representation, decoder)
        if wanted not in self._found:
            path = None if self.find is None else self.find(self._growers.paths[chosen], representation, decoder)
            self._found[wanted] = chosen if path is None else self._growers.number(path)
        return self._found[wanted]
