"""Growing voices hop by hop with the models themselves and numpy, whatever they grow and whatever decodes it.

Letters: V voices, R growth rounds, T hops. Voices are sorted by the frames they need, most first, so that the voices
of a round, and those that are decoded together, are always slices of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..decoders.base import Decoder, NoteControls
from ..hashing import FireDice
from ..models.growth_model import Course, OnnxGrowthModel
from ..models.interfaces import Genome, Grown, GrowthModel, HopInputs
from ..modulation.growth import cull, damage_grid
from ..spectra.fields import Fields
from ..spectra.spec import AudioSpec
from ..spectra.tone import coloured, levels_of
from ..voices.endings import fade_released
from ..voices.progress import Progress
from .batch import Batch, make_batch
from .delivery import deliver, end_by_death, leads_of, shape_attacks
from .faults import apart_if_faulty, faults_of, silence_broken
from .genomes import Planter, Seed, SlotState, seed_of
from .hop_plan import HopPlan


class NumpyGrower:
    """Grows voices hop by hop in the slots of a `Grower`, with whose genomes it works.

    Parameters
    ----------
    growth : GrowthModel
    decoder : Decoder
    timing : AudioSpec
        Of the growth, at the rate that `decoder` sounds at.
    genomes : SlotState
    progress : Progress
    fire_rate : float
    planter : Planter
    """

    def __init__(
        self,
        growth: GrowthModel,
        decoder: Decoder,
        timing: AudioSpec,
        genomes: SlotState,
        progress: Progress,
        fire_rate: float,
        planter: Planter,
    ) -> None:
        self._growth, self._decoder, self._timing = growth, decoder, timing
        self._genomes, self._progress, self._planter = genomes, progress, planter
        self._fire_rate = fire_rate
        self._dice = FireDice(fire_rate, growth.steps_per_hop, 0)  # how many cells there are shows in the first grid
        self._finisher = growth.finisher
        self._grown = FrameBuffers()  # fields of the rounds by name, (V, R, 2, F')

    def grow(self, hops: HopPlan) -> list[str]:
        """Grow and sound what a plan says; return what broke, one line each."""
        motions, exact = self._growth.motions, not self._decoder.follows_f0
        batch = make_batch(hops, self._progress, self._timing, motions, exact)
        is_heard = hops.until is not None
        self._plant_new(batch)
        alive = self._run_rounds(batch, self._decoder.consumes if is_heard else ())
        failures = self._decode_all(batch) if is_heard else []
        if is_heard and np.count_nonzero(alive) < sum(batch.active):
            for index, job in enumerate(hops.jobs):
                end_by_death(job, alive[: job.num_frames, index], self._timing.hop_length)
        batch.remember(self._progress)
        return failures

    def _decode_all(self, batch: Batch) -> list[str]:
        """Decode what was grown; return what broke, one line each."""
        failures: list[str] = []
        decode = partial(self._decode, batch, failures=failures)
        for rows in batch.hops.groups():
            apart_if_faulty(batch.jobs, rows, decode, failures, self._timing)
        return failures

    def _seeds(self, batch: Batch, index: int, rows: Sequence[int]) -> list[Seed]:
        """Return what some voices are planted from in round `index`."""
        pitches, places = batch.plan.planted[index] - batch.semitones[index], batch.plan.places
        return [
            seed_of(batch.jobs[row].voice, pitches[row], None if places is None else places[index, row]) for row in rows
        ]

    def _plant_new(self, batch: Batch) -> None:
        """Plant the seeds of the voices that have no genome yet."""
        rows = np.flatnonzero(self._progress.is_planted[batch.slots] == 0.0)
        if rows.size:
            self._genomes.put(batch.slots[rows], self._planter.plant_new(self._seeds(batch, 0, rows.tolist())))
            self._progress.is_planted[batch.slots[rows]] = 1.0

    def _run_rounds(self, batch: Batch, wanted: Sequence[str]) -> NDArray[np.bool_]:
        """Grow the frames of all rounds into `_grown`; return what lived, (R, V)."""
        genome = self._genomes.of(batch.slots)
        grid = genome["grid"]
        if self._dice.num_cells != grid.shape[1]:
            self._dice = FireDice(self._fire_rate, self._growth.steps_per_hop, grid.shape[1])
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

    def _decode(self, batch: Batch, rows: slice, failures: list[str]) -> None:
        """Decode voices that need equally many frames and are equally new."""
        job, decoder = batch.jobs[rows.start], self._decoder
        ahead = job.ahead
        fields = {name: self._grown[name][rows, : job.num_frames] for name in decoder.consumes}
        timing = self._timing
        failures += silence_broken(batch.jobs[rows], fields, timing)
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
        peaks = np.abs(audio).reshape(len(slots), job.num_hops, self._timing.hop_length).max(axis=2)
        holds = None if batch.growth_masks is None else batch.growth_masks.holds[heard_in, rows].T
        failures += deliver(batch.jobs[rows], audio, peaks, holds, decoder.name, timing, places)

    def _coloured(self, batch: Batch, rows: slice, fields: Fields) -> Fields:
        """Return fields with the colour that controls give them."""
        if batch.colour is None:
            return fields
        frames = slice(0, batch.jobs[rows.start].num_frames)
        known = self._decoder.levels
        levels = {name: known[name] if name in known else levels_of(name, pair) for name, pair in fields.items()}
        colour = batch.colour[:, rows, frames]
        return coloured(fields, levels, self._growth.spec, batch.grown_hz[rows, frames], colour)


def _ended(course: Course | None, grid: FloatArray) -> None:
    """End hops in a row on a device: fetch the grids."""
    if course is not None:
        grid[: course.num_voices] = course.grids()


class FrameBuffers:
    """A buffer for the frames of each field."""

    def __init__(self) -> None:
        self._buffers: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        """Return a field's buffer, (V or more, R or more, ...)."""
        return self._buffers[name]

    def buffer(self, name: str, shape: tuple[int, ...], frame_shape: tuple[int, ...]) -> FloatArray:
        """Return the buffer of a field with room for (V, R) frames; what is in it stays."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape[0] < shape[0] or buffer.shape[1] < shape[1]:
            old = np.zeros((0, 0, *frame_shape), np.float32) if buffer is None else buffer
            size = (max(shape[0], old.shape[0]), max(shape[1], old.shape[1]))
            buffer = self._buffers[name] = np.zeros((*size, *frame_shape), np.float32)
            buffer[: old.shape[0], : old.shape[1]] = old
        return buffer
