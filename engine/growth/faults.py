"""Voices whose models raise, or give NaN, infinity or a sound that has run away: they are cut, and told of.

Letters: V voices, T frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from ..arrays import FloatArray
from ..spectra.fields import Fields
from ..spectra.spec import AudioSpec
from ..voices.voice import Voice
from .hop_plan import Job

MAX_PEAK = 1e4
"""A voice louder than this has run away and counts as broken, like one with NaN."""


class ModelFault(Exception):
    """A model that raised instead of giving numbers; the text says which and what, in one line."""


@contextmanager
def faults_of(model: str) -> Iterator[None]:
    """Turn whatever a model raises into a `ModelFault`: models are foreign code, and each fails in its own way."""
    try:
        yield
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise ModelFault(f"{model} raised {type(error).__name__}: {reason}") from error


def cut_faulty(voice: Voice, fault: ModelFault, spec: AudioSpec) -> list[str]:
    """End a voice where it has sounded to, since its model raised; return a line that says so."""
    return [*_cut(voice, voice.decoded.until, str(fault), spec)]


def apart_if_faulty(
    jobs: Sequence[Job], rows: slice, work: Callable[[slice], None], failures: list[str], spec: AudioSpec
) -> None:
    """Do work on some of the jobs together; if a model raises, on each alone, and cut those where it does again.

    What broke is added to `failures`, one line each.
    """
    try:
        work(rows)
    except ModelFault as fault:
        if rows.stop - rows.start == 1:
            failures += cut_faulty(jobs[rows.start].voice, fault, spec)
        else:
            for row in range(rows.start, rows.stop):
                apart_if_faulty(jobs, slice(row, row + 1), work, failures, spec)


def silence_broken(jobs: Sequence[Job], fields: Fields, spec: AudioSpec) -> list[str]:
    """End the voices whose grown fields (V, T, ...) are not finite, and make these harmless for the decoder.

    Return what broke, one line each.
    """
    failures: list[str] = []
    for name, values in fields.items():
        if -np.inf < values.min() and values.max() < np.inf:  # never so with NaN
            continue
        axes = tuple(range(1, values.ndim - 1))
        for index, job in enumerate(jobs):
            broken = np.flatnonzero(~np.isfinite(values[index]).all(axis=axes))
            if broken.size:
                failures += cut_grown(job, int(broken[0]), name, spec)
        np.nan_to_num(values, copy=False, posinf=0.0, neginf=0.0)
    return failures


def cut_grown(job: Job, frame: int, field: str, spec: AudioSpec) -> list[str]:
    """End a voice at the hop that needs the first of its new frames that is not finite; return what broke."""
    hop = max(job.grown + frame - job.lookahead, 0)
    end = job.voice.onset + hop * spec.hop_length
    return [*_cut(job.voice, end, f"grew NaN or infinity in {field}", spec)]


def cut_broken(voice: Voice, peaks: FloatArray, start: int, decoder: str, spec: AudioSpec) -> list[str]:
    """End a voice at the first of its hops from sample `start` on whose peak (T,) is out of all bounds."""
    broken = np.flatnonzero(~(peaks < MAX_PEAK))
    end = start + int(broken[0]) * spec.hop_length if broken.size else voice.end
    return [*_cut(voice, end, f"decoder {decoder} gave no finite sound", spec)]


def _cut(voice: Voice, end: int, what: str, spec: AudioSpec) -> Iterator[str]:
    """Let a voice end, and tell if that is news."""
    if voice.end > end:
        voice.end = end
        at_s = (end - voice.onset) / spec.sample_rate
        yield (
            f"{what} for a note at pitch {voice.pitch:.2f} of MIDI channel {voice.channel + 1}, "
            f"{at_s:.2f} s after its onset; the note was cut"
        )
