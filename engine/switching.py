"""Who takes which path: chosen for each MIDI channel, and changed under notes that sound.

What many notes would cost at once is spread, all within 20 ms: they go over in two groups, and twins that must settle
do so in the blocks until then. More groups would cost more: growing one voice by a hop takes nearly as long as growing
eight.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from ..midi.messages import NUM_CHANNELS
from ..midi.performance import Performance
from .controls import ControlsAt
from .paths import Growers, Path, Settling
from .voices import CROSSFADE_SAMPLES, Voice, VoiceAllocator
from .voicing import Voicing

FEW = 2
"""So many notes go over at once."""
LEAST_GROUP = 4
MOST_GROUPS = 2
GROUP_SAMPLES = 130
"""From one group to the next, 5.9 ms. With what limiter and resampler look ahead, all is over after 18.5 ms."""

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
        self._begun = 0  # when that was decided
        self._twins: dict[int, Voice] = {}  # of notes that are to go over, made already
        self._settling: list[tuple[int, Settling]] = []  # until which sample they settle

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
            self._drop_twins()
            self._plan(position)
            self._make_twins(position, controls_at)
        if not self._due:
            return stop
        self._allocator.free_ended(position)
        ready = [note_id for note_id, sample in self._due.items() if sample <= position]
        voices = [self._allocator.voices.get(note_id) for note_id in ready]
        for note_id in ready:
            del self._due[note_id]
        self._hand_over([voice for voice in voices if voice is not None], position, controls_at)
        for note_id in ready:
            if note_id in self._twins:  # the note has ended
                self._allocator.give_back(self._twins.pop(note_id).slot)
        stop = min(stop, *self._due.values()) if self._due else stop
        self._settle(stop)
        return stop

    def _plan(self, position: int) -> None:
        """Decide when each of the notes goes over that are on another path than their channel's."""
        voices = [voice for voice in self._allocator.voices.values() if not voice.is_leaving]
        movers = [voice for voice in voices if voice.path != self.path_of(voice.channel)]
        size = max(ceil(len(movers) / MOST_GROUPS), LEAST_GROUP)
        later = MOST_GROUPS - ceil(len(movers) / size) + 1 if len(movers) > FEW else 0
        self._begun = position
        self._due = {}
        for index, voice in enumerate(movers):
            # Those that must settle take all the time there is.
            group = index // size + (later if self._must_settle(voice, position) else 0)
            self._due[voice.note_id] = position + (group * GROUP_SAMPLES if voice.num_frames else 0)

    def _must_settle(self, voice: Voice, position: int) -> bool:
        """Return whether a sounding note, not one that has only just come to its path, grows otherwise on the next."""
        paths, path = self._growers.paths, self.path_of(voice.channel)
        is_steady = voice.num_frames > 0 and position >= voice.rises_at + CROSSFADE_SAMPLES
        return is_steady and paths[path].growth is not paths[voice.path].growth

    def _make_twins(self, position: int, controls_at: ControlsAt) -> None:
        """Begin with the twins of notes that must settle."""
        for sample in sorted(set(self._due.values()) - {position}):  # those that go over at once are made then
            voices = [self._allocator.voices[note_id] for note_id, due in self._due.items() if due == sample]
            pairs = []
            for voice in voices:
                if self._must_settle(voice, position) and self._allocator.can_take_over:
                    twin = voice.twin(self._allocator.claim(), voice.path, sample)
                    self._voicing.recast_voice(twin, self.path_of(voice.channel))
                    self._twins[voice.note_id] = twin
                    pairs.append((voice, twin))
            self._settling += [(sample, one) for one in self._growers.prepare(pairs, sample, controls_at)]

    def _settle(self, until: int) -> None:
        """Let twins settle as far as they should have at `until`."""
        for sample, one in self._settling:
            one.advance(min((until - self._begun) / (sample - self._begun), 1.0))
        self._settling = [(sample, one) for sample, one in self._settling if sample > until]

    def _drop_twins(self) -> None:
        for twin in self._twins.values():
            self._allocator.give_back(twin.slot)
        self._twins.clear()
        self._settling.clear()

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
            elif voice.note_id not in self._twins and not allocator.can_take_over:
                self._due[voice.note_id] = position + CROSSFADE_SAMPLES
            elif voice.end > position:
                twin = self._twins.pop(voice.note_id, None)
                if twin is None:
                    twin = voice.twin(allocator.claim(), voice.path, position)
                    self._voicing.recast_voice(twin, path)
                    pairs.append((voice, twin))
                twin.follow(voice)
                voice.give_way(position)
                allocator.take_over(voice, twin)
        for one in self._growers.prepare(pairs, position, controls_at):
            one.advance(1.0)

    def _find(self, chosen: int, representation: int, decoder: int) -> int:
        """Return the number of the path that MIDI asks for; the one chosen outside if there is no such path."""
        wanted = (chosen, representation, decoder)
        if wanted not in self._found:
            path = None if self.find is None else self.find(self._growers.paths[chosen], representation, decoder)
            self._found[wanted] = chosen if path is None else self._growers.number(path)
        return self._found[wanted]
