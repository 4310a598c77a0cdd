"""Giving voices the hops that were sounded for them, and ending those that are silent, dead or broken.

Letters: V voices, T hops, R rounds of growth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..spectra.spec import AudioSpec
from ..voices.endings import end_by_silence
from ..voices.timbre_pad import pad_weights
from .batch import Job
from .faults import MAX_PEAK, cut_broken


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
