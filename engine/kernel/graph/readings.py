"""What voices are told in each round, read from their facts and controls: clocks, pitches, motions, corrections.

Letters: V voices, R rounds, M motions that a voice blends, Q courses of a swell, K courses of a correction.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...keys.motions import MotionTable
from ...keys.stored.motion_arrays import code_places
from ...modulation.channel import COLOUR_AND_PACE, GROWTH, REST, WILD, Control
from ...modulation.envelope_clocks import HELD, EnvelopeClocks, fade_in_db, read_clocks
from ...modulation.reseeding import MIN_DRIFT
from ...modulation.vibrato import PITCH_RANGE, with_vibrato
from ...spectra.pitch import pitch_to_hz
from ...spectra.spec import AudioSpec
from ..calls import AGE_LEAD, CORNERS, DRIFTS, FACTS, MORPHS, NUM_FRAMES, RELEASE_LEAD, TENDED, HopCall

ONSET, RELEASE, PITCH, PITCHED, STRETCH, PLANTED, SPEED, TILT, MOTION, PACE, MODES, RATE = (
    FACTS.index(name)
    for name in (
        "onset", "release", "pitch", "patch.pitched", "patch.inharmonicity", "planted_pitch", "release_speed",
        "tilt_db", "patch.motion.row", "patch.motion.pace", "patch.modes", "release_rate",
    )
)  # fmt: skip
FRAMES, LOOKAHEAD = 1, 2
"""Columns of a job."""


class Readings(NamedTuple):
    """What R rounds of a call come to.

    Attributes
    ----------
    found : flags of `HopCall`
    frames : int64 (R, V), numbers of the frames that are grown
    age_s, release_age_s : float32 (R, V)
    growth_age_s : float32 (R, V), what the growth is told of the age: its clock may stop
    growth_release_s : float32 (R, V), what it is told of the release: -1 where it goes on as if held
    leads : float64 (R, V, 2), how far both clocks are ahead after each round
    pitch, planted, f0_hz : float64 (R, V); see `Call` of hop.h
    codes : float32 (R, V, M Q), of the swells of the rows of motions
    motion_rows : int64 (V, M), of the tables of `MotionTable`
    courses : float32 (R, V, M K), of corrections; None where there are none
    totals : float32 (R, V, 2), as in `Corrections`; None where there are none
    correction_rows : int64 (V, M)
    colour : float32 (3, R, V), tilt, resonance and gain in dB; None where they change nothing
    """

    found: int
    frames: NDArray[np.int64]
    age_s: FloatArray
    release_age_s: FloatArray
    growth_age_s: FloatArray
    growth_release_s: FloatArray
    leads: NDArray[np.float64]
    pitch: NDArray[np.float64]
    planted: NDArray[np.float64]
    f0_hz: NDArray[np.float64]
    codes: FloatArray
    motion_rows: NDArray[np.int64]
    courses: FloatArray | None
    totals: FloatArray | None
    correction_rows: NDArray[np.int64]
    colour: FloatArray | None


def read(call: HopCall, rounds: int, motions: MotionTable, spec: AudioSpec) -> Readings:
    """Read what a call comes to, in more rounds than it has if its controls stay as they are."""
    views, hop, rate = call.views, spec.hop_length, spec.sample_rate
    facts, controls = views.facts, views.controls
    if rounds > len(controls):
        controls = np.broadcast_to(controls, (rounds, *controls.shape[1:]))
    frames = facts[:, NUM_FRAMES].astype(np.int64) + np.arange(rounds)[:, None]
    start = np.maximum(frames - views.jobs[:, LOOKAHEAD], 0) * hop
    is_plain = bool((views.controls[..., COLOUR_AND_PACE] == REST).all())
    is_wild = bool((views.controls[..., GROWTH] == WILD).all())
    clocks = _read_clocks(facts, controls, frames, start, is_plain and is_wild, hop, rate)
    pitch = facts[:, PITCH] + controls[..., Control.PITCH]
    if call.journey is not None:
        pitch += call.journey[..., 0]
    pitch = np.minimum(np.maximum(pitch, PITCH_RANGE[0]), PITCH_RANGE[1])
    planted = np.where(facts[:, NUM_FRAMES] == 0.0, pitch[0], facts[:, PLANTED])
    found = (0 if is_wild else TENDED) | (DRIFTS if np.abs(pitch - planted).max() > MIN_DRIFT else 0)
    sounding = pitch if is_plain else with_vibrato(pitch, controls[..., Control.VIBRATO], start / rate)
    rows, paces, weights = _motions_of(call)
    codes, sway = _read_codes(motions, rows, paces, weights, clocks.age_s)
    sounding = np.clip(sounding + sway, *PITCH_RANGE) if sway.any() else sounding
    pitched = facts[:, PITCHED] if call.journey is None else call.journey[..., 2]
    courses, totals, correction_rows = _read_courses(motions, rows, paces, weights, clocks.age_s)
    return Readings(
        found=found,
        frames=frames,
        age_s=clocks.age_s,
        release_age_s=clocks.release_age_s,
        growth_age_s=np.minimum(clocks.age_s, _clock_ends_s(motions, rows, paces)),
        growth_release_s=np.where(facts[:, RATE] > 0.0, HELD, clocks.release_age_s),
        leads=np.stack([clocks.age_lead_s, clocks.release_lead_s], 2),
        pitch=pitch,
        planted=np.broadcast_to(planted, pitch.shape),
        f0_hz=np.where(pitched > 0.0, pitch_to_hz(sounding), 0.0),
        codes=codes,
        motion_rows=rows + 1,
        courses=courses,
        totals=totals,
        correction_rows=correction_rows,
        colour=None if is_plain and not facts[:, TILT].any() else _colour(facts, controls, start / rate),
    )


def planted_in(call: HopCall, readings: Readings) -> NDArray[np.float64]:
    """Return the pitches (R, V) that voices are planted for in each round, once that has been planned."""
    return call.views.planted if readings.found or call.journey is not None else readings.planted


def _read_clocks(
    facts: NDArray[np.float64],
    controls: NDArray[np.float64],
    frames: NDArray[np.int64],
    start: NDArray[np.int64],
    is_neutral: bool,
    hop: int,
    rate: int,
) -> EnvelopeClocks:
    """Read the clocks; see `read_clocks`."""
    held = facts[:, RELEASE] - facts[:, ONSET]
    leads = facts[:, AGE_LEAD], facts[:, RELEASE_LEAD]
    is_timely = is_neutral and not leads[0].any() and not leads[1].any() and bool((facts[:, SPEED] == 1.0).all())
    return read_clocks(frames, start, held, None if is_timely else (controls, *leads, facts[:, SPEED]), hop, rate)


def _motions_of(call: HopCall) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64] | None]:
    """Return rows and paces (V, M) of the motions that voices blend, and their weights (R, V, M), None for M = 1."""
    facts = call.views.facts
    rows, paces = facts[:, MOTION, None].astype(np.int64), facts[:, PACE, None]
    if call.journey is None or call.corners is None:
        return rows, paces, None
    morphs = facts[:, MORPHS] != 0.0
    blended = np.repeat(rows, CORNERS, 1), np.repeat(paces, CORNERS, 1)
    blended[0][morphs], blended[1][morphs] = call.corners[morphs, :, 0], call.corners[morphs, :, 1]
    weights = call.journey[..., 3:].copy()
    weights[:, ~morphs] = np.arange(CORNERS) == 0
    return *blended, weights


def _read_codes(
    motions: MotionTable,
    rows: NDArray[np.int64],
    paces: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    age_s: FloatArray,
) -> tuple[FloatArray, NDArray[np.float64]]:
    """Return codes of swells (R, V, M Q), and sways in semitones (R, V)."""
    tables, at = motions.tables, rows + 1
    low, mix = code_places(
        age_s[..., None] * (paces * tables.code_rate[at]), tables.last_code[at], tables.code_loop[at]
    )
    low = low + tables.first_code[at]
    codes = tables.codes[low]
    codes = codes + mix[..., None].astype(np.float32) * (tables.codes[low + (mix > 0.0)] - codes)
    if weights is not None:
        codes = codes * weights[..., None].astype(np.float32)
    sway = codes[..., 0].sum(-1, dtype=np.float64)
    return codes[..., 1:].reshape(*age_s.shape, -1), sway


def _clock_ends_s(motions: MotionTable, rows: NDArray[np.int64], paces: NDArray[np.float64]) -> FloatArray:
    """Return the ages (V,) at which the clock of the growth stops; on a pad, that of the corner where it is last."""
    motion = np.stack([rows.ravel().astype(np.float64), paces.ravel()], 1)
    return motions.clock_ends_s(motion).reshape(rows.shape).max(1).astype(np.float32)


def _read_courses(
    motions: MotionTable,
    rows: NDArray[np.int64],
    paces: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    age_s: FloatArray,
) -> tuple[FloatArray | None, FloatArray | None, NDArray[np.int64]]:
    """Return courses of corrections (R, V, M K), their totals (R, V, 2) and rows (V, M)."""
    blended = rows.shape[1]
    motion = np.stack([rows.ravel().astype(np.float64), paces.ravel()], 1)
    corrections = motions.corrections(motion, np.repeat(age_s.astype(np.float64), blended, 1))
    if corrections is None:
        return None, None, rows
    courses, totals = (one.reshape(*age_s.shape, blended, -1) for one in (corrections.courses, corrections.totals))
    if weights is not None:
        courses, totals = (one * weights[..., None].astype(np.float32) for one in (courses, totals))
    return courses.reshape(*age_s.shape, -1), totals.sum(2), corrections.rows.reshape(rows.shape)


def _colour(
    facts: NDArray[np.float64], controls: NDArray[np.float64], time_s: NDArray[np.float64]
) -> FloatArray | None:
    tilt = controls[..., Control.TILT] + facts[:, TILT]
    fade_db = fade_in_db(time_s, controls[..., Control.FADE_IN])
    colour = np.stack([tilt, controls[..., Control.RESONANCE], fade_db]).astype(np.float32)
    return colour if colour.any() else None
