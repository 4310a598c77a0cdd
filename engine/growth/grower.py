"""Growing and decoding hops of many voices at once.

Letters: V voices, R growth rounds, T hops, S slots, H samples in a hop. Voices are sorted by the frames they need,
most first, so that the voices of a round, and those that are decoded together, are always slices of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..decoders.base import Decoder, NoteControls, lookahead_of
from ..decoders.combined.upsampled import at_rate
from ..kernel.cores import AUTO
from ..models.growth_model import Course, OnnxGrowthModel
from ..models.interfaces import Genome, Grown, GrowthModel, HopInputs
from ..modulation.channel import ControlsAt
from ..modulation.growth import cull, damage_grid
from ..spectra.fields import Fields
from ..spectra.tone import coloured, levels_of
from ..voices.endings import fade_released
from ..voices.progress import Progress
from ..voices.voice import Voice, num_slots
from .attacks import leads_of, shape_attacks
from .batch import Batch, Job, make_batch
from .compiled import open_hops
from .delivery import deliver, end_by_death
from .faults import ModelFault, cut_faulty, faults_of, silence_broken
from .fire_masks import FireDice
from .planting import PLANTED_TOGETHER, Planter, Seed
from .state import FrameBuffers, SlotState

MOST_HOPS = 32
"""Hops that a voice is given at once: what belongs to more leaves the processor's cache."""


def _nothing() -> None:
    """Do nothing: no growth is under way."""


class Grower:
    """Owns the grids, genomes and decoder state of all slots and advances them hop by hop.

    Parameters
    ----------
    growth, decoder
        The models; the decoder must have as many slots S as `voices.num_slots` says.
    max_voices : int
        Voices that sound at once.
    fire_rate : float
        Probability 0..1 that a cell updates.
    grows_together : bool
        Whether voices that need a hop soon are grown with those that need one now.
    core : str
        Of `kernel.cores.CORES`.
    sample_rate : int, optional
        Of the sound in Hz, a whole multiple of the rate that `growth` was trained at; by default that one.
    progress : Progress, optional
        Of all slots; growers whose voices share slots share it.

    Attributes
    ----------
    decoder : Decoder
        Sounds at `sample_rate`.
    hop : int
        Samples between spectral frames, at `sample_rate`.
    kernel : KernelGrower or None
        What grows the voices instead, where it can.
    """

    def __init__(
        self,
        growth: GrowthModel,
        decoder: Decoder,
        max_voices: int,
        fire_rate: float,
        grows_together: bool = False,
        core: str = AUTO,
        sample_rate: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.growth = growth
        self.progress = progress or Progress(num_slots(max_voices))
        self._timing = growth.spec.at_rate(sample_rate or growth.spec.sample_rate)
        self.decoder = at_rate(decoder, growth.spec, self._timing, num_slots(max_voices))
        self._growth = growth
        self._fire_rate = fire_rate
        self._dice = FireDice(fire_rate, growth.steps_per_hop, 0)  # how many cells there are shows in the first grid
        self.hop = self._hop = self._timing.hop_length
        self._rate = self._timing.sample_rate
        self._finisher = growth.finisher
        self._genomes = SlotState(num_slots(max_voices))
        self._grown = FrameBuffers()  # fields of the rounds by name, (V, R, 2, F')
        self._under_way: tuple[Sequence[Voice], int, ControlsAt] | None = None  # what `finish` is to grow
        self.after_round: Callable[[], None] = _nothing  # called while `grow` goes on
        self._max_voices = max_voices
        self._planter = Planter(growth)
        self.kernel = open_hops(
            core,
            growth,
            self.decoder,
            self._genomes,
            self.progress,
            max_voices,
            fire_rate,
            self._planter,
            grows_together,
        )
        self.grow_together(grows_together)
        self.failures: list[str] = []  # what broke, one line each, for the owner to take away

    def grow_together(self, together: bool) -> None:
        """Grow voices that need a hop soon with those that need one now, or not, from here on."""
        self._grows_together = together
        self._planter.plant_at_most(self._max_voices if together else PLANTED_TOGETHER)

    def grow(self, voices: Sequence[Voice], until: int, controls_at: ControlsAt) -> None:
        """Decode voices up to sample `until` at least, or to their end; their `audio` grows.

        Parameters
        ----------
        until : int
        controls_at : what channels and notes ask of the voices
        """
        while jobs := self._jobs(voices, until):
            self._apart_if_faulty(jobs, slice(0, len(jobs)), partial(self._grow, jobs, controls_at=controls_at))
            self.after_round()
            if max(job.num_hops for job in jobs) < MOST_HOPS:
                return  # nobody wanted more; looking again would be work in every block

    def start(self, voices: Sequence[Voice], until: int, controls_at: ControlsAt) -> None:
        """Let voices be grown as `grow` does, until `finish` returns; meanwhile nothing else may be asked for."""
        self._under_way = voices, until, controls_at

    def finish(self) -> None:
        """Have grown what `start` was told."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            Grower.grow(self, *under_way)

    def settle(self, voices: Sequence[Voice], num_hops: int, controls_at: ControlsAt) -> None:
        """Grow voices by hops that nobody hears, planting those that have no genome.

        Parameters
        ----------
        controls_at : read once for each hop, as in `grow`
        """
        jobs = [self._job(voice, num_hops, True, num_hops) for voice in voices]
        if num_hops:
            self._apart_if_faulty(jobs, slice(0, len(jobs)), partial(self._settle, jobs, controls_at=controls_at))

    def _settle(self, jobs: list[Job], rows: slice, controls_at: ControlsAt) -> None:
        if self.kernel is not None:
            self.kernel.grow(jobs[rows], controls_at, sounded=False)
            return
        batch = self._batch(jobs[rows], controls_at)
        self._plant_new(batch)
        self._run_rounds(batch, ())
        batch.remember(self.progress)

    def _apart_if_faulty(self, jobs: list[Job], rows: slice, work: Callable[[slice], None]) -> None:
        """Do work on some of the jobs together; if a model raises, on each alone, and cut those where it does again."""
        try:
            work(rows)
        except ModelFault as fault:
            if rows.stop - rows.start == 1:
                self.failures += cut_faulty(jobs[rows.start].voice, fault, self._timing)
            else:
                for row in range(rows.start, rows.stop):
                    self._apart_if_faulty(jobs, slice(row, row + 1), work)

    def genome(self, slot: int) -> Genome:
        """Return what the voice in a slot is grown from; nothing if it is grown elsewhere."""
        if self.kernel is not None:
            self.kernel.kernel.release()
        return self._genomes.of_slot(slot)

    def set_clocks_back(self, voice: Voice, num_hops: int, controls_at: ControlsAt) -> None:
        """Let the clocks of a voice that run fast or slow now be ahead as they were some hops ago."""
        slot, known = voice.slot, (self.progress.age_lead_s, self.progress.release_lead_s)
        if any(lead_s[slot] for lead_s in known):
            clocks = self._batch([self._job(voice, 0, True, 1)], controls_at).clocks
            has_grown = self.progress.num_frames[slot] > 0
            for lead_s, after in zip(known, (clocks.age_lead_s, clocks.release_lead_s), strict=True):
                lead_s[slot] -= num_hops * (after[0, 0] - lead_s[slot]) if has_grown else lead_s[slot]

    def adopt(self, voice: Voice, genome: Genome) -> None:
        """Grow a voice on from the genome of another one, (...) without the axis of voices."""
        self._keep(np.array([voice.slot]), {name: values[None] for name, values in genome.items()})
        self.progress.is_planted[voice.slot] = 1.0

    def _batch(self, jobs: list[Job], controls_at: ControlsAt) -> Batch:
        exact = not self.decoder.follows_f0
        return make_batch(jobs, self.progress, controls_at, self._timing, self._growth.motions, exact)

    def _grow(self, jobs: list[Job], some: slice, controls_at: ControlsAt) -> None:
        jobs, decoder = jobs[some], self.decoder
        if self.kernel is not None:
            self.failures += self.kernel.grow(jobs, controls_at)
            return
        batch = self._batch(jobs, controls_at)
        self._plant_new(batch)
        alive = self._run_rounds(batch, decoder.consumes)

        def decode(rows: slice) -> None:
            self._decode(batch, rows, decoder)

        first = 0
        while first < len(jobs):
            last = first + 1
            while last < len(jobs) and self._fits(jobs[first], jobs[last]):
                last += 1
            self._apart_if_faulty(jobs, slice(first, last), decode)
            first = last
        if np.count_nonzero(alive) < sum(batch.active):
            for index, job in enumerate(jobs):
                end_by_death(job, alive[: job.num_frames, index], self._hop)
        batch.remember(self.progress)

    def _lookahead(self, voice: Voice) -> int:
        return lookahead_of(self.decoder, voice.has_pitch)

    def _job(self, voice: Voice, num_hops: int, is_new: bool, num_frames: int) -> Job:
        grown = int(self.progress.num_frames[voice.slot])
        return Job(voice, num_hops, is_new, num_frames, self._lookahead(voice), grown)

    def _jobs(self, voices: Sequence[Voice], until: int) -> list[Job]:
        """Return what to grow next: of all voices that lack hops, wherever they are in time."""
        lacking = [(voice, min(until, voice.end) - voice.decoded.until) for voice in voices]
        joins = self._grows_together and any(missing > 0 and voice.decoded.has_begun for voice, missing in lacking)
        together = until + self._hop // 2 if joins else until
        jobs = []
        for voice, missing in lacking:
            if missing > 0 or (together > until and min(together, voice.end) > voice.decoded.until):
                num_hops = min(max(-(-missing // self._hop), 1), MOST_HOPS)
                is_new = not voice.decoded.has_begun
                jobs.append(self._job(voice, num_hops, is_new, num_hops + self._lookahead(voice) * is_new))
        jobs.sort(key=lambda job: (-job.num_frames, job.is_new, job.ahead, job.voice.slot))
        return jobs

    @property
    def sample_rate(self) -> int:
        """Samples in a second, at the internal rate."""
        return self._rate

    @staticmethod
    def _fits(one: Job, other: Job) -> bool:
        return (one.num_frames, one.is_new, one.ahead) == (other.num_frames, other.is_new, other.ahead)

    def _seeds(self, batch: Batch, index: int, rows: Sequence[int]) -> list[Seed]:
        """Return what some voices are planted from in round `index`."""
        pitches = batch.plan.planted[index] - batch.semitones[index]
        voices = batch.voices
        return [
            Seed(
                pitches[row],
                voices[row].velocity,
                batch.timbre(index, row),
                batch.pitched(index, row),
                voices[row].patch.inharmonicity,
            )
            for row in rows
        ]

    def _plant_new(self, batch: Batch) -> None:
        """Plant the seeds of the voices that have no genome yet."""
        rows = np.flatnonzero(self.progress.is_planted[batch.slots] == 0.0)
        if rows.size:
            self._keep(batch.slots[rows], self._planter.plant_new(self._seeds(batch, 0, rows.tolist())))
            self.progress.is_planted[batch.slots[rows]] = 1.0

    def _keep(self, slots: NDArray[np.intp], genome: Genome) -> None:
        """Keep what the voices in some slots (V,) are grown from."""
        num_cells = genome["grid"].shape[1]
        if self._dice.num_cells != num_cells:
            self._dice = FireDice(self._fire_rate, self._growth.steps_per_hop, num_cells)
        self._genomes.put(slots, genome)

    def _run_rounds(self, batch: Batch, wanted: Sequence[str]) -> NDArray[np.bool_]:
        """Grow the frames of all rounds into `_grown`; return what lived, (R, V)."""
        genome = self._genomes.of(batch.slots)
        grid = genome["grid"]
        alive = np.zeros(batch.frames.shape, np.bool_)
        replanted: set[int] = set()
        moves: list[bool] = np.asarray(batch.plan.replant.any(axis=1)).tolist()
        course: Course | None = None
        for index, active in enumerate(batch.active):
            if moves[index]:
                rows = np.flatnonzero(batch.plan.replant[index, :active])
                if rows.size:
                    _ended(course, grid)
                    course = None
                    self._replant(batch, index, rows, genome)
                    replanted.update(rows.tolist())
            now = genome if active == len(grid) else {name: values[:active] for name, values in genome.items()}
            if course is None or course.num_voices != active:
                _ended(course, grid)
                course = self._course(batch, now, bool(replanted))
            grown = self._step(batch, index, active, now, course)
            alive[index, :active] = grown.alive
            if course is None:
                grid[:active] = grown.grid
            for name in wanted:
                values = grown.fields[name]
                self._grown.buffer(name, batch.frames.T.shape, values.shape[1:])[:active, index] = values
        _ended(course, grid)
        self._genomes.put_grids(batch.slots, grid)
        if replanted:
            rows = np.array(sorted(replanted))
            self._genomes.put(batch.slots[rows], {name: values[rows] for name, values in genome.items()})
        return alive

    def _course(self, batch: Batch, genome: Genome, is_replanted: bool) -> Course | None:
        """Begin hops in a row on a device, where there is one; growth controls change grids in each hop."""
        if batch.growth_masks is not None or not isinstance(self._growth, OnnxGrowthModel):
            return None
        slots = batch.slots[: len(genome["grid"])]
        return self._growth.course(genome, None if is_replanted else self._genomes.key_of(slots))

    def _step(self, batch: Batch, index: int, active: int, genome: Genome, course: Course | None = None) -> Grown:
        """Grow the first `active` voices by a hop, under their growth controls."""
        growth_masks, seeds, frames = batch.growth_masks, batch.seeds[:active], batch.frames[index, :active]
        if growth_masks is None:
            mask = self._dice.roll(seeds, frames)
        else:
            mask = self._dice.roll(seeds, frames, growth_masks.fire_share(index, active))
            mask = growth_masks.tempered(mask, index)
            damage_grid(genome["grid"], growth_masks.erased(index, genome["grid"].shape[1])[:active], seeds, frames)
        ages = batch.growth_age_s[index, :active], batch.growth_release_s[index, :active]
        with faults_of("the growth model"):
            hop = HopInputs(*ages, mask, batch.swell[index, :active])
            grown = self._growth.step(genome, hop) if course is None else course.step(hop)
        return grown if growth_masks is None else cull(grown, growth_masks.life[index, :active], self._growth.spec)

    def _replant(self, batch: Batch, index: int, rows: NDArray[np.intp], genome: Genome) -> None:
        planted = self._planter.plant(self._seeds(batch, index, rows.tolist()))
        for name, values in genome.items():
            if name != "grid":
                values[rows] = planted[name]

    def _decode(self, batch: Batch, rows: slice, decoder: Decoder) -> None:
        """Decode voices that need equally many frames and are equally new."""
        job = batch.jobs[rows.start]
        ahead = job.ahead
        fields = {name: self._grown[name][rows, : job.num_frames] for name in decoder.consumes}
        timing = self._timing
        self.failures += silence_broken(batch.jobs[rows], fields, timing)
        slots, frames = batch.slots[rows], slice(0, job.num_frames)
        has_pitch = np.array([one.voice.has_pitch for one in batch.jobs[rows]])
        controls = NoteControls(
            batch.f0_hz[rows, frames],
            batch.inharmonicity[rows],
            batch.grown_hz[rows, frames],
            has_pitch,
            batch.blend[rows, frames],
            None if batch.modes is None else batch.modes[rows],
        )
        fields = self._finisher.finish(
            fields,
            None if batch.correction is None else batch.correction.of(frames, rows),
            batch.semitones[frames, rows].T,
            batch.grown_hz[rows, frames],
            controls.inharmonicity,
        )
        fields = self._coloured(batch, rows, fields)
        with faults_of(f"decoder {decoder.name}"):
            if ahead:
                first = {name: values[:, :ahead] for name, values in fields.items()}
                decoder.begin(slots, first, controls.during(slice(ahead)), batch.seeds[rows])
            rest = {name: values[:, ahead:] for name, values in fields.items()}
            audio = decoder.decode(slots, rest, controls.during(slice(ahead, None)))
        heard_in = slice(ahead, ahead + job.num_hops)
        places = None if batch.journey is None else batch.journey.places[heard_in, rows]
        fade_released(audio, batch.voices[rows], batch.clocks.release_age_s[heard_in, rows].T, places, timing.hop_s)
        lead_s = leads_of(batch.clocks.age_s[heard_in, rows], batch.frames[heard_in, rows], timing)
        shape_attacks(audio, batch.jobs[rows], lead_s, places, self._growth.motions, timing)
        peaks = np.abs(audio).reshape(len(slots), job.num_hops, self._hop).max(axis=2)
        holds = None if batch.growth_masks is None else batch.growth_masks.holds[heard_in, rows].T
        self.failures += deliver(batch.jobs[rows], audio, peaks, holds, decoder.name, timing, places)

    def _coloured(self, batch: Batch, rows: slice, fields: Fields) -> Fields:
        """Return fields with the colour that controls give them."""
        if batch.colour is None:
            return fields
        frames = slice(0, batch.jobs[rows.start].num_frames)
        known = self.decoder.levels
        levels = {name: known[name] if name in known else levels_of(name, pair) for name, pair in fields.items()}
        colour = batch.colour[:, rows, frames]
        return coloured(fields, levels, self._growth.spec, batch.grown_hz[rows, frames], colour)


def _ended(course: Course | None, grid: FloatArray) -> None:
    """End hops in a row on a device: fetch the grids."""
    if course is not None:
        grid[: course.num_voices] = course.grids()
