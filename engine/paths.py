"""Paths from notes to sound: what grows them, what sounds them, and who casts them. Voices of several sound together.

A note that goes over to another path is given to a twin of the same age. Where both grow alike the twin grows on from
the note's own genome; else its genome is planted and settles for a few hops first. Either way its decoder begins some
hops before it is heard, so that it is under way when it takes over. All that is done ahead of time, if there is some:
the twins *rehearse*, live in a thread of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np

from .controls import ControlsAt
from .decoders.base import Decoder, lead_in_of
from .hops import HopGrower
from .seams import GrowthModel, InstrumentChooser
from .voices import Voice


class Path(NamedTuple):
    """A way from notes to sound.

    Attributes
    ----------
    growth : grows the notes
    decoder : sounds them, and those of no other path; with as many slots as `voices.num_slots` says
    bank : says what plays a key, as `growth` knows it
    """

    growth: GrowthModel
    decoder: Decoder
    bank: InstrumentChooser


Seedling = tuple[Voice, int]
"""A twin, and for how many hops it must settle."""


class Growers:
    """The growers of all paths; voices name them by number. Path 0 is there from the start.

    Parameters
    ----------
    first : HopGrower
        Of path 0.
    bank : InstrumentChooser
        Of path 0.
    make : callable
        Makes the grower of a further path.
    aside : bool
        Whether twins rehearse in a thread of their own, on what other core there is. The sound is the same.

    Attributes
    ----------
    paths : list of Path, by number
    """

    def __init__(
        self, first: HopGrower, bank: InstrumentChooser, make: Callable[[Path], HopGrower], aside: bool = False
    ) -> None:
        self.paths = [Path(first.growth, first.decoder, bank)]
        self._growers = [first]
        self._busy: list[HopGrower] = []
        self._make = make
        self._stage = ThreadPoolExecutor(1, "rehearsal") if aside else None
        self._rehearsals: dict[int, Future[None]] = {}  # under way, by path

    @property
    def sample_rate(self) -> int:
        """Samples in a second, at the internal rate."""
        return self._growers[0].sample_rate

    def number(self, path: Path) -> int:
        """Return the number by which voices name a path, from now on or already known."""
        for number, known in enumerate(self.paths):
            if all(one is other for one, other in zip(known, path, strict=True)):
                return number
        self.paths.append(path)
        self._growers.append(self._make(path))
        return len(self.paths) - 1

    def take_failures(self) -> list[str]:
        """Return what broke since this was asked last, one line each."""
        idle = [grower for number, grower in enumerate(self._growers) if number not in self._rehearsals]
        failures = [line for grower in idle for line in grower.failures]
        for grower in idle:
            grower.failures = []
        return failures

    def grow(self, voices: Sequence[Voice], until: int, controls_at: ControlsAt) -> None:
        """Decode voices up to sample `until` at least, or to their end; see `HopGrower.grow`."""
        for grower, share in self._shares(voices):
            grower.grow(share, until, controls_at)

    def start(self, voices: Sequence[Voice], until: int, controls_at: ControlsAt) -> None:
        """Let voices be grown as `grow` does, until `finish` returns; meanwhile nothing else may be asked for."""
        self._busy = []
        for grower, share in self._shares(voices):
            grower.start(share, until, controls_at)
            self._busy.append(grower)

    def finish(self) -> None:
        """Have grown what `start` was told."""
        while self._busy:
            self._busy.pop().finish()

    def _shares(self, voices: Sequence[Voice]) -> Iterator[tuple[HopGrower, Sequence[Voice]]]:
        """Give the growers that have something to do, with the voices of each."""
        if len(self._growers) == 1:
            yield self._growers[0], voices
            return
        for number, grower in enumerate(self._growers):
            share = [voice for voice in voices if voice.path == number]
            if share:
                self.await_rehearsal(number)
                yield grower, share

    def seed(self, voice: Voice, twin: Voice, sample: int, controls_at: ControlsAt, care: int = 1) -> Seedling:
        """Bring a voice's twin to where it can take over at `sample` once it has settled, `care` times as long."""
        self.await_rehearsal(voice.path)
        self.await_rehearsal(twin.path)
        grower = self._growers[twin.path]
        lead_in = lead_in_of(grower.decoder, twin.has_pitch)
        first = max((sample - voice.onset) // grower.hop - lead_in, 0)
        twin.start_from(first, grower.hop)
        settling_hops = care * grower.growth.settling_hops - lead_in
        genome = self._genome(voice, twin) if first > settling_hops else {}
        twin.num_frames = first if genome else max(first - settling_hops, 0)
        grower.set_clocks_back(twin, self._age_frames(voice) // grower.hop - twin.num_frames, controls_at)
        if genome:
            grower.adopt(twin, genome)
        return twin, first - twin.num_frames

    def settle(self, cast: Sequence[Seedling], controls_at: ControlsAt) -> None:
        """Grow twins by hops that nobody hears."""
        together: dict[tuple[int, int], list[Voice]] = {}
        for twin, num_hops in cast:
            together.setdefault((twin.path, num_hops), []).append(twin)
        for (path, num_hops), twins in together.items():
            self._growers[path].settle(twins, num_hops, controls_at)

    def rehearse(self, cast: Sequence[Seedling], until: int, controls_at: ControlsAt) -> None:
        """Settle twins, and sound them up to sample `until` at least; see `await_rehearsal`.

        Parameters
        ----------
        controls_at : may be asked from another thread
        """
        for path in dict.fromkeys(twin.path for twin, _ in cast):
            work = partial(self._rehearse, path, [one for one in cast if one[0].path == path], until, controls_at)
            if self._stage is None:
                work()
            else:
                self._rehearsals[path] = self._stage.submit(work)

    def _rehearse(self, path: int, cast: Sequence[Seedling], until: int, controls_at: ControlsAt) -> None:
        self.settle(cast, controls_at)
        self._growers[path].grow([twin for twin, _ in cast], until, controls_at)

    def await_rehearsal(self, path: int | None = None) -> None:
        """Return when no twins rehearse any more on a path, by number, or on any; nothing else is grown there before.

        What they raised is raised here.
        """
        for one in [*self._rehearsals] if path is None else [path]:
            if one in self._rehearsals:
                self._rehearsals.pop(one).result()

    def _genome(self, voice: Voice, twin: Voice) -> dict[str, np.ndarray]:
        """Return the genome that a twin can grow on from, nothing if it grows otherwise."""
        is_alike = self.paths[voice.path].growth is self.paths[twin.path].growth
        return self._growers[voice.path].genome(voice.slot) if is_alike else {}

    def _age_frames(self, voice: Voice) -> int:
        """Return how far a voice has grown, in samples since its onset."""
        return voice.num_frames * self._growers[voice.path].hop
