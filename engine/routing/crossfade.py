"""Paths from notes to sound: what grows them, what sounds them, and who casts them. Voices of several sound together.

A note that goes over to another path is given to a successor of the same age. Where both grow alike it grows on from
the note's own genome; else its genome is planted and settles for a few hops first. Either way its decoder begins some
hops before it is heard, so that it is under way when it takes over. All that is done ahead of time, if there is some:
the successors *prepare*, live in a thread of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bank.path import SignalPath
from ..decoders.base import lead_in_of
from ..growth.grower import Grower
from ..growth.hop_plan import HopPlan
from ..voices.progress import Progress
from ..voices.voice import Voice


class Seedling(NamedTuple):
    """A successor, for how many hops it must settle, and what is asked of it until it takes over, (K,)."""

    voice: Voice
    num_hops: int
    controls: NDArray[np.float64]


class PathGrowers:
    """The growers of all paths; voices name them by number. Path 0 is there from the start.

    Parameters
    ----------
    first : SignalPath
        Path 0.
    grower : Grower
        Of path 0.
    make : callable
        Makes the grower of a further path.
    aside : bool
        Whether successors prepare in a thread of their own, on what other core there is. The sound is the same.

    Attributes
    ----------
    paths : list of Path, by number
    """

    def __init__(
        self, first: SignalPath, grower: Grower, make: Callable[[SignalPath], Grower], aside: bool = False
    ) -> None:
        self.paths = [first]
        self._growers = [grower]
        self._busy: list[Grower] = []
        self._make = make
        self._together: bool | None = None  # None: as the growers were made
        self._stage = ThreadPoolExecutor(1, "preparation") if aside else None
        self._preparations: dict[int, Future[None]] = {}  # under way, by path

    @property
    def sample_rate(self) -> int:
        """Samples in a second, at the internal rate."""
        return self._growers[0].sample_rate

    @property
    def progress(self) -> Progress:
        """How far the voices of all slots have grown."""
        return self._growers[0].progress

    def number(self, path: SignalPath) -> int:
        """Return the number by which voices name a path, from now on or already known."""
        for number, known in enumerate(self.paths):
            if all(one is other for one, other in zip(known, path, strict=True)):
                return number
        self.paths.append(path)
        self._growers.append(self._make(path))
        if self._together is not None:
            self._growers[-1].grow_together(self._together)
        return len(self.paths) - 1

    def grow_together(self, together: bool) -> None:
        """Let all growers grow voices together, or not; see `Grower.grow_together`."""
        self._together = together
        for number, grower in enumerate(self._growers):
            self.await_preparation(number)
            grower.grow_together(together)

    def take_failures(self) -> list[str]:
        """Return what broke since this was asked last, one line each."""
        idle = [grower for number, grower in enumerate(self._growers) if number not in self._preparations]
        failures = [line for grower in idle for line in grower.failures]
        for grower in idle:
            grower.failures = []
        return failures

    def plan(self, voices: Sequence[Voice], until: int) -> list[HopPlan]:
        """Return what is to be grown for voices to be decoded up to sample `until` at least; see `Grower.plan`."""
        return [hops for grower, share in self._shares(voices) for hops in grower.plan(share, until)]

    def start(self, plans: Sequence[HopPlan]) -> None:
        """Let what `plan` has planned be grown, until `finish` returns; meanwhile nothing else may be asked for."""
        for path, own in groupby(plans, lambda hops: hops.path):
            self._busy.append(self._growers[path])
            self._growers[path].start([*own])

    def finish(self) -> None:
        """Have grown what `start` was told."""
        while self._busy:
            self._busy.pop().finish()

    def _shares(self, voices: Sequence[Voice]) -> Iterator[tuple[Grower, Sequence[Voice]]]:
        """Give the growers that have something to do, with the voices of each."""
        if len(self._growers) == 1:
            yield self._growers[0], voices
            return
        for number, grower in enumerate(self._growers):
            share = [voice for voice in voices if voice.path == number]
            if share:
                self.await_preparation(number)
                yield grower, share

    def seed(
        self, voice: Voice, successor: Voice, sample: int, controls: NDArray[np.float64], care: int = 1
    ) -> Seedling:
        """Bring a voice's successor to where it can take over at `sample` once it has settled, `care` times as long.

        Parameters
        ----------
        controls : (K,), what is asked of it now
        """
        self.await_preparation(voice.path)
        self.await_preparation(successor.path)
        grower = self._growers[successor.path]
        lead_in = lead_in_of(grower.decoder, successor.has_pitch)
        grown = self.progress.num_frames
        first = max((sample - voice.onset) // grower.hop - lead_in, 0)
        successor.start_from(first, grower.hop)
        settling_hops = care * grower.growth.settling_hops - lead_in
        genome = self._genome(voice, successor) if first > settling_hops else {}
        start = first if genome else max(first - settling_hops, 0)
        grown[successor.slot] = start
        age_frames = int(grown[voice.slot]) * self._growers[voice.path].hop
        grower.set_clocks_back(successor, age_frames // grower.hop - start, controls)
        if genome:
            grower.adopt(successor, genome)
        return Seedling(successor, first - start, controls)

    def settle(self, cast: Sequence[Seedling]) -> None:
        """Grow successors by hops that nobody hears."""
        together: dict[tuple[int, int], list[Seedling]] = {}
        for one in cast:
            together.setdefault((one.voice.path, one.num_hops), []).append(one)
        for (path, num_hops), alike in together.items():
            controls = np.array([one.controls for one in alike])
            self._growers[path].settle([one.voice for one in alike], num_hops, controls)

    def prepare(self, cast: Sequence[Seedling], until: int) -> None:
        """Settle successors, and sound them up to sample `until` at least; see `await_preparation`."""
        for path in dict.fromkeys(one.voice.path for one in cast):
            work = partial(self._prepare, path, [one for one in cast if one.voice.path == path], until)
            if self._stage is None:
                work()
            else:
                self._preparations[path] = self._stage.submit(work)

    def _prepare(self, path: int, cast: Sequence[Seedling], until: int) -> None:
        self.settle(cast)
        known = {one.voice.slot: one.controls for one in cast}
        plans = self._growers[path].plan([one.voice for one in cast], until)
        for hops in plans:
            hops.controls[:] = [known[voice.slot] for voice in hops.voices]
        self._growers[path].grow(plans)

    def await_preparation(self, path: int | None = None) -> None:
        """Return when no successors prepare any more on a path, by number, or on any; nothing is grown there before.

        What they raised is raised here.
        """
        for one in [*self._preparations] if path is None else [path]:
            if one in self._preparations:
                self._preparations.pop(one).result()

    def _genome(self, voice: Voice, successor: Voice) -> dict[str, np.ndarray]:
        """Return the genome that a successor can grow on from, nothing if it grows otherwise."""
        is_alike = self.paths[voice.path].growth is self.paths[successor.path].growth
        return self._growers[voice.path].genome(voice.slot) if is_alike else {}
