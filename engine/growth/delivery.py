"""Giving voices the hops that were sounded for them: attacks are set right, and what is silent, dead or broken ends.

How attacks are set right is in `engine.keys.stored.onsets`. Letters: V voices, T hops, R rounds of growth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..keys.motions import PACE_RANGE, MotionTable
from ..keys.stored.onsets import LENGTH_S, onset_db
from ..spectra.spec import AudioSpec
from ..voices.endings import end_by_silence
from ..voices.timbre_pad import pad_weights
from ..voices.voice import Voice
from .faults import MAX_PEAK, cut_broken
from .hop_plan import Job

FREE_LEAD_S, MOST_LEAD_S = 1e-4, 0.006
"""How far a note's clock may be off time before its envelope is eased, and where there is nothing left of it: what
grows faster or slower than it was recorded has another attack."""
LONGEST_S = LENGTH_S / PACE_RANGE[0]


def deliver(
    jobs: Sequence[Job],
    audio: FloatArray,
    peaks: FloatArray,
    holds: NDArray[np.bool_] | None,
    decoder: str,
    spec: AudioSpec,
    places: NDArray[np.float64] | None = None,
) -> list[str]:
    """Give V voices T hops each, as loud as they shall be; return what broke, one line each.

    Parameters
    ----------
    audio : float32 (V, T * hop_length)
    peaks : float32 (V, T), the largest absolute values of the hops, NaN where one is
    holds : bool (V, T), where silence need not be the end; None for nowhere
    decoder : name of what sounded them
    places : (T, V, 2), where they are on their pads of timbres; None where none has a pad
    """
    failures: list[str] = []
    whole = peaks.max() < MAX_PEAK  # never so with NaN
    _make_as_loud(jobs, audio, peaks, places)
    all_peaks = peaks.tolist()
    all_holds = [[False] * peaks.shape[1]] * len(jobs) if holds is None else holds.tolist()
    num_samples = audio.shape[1]
    for index, (job, heard) in enumerate(zip(jobs, audio, strict=True)):
        voice, decoded = job.voice, job.voice.decoded
        start, decoded.has_begun = decoded.until, True
        if not whole:
            failures += cut_broken(voice, peaks[index], start, decoder, spec)
        decoded.audio = np.concatenate((decoded.audio, heard)) if len(decoded.audio) else heard
        decoded.until = start + num_samples
        decoded.level = all_peaks[index][-1]
        end_by_silence(voice, all_peaks[index], all_holds[index], start, spec.hop_length, spec.sample_rate)
    return failures


def _make_as_loud(
    jobs: Sequence[Job], audio: FloatArray, peaks: FloatArray, places: NDArray[np.float64] | None
) -> None:
    """Bring voices in place to the levels of their instruments; see `engine.bank.instruments.Levels`."""
    gains_db = np.array([0.0 if job.voice.morph and places is not None else job.voice.patch.gain_db for job in jobs])
    if gains_db.any():  # of all at once: this is done for every hop
        gains = (10.0 ** (gains_db / 20.0)).astype(np.float32)[:, None]
        audio *= gains
        peaks *= gains
    if places is None:
        return
    for row, job in enumerate(jobs):
        if job.voice.morph is not None:
            on_pad = (10.0 ** (pad_weights(places[:, row]) @ job.voice.morph.pad.gains_db / 20.0)).astype(np.float32)
            audio[row].reshape(len(on_pad), -1)[:] *= on_pad[:, None]
            peaks[row] *= on_pad


def end_by_death(job: Job, alive: NDArray[np.bool_], hop: int) -> None:
    """Let a voice end one hop after its first dead frame of R, which outlasts the windows of the living ones."""
    if not alive.all():
        frame = job.grown + int(np.argmin(alive))
        job.voice.end = min(job.voice.end, job.voice.onset + (frame + 1) * hop)


def shape_attacks(
    audio: FloatArray,
    jobs: Sequence[Job],
    lead_s: NDArray[np.float64],
    places: NDArray[np.float64] | None,
    motions: MotionTable,
    spec: AudioSpec,
) -> bool:
    """Set right, in place, the attacks of voices that have just been sounded; tell whether there was one.

    Parameters
    ----------
    audio : float32 (V, T * hop_length)
    lead_s : (V, T), how far the clocks of the voices are ahead of time at each hop
    places : (T, V, 2), where they are on their pads of timbres; None where none has a pad
    motions : has the envelopes
    """
    if motions.onsets is None:
        return False
    found = False
    for row, job in enumerate(jobs):
        voice = job.voice
        first = voice.decoded.until - voice.onset
        count = min(audio.shape[1], round(LONGEST_S * spec.sample_rate) - first)
        if count <= 0:
            continue
        on_pad = None if places is None or voice.morph is None else places[:, row]
        level_db = _level_db(voice, motions.onsets, (first + np.arange(count)) / spec.sample_rate, on_pad, spec)
        if level_db is None:
            continue
        ease = 1.0 - np.clip((np.abs(lead_s[row]) - FREE_LEAD_S) / MOST_LEAD_S, 0.0, 1.0)
        level_db *= np.repeat(ease, spec.hop_length)[:count]
        audio[row, :count] *= (10.0 ** (level_db / 20.0)).astype(np.float32)
        found = True
    return found


def leads_of(age_s: FloatArray, frames: NDArray[np.int64], spec: AudioSpec) -> NDArray[np.float64]:
    """Return how far clocks that show ages (T, V) at some spectral frames (T, V) are ahead of time, (V, T)."""
    return np.asarray((age_s - frames * spec.hop_s).T)


def _level_db(
    voice: Voice,
    onsets: FloatArray,
    age_s: NDArray[np.float64],
    places: NDArray[np.float64] | None,
    spec: AudioSpec,
) -> NDArray[np.float64] | None:
    """Return the gain in dB at ages (N,); None where nothing is to be changed."""
    if voice.morph is None or places is None:
        levels_db = onsets[voice.patch.motion.row + 1]
        return onset_db(levels_db, age_s * voice.patch.motion.pace) if levels_db.any() else None
    weights = np.repeat(pad_weights(places), spec.hop_length, axis=0)[: len(age_s)]
    total = np.zeros(len(age_s))
    for corner, (row, pace) in enumerate(voice.morph.pad.motions.tolist()):
        total += weights[:, corner] * onset_db(onsets[int(row) + 1], age_s * pace)
    return total if total.any() else None
