"""How notes end: by silence, and once released in any case, whatever their model does.

Keys whose releases were measured fall by so many decibels a second of the release clock, and grow on meanwhile as if
they were held: that is how samplers end a note. The growth of other keys is told of the release, and ends them.

Letters: V voices, T hops, N samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from .timbre_pad import pad_weights
from .voice import Voice

SILENCE_PEAK = 10.0 ** (-76.0 / 20.0)
SILENT_RELEASED_S = 0.03
SILENT_HELD_S = 1.0
"""How long a voice may stay below `SILENCE_PEAK` before it ends: a held one may still have a slow attack ahead.

A released one that waited longer would often not end at all: tails of noise come back above it now and then.
"""
FAINT_PEAK = 10.0 ** (-70.0 / 20.0)
FAINT_S = 1.0
"""How long a released voice may stay below `FAINT_PEAK`: some models never come down to silence."""
FADES_AFTER_S = 5.0
FADE_DB_PER_S = 15.0
"""From so long after its release on, a voice is faded out: some models keep their level for ever. By the release clock,
so that a player who slows releases down is given what was asked for."""
FURTHEST_FALL_DB = 200.0
"""Nobody hears further, and smaller numbers would be slow to multiply by."""


def hops_to_silence(hop: int, rate: int) -> int:
    """Return how many silent hops of `hop` samples end a released voice."""
    return math.ceil(SILENT_RELEASED_S * rate / hop)


def fade_released(
    audio: FloatArray,
    voices: Sequence[Voice],
    release_age_s: FloatArray,
    places: NDArray[np.float64] | None,
    hop_s: float,
) -> bool:
    """Let V voices fall, in place, by the rates of their releases, and fade what was released long ago.

    Parameters
    ----------
    audio : float32 (V, N)
    release_age_s : float32 (V, T), at the beginning of each hop; -1 while held
    places : (T, V, 2), where they are on their pads of timbres; None where none has a pad

    Returns
    -------
    Whether any was touched.
    """
    is_touched, hop = False, audio.shape[1] // release_age_s.shape[1]
    for row in np.flatnonzero(release_age_s[:, -1] >= 0.0).tolist():
        voice, is_late = voices[row], release_age_s[row, -1] > FADES_AFTER_S - hop_s
        if not is_late and voice.release_rate == 0.0:
            continue
        first = int(np.argmax(release_age_s[row] >= 0.0))
        age_s = release_age_s[row, first:].astype(np.float64)
        starts, ends = np.zeros((2, len(age_s)))
        if voice.release_rate > 0.0:
            starts, ends = _fallen_db(voice, age_s, None if places is None else places[first:, row], hop_s, first > 0)
        if is_late:
            # Each hop by its own age alone, so that it does not matter which of them are decoded together.
            starts = starts + FADE_DB_PER_S * np.maximum(age_s - FADES_AFTER_S, 0.0)
            ends = ends + FADE_DB_PER_S * np.maximum(age_s + hop_s - FADES_AFTER_S, 0.0)
        if ends[-1] > 0.0:
            part = audio[row, first * hop :].reshape(len(age_s), hop)
            part *= _gains(starts, ends, hop)
            is_touched = True
    return is_touched


def _fallen_db(
    voice: Voice, age_s: NDArray[np.float64], places: NDArray[np.float64] | None, hop_s: float, was_held: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far a voice has fallen where T released hops begin and end, (T,) each; note the last one.

    It falls in lines from where the hop before ended to where its clock will be a hop later. So no release, no change
    of the clock's speed and no move over a pad makes a step. The first hop catches up with a release that came before
    it.

    Parameters
    ----------
    age_s : (T,), of the release
    places : (T, 2), on its pad
    was_held : whether it was so in the hop before
    """
    rates = np.full(len(age_s), voice.patch.release_rate)
    if voice.morph is not None and places is not None:
        rates = pad_weights(places) @ voice.morph.pad.release_rates
    decoded, ends = voice.decoded, np.minimum(rates * (age_s + hop_s), FURTHEST_FALL_DB)
    first = 0.0 if was_held else decoded.fallen_db
    if not (was_held or decoded.has_begun):  # it goes on with the note of another voice, which has fallen so far
        first = min(rates[0] * age_s[0], FURTHEST_FALL_DB)
    decoded.fallen_db = float(ends[-1])
    return np.append(first, ends[:-1]), ends


def _gains(starts: NDArray[np.float64], ends: NDArray[np.float64], hop: int) -> FloatArray:
    """Return the gains in T hops of what falls in lines by some dB, float32 (T, hop)."""
    logs = np.stack([starts, ends - starts]).astype(np.float32) * np.float32(-np.log(10.0) / 20.0)
    within = np.arange(hop, dtype=np.float32) / np.float32(hop)
    gains: FloatArray = np.exp(logs[0, :, None] + logs[1, :, None] * within)
    return gains


def end_by_silence(voice: Voice, peaks: list[float], holds: list[bool], start: int, hop: int, rate: int) -> None:
    """Let a voice end with the hop that completes its time of silence, fading out in it.

    Parameters
    ----------
    peaks : of T hops just decoded
    holds : of each, whether the player keeps the note from ending there
    start : sample at which the first of them begins
    hop, rate : samples in a hop and in a second
    """
    decoded = voice.decoded
    if min(peaks) >= FAINT_PEAK:
        decoded.silent_hops = decoded.faint_hops = 0
        return
    for index, (peak, is_held_up) in enumerate(zip(peaks, holds, strict=True)):
        hop_start = start + index * hop
        is_released = voice.release <= hop_start
        decoded.silent_hops = decoded.silent_hops + 1 if peak < SILENCE_PEAK and not is_held_up else 0
        decoded.faint_hops = decoded.faint_hops + 1 if peak < FAINT_PEAK and is_released and not is_held_up else 0
        silent_s, faint_s = decoded.silent_hops * hop / rate, decoded.faint_hops * hop / rate
        if silent_s >= (SILENT_RELEASED_S if is_released else SILENT_HELD_S) or faint_s >= FAINT_S:
            voice.end = min(voice.end, hop_start + hop)
            first = hop_start - decoded.until + len(decoded.audio)
            decoded.audio[first : first + hop] *= np.linspace(1.0, 0.0, hop, dtype=np.float32)
            return
