"""What one call of the grower works on: hops to come of voices, and their controls at every round.

Letters: V voices, R growth rounds, K controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .clocks import Clocks, fade_in_db, read_clocks
from .controls import Control, ControlsAt
from .replanting import Plan, plan_replanting
from .seed import pitch_to_hz
from .spec import AudioSpec
from .voices import Voice

VIBRATO_HZ = 5.5
PITCH_RANGE = (0.0, 135.0)
"""MIDI pitches that tuning and bends cannot leave."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Hops to come of one voice."""

    voice: Voice
    num_hops: int
    is_new: bool
    num_frames: int  # to grow


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one call grows: static facts of the voices, and their controls at every round."""

    jobs: list[Job]
    slots: NDArray[np.intp]  # (V,)
    seeds: NDArray[np.uint64]  # (V,)
    active: list[int]  # voices in each round, R of them
    frames: NDArray[np.int64]  # (R, V)
    clocks: Clocks
    pitch: NDArray[np.float64]  # (R, V), without vibrato
    plan: Plan
    f0_hz: NDArray[np.float64]  # (V, R), 0 where unpitched
    grown_hz: NDArray[np.float64]  # (V, R), what the genomes are planted for; 0 where unpitched
    inharmonicity: NDArray[np.float64]  # (V,)
    colour: NDArray[np.float64] | None  # (3, V, R), tilt, resonance and gain; None where all is neutral

    @property
    def voices(self) -> list[Voice]:
        """The voices, V of them."""
        return [job.voice for job in self.jobs]

    def remember(self, index: int) -> None:
        """Note in the voice at `index` how far it has come."""
        voice, last = self.jobs[index].voice, self.jobs[index].num_frames - 1
        voice.num_frames += last + 1
        voice.planted_pitch = float(self.plan.planted[last, index])
        voice.planted_hops = int(self.plan.hops[last, index])
        voice.last_pitch = float(self.pitch[last, index])
        voice.age_lead_s = float(self.clocks.age_lead_s[last, index])
        voice.release_lead_s = float(self.clocks.release_lead_s[last, index])


def make_batch(jobs: list[Job], controls_at: ControlsAt, lookahead: int, spec: AudioSpec, exact: bool) -> Batch:
    """Look up all that growing needs to know of the jobs, which are sorted by the frames they need, most first.

    Parameters
    ----------
    lookahead : frames beyond the current one that the decoder needs
    exact : whether genomes must follow every move of the pitch
    """
    hop, rate = spec.hop_length, spec.sample_rate
    voices = [job.voice for job in jobs]
    needs = [job.num_frames for job in jobs]
    num_rounds = needs[0]
    onset = np.array([voice.onset for voice in voices])
    frames = np.array([voice.num_frames for voice in voices]) + np.arange(num_rounds)[:, None]
    hop_start = np.maximum(frames - lookahead, 0) * hop
    controls = controls_at(voices, hop_start + onset)
    pitch = np.clip(np.array([voice.pitch for voice in voices]) + controls[..., Control.PITCH], *PITCH_RANGE)
    sounding = _with_vibrato(pitch, controls[..., Control.VIBRATO], hop_start / rate)
    plan = _plan(jobs, sounding if exact else pitch, exact)
    pitched = np.array([voice.pitched for voice in voices])
    return Batch(
        jobs=jobs,
        slots=np.array([voice.slot for voice in voices]),
        seeds=np.array([voice.seed for voice in voices], np.uint64),
        active=(np.array(needs) > np.arange(num_rounds)[:, None]).sum(axis=1).tolist(),
        frames=frames,
        clocks=read_clocks(voices, frames, hop_start, controls, hop, rate),
        pitch=pitch,
        plan=plan,
        f0_hz=np.where(pitched, pitch_to_hz(sounding), 0.0).T,
        grown_hz=np.where(pitched, pitch_to_hz(plan.planted), 0.0).T,
        inharmonicity=np.array([voice.inharmonicity for voice in voices]),
        colour=_colour(voices, controls, hop_start / rate),
    )


def _plan(jobs: list[Job], pitch: NDArray[np.float64], exact: bool) -> Plan:
    voices = [job.voice for job in jobs]
    is_new = np.array([voice.num_frames == 0 for voice in voices])
    return plan_replanting(
        pitch,
        np.where(is_new, pitch[0], [voice.last_pitch for voice in voices]),
        np.where(is_new, pitch[0], [voice.planted_pitch for voice in voices]),
        np.array([voice.planted_hops for voice in voices]),
        exact,
    )


def _with_vibrato(
    pitch: NDArray[np.float64], depth: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return pitch (R, V) that swings by `depth` semitones; every note begins in the middle, going up."""
    if not depth.any():
        return pitch
    return np.clip(pitch + depth * np.sin(2.0 * np.pi * VIBRATO_HZ * time_s), *PITCH_RANGE)


def _colour(
    voices: Sequence[Voice], controls: NDArray[np.float64], time_s: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return tilt, resonance and gain in dB (3, V, R), or None where they change nothing."""
    tilt = controls[..., Control.TILT] + np.array([voice.tilt_db for voice in voices])
    fade_db = fade_in_db(time_s, controls[..., Control.FADE_IN])
    colour = np.stack([tilt.T, controls[..., Control.RESONANCE].T, fade_db.T])
    return colour if colour.any() else None
