"""Growing on several cores: worker processes grow some of the voices, and nothing in the sound tells which.

What a voice grows and sounds like does not depend on the voices beside it, to the bit; so it may be grown anywhere, as
long as all events reach it before the samples that they are for. `WorkerGrower.start` hands the workers what has
changed in their voices, `WorkerGrower.finish` grows the others, and waits.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..decoders.base import Decoder
from ..kernel.cores import AUTO
from ..models.interfaces import Genome, GrowthModel
from ..voices.voice import Voice
from .grower import Grower
from .hop_plan import HopPlan
from .worker_process import WorkerProcess

OWN_VOICES = 1
"""Voices that mixing, effects and writing the sound are worth: so many fewer are grown beside them."""
PLANTING_SAMPLES = 2048
"""How much growth the planting of a note is worth."""
TAIL_SAMPLES = 8192
"""How long a released note is reckoned to ring."""


class WorkerGrower(Grower):
    """A grower that shares its voices with workers.

    Parameters
    ----------
    growth, decoder, max_voices, fire_rate, core, sample_rate
        As `Grower` has them; workers know the same.
    workers : sequence of WorkerProcess
    """

    def __init__(
        self,
        growth: GrowthModel,
        decoder: Decoder,
        max_voices: int,
        fire_rate: float,
        worker_processes: Sequence[WorkerProcess],
        core: str = AUTO,
        sample_rate: int | None = None,
    ) -> None:
        super().__init__(growth, decoder, max_voices, fire_rate, core=core, sample_rate=sample_rate)
        self._worker_processes = worker_processes
        self._owners: dict[int, tuple[Voice, WorkerProcess | None]] = {}  # by slot
        self._busy: list[WorkerProcess] = []

    def grow(self, plans: Sequence[HopPlan]) -> None:
        """Decode voices as `plan` has planned it; see `Grower.grow`."""
        self.start(plans)
        self.finish()

    def start(self, plans: Sequence[HopPlan]) -> None:
        """Let the workers begin with their share; see `Grower.start`."""
        if not plans:
            return
        lacking, until = plans[0].voices, plans[0].until
        assert until is not None  # these are heard
        is_new = {voice.slot: self._owners.get(voice.slot, (None, None))[0] is not voice for voice in lacking}
        self._share_out([voice for voice in lacking if is_new[voice.slot]], lacking, until)
        shares: dict[WorkerProcess | None, list[Voice]] = {}
        for voice in lacking:
            shares.setdefault(self._owners[voice.slot][1], []).append(voice)
        own = self._of_owner(plans, None)
        self._busy = [worker_process for worker_process in shares if worker_process is not None]
        for worker_process in self._busy:
            share = shares[worker_process]
            news = [is_new[voice.slot] for voice in share]
            progress = self.progress.table[[voice.slot for voice in share]]
            controls = [hops.controls for hops in self._of_owner(plans, worker_process)]
            worker_process.start(share, progress, news, until, controls, self.growth.motions.added)
        super().start(own)

    def _of_owner(self, plans: Sequence[HopPlan], owner: WorkerProcess | None) -> list[HopPlan]:
        """Return what of plans somebody is to grow."""
        rows = [
            [row for row, voice in enumerate(hops.voices) if self._owners[voice.slot][1] is owner] for hops in plans
        ]
        return [hops.part(own) for hops, own in zip(plans, rows, strict=True) if own]

    def finish(self) -> None:
        """Grow the own share and wait for the workers."""
        super().finish()
        while self._busy:
            self.failures += self._busy.pop().finish(self.progress)

    def genome(self, slot: int) -> Genome:
        """Return what the voice in a slot is grown from; nothing if a worker grows it."""
        known = self._owners.get(slot)
        return {} if known is not None and known[1] is not None else super().genome(slot)

    def _share_out(self, new: list[Voice], voices: list[Voice], until: int) -> None:
        """Give new voices to whoever has least to do, the longest first; a voice stays where it began."""
        begin = min((voice.decoded.until for voice in voices), default=until)
        loads: dict[WorkerProcess | None, int] = {
            worker_process: 0 for worker_process in self._worker_processes if worker_process.is_ready
        }
        loads[None] = OWN_VOICES * (until - begin) if self._owners else 0  # at first there is nothing to mix
        work = {
            voice.slot: min(until, voice.end, voice.release + TAIL_SAMPLES) - voice.decoded.until for voice in voices
        }
        for voice in new:
            self._owners.pop(voice.slot, None)
        for voice in voices:
            if voice.slot in self._owners:
                loads[self._owners[voice.slot][1]] += max(work[voice.slot], 0)
        for voice in sorted(new, key=lambda voice: work[voice.slot], reverse=True):
            owner = min(loads, key=lambda owner: loads[owner]) if self.progress.num_frames[voice.slot] == 0 else None
            self._owners[voice.slot] = (voice, owner)
            loads[owner] += max(work[voice.slot], 0) + PLANTING_SAMPLES
