"""What a note is to the models and decoders: pitch in Hz and the place of its partials."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

A4_HZ = 440.0
MAX_PARTIALS = 128
MAX_INHARMONIC_PARTIALS = 4
"""Partials beside the series that a recorded key can have."""


def pitch_to_hz(pitch: ArrayLike) -> NDArray[np.float64]:
    """Return the frequency in Hz of real-valued MIDI pitches (69 is A4, 440 Hz), float64."""
    return A4_HZ * 2.0 ** ((np.asarray(pitch, np.float64) - 69.0) / 12.0)


def partial_hz(f0_hz: ArrayLike, inharmonicity: ArrayLike, num_partials: int) -> NDArray[np.float64]:
    """Return partial frequencies in Hz, float64 (..., num_partials).

    A stiff string's partial h lies at ``h f0 sqrt(1 + B h^2)`` (Fletcher, 1964), scaled here so that the first
    partial is exactly f0. B = 0 is a harmonic sound.
    """
    f0 = np.asarray(f0_hz, np.float64)[..., None]
    b = np.asarray(inharmonicity, np.float64)[..., None]
    h = np.arange(1, num_partials + 1, dtype=np.float64)
    return f0 * h * np.sqrt((1.0 + b * h * h) / (1.0 + b))


def partial_ratios(
    inharmonicity: NDArray[np.float64], modes: NDArray[np.float32] | None, num_partials: int
) -> NDArray[np.float64]:
    """Return the lowest partials over the fundamental, those of the series and modes together, (..., num_partials).

    Parameters
    ----------
    inharmonicity : (...,), B of `partial_hz`
    modes : (..., M), what further partials there are, over the fundamental, 0 for none; None for none at all
    """
    series = partial_hz(1.0, inharmonicity, num_partials)
    if modes is None or not modes.any():
        return series
    both = np.concatenate([series, np.where(modes > 0.0, modes, np.inf)], -1)
    both.sort(-1)
    return both[..., :num_partials]
