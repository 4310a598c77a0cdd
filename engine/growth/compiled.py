"""Growing and sounding voices hop by hop in one place, the compiled kernel or the graph of a hop.

Letters: V voices, R growth rounds, T hops, K controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..decoders.base import Decoder
from ..decoders.combined.by_sound_class import SoundClassDecoder
from ..decoders.griffin_lim import GriffinLimDecoder
from ..decoders.harmonic import HarmonicDecoder
from ..kernel.calls import (
    AGE_LEAD,
    BROKEN,
    CORNERS,
    DEAD,
    DRIFTS,
    MORPHS,
    NUM_FRAMES,
    PARTIALS,
    RELEASE_LEAD,
    RESONANCES,
    TENDED,
    UNHEARD,
    HopCall,
    Hops,
    Views,
    tell_facts,
)
from ..kernel.cores import wanted_core
from ..kernel.graph.hops import GraphHops
from ..kernel.graph.tables import GraphModel
from ..kernel.model import Kernel, fits
from ..kernel.weights import read_weights
from ..keys.motions import MotionTable
from ..models.growth_model import OnnxGrowthModel as OnnxGrowth
from ..models.interfaces import GrowthModel
from ..modulation.channel import ControlsAt
from ..modulation.growth import GrowthMasks, damage_grid, masks_of
from ..modulation.morph import Journey, remember, travel
from ..modulation.reseeding import Plan, plan_replanting
from ..spectra.spec import AudioSpec
from ..spectra.transpose import LINEAR
from ..voices.endings import fade_released
from ..voices.progress import Progress, Reached
from ..voices.timbre_pad import pad_weights
from ..voices.voice import Voice, num_slots
from .attacks import leads_of, shape_attacks
from .batch import Job, lent_semitones
from .delivery import deliver, end_by_death
from .faults import cut_grown, faults_of
from .fire_masks import FireDice
from .planting import Planter, Seed
from .state import SlotState


class Work(NamedTuple):
    """Hops to come of V voices, as whoever computes them was told.

    Attributes
    ----------
    jobs : list of Job
    slots : int64 (V,)
    frames : int64 (R, V)
    samples : int64 (R, V), since the onset, where hops begin
    call : HopCall
    journey : over pads of timbres; None where no voice has one
    """

    jobs: Sequence[Job]
    slots: NDArray[np.int64]
    frames: NDArray[np.int64]
    samples: NDArray[np.int64]
    call: HopCall
    journey: Journey | None

    @property
    def views(self) -> Views:
        """Arrays of the call."""
        return self.call.views

    @property
    def is_new(self) -> NDArray[np.bool_]:
        """Whether a voice's first frame is to be grown, (V,)."""
        return np.asarray(self.views.facts[:, NUM_FRAMES] == 0.0)

    @property
    def voices(self) -> list[Voice]:
        """The voices."""
        return [job.voice for job in self.jobs]


class KernelGrower:
    """Grows voices hop by hop in the slots of a `Grower`, with whose genomes it works.

    Parameters
    ----------
    kernel : Hops
    growth : GrowthModel
    genomes : SlotState
    progress : Progress
    fire_rate : float
    planter : Planter
    decoder : str
        Its name, for what breaks.
    """

    def __init__(
        self,
        kernel: Hops,
        growth: GrowthModel,
        genomes: SlotState,
        progress: Progress,
        fire_rate: float,
        planter: Planter,
        decoder: str,
    ) -> None:
        self.kernel = kernel
        self._growth, self._genomes, self._progress, self._decoder = growth, genomes, progress, decoder
        self._spec: AudioSpec = growth.spec
        self._motions: MotionTable = growth.motions
        self._fires_always = fire_rate >= 1.0
        self._dice = FireDice(fire_rate, 1, growth.spec.num_mels)
        self._planter = planter

    def grow(self, jobs: Sequence[Job], controls_at: ControlsAt, sounded: bool = True) -> list[str]:
        """Grow and sound what jobs say, most frames first; return what broke, one line each.

        Parameters
        ----------
        sounded : whether it is heard
        """
        hop = self._spec.hop_length
        work = self._prepare(jobs, controls_at, sounded)
        call = work.call
        if call.found & TENDED:
            self.kernel.release()
        growth_masks = self._tend(work) if call.found & TENDED else None
        plan = self._plan(work) if call.found & DRIFTS or work.journey is not None else None
        rounds, count = work.frames.shape
        audio = call.audio = np.empty((count, rounds * hop) if sounded else (0, 0), np.float32)
        self._plant_new(work, plan)
        call.mask = self._mask(work, growth_masks)
        call.life = None if growth_masks is None else np.ascontiguousarray(growth_masks.life)
        for call.first, call.last in self._stretches(work, plan, growth_masks):
            self.kernel.plant(self._genomes.stored, self._genomes.versions)
            with faults_of("the growth model"):
                self.kernel.run(call)
        failures = self._deliver(work, audio, growth_masks) if sounded else []
        self._remember(work, plan, growth_masks)
        return failures

    def _prepare(self, jobs: Sequence[Job], controls_at: ControlsAt, sounded: bool) -> Work:
        """Tell what computes hops of the jobs, and let it read clocks and pitches."""
        hop = self._spec.hop_length
        voices = [job.voice for job in jobs]
        count, rounds = len(jobs), jobs[0].num_frames
        call = self.kernel.call(count, rounds)
        views = call.views
        facts = views.facts
        views.jobs[:] = [
            (voice.slot, job.num_frames, job.lookahead, job.is_new, _kind_of(voice) if sounded else UNHEARD)
            for job, voice in zip(jobs, voices, strict=True)
        ]
        tell_facts(facts, voices, self._progress.table[views.jobs[:, 0]])
        if any(job.is_new for job in jobs):
            views.seeds[:] = [voice.seed for voice in voices]
        views.broken.fill(-1)
        numbers = facts[:, : NUM_FRAMES + 1].astype(np.int64)
        frames = numbers[:, NUM_FRAMES] if rounds == 1 else numbers[:, NUM_FRAMES] + np.arange(rounds)[:, None]
        frames = frames.reshape(rounds, count)
        samples = np.maximum(frames - views.jobs[:, 2], 0) * hop
        views.controls[:] = controls_at(voices, samples + numbers[:, 0])
        journey = self._set_out(voices, call)
        self.kernel.prepare(call)
        return Work(jobs, views.jobs[:, 0], frames, samples, call, journey)

    def _set_out(self, voices: Sequence[Voice], call: HopCall) -> Journey | None:
        """Tell where voices are on their pads of timbres, if any has one."""
        morphs = [voice.morph is not None for voice in voices]
        call.views.facts[:, MORPHS] = morphs
        if not any(morphs):
            return None
        is_new = call.views.facts[:, NUM_FRAMES] == 0.0
        journey = travel(voices, is_new, call.views.controls, self._spec.hop_s)
        assert journey is not None
        call.journey = np.zeros((*journey.semitones.shape, 3 + CORNERS))
        call.journey[..., 0], call.journey[..., 2] = journey.semitones, journey.pitched
        call.journey[..., 3:] = pad_weights(journey.places)
        call.corners = np.array(
            [np.zeros((CORNERS, 2)) if voice.morph is None else voice.morph.pad.motions for voice in voices]
        )
        return journey

    def _tend(self, work: Work) -> GrowthMasks | None:
        held = work.views.facts[:, 1] - work.views.facts[:, 0]
        released = work.samples >= np.maximum(held, self._spec.hop_length)
        return masks_of(self._progress.damage[work.slots], work.is_new, work.views.controls, released)

    def _plan(self, work: Work) -> Plan:
        """Plan which genomes are planted anew, and tell the kernel what they are of."""
        voices = work.voices
        plan = plan_replanting(
            work.views.pitch,
            np.where(work.is_new, work.views.pitch[0], self._progress.last_pitch[work.slots]),
            work.views.planted[0].copy(),
            self._progress.planted_hops[work.slots].astype(np.int64),
            exact=False,
            journey=work.journey,
        )
        work.views.planted[:] = plan.planted
        if work.call.journey is not None:
            work.call.journey[..., 1] = lent_semitones(voices, plan)
        return plan

    def _plant_new(self, work: Work, plan: Plan | None) -> None:
        """Plant the voices that have no genome yet."""
        rows = np.flatnonzero(self._progress.is_planted[work.slots] == 0.0)
        if rows.size:
            self._genomes.put(work.slots[rows], self._planter.plant_new(self._seeds(work, plan, 0, rows.tolist())))
            self._progress.is_planted[work.slots[rows]] = 1.0

    def _seeds(self, work: Work, plan: Plan | None, index: int, rows: Sequence[int]) -> list[Seed]:
        """Return what some voices are planted from in round `index`."""
        seeds = []
        for row in rows:
            voice = work.jobs[row].voice
            patch = voice.patch
            timbre, pitched, semitones = patch.timbre, float(patch.pitched), patch.motion.semitones
            journey = work.call.journey
            if voice.morph is not None and plan is not None and plan.places is not None and journey is not None:
                place, semitones = plan.places[index, row], journey[index, row, 1]
                timbre, pitched = voice.morph.timbre_at(place), voice.morph.pitched_at(place)
            pitch = work.views.planted[index, row] - semitones
            seeds.append(Seed(pitch, voice.velocity, timbre, pitched, patch.inharmonicity))
        return seeds

    def _mask(self, work: Work, growth_masks: GrowthMasks | None) -> FloatArray | None:
        """Return which cells fire, float32 (R, V, F), None if all do."""
        if growth_masks is None and self._fires_always:
            return None
        seeds = np.array([job.voice.seed for job in work.jobs], np.uint64)
        masks = []
        for index, frames in enumerate(work.frames):
            share = None if growth_masks is None else growth_masks.fire_share(index, len(seeds))
            mask = self._dice.roll(seeds, frames, share)
            masks.append((mask if growth_masks is None else growth_masks.tempered(mask, index))[:, 0])
        return np.ascontiguousarray(np.stack(masks), np.float32)

    def _stretches(self, work: Work, plan: Plan | None, growth_masks: GrowthMasks | None) -> Iterator[tuple[int, int]]:
        """Give rounds to grow in one go, from first to last; before each, do to genomes what is due there."""
        edges = [0, len(work.frames)]
        for index in range(1, len(work.frames)) if plan is not None or growth_masks is not None else ():
            replanted = plan is not None and plan.replant[index].any()
            if replanted or (growth_masks is not None and growth_masks.erased(index, self._spec.num_mels).any()):
                edges.append(index)
        needs = np.array([job.num_frames for job in work.jobs])
        for first, last in pairwise(sorted(edges)):
            lasting = np.flatnonzero(needs > first)
            if plan is not None:
                self._replant(work, plan, first, lasting[plan.replant[first, lasting]])
            if growth_masks is not None:
                self._wound(work, growth_masks, first, lasting)
            yield first, last

    def _replant(self, work: Work, plan: Plan, index: int, rows: NDArray[np.intp]) -> None:
        """Plant anew what some voices are grown from, but for their grids."""
        if rows.size:
            planted = self._planter.plant(self._seeds(work, plan, index, rows.tolist()))
            genes = {name: values for name, values in planted.items() if name != "grid"}
            self._genomes.put(work.slots[rows], genes)

    def _wound(self, work: Work, growth_masks: GrowthMasks, index: int, rows: NDArray[np.intp]) -> None:
        """Erase what cells of some voices' grids are to be erased before round `index`."""
        erased = growth_masks.erased(index, self._spec.num_mels)[rows]
        if erased.any():
            grids = self._genomes.stored["grid"]
            grid = grids[work.slots[rows]]
            seeds = np.array([work.jobs[row].voice.seed for row in rows], np.uint64)
            damage_grid(grid, erased, seeds, work.frames[index, rows])
            grids[work.slots[rows]] = grid

    def _deliver(self, work: Work, audio: FloatArray, growth_masks: GrowthMasks | None) -> list[str]:
        """Give voices what was sounded for them, and end those that are broken, silent or dead."""
        hop, jobs, count = self._spec.hop_length, work.jobs, len(work.jobs)
        peaks, alive, released = work.views.peaks, work.views.alive, work.views.release_age_s
        failures: list[str] = []
        for row, frame in enumerate(work.views.broken.tolist() if work.call.found & BROKEN else ()):
            if frame >= 0:
                failures += cut_grown(jobs[row], frame, "linear", self._spec)
        first = 0
        while first < count:
            job, last = jobs[first], first + 1
            while last < count and (jobs[last].num_hops, jobs[last].ahead) == (job.num_hops, job.ahead):
                last += 1
            rows, hops = slice(first, last), job.num_hops
            holds = None if growth_masks is None else growth_masks.holds[job.ahead : job.ahead + hops, rows].T
            heard, loud = audio[rows, : hops * hop], peaks[rows, :hops]
            heard_in = slice(job.ahead, job.ahead + hops)
            places = None if work.journey is None else work.journey.places[heard_in, rows]
            voices = [job.voice for job in jobs[rows]]
            is_faded = fade_released(heard, voices, released[heard_in, rows].T, places, self._spec.hop_s)
            lead_s = leads_of(work.views.age_s[heard_in, rows], work.frames[heard_in, rows], self._spec)
            if shape_attacks(heard, jobs[rows], lead_s, places, self._motions, self._spec) or is_faded:
                loud = np.abs(heard).reshape(last - first, hops, hop).max(axis=2)
            failures += deliver(jobs[rows], heard, loud, holds, self._decoder, self._spec, places)
            first = last
        if work.call.found & DEAD:
            for row, job in enumerate(jobs):
                end_by_death(job, alive[: job.num_frames, row] > 0, hop)
        return failures

    def _remember(self, work: Work, plan: Plan | None, growth_masks: GrowthMasks | None) -> None:
        """Note how far the voices have come."""
        views, num_frames = work.views, work.views.jobs[:, 1]
        at_last = num_frames - 1, np.arange(len(num_frames))
        hops = (
            self._progress.planted_hops[work.slots] + num_frames
            if plan is None
            else plan.hops[at_last].astype(np.float64)
        )
        leads = views.facts[:, AGE_LEAD], views.facts[:, RELEASE_LEAD]
        reached = Reached(views.planted[at_last], hops, views.pitch[at_last], *leads)
        damage = None if growth_masks is None else growth_masks.damage[at_last]
        self._progress.advance(work.slots, num_frames, reached, damage)
        if work.journey is not None and plan is not None and plan.places is not None:
            remember(work.voices, at_last[0], work.journey, plan.places)


def open_hops(
    core: str,
    growth: GrowthModel,
    decoder: Decoder,
    genomes: SlotState,
    progress: Progress,
    max_voices: int,
    fire_rate: float,
    planter: Planter,
    grows_together: bool,
) -> KernelGrower | None:
    """Return what grows voices with the kernel or the graph; None where neither is wanted, or can do what is asked."""
    wanted = wanted_core(core, grows_together or (isinstance(growth, OnnxGrowth) and growth.provider == "cuda"))
    if wanted == "numpy" or not isinstance(growth, OnnxGrowth):
        return None
    resonant = _resonant(decoder)
    weights = None if resonant is None else read_weights(growth.step_model, growth.spec)
    if resonant is None or weights is None or not fits(weights, growth.spec, growth.motions):
        return None
    slots, spec, motions = num_slots(max_voices), growth.spec, growth.motions
    hops: Hops
    if wanted == "kernel" and growth.provider == "cpu":
        hops = Kernel(weights, spec, motions, resonant, slots)
    else:
        model = GraphModel(weights, spec, motions, growth.finisher)
        hops = GraphHops(model, decoder, slots, growth.provider, growth.lose)
    return KernelGrower(hops, growth, genomes, progress, fire_rate, planter, decoder.name)


def _kind_of(voice: Voice) -> int:
    return PARTIALS if voice.has_pitch else RESONANCES


def _resonant(decoder: Decoder) -> GriffinLimDecoder | None:
    """Return what sounds notes without a pitch if all is sounded as the kernel does it, else None."""
    if not isinstance(decoder, SoundClassDecoder) or type(decoder.pitched) is not HarmonicDecoder:
        return None
    resonant = decoder.resonant
    return resonant if isinstance(resonant, GriffinLimDecoder) and resonant.consumes == (LINEAR,) else None
