"""Hops of voices computed by one ONNX graph, with the state of all slots; what `Kernel` is without a compiler.

Letters: V voices, R rounds, S slots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ....errors import ModelError
from ....midi.spec.growth_controllers import ALIVE_ABOVE
from ...arrays import FloatArray
from ...cache import BoundedCache
from ...decoders.base import Decoder
from ..calls import AGE_LEAD, BROKEN, DEAD, NUM_FRAMES, RELEASE_LEAD, RESONANCES, UNHEARD, CallBuffers, HopCall
from .bound_hop import BoundHop
from .groups import Groups, Placed
from .hop import Wanted
from .readings import FRAMES, PLANTED, Readings, read
from .tables import GraphModel
from .told import STARTS, SoundState, Teller, ahead_of
from .unpitched import UnpitchedNotes

SLOT, KIND = 0, 4
"""Columns of a job, beside those of `readings`."""
FORESEEN: Final = 16
"""Hops that are read at once for voices of whom nothing new is asked: so it costs little for each."""
TOGETHER: Final = {"cpu": 16, "cuda": 1024}
"""Voices that go through the graph at once, at most: what more of them need leaves the processor's cache."""
KEPT: Final = 4
"""Sets of voices that are remembered: live, those of either half of a hop."""


@dataclass(eq=False)
class Part:
    """Some of the voices of a call, in rounds in which nothing changes but what they are told.

    Attributes
    ----------
    rows : (V,), of the call
    placed : Placed
    told : inputs of the graph by name, (rounds, ...)
    phases : (rounds, V, 3), after each round; of no size where nothing is sounded by the graph
    first : the round that those begin with
    ahead : int64 (V,), frames that voices begin with and that are not heard
    begins : whether any of them does
    is_heard : whether anything is
    """

    rows: NDArray[np.intp]
    placed: Placed
    told: Mapping[str, np.ndarray]
    phases: NDArray[np.float64]
    first: int
    ahead: NDArray[np.int64]
    begins: bool
    is_heard: bool


@dataclass(eq=False)
class Outlook:
    """What is known of the rounds of a call, and perhaps of those that follow it.

    Attributes
    ----------
    readings : Readings
    facts, controls : of the call that would be the next
    index : the round that is next
    parts : of the rounds to come, once they are worked out
    """

    readings: Readings
    facts: NDArray[np.float64]
    controls: bytes
    index: int = 0
    parts: list[Part] | None = None

    def follows(self, call: HopCall) -> bool:
        """Return whether a call is what was to be expected."""
        views = call.views
        return views.facts.tobytes() == self.facts.tobytes() and views.controls.tobytes() == self.controls

    def goes_on(self) -> None:
        """Go on to the next round."""
        readings, at = self.readings, self.index
        self.facts[:, NUM_FRAMES] += 1.0
        self.facts[:, PLANTED] = readings.planted[at]
        self.facts[:, AGE_LEAD : RELEASE_LEAD + 1] = readings.leads[at]
        self.index += 1

    @property
    def is_over(self) -> bool:
        """Whether nothing more is known."""
        return self.index >= len(self.readings.frames)


class GraphHops:
    """The graph of a hop, for the slots of one grower; see `Hops`. Thread: as the grower.

    Parameters
    ----------
    model : GraphModel
    decoder : Decoder
        Sounds notes without a pitch.
    num_slots : S
    provider : "cpu" or "cuda"
    lose : is told when a GPU fails
    """

    name = "graph"

    def __init__(
        self,
        model: GraphModel,
        decoder: Decoder,
        num_slots: int,
        provider: str,
        lose: Callable[[Exception], None],
    ) -> None:
        spec = self._spec = model.spec
        self._motions, self._lose = model.motions, lose
        self._buffers = CallBuffers()
        self._state = SoundState(spec, num_slots)
        self._teller = Teller(spec, model.weights, self._state)
        self._groups = Groups(model, self._state, provider)
        self._unpitched = UnpitchedNotes(decoder, spec)
        self._outlooks: BoundedCache[bytes, Outlook] = BoundedCache(KEPT)
        self._now: Outlook | None = None

    def call(self, voices: int, rounds: int) -> HopCall:
        """See `Hops.call`."""
        return HopCall(self._buffers.fit(voices, rounds))

    def plant(self, genes: Mapping[str, FloatArray], versions: NDArray[np.int64]) -> None:
        """See `Hops.plant`."""
        self._groups.plant(genes, versions)

    def release(self) -> None:
        """See `Hops.release`."""
        self._groups.release()

    def prepare(self, call: HopCall) -> None:
        """See `Hops.prepare`."""
        views = call.views
        rounds = len(views.pitch)
        jobs = views.jobs.tobytes() if rounds == 1 else b""
        known = self._outlooks.get(jobs) if jobs else None
        is_steady = known is not None and call.journey is None and known.follows(call)
        if known is None or not is_steady or known.is_over:
            is_quiet = is_steady and known is not None and not known.readings.found
            readings = read(call, FORESEEN if is_quiet else rounds, self._motions, self._spec)
            known = Outlook(readings, views.facts.copy(), views.controls.tobytes())
            if jobs:
                self._outlooks.keep(jobs, known)
        self._now, readings = known, known.readings
        some = slice(known.index, known.index + rounds)
        for name in ("pitch", "planted", "f0_hz", "age_s", "release_age_s"):
            getattr(views, name)[...] = getattr(readings, name)[some]
        last = views.jobs[:, FRAMES] - 1, np.arange(len(views.jobs))
        leads = readings.leads[known.index] if rounds == 1 else readings.leads[last]
        views.facts[:, AGE_LEAD : RELEASE_LEAD + 1] = leads
        call.found = readings.found

    def run(self, call: HopCall) -> None:
        """See `Hops.run`."""
        now, rounds = self._now, len(call.views.pitch)
        assert now is not None
        if rounds == 1:
            if now.parts is None or not all(self._groups.holds_for(part.placed) for part in now.parts):
                now.parts = list(self._parts(call, now, now.index, len(now.readings.frames)))
            for part in now.parts:
                self._safely(call, part, 0, 1, now.index - part.first)
            now.goes_on()
        else:
            for part in self._parts(call, now, call.first, call.last):
                self._safely(call, part, part.first, part.first + len(part.told["times"]), 0)
        unpitched = np.flatnonzero(call.views.jobs[:, KIND] == RESONANCES) if call.last == rounds else ()
        if len(unpitched):
            self._unpitched.sound(call, np.asarray(unpitched))

    def _parts(self, call: HopCall, now: Outlook, first: int, last: int) -> Iterator[Part]:
        """Give the parts of some rounds, in the order in which they are to be grown."""
        kinds, needs = call.views.jobs[:, KIND], call.views.jobs[:, FRAMES]
        if len(call.views.pitch) == 1:
            needs = np.full(len(needs), last)
        for sounds in (True, False):
            all_rows = np.flatnonzero((kinds != RESONANCES) == sounds)
            most = TOGETHER[self._groups.device]
            for rows in np.array_split(all_rows, -(-len(all_rows) // most)) if all_rows.size else ():
                for start, stop in pairwise(_edges(call, rows, needs[rows], first, last)):
                    yield self._part(call, now, rows[needs[rows] > start], slice(start, stop), sounds)

    def _part(self, call: HopCall, now: Outlook, rows: NDArray[np.intp], rounds: slice, sounds: bool) -> Part:
        readings, jobs = now.readings, call.views.jobs[rows]
        is_coloured = readings.colour is not None and bool(readings.colour[:, rounds, rows].any())
        wanted = Wanted(sounds, is_coloured, call.mask is not None or call.life is not None)
        starts = np.flatnonzero(jobs[:, STARTS]) if rounds.start == 0 else ()
        if len(starts):
            self._groups.release(jobs[:, SLOT])
            slots, own = jobs[starts, SLOT], rows[starts]
            self._state.begin(slots, call.views.seeds[own], readings.f0_hz[0, own])
        placed = self._groups.placed(call, readings, rows, rounds.start, wanted)
        told = self._teller.tell(call, readings, rows, rounds, wanted, placed.group)
        phases = np.zeros((0, len(rows), 3))
        if sounds:
            at, phases = self._teller.phases(call, readings, rows, rounds, placed.group)
            told |= at
        is_heard = sounds and not bool((jobs[:, KIND] == UNHEARD).any())
        ahead = ahead_of(jobs)
        return Part(rows, placed, told, phases, rounds.start, ahead, bool(ahead.any()), is_heard)

    def _safely(self, call: HopCall, part: Part, first: int, last: int, at: int) -> None:
        """Do what `_grow` does, on the CPU if a GPU fails: slots have the state of the hop before these."""
        try:
            self._grow(call, part, first, last, at)
        except ModelError as error:
            if part.placed.device == "cpu":
                raise
            self._lose(error)
            self._groups.lose()
            part.placed = self._groups.again(part.placed)
            self._grow(call, part, first, last, at)

    def _grow(self, call: HopCall, part: Part, first: int, last: int, at: int) -> None:
        """Grow a part by rounds of a call, the first of which is its own number `at`, and sound what has a pitch."""
        rows, placed, told = part.rows, part.placed, part.told
        bound = self._groups.take(placed)
        for index in range(last - first):
            for name, values in told.items():
                bound.tell(name, values[at + index])
            bound.run()
            alive = call.views.alive[first + index, rows] = bound.given("highest") > ALIVE_ABOVE
            if not alive.all():
                call.found |= DEAD
            if part.is_heard:
                self._emit(call, part, first + index, bound)
            elif not placed.wanted.sounds:
                self._unpitched.take(call, rows, first + index, bound)
        if placed.wanted.sounds:
            self._state.phases[placed.group.slots] = part.phases[at + last - first - 1]
        if placed.wanted.tended or placed.device != "cpu":
            self._groups.release()

    def _emit(self, call: HopCall, part: Part, index: int, bound: BoundHop) -> None:
        """Give what was sounded in a round to a call; frames that voices begin with are not heard."""
        audio, peaks = bound.given("audio"), bound.given("peaks")
        if not peaks.max() < np.inf:
            audio, peaks = _silenced(call, part.rows, index, audio, peaks)
        if not part.begins:  # nearly always
            call.audio[part.rows, index * self._spec.hop_length : (index + 1) * self._spec.hop_length] = audio
            call.views.peaks[part.rows, index] = peaks
            return
        heard = np.flatnonzero(part.ahead <= index)
        emitted = index - part.ahead[heard]
        call.audio.reshape(len(call.audio), -1, self._spec.hop_length)[part.rows[heard], emitted] = audio[heard]
        call.views.peaks[part.rows[heard], emitted] = peaks[heard]


def _edges(call: HopCall, rows: NDArray[np.intp], needs: NDArray[np.int64], first: int, last: int) -> list[int]:
    """Return the rounds between which the same voices grow, and are read at the same places."""
    last = min(last, int(needs.max()))
    edges = {first, last, *(need for need in needs.tolist() if first < need < last)}
    if call.journey is not None:
        told = call.journey[:, rows, 1:3]
        edges.update(index for index in range(first + 1, last) if (told[index] != told[index - 1]).any())
    return sorted(edges)


def _silenced(
    call: HopCall, rows: NDArray[np.intp], index: int, audio: FloatArray, peaks: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return audio and peaks without voices that are no numbers in a round, which are noted."""
    call.found |= BROKEN
    is_whole = np.isfinite(peaks)
    broken = rows[~is_whole]
    call.views.broken[broken] = np.where(call.views.broken[broken] < 0, index, call.views.broken[broken])
    return np.where(is_whole[:, None], audio, 0.0).astype(np.float32), np.where(is_whole, peaks, 0.0).astype(np.float32)
