"""How the pitch of a recording wavers: vibrato, scoops and drifts about its mean."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from ...engine.arrays import FloatArray
from ...engine.spectra.pitch import partial_hz
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import hann

PARTIALS = 24
PERIODS = 4  # of the fundamental in a window, so that neighbouring partials stay apart
WINDOW_SAMPLES = (512, 2048)
LAG_SAMPLES = 64  # on either side of a frame, between which phases are compared
WIDEST_CENTS = 100.0
AUDIBLE = 1e-3  # of the loudest partial
STEADY_CENTS = 1.2  # what wavers by less counts as steady
DISAGREEING_CENTS = 12.0  # partials that waver apart are several sources, without a pitch that could be followed
SETTLED_FRAMES = 8
SMOOTHING_FRAMES = 0.7
FINE_RATE = 88_200  # Hz, for cubic interpolation, whose error up to 11 kHz then lies below -90 dB


def measure_sway(audio: FloatArray, f0_hz: float, inharmonicity: float, spec: AudioSpec) -> FloatArray:
    """Measure how far the pitch of a note is off at each spectral frame.

    Parameters
    ----------
    audio : float32 (N,)
    f0_hz : float
        Mean fundamental in Hz, as `estimate_tuning` found it.

    Returns
    -------
    Semitones, float32 (N // hop_length + 1,); all 0 where nothing wavers, or no single pitch does.
    """
    cents, apart, strength = track_partials(audio, f0_hz, inharmonicity, spec)
    heard = strength > AUDIBLE * max(float(strength.max()), 1e-9)
    settled = heard & (np.arange(len(cents)) >= SETTLED_FRAMES)
    if settled.sum() < SETTLED_FRAMES or np.std(cents[settled]) < STEADY_CENTS:
        return np.zeros(len(cents), np.float32)
    if np.median(apart[settled]) > DISAGREEING_CENTS:
        return np.zeros(len(cents), np.float32)
    last = int(np.flatnonzero(heard)[-1])
    kept = np.interp(np.arange(len(cents)), np.flatnonzero(heard), cents[heard])
    kept[last:] = kept[last]
    kept = np.clip(kept, -WIDEST_CENTS, WIDEST_CENTS)
    return (gaussian_filter1d(kept, SMOOTHING_FRAMES, mode="nearest") / 100.0).astype(np.float32)


def track_partials(
    audio: FloatArray, f0_hz: float, inharmonicity: float, spec: AudioSpec
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Follow partials by how their phases advance across each frame.

    Returns
    -------
    cents : (T,), deviation of all partials together, weighted by how precisely each tells it (its amplitude times
        its number, squared)
    apart : (T,), how far they disagree, in cents
    strength : (T,), amplitude of the strongest
    """
    rate, hop = spec.sample_rate, spec.hop_length
    length = int(np.clip(PERIODS * rate / f0_hz, *WINDOW_SAMPLES)) // 2 * 2
    hz = partial_hz(f0_hz, inharmonicity, PARTIALS)
    hz = hz[hz < rate * 0.45]
    if not hz.size:
        none = np.zeros(len(audio) // hop + 1)
        return none, none, none
    time = np.arange(-length // 2, length // 2)
    basis = np.exp(-2j * np.pi * time[:, None] * hz / rate) * hann(length)[:, None]
    margin = length // 2 + LAG_SAMPLES
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(audio.astype(np.float64), margin), length)
    centres = np.arange(len(audio) // hop + 1) * hop + LAG_SAMPLES
    before, after = (windows[centres + lag] @ basis for lag in (-LAG_SAMPLES, LAG_SAMPLES))
    expected = np.exp(-2j * np.pi * hz * 2 * LAG_SAMPLES / rate)
    off_hz = np.angle(after * before.conj() * expected) * rate / (4.0 * np.pi * LAG_SAMPLES)
    ratio = off_hz / hz
    weight = np.abs(before) * np.abs(after) * np.arange(1, len(hz) + 1) ** 2
    weight *= np.abs(ratio) < 2.0 ** (WIDEST_CENTS / 1200.0) - 1.0
    total = weight.sum(1) + 1e-12
    mean = (weight * ratio).sum(1) / total
    apart = np.sqrt((weight * (ratio - mean[:, None]) ** 2).sum(1) / total)
    return 1200.0 * np.log2(1.0 + mean), 1200.0 * np.log2(1.0 + apart), np.abs(after).max(1)


def straighten(audio: FloatArray, sway: FloatArray, spec: AudioSpec) -> tuple[FloatArray, NDArray[np.intp]]:
    """Play a recording faster where its pitch is low and slower where it is high, so that it no longer sways.

    Parameters
    ----------
    audio : float32 (N,)
    sway : float32 (T,), semitones at each spectral frame

    Returns
    -------
    straight : float32 (N',)
    frames : (T,), the spectral frame of `straight` that is nearest to each frame of `audio`
    """
    at_samples = np.interp(np.arange(len(audio)) / spec.hop_length, np.arange(len(sway)), sway)
    passed = np.concatenate([[0.0], np.cumsum(2.0 ** (at_samples / 12.0))])  # straight samples before each sample
    times = np.interp(np.arange(int(passed[-1])), passed, np.arange(len(passed)))
    finer = max(2, FINE_RATE // spec.sample_rate)
    fine = soxr.resample(audio, spec.sample_rate, finer * spec.sample_rate, quality="VHQ")
    straight = CubicSpline(np.arange(len(fine)) / finer, fine)(np.minimum(times, len(audio) - 1))
    at_frames = passed[np.minimum(np.arange(len(sway)) * spec.hop_length, len(passed) - 1)]
    frames = np.rint(at_frames / spec.hop_length).astype(np.intp)
    return straight.astype(np.float32), np.minimum(frames, len(straight) // spec.hop_length)
