"""Hops to come of voices: planned first, then given the controls that they are grown under, then grown.

Letters: V voices, R growth rounds, K controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..modulation.channel import Control
from ..modulation.growth import GrowthMasks
from ..modulation.morph import Journey, remember
from ..voices.progress import Progress, Reached
from ..voices.voice import Voice

NUMBERS = ("slot", "num_frames", "lookahead", "is_new", "onset", "grown")
"""Up to `is_new` they are in the order in which the kernel is told them; see hop.h."""
SLOT, NUM_FRAMES, LOOKAHEAD, IS_NEW, ONSET, GROWN = range(len(NUMBERS))


class Job(NamedTuple):
    """Hops to come of one voice."""

    voice: Voice
    num_hops: int
    is_new: bool
    num_frames: int  # to grow
    lookahead: int  # frames beyond the current one that its decoder needs
    grown: int  # frames grown before

    @property
    def ahead(self) -> int:
        """Frames that its decoder begins with."""
        return self.lookahead if self.is_new else 0

    def up_to(self, num_hops: int) -> Job:
        """Return its first hops."""
        fewer = max(self.num_hops - num_hops, 0)
        return self._replace(num_hops=self.num_hops - fewer, num_frames=self.num_frames - fewer) if fewer else self

    def after(self, num_hops: int) -> Job:
        """Return what comes after its first hops."""
        left = self.num_hops - num_hops
        return self._replace(num_hops=left, is_new=False, num_frames=left, grown=self.grown + self.num_frames - left)


class HopPlan(NamedTuple):
    """Hops of V voices that are grown together, sorted by the frames that the voices need, most first.

    Attributes
    ----------
    jobs : list of Job
    numbers : int64 (V, 6), what a job says, with slot and onset of its voice, in the order of `NUMBERS`
    frames : int64 (R, V), spectral frames
    since : int64 (R, V), samples from the onset to the hops that they are for
    controls : float64 (R, V, K), what is asked of the voices then; who has asked for a plan writes it here
    until : sample that the voices are to be decoded up to; None where nobody hears them
    """

    jobs: Sequence[Job]
    numbers: NDArray[np.int64]
    frames: NDArray[np.int64]
    since: NDArray[np.int64]
    controls: NDArray[np.float64]
    until: int | None = None

    @property
    def voices(self) -> list[Voice]:
        """The voices."""
        return [job.voice for job in self.jobs]

    @property
    def path(self) -> int:
        """The path of the voices; they are all on one."""
        return self.jobs[0].voice.path

    @property
    def slots(self) -> NDArray[np.int64]:
        """Those of the voices, (V,)."""
        return self.numbers[:, SLOT]

    @property
    def num_frames(self) -> NDArray[np.int64]:
        """How many each voice needs, (V,)."""
        return self.numbers[:, NUM_FRAMES]

    @property
    def samples(self) -> NDArray[np.int64]:
        """Where the hops begin, (R, V)."""
        return self.since + self.numbers[:, ONSET]

    def part(self, rows: slice | Sequence[int]) -> HopPlan:
        """Return the plan of some of the voices."""
        jobs = self.jobs[rows] if isinstance(rows, slice) else [self.jobs[row] for row in rows]
        return self if len(jobs) == len(self.jobs) else self._of(jobs, rows)

    def groups(self) -> Iterator[slice]:
        """Give the rows of voices that are sounded together: those that need as many hops and are equally new."""
        first, jobs = 0, self.jobs
        final = place_of(jobs[-1])[:-1]
        while first < len(jobs):
            last, alike = first + 1, place_of(jobs[first])[:-1]
            if alike == final:  # as live, nearly always
                last = len(jobs)
            while last < len(jobs) and place_of(jobs[last])[:-1] == alike:
                last += 1
            yield slice(first, last)
            first = last

    def left(self, hop: int) -> HopPlan | None:
        """Return what is left to grow, in hops of so many samples, once some voices have ended early; None for nothing.

        It follows another plan, so that no voice begins in it.
        """
        lasting = [job.up_to(-(-(job.voice.end - job.voice.decoded.until) // hop)) for job in self.jobs]
        if all(job is planned for job, planned in zip(lasting, self.jobs, strict=True)):
            return self
        rows = [row for row, job in enumerate(lasting) if job.num_hops > 0]
        rows.sort(key=lambda row: place_of(lasting[row]))
        return self._of([lasting[row] for row in rows], rows) if rows else None

    def _of(self, jobs: Sequence[Job], rows: slice | Sequence[int]) -> HopPlan:
        here = slice(jobs[0].num_frames), rows
        numbers = self.numbers[rows]
        numbers[:, NUM_FRAMES] = [job.num_frames for job in jobs]
        return HopPlan(jobs, numbers, self.frames[here], self.since[here], self.controls[here], self.until)

    def remember(
        self,
        progress: Progress,
        rounds: Sequence[NDArray[Any]],
        growth_masks: GrowthMasks | None,
        journey: Journey | None,
        places: NDArray[np.float64] | None,
    ) -> None:
        """Note how far the voices have come.

        Parameters
        ----------
        rounds : of each field of `Reached` what it is after each round (R, V), or after the last one (V,)
        places : (R, V, 2), where on their pads the genomes are from; None where none has a pad
        """
        slots, num_frames = self.slots, self.num_frames
        last = 0 if len(self.frames) == 1 else (num_frames - 1, np.arange(len(slots)))
        reached = Reached(*[values[last] if values.ndim == 2 else values for values in rounds])
        progress.advance(slots, num_frames, reached, None if growth_masks is None else growth_masks.damage[last])
        if journey is not None and places is not None:
            remember(self.voices, num_frames - 1, journey, places)


def plan_hops(jobs: Sequence[Job], hop: int, until: int | None = None) -> HopPlan:
    """Return the plan of jobs in order, in hops of so many samples; its controls are still to be written."""
    told = [
        (job.voice.slot, job.num_frames, job.lookahead, job.is_new, job.voice.onset, job.grown) for job in jobs
    ]  # in the order of `NUMBERS`
    numbers, rounds = np.array(told, np.int64), jobs[0].num_frames
    grown = numbers[:, GROWN]
    frames = grown[None] if rounds == 1 else grown + np.arange(rounds)[:, None]
    since = np.maximum(frames - numbers[:, LOOKAHEAD], 0) * hop
    return HopPlan(jobs, numbers, frames, since, np.empty((rounds, len(jobs), len(Control))), until)


def plans_of(jobs: Sequence[Job], most_hops: int, hop: int, until: int) -> list[HopPlan]:
    """Return the plans of jobs that are grown one after the other, each of up to `most_hops` hops of a voice."""
    plans = []
    while jobs:
        later = [job.after(most_hops) for job in jobs if job.num_hops > most_hops]
        now = [job.up_to(most_hops) for job in jobs] if later else jobs
        plans.append(plan_hops(sorted(now, key=place_of), hop, until))
        jobs = later
    return plans


def place_of(job: Job) -> tuple[int, bool, int, int]:
    """Return what jobs are sorted by in a plan: what is sounded together is side by side."""
    return -job.num_frames, job.is_new, job.ahead, job.voice.slot
