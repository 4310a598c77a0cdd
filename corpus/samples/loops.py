"""Where a held note can repeat, and how fast a released one dies away."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ...engine.arrays import FloatArray

WINDOW_S: Final = 0.06
"""What is compared at the two ends of a loop."""
CROSSFADE_S: Final = 0.1
SHORTEST_S: Final = 0.4
SETTLING_S: Final = 0.8
"""No loop begins before: attacks are over by then."""
STEADY_DB: Final = 1.5
"""A note whose level changes by more in a second dies away or swells, and is not looped."""
LEVEL_S: Final = 0.05
SILENT_DB: Final = 78.0
"""A sampler's release lasts until a note is so much softer."""


class Loop(NamedTuple):
    """What repeats while a note is held: from frame `start` to frame `end`, which is the last one played."""

    start: int
    end: int


def find_loop(mono: FloatArray, rate: int, release: int) -> Loop | None:
    """Return the loop of a held note whose ends are most alike; None where the note does not hold its level.

    Parameters
    ----------
    mono : float32 (N,)
    rate : int
        Frames in a second.
    release : int
        Frame at which the note is let go.
    """
    window, fade = round(WINDOW_S * rate), round(CROSSFADE_S * rate)
    first, end = round(SETTLING_S * rate) + fade, release - fade
    if end - first < round(2 * SHORTEST_S * rate) or not _is_steady(mono, rate, release):
        return None
    ahead = mono[end : end + window].astype(np.float64)
    span = mono[first : end - round(SHORTEST_S * rate) + window].astype(np.float64)
    size = 1 << int(np.ceil(np.log2(len(span) + window)))
    products = np.fft.irfft(np.fft.rfft(span, size) * np.conj(np.fft.rfft(ahead, size)), size)
    products = products[: len(span) - window + 1]
    energies = np.cumsum(np.concatenate(([0.0], span**2)))
    energies = energies[window:] - energies[:-window]
    alike = products / np.sqrt(np.maximum(energies * (ahead**2).sum(), 1e-30))
    return Loop(first + int(np.argmax(alike)), end - 1)


def crossfade(audio: FloatArray, rate: int, loop: Loop) -> FloatArray:
    """Return a note whose loop repeats without a step, and that can also go on past its end without one.

    Before the end it turns into what is before the loop's start; after the end it turns back. The gain keeps the power,
    whatever the correlation of the two.

    Parameters
    ----------
    audio : float32 (N, 2)
    """
    fade = round(CROSSFADE_S * rate)
    after, out = loop.end + 1, audio.copy()
    rise = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)[:, None]
    out[after - fade : after] = _blend(audio[after - fade : after], audio[loop.start - fade : loop.start], rise)
    rest = audio[after : after + fade]
    out[after : after + fade] = _blend(audio[loop.start : loop.start + len(rest)], rest, rise[: len(rest)])
    return out


def release_s(mono: FloatArray, rate: int, release: int) -> float:
    """Return how long a sampler's release should last to fall as fast as this note does once it is let go."""
    levels = _levels_db(mono[release:], rate)
    if len(levels) < 3:
        return LEVEL_S
    top = levels[:3].max()
    heard = levels[: max(int(np.argmax(levels < top - 40.0)) or len(levels), 3)]
    slope = -np.polyfit(np.arange(len(heard)) * LEVEL_S, heard, 1)[0]
    return float(np.clip(SILENT_DB / max(slope, 1.0), LEVEL_S, 30.0))


def level_db(mono: FloatArray, rate: int) -> float:
    """Return the level of a note: its loudest tenth of a second."""
    return float(_levels_db(mono, rate, 0.1).max(initial=-200.0))


def _is_steady(mono: FloatArray, rate: int, release: int) -> bool:
    levels = _levels_db(mono[round(SETTLING_S * rate) : release], rate)
    if len(levels) < 4 or levels.max() < -90.0:
        return False
    slope = np.polyfit(np.arange(len(levels)) * LEVEL_S, levels, 1)[0]
    return bool(abs(slope) <= STEADY_DB)


def _levels_db(mono: FloatArray, rate: int, length_s: float = LEVEL_S) -> FloatArray:
    size = round(length_s * rate)
    whole = mono[: len(mono) // size * size].reshape(-1, size).astype(np.float64)
    return (10.0 * np.log10((whole**2).mean(axis=1) + 1e-20)).astype(np.float32)


def _blend(one: FloatArray, other: FloatArray, share: FloatArray) -> FloatArray:
    """Return a crossfade, (N, 2), whose power does not dip."""
    norm = float(np.sqrt((one**2).sum() * (other**2).sum()))
    alike = float((one * other).sum()) / norm if norm else 1.0
    gain = 1.0 / np.sqrt(share**2 + (1 - share) ** 2 + 2 * share * (1 - share) * min(max(alike, 0.0), 1.0))
    return ((one * (1 - share) + other * share) * gain).astype(np.float32)
