"""Recordings held for longer than they were: what a listener takes for their going on.

What keeps its level repeats its later part, as a sampler's loop does, crossfaded; what fades goes on fading as fast.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ..measure.recording import Recording

RELEASE_S: Final = 0.1
"""Before its release a note may be let go already."""
LATER: Final = 0.5
"""Share of a held note that is its later part: attack and first decay lie before."""
CROSSFADE_S: Final = 0.1
SHORTEST_S: Final = 0.3
"""What was held for less tells nothing of how it goes on."""
FADES_DB: Final = 3.0
"""A note that falls by so much within its later part fades, whatever it was taken for."""
SILENT_DB: Final = -70.0
"""Below its loudest, a note has ended."""


def prolonged(recording: Recording, hold_s: float, sample_rate: int) -> FloatArray:
    """Return a note as it sounds while its key is held for some seconds, float32 (N,); silent after its end.

    It is silent as a whole where it was held too shortly to tell.
    """
    wanted = round(hold_s * sample_rate)
    held = recording.audio[: round(max(recording.hold_s - RELEASE_S, 0.0) * sample_rate)]
    if len(held) >= wanted:
        return held[:wanted]
    if len(held) < SHORTEST_S * sample_rate:
        return np.zeros(wanted, np.float32)
    if not recording.sustains and _level_db(held[-len(held) // 8 :]) < _level_db(held) + SILENT_DB:
        return np.pad(recording.audio[:wanted], (0, max(wanted - len(recording.audio), 0)))
    later = held[-round(LATER * len(held)) :]
    fade_db = _level_db(later[len(later) // 2 :]) - _level_db(later[: len(later) // 2])  # in half the later part
    fades = not recording.sustains or fade_db < -FADES_DB
    fall_db = min(fade_db, 0.0) / (0.5 * len(later)) if fades else 0.0
    return _looped(held, fall_db, wanted, sample_rate)


def _looped(held: FloatArray, fall_db: float, wanted: int, sample_rate: int) -> FloatArray:
    """Return a note that repeats its later part, each time softer than the time before, by some dB a sample.

    It leaps back to where the sound is most like that at its end, so that partials do not cancel each other.
    """
    over = min(round(CROSSFADE_S * sample_rate), len(held) // 8)
    tail = held[-over:]
    first = len(held) - round(LATER * len(held))
    searched = held[first : first + 2 * over]
    products = np.correlate(searched, tail, "valid")
    power = np.convolve(np.square(searched, dtype=np.float64), np.ones(over), "valid") * float(np.sum(tail**2)) + 1e-20
    alike: NDArray[np.float64] = products / np.sqrt(power)
    back = int(alike.argmax())
    part, likeness = held[first + back :], max(float(alike[back]), 0.0)
    place = np.linspace(0.0, np.pi / 2, over, dtype=np.float32)
    out, into = np.cos(place), np.sin(place)
    even = 1.0 / np.sqrt(1.0 + 2.0 * likeness * out * into)  # what is alike adds up to more
    softer = 10.0 ** (fall_db * (len(part) - over) / 20.0)
    audio: FloatArray = np.zeros(wanted + len(part), np.float32)
    gain, end = 1.0, len(held)
    audio[:end] = held
    while end < wanted:
        gain *= softer
        audio[end - over : end] = even * (out * audio[end - over : end] + into * gain * part[:over])
        audio[end : end + len(part) - over] = gain * part[over:]
        end += len(part) - over
    return audio[:wanted]


def _level_db(audio: FloatArray) -> float:
    return float(10.0 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-20))
