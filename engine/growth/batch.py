"""What one call of the grower works on: hops to come of voices, and their controls at every round.

Letters: V voices, R growth rounds, K controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..keys.correction import Corrections
from ..keys.motions import MotionTable
from ..modulation.channel import COLOUR_AND_PACE, REST, Control
from ..modulation.envelope_clocks import HELD, EnvelopeClocks, fade_in_db, read_clocks
from ..modulation.growth import GrowthMasks, masks_of
from ..modulation.morph import Journey, travel
from ..modulation.reseeding import Plan, plan_replanting
from ..modulation.vibrato import PITCH_RANGE, with_vibrato
from ..spectra.pitch import pitch_to_hz
from ..spectra.spec import AudioSpec
from ..voices.progress import Columns, Progress
from ..voices.timbre_pad import pad_weights
from ..voices.voice import Voice
from .hop_plan import HopPlan, Job


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one call grows: static facts of the voices, and their controls at every round."""

    hops: HopPlan
    seeds: NDArray[np.uint64]  # (V,)
    active: list[int]  # voices in each round, R of them
    clocks: EnvelopeClocks
    growth_age_s: FloatArray  # (R, V), what the growth is told of the age: its clock may stop
    growth_release_s: FloatArray  # (R, V), what it is told of the release: -1 where it goes on as if held
    pitch: NDArray[np.float64]  # (R, V), without vibrato
    plan: Plan
    f0_hz: NDArray[np.float64]  # (V, R), 0 where unpitched
    grown_hz: NDArray[np.float64]  # (V, R), what the genomes are planted for; 0 where unpitched
    inharmonicity: NDArray[np.float64]  # (V,)
    blend: NDArray[np.float64]  # (V, R), shares of the second part in an ensemble of decoders
    colour: NDArray[np.float64] | None  # (3, V, R), tilt, resonance and gain; None where all is neutral
    growth_masks: GrowthMasks | None  # of the growth; None where all is neutral
    journey: Journey | None  # over pads of timbres; None where no voice has one
    swell: FloatArray  # (R, V, F), what moves the levels
    correction: Corrections | None  # at R rounds, what is set right of them; None where the growth has no such table
    modes: FloatArray | None  # (V, MAX_INHARMONIC_PARTIALS), partials beside the series; None where no voice has one
    semitones: NDArray[np.float64]  # (R, V), from the keys that are grown to those that sound

    @property
    def jobs(self) -> Sequence[Job]:
        """What is to be grown of each voice."""
        return self.hops.jobs

    @property
    def slots(self) -> NDArray[np.int64]:
        """Those of the voices, (V,)."""
        return self.hops.slots

    @property
    def frames(self) -> NDArray[np.int64]:
        """Spectral frames, (R, V)."""
        return self.hops.frames

    @property
    def voices(self) -> list[Voice]:
        """The voices, V of them."""
        return self.hops.voices

    def remember(self, progress: Progress) -> None:
        """Note how far the voices have come."""
        plan, clocks = self.plan, self.clocks
        rounds = plan.planted, plan.hops, self.pitch, clocks.age_lead_s, clocks.release_lead_s
        self.hops.remember(progress, rounds, self.growth_masks, self.journey, plan.places)


class _Facts(NamedTuple):
    """What is known of V voices, each float64 (V,); see `Voice` and `Patch`."""

    onset: NDArray[np.float64]
    release: NDArray[np.float64]
    pitch: NDArray[np.float64]
    release_speed: NDArray[np.float64]
    tilt_db: NDArray[np.float64]
    pitched: NDArray[np.float64]
    inharmonicity: NDArray[np.float64]


_of_voice = attrgetter(*_Facts._fields[:5], *(f"patch.{name}" for name in _Facts._fields[5:]))


def make_batch(hops: HopPlan, progress: Progress, spec: AudioSpec, motions: MotionTable, exact: bool) -> Batch:
    """Look up all that growing needs to know of a plan.

    Parameters
    ----------
    progress : of all slots
    motions : what the rows of the voices' motions are rows of
    exact : whether genomes must follow every move of the pitch
    """
    hop, rate = spec.hop_length, spec.sample_rate
    voices, frames, hop_start, controls = hops.voices, hops.frames, hops.since, hops.controls
    # One array for all: arrays are dear to make, and this is done for every hop.
    facts = _Facts(*np.array([_of_voice(voice) for voice in voices], np.float64).T)
    grown = progress.of(hops.slots)
    needs = np.array([job.num_frames for job in hops.jobs])
    is_plain = bool((controls[..., COLOUR_AND_PACE] == REST).all())
    is_new = grown.num_frames == 0
    journey = travel(voices, is_new, controls, hop / rate)
    pitch = facts.pitch + controls[..., Control.PITCH] + (0.0 if journey is None else journey.semitones)
    pitch = np.minimum(np.maximum(pitch, PITCH_RANGE[0]), PITCH_RANGE[1])
    held = facts.release - facts.onset
    growth_masks = masks_of(grown.damage, is_new, controls, hop_start >= np.maximum(held, hop))
    is_timely = is_plain and growth_masks is None and not grown.age_lead_s.any() and (facts.release_speed == 1.0).all()
    pace = (controls, grown.age_lead_s, grown.release_lead_s, facts.release_speed)
    clocks = read_clocks(frames, hop_start, held, None if is_timely else pace, hop, rate)
    sway, swell, correction = move(voices, motions, clocks.age_s.astype(np.float64), journey)
    sounding = pitch if is_plain else with_vibrato(pitch, controls[..., Control.VIBRATO], hop_start / rate)
    sounding = sounding if exact or not sway.any() else np.clip(sounding + sway, *PITCH_RANGE)
    plan = _plan(grown, sounding if exact else pitch, exact, journey)
    pitched = facts.pitched if journey is None else journey.pitched
    f0_hz = np.where(pitched, pitch_to_hz(sounding), 0.0).T
    is_as_grown = np.array_equal(plan.planted, sounding)
    return Batch(
        hops=hops,
        seeds=np.array([voice.seed for voice in voices], np.uint64),
        active=(needs > np.arange(needs[0])[:, None]).sum(axis=1).tolist(),
        clocks=clocks,
        growth_age_s=np.minimum(clocks.age_s, _clock_ends_s(voices, motions)),
        growth_release_s=np.where([voice.release_rate > 0.0 for voice in voices], HELD, clocks.release_age_s),
        pitch=pitch,
        plan=plan,
        f0_hz=f0_hz,
        grown_hz=f0_hz if is_as_grown else np.where(pitched, pitch_to_hz(plan.planted), 0.0).T,
        inharmonicity=facts.inharmonicity,
        blend=controls[..., Control.BLEND].T,
        colour=None if is_plain and not facts.tilt_db.any() else _colour(facts, controls, hop_start / rate),
        growth_masks=growth_masks,
        journey=journey,
        swell=swell,
        correction=correction,
        modes=motions.inharmonic_partials_of(np.array([voice.patch.modes for voice in voices])),
        semitones=lent_semitones(voices, plan),
    )


def move(
    voices: Sequence[Voice], motions: MotionTable, age_s: NDArray[np.float64], journey: Journey | None
) -> tuple[NDArray[np.float64], FloatArray, Corrections | None]:
    """Return what moves V voices at ages (R, V).

    Returns
    -------
    sway : (R, V), semitones off their pitch
    swell : (R, V, F)
    correction : at R moments, or None; see `MotionTable.corrections`
    """
    rows = np.array([voice.patch.motion for voice in voices], np.float64)
    sway, swell = motions.read(rows, age_s)
    correction = motions.corrections(rows, age_s)
    if journey is None:
        return sway, swell, correction
    for row, voice in enumerate(voices):
        if voice.morph is not None:
            weights, corners = pad_weights(journey.places[:, row]), voice.morph.pad.motions
            ages = np.repeat(age_s[:, row : row + 1], 4, axis=1)
            sway[:, row] = (weights * motions.sway(corners, ages)).sum(1)
            swell[:, row] = (weights.astype(np.float32)[..., None] * motions.swell(corners, ages)).sum(1)
    return sway, swell, None if correction is None else _on_pads(correction, voices, motions, age_s, journey)


def _clock_ends_s(voices: Sequence[Voice], motions: MotionTable) -> FloatArray:
    """Return the ages (V,) at which the clock of the growth stops; on a pad, that of the corner where it is last."""
    ends_s = motions.clock_ends_s(np.array([voice.patch.motion for voice in voices], np.float64))
    for row, voice in enumerate(voices):
        if voice.morph is not None:
            ends_s[row] = motions.clock_ends_s(voice.morph.pad.motions).max()
    return ends_s.astype(np.float32)


def _on_pads(
    correction: Corrections, voices: Sequence[Voice], motions: MotionTable, age_s: NDArray[np.float64], journey: Journey
) -> Corrections:
    """Return corrections of four rows for each of V voices, at ages (R, V): those of the corners of their pads."""
    correction = _with_corners(correction)
    for row, voice in enumerate(voices):
        if voice.morph is not None:
            shares = pad_weights(journey.places[:, row]).astype(np.float32)[..., None]
            corners = motions.corrections(voice.morph.pad.motions, np.repeat(age_s[:, row : row + 1], 4, axis=1))
            if corners is not None:
                correction.rows[row] = corners.rows[:, 0]
                correction.courses[:, row] = shares * corners.courses[:, :, 0]
                correction.totals[:, row] = (shares * corners.totals).sum(1)
    return correction


def _with_corners(corrections: Corrections) -> Corrections:
    """Make room for four rows of each voice; what a voice has is in the first."""
    rows, courses, totals = corrections
    wider = np.zeros((*courses.shape[:2], 4, courses.shape[3]), np.float32)
    wider[:, :, :1] = courses
    return Corrections(np.repeat(rows, 4, 1), wider, totals)


def lent_semitones(voices: Sequence[Voice], plan: Plan) -> NDArray[np.float64]:
    """Return the semitones (R, V) from the keys that are grown to those that sound."""
    semitones = np.repeat(np.array([voice.patch.motion.semitones for voice in voices])[None], len(plan.planted), 0)
    if plan.places is not None:
        for row, voice in enumerate(voices):
            if voice.morph is not None:
                semitones[:, row] = pad_weights(plan.places[:, row]) @ voice.morph.pad.lent_semitones
    return semitones


def _plan(grown: Columns, pitch: NDArray[np.float64], exact: bool, journey: Journey | None) -> Plan:
    is_new = grown.num_frames == 0
    return plan_replanting(
        pitch,
        np.where(is_new, pitch[0], grown.last_pitch),
        np.where(is_new, pitch[0], grown.planted_pitch),
        grown.planted_hops.astype(np.int64),
        exact,
        journey,
    )


def _colour(facts: _Facts, controls: NDArray[np.float64], time_s: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return tilt, resonance and gain in dB (3, V, R), or None where they change nothing."""
    tilt = controls[..., Control.TILT] + facts.tilt_db
    fade_db = fade_in_db(time_s, controls[..., Control.FADE_IN])
    colour = np.stack([tilt.T, controls[..., Control.RESONANCE].T, fade_db.T])
    return colour if colour.any() else None
