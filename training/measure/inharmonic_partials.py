"""Modes of a recorded note that are no multiples of its pitch: a bar's overtones, an organ's quint, a bell's hum.

Letters: T spectral frames, N bins, M modes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.spectra.pitch import MAX_INHARMONIC_PARTIALS, MAX_PARTIALS, partial_hz, pitch_to_hz
from ...engine.spectra.spec import AudioSpec
from .note_features import NoteFeatures

ATTACK_FRAMES = 9
"""Not looked at: hammers and chiffs have peaks that do not last."""
LEAST_FRAMES = 20
LEAST_S = 0.5
"""Held shorter, a note tells nothing."""
AUDIBLE_DB = -36.0
"""Relative to the strongest partial."""
PROMINENT_DB = 15.0
"""Over the lower quartile of the bins around."""
AROUND_BINS = 8
STEADY_DB = 2.5
"""The level of a tone moves less from one frame to the next; that of noise by 5 to 6 dB, seen with this overlap 4."""
APART_BINS = 2.2
"""From the nearest partial, whose main lobe reaches 2 bins."""


def measure_inharmonic_partials(note: NoteFeatures, spec: AudioSpec) -> FloatArray:
    """Return the frequencies of the strongest modes of a note over its fundamental, rising, float32 (N,).

    Empty places hold 0. Notes without a pitch have no modes: all of them would be.
    """
    found = np.zeros(MAX_INHARMONIC_PARTIALS, np.float32)
    held = int(note.hold_s / spec.hop_s)
    decibel = note.linear[ATTACK_FRAMES:held, 0].astype(np.float64) * spec.level_scale_db + spec.floor_db
    if not note.pitched or note.hold_s < LEAST_S or len(decibel) < LEAST_FRAMES:
        return found
    mean_db = 10.0 * np.log10((10.0 ** (decibel / 10.0)).mean(0))
    f0_hz = pitch_to_hz(note.pitch + note.tuning_cents / 100.0)
    partials = partial_hz(f0_hz, note.inharmonicity, MAX_PARTIALS) * (spec.n_fft / spec.sample_rate)
    candidates = []
    for index in _peaks(mean_db):
        place = index + _offset(mean_db[index - 1 : index + 2])
        if np.abs(partials - place).min() < APART_BINS or place < partials[0] + APART_BINS:
            continue
        jitter = np.median(np.abs(np.diff(decibel[:, index])))
        if jitter <= STEADY_DB:
            candidates.append((mean_db[index], place / partials[0]))
    ratios = sorted(ratio for _, ratio in sorted(candidates, reverse=True)[:MAX_INHARMONIC_PARTIALS])
    found[: len(ratios)] = ratios
    return found


def _peaks(mean_db: NDArray[np.float64]) -> list[int]:
    """Return the bins of peaks that are audible and stand out."""
    peaks = []
    for index in range(2, len(mean_db) - 2):
        around = mean_db[max(index - AROUND_BINS, 0) : index + AROUND_BINS + 1]
        is_top = mean_db[index] == mean_db[index - 2 : index + 3].max()
        if is_top and mean_db[index] > max(mean_db.max() + AUDIBLE_DB, np.quantile(around, 0.25) + PROMINENT_DB):
            peaks.append(index)
    return peaks


def _offset(decibel: NDArray[np.float64]) -> float:
    """Return how far a tone lies from the middle of three bins, under a Hann window: exact without noise."""
    below, middle, above = 10.0 ** (decibel / 20.0)
    ratio = max(below, above) / middle
    return float(np.sign(above - below) * np.clip((2.0 * ratio - 1.0) / (1.0 + ratio), 0.0, 0.5))
