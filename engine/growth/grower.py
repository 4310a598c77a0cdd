"""Growing and decoding hops of many voices at once: planned here, and done by the kernel, the graph or numpy.

Letters: V voices, K controls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..decoders.base import Decoder, lookahead_of
from ..decoders.combined.by_sound_class import SoundClassDecoder
from ..decoders.combined.upsampled import at_rate
from ..decoders.griffin_lim import GriffinLimDecoder
from ..decoders.harmonic import HarmonicDecoder
from ..kernel.calls import Hops
from ..kernel.cores import AUTO, wanted_core
from ..kernel.graph.hops import GraphHops
from ..kernel.graph.tables import GraphModel
from ..kernel.model import Kernel, fits
from ..kernel.weights import read_weights
from ..models.growth_model import OnnxGrowthModel
from ..models.interfaces import Genome, GrowthModel
from ..spectra.transpose import LINEAR
from ..voices.progress import Progress
from ..voices.voice import Voice, num_slots
from .batch import make_batch
from .compiled import KernelGrower
from .faults import apart_if_faulty
from .genomes import PLANTED_TOGETHER, Planter, SlotState
from .hop_plan import HopPlan, Job, plan_hops, plans_of
from .numpy_hops import NumpyGrower

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
        self._lookahead = [lookahead_of(self.decoder, has_pitch) for has_pitch in (False, True)]
        self.hop = self._hop = self._timing.hop_length
        self._rate = self._timing.sample_rate
        self._genomes = SlotState(num_slots(max_voices))
        self._under_way: Sequence[HopPlan] = ()  # what `finish` is to grow
        self.after_round: Callable[[], None] = _nothing  # called while `grow` goes on
        self._max_voices = max_voices
        self._planter = Planter(growth)
        self.kernel = self._open_kernel(core, fire_rate, grows_together)
        self._hops = self.kernel or NumpyGrower(
            growth, self.decoder, self._timing, self._genomes, self.progress, fire_rate, self._planter
        )
        self.grow_together(grows_together)
        self.failures: list[str] = []  # what broke, one line each, for the owner to take away

    def _open_kernel(self, core: str, fire_rate: float, grows_together: bool) -> KernelGrower | None:
        """Return what grows voices with the kernel or the graph; None where neither is wanted, or can do it."""
        growth, decoder, slots = self.growth, self.decoder, num_slots(self._max_voices)
        is_on_gpu = isinstance(growth, OnnxGrowthModel) and growth.provider == "cuda"
        wanted = wanted_core(core, grows_together or is_on_gpu)
        if wanted == "numpy" or not isinstance(growth, OnnxGrowthModel):
            return None
        resonant, spec, motions = _resonant(decoder), growth.spec, growth.motions
        weights = None if resonant is None else read_weights(growth.step_model, spec)
        if resonant is None or weights is None or not fits(weights, spec, motions):
            return None
        hops: Hops
        if wanted == "kernel" and growth.provider == "cpu":
            hops = Kernel(weights, spec, motions, resonant, slots)
        else:
            model = GraphModel(weights, spec, motions, growth.finisher)
            hops = GraphHops(model, decoder, slots, growth.provider, growth.lose)
        return KernelGrower(hops, growth, self._genomes, self.progress, fire_rate, self._planter, decoder.name)

    def grow_together(self, together: bool) -> None:
        """Grow voices that need a hop soon with those that need one now, or not, from here on."""
        self._grows_together = together
        self._planter.plant_at_most(self._max_voices if together else PLANTED_TOGETHER)

    def plan(self, voices: Sequence[Voice], until: int) -> list[HopPlan]:
        """Return what is to be grown for voices to be decoded up to sample `until` at least, or to their end.

        Their controls are still to be written; nothing else may be grown before the plans are.
        """
        return plans_of(self._jobs(voices, until), MOST_HOPS, self._hop, until)

    def grow(self, plans: Sequence[HopPlan]) -> None:
        """Decode voices as `plan` has planned it; their `audio` grows."""
        for number, planned in enumerate(plans):
            hops = planned.left(self._hop) if number else planned
            if hops is not None:
                self._advance(hops)
                self.after_round()

    def _advance(self, hops: HopPlan) -> None:
        def grow(rows: slice) -> None:
            self.failures += self._hops.grow(hops.part(rows))

        apart_if_faulty(hops.jobs, slice(0, len(hops.jobs)), grow, self.failures, self._timing)

    def start(self, plans: Sequence[HopPlan]) -> None:
        """Let voices be grown as `grow` does, until `finish` returns; meanwhile nothing else may be asked for."""
        self._under_way = plans

    def finish(self) -> None:
        """Have grown what `start` was told."""
        under_way, self._under_way = self._under_way, ()
        Grower.grow(self, under_way)

    def settle(self, voices: Sequence[Voice], num_hops: int, controls: NDArray[np.float64]) -> None:
        """Grow voices by hops that nobody hears, planting those that have no genome.

        Parameters
        ----------
        controls : (V, K), all the while
        """
        if num_hops:
            hops = plan_hops([self._job(voice, num_hops, True, num_hops) for voice in voices], self._hop)
            hops.controls[:] = controls
            self._advance(hops)

    def genome(self, slot: int) -> Genome:
        """Return what the voice in a slot is grown from; nothing if it is grown elsewhere."""
        if self.kernel is not None:
            self.kernel.kernel.release()
        return self._genomes.of_slot(slot)

    def set_clocks_back(self, voice: Voice, num_hops: int, controls: NDArray[np.float64]) -> None:
        """Let the clocks of a voice that run fast or slow under controls (K,) be ahead as they were some hops ago."""
        slot, known = voice.slot, (self.progress.age_lead_s, self.progress.release_lead_s)
        if any(lead_s[slot] for lead_s in known):
            hops = plan_hops([self._job(voice, 0, True, 1)], self._hop)
            hops.controls[:] = controls
            motions, exact = self.growth.motions, not self.decoder.follows_f0
            clocks = make_batch(hops, self.progress, self._timing, motions, exact).clocks
            has_grown = self.progress.num_frames[slot] > 0
            for lead_s, after in zip(known, (clocks.age_lead_s, clocks.release_lead_s), strict=True):
                lead_s[slot] -= num_hops * (after[0, 0] - lead_s[slot]) if has_grown else lead_s[slot]

    def adopt(self, voice: Voice, genome: Genome) -> None:
        """Grow a voice on from the genome of another one, (...) without the axis of voices."""
        self._genomes.put(np.array([voice.slot]), {name: values[None] for name, values in genome.items()})
        self.progress.is_planted[voice.slot] = 1.0

    def _job(self, voice: Voice, num_hops: int, is_new: bool, num_frames: int) -> Job:
        grown = int(self.progress.num_frames[voice.slot])
        return Job(voice, num_hops, is_new, num_frames, self._lookahead[voice.has_pitch], grown)

    def _jobs(self, voices: Sequence[Voice], until: int) -> list[Job]:
        """Return what to grow: of all voices that lack hops, wherever they are in time."""
        lacking = [(voice, min(until, voice.end) - voice.decoded.until) for voice in voices]
        joins = self._grows_together and any(missing > 0 and voice.decoded.has_begun for voice, missing in lacking)
        together = until + self._hop // 2 if joins else until
        jobs = []
        for voice, missing in lacking:
            if missing > 0 or (together > until and min(together, voice.end) > voice.decoded.until):
                num_hops = max(-(-missing // self._hop), 1)
                is_new = not voice.decoded.has_begun
                jobs.append(self._job(voice, num_hops, is_new, num_hops + self._lookahead[voice.has_pitch] * is_new))
        return jobs

    @property
    def sample_rate(self) -> int:
        """Samples in a second, at the internal rate."""
        return self._rate


def _resonant(decoder: Decoder) -> GriffinLimDecoder | None:
    """Return what sounds notes without a pitch if all is sounded as the kernel does it, else None."""
    if not isinstance(decoder, SoundClassDecoder) or type(decoder.pitched) is not HarmonicDecoder:
        return None
    resonant = decoder.resonant
    return resonant if isinstance(resonant, GriffinLimDecoder) and resonant.consumes == (LINEAR,) else None
