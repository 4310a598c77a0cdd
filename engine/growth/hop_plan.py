"""Hops to come of voices: planned first, then given the controls that they are grown under, then grown.

Letters: V voices, R growth rounds, K controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..modulation.channel import Control
from ..modulation.growth import GrowthMasks
from ..modulation.morph import Journey, remember
from ..voices.progress import Progress, Reached
from ..voices.voice import Voice


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
    slots, onsets : int64 (V,), of the voices
    frames : int64 (R, V), spectral frames
    since : int64 (R, V), samples from the onset to the hops that they are for
    controls : float64 (R, V, K), what is asked of the voices then; who has asked for a plan writes it here
    until : sample that the voices are to be decoded up to; None where nobody hears them
    """

    jobs: Sequence[Job]
    slots: NDArray[np.int64]
    onsets: NDArray[np.int64]
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
    def samples(self) -> NDArray[np.int64]:
        """Where the hops begin, (R, V)."""
        return self.since + self.onsets

    def part(self, rows: slice | Sequence[int]) -> HopPlan:
        """Return the plan of some of the voices."""
        jobs = self.jobs[rows] if isinstance(rows, slice) else [self.jobs[row] for row in rows]
        return self if len(jobs) == len(self.jobs) else self._of(jobs, rows)

    def left(self, hop: int) -> HopPlan | None:
        """Return what is left to grow, in hops of so many samples, once some voices have ended early; None for nothing.

        It follows another plan, so that no voice begins in it.
        """
        lasting = [job.up_to(-(-(job.voice.end - job.voice.decoded.until) // hop)) for job in self.jobs]
        if all(job is planned for job, planned in zip(lasting, self.jobs, strict=True)):
            return self
        rows = [row for row in in_order(lasting) if lasting[row].num_hops > 0]
        return self._of([lasting[row] for row in rows], rows) if rows else None

    def _of(self, jobs: Sequence[Job], rows: slice | Sequence[int]) -> HopPlan:
        here = slice(jobs[0].num_frames), rows
        return HopPlan(
            jobs, self.slots[rows], self.onsets[rows], self.frames[here], self.since[here], self.controls[here],
            self.until,
        )  # fmt: skip

    def remember(
        self,
        progress: Progress,
        reached: Reached,
        growth_masks: GrowthMasks | None,
        journey: Journey | None,
        places: NDArray[np.float64] | None,
    ) -> None:
        """Note how far the voices have come.

        Parameters
        ----------
        places : (R, V, 2), where on their pads the genomes are from; None where none has a pad
        """
        at_last = self.last
        damage = None if growth_masks is None else growth_masks.damage[at_last]
        progress.advance(self.slots, at_last[0] + 1, reached, damage)
        if journey is not None and places is not None:
            remember(self.voices, at_last[0], journey, places)

    @property
    def last(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Index of each voice's last round, in arrays (R, V)."""
        return np.array([job.num_frames for job in self.jobs]) - 1, np.arange(len(self.jobs))


def plan_hops(jobs: Sequence[Job], hop: int, until: int | None = None) -> HopPlan:
    """Return the plan of jobs in order, in hops of so many samples; its controls are still to be written."""
    numbers = [(job.voice.slot, job.voice.onset, job.grown, job.lookahead) for job in jobs]
    slots, onsets, grown, lookahead = np.array(numbers).T
    rounds = jobs[0].num_frames
    frames = grown + np.arange(rounds)[:, None]
    since = np.maximum(frames - lookahead, 0) * hop
    return HopPlan(jobs, slots, onsets, frames, since, np.empty((rounds, len(jobs), len(Control))), until)


def plans_of(jobs: Sequence[Job], most_hops: int, hop: int, until: int) -> list[HopPlan]:
    """Return the plans of jobs that are grown one after the other, each of up to `most_hops` hops of a voice."""
    plans = []
    while jobs:
        now = [job.up_to(most_hops) for job in jobs]
        plans.append(plan_hops([now[row] for row in in_order(now)], hop, until))
        jobs = [job.after(most_hops) for job in jobs if job.num_hops > most_hops]
    return plans


def in_order(jobs: Sequence[Job]) -> list[int]:
    """Return the places of jobs in the order of a plan: what is sounded together is side by side."""

    def key(row: int) -> tuple[int, bool, int, int]:
        job = jobs[row]
        return -job.num_frames, job.is_new, job.ahead, job.voice.slot

    return sorted(range(len(jobs)), key=key)
