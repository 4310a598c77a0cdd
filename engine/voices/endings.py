"""How notes end: by silence, and once released in any case, whatever their model does.

Letters: V voices, T hops, N samples.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import FloatArray
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


def hops_to_silence(hop: int, rate: int) -> int:
    """Return how many silent hops of `hop` samples end a released voice."""
    return math.ceil(SILENT_RELEASED_S * rate / hop)


def fade_released(audio: FloatArray, release_age_s: FloatArray, hop_s: float) -> None:
    """Fade, in place, what was released long ago.

    Parameters
    ----------
    audio : float32 (V, N)
    release_age_s : float32 (V, T), at the beginning of each hop; -1 while held
    """
    hop = audio.shape[1] // release_age_s.shape[1]
    within_s = np.arange(hop) * (hop_s / hop)
    for row in np.flatnonzero(release_age_s[:, -1] > FADES_AFTER_S - hop_s):
        # Each hop by its own age alone, so that it does not matter which of them are decoded together.
        over_s = np.maximum(release_age_s[row, :, None] + within_s - FADES_AFTER_S, 0.0)
        audio[row] *= np.exp(over_s * (-FADE_DB_PER_S * np.log(10.0) / 20.0)).astype(np.float32).reshape(-1)


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
