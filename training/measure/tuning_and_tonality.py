"""What is measured once per recorded note: its exact tuning, and which part of each bin is tonal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.spectra.pitch import partial_hz
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import hann

SEARCH_CENTS = 60.0
LOBE_REACH_BINS = 2.0
CLEARLY_TONAL_DB = 6.0


def _peak_hz(spectrum: NDArray[np.float64], bin_hz: float, centre_hz: float, width_hz: float) -> tuple[float, float]:
    """Return (frequency, magnitude) of the largest peak within width, by parabolic interpolation of log magnitude."""
    low = max(1, int((centre_hz - width_hz) / bin_hz))
    high = min(len(spectrum) - 2, int((centre_hz + width_hz) / bin_hz) + 1)
    if high <= low:
        return centre_hz, 0.0
    k = low + int(np.argmax(spectrum[low : high + 1]))
    a, b, c = np.log(spectrum[k - 1 : k + 2] + 1e-12)
    curvature = a - 2 * b + c
    offset = 0.5 * (a - c) / curvature if curvature < 0 else 0.0
    return (k + float(np.clip(offset, -0.5, 0.5))) * bin_hz, float(spectrum[k])


def estimate_tuning(audio: FloatArray, f0_hz: float, spec: AudioSpec, inharmonic: bool) -> tuple[float, float]:
    """Measure how far a recording lies from its nominal pitch.

    Parameters
    ----------
    audio : float32 (N,)
        The held part of a note, from its onset.
    f0_hz : float
        Nominal fundamental in Hz.
    inharmonic : bool
        Whether to fit the stretch of stiff strings; on other sounds the fit would follow noise.

    Returns
    -------
    cents : float
        Deviation of the fundamental, within +-60.
    inharmonicity : float
        B of `partial_hz`, 0 for harmonic sounds.
    """
    skip = min(len(audio) // 4, int(0.08 * spec.sample_rate))
    segment = audio[skip : skip + 2 * spec.sample_rate].astype(np.float64)
    size = 1 << int(np.ceil(np.log2(max(len(segment), 64) * 4)))
    spectrum = np.abs(np.fft.rfft(segment * np.hanning(len(segment)), size))
    bin_hz = spec.sample_rate / size
    num = int(min(24, spec.sample_rate * 0.48 / f0_hz))
    ratio, b = 1.0, 0.0
    harmonics, ratios, weights = [], [], []
    width = f0_hz * (2 ** (SEARCH_CENTS / 1200) - 1)
    for h in range(1, num + 1):
        centre = float(partial_hz(f0_hz * ratio, b, h)[-1])
        hz, magnitude = _peak_hz(spectrum, bin_hz, centre, max(width * min(h, 3), 3 * bin_hz))
        harmonics.append(h)
        ratios.append(hz / (h * f0_hz))
        weights.append(magnitude)
        ratio, b = _fit_stretch(np.array(harmonics), np.array(ratios), np.array(weights), inharmonic)
    cents = 1200 * np.log2(ratio)
    return float(np.clip(cents, -SEARCH_CENTS, SEARCH_CENTS)), b


def _fit_stretch(h: NDArray[Any], ratios: NDArray[Any], weights: NDArray[Any], inharmonic: bool) -> tuple[float, float]:
    """Weighted fit of ratio^2 = c^2 (1 + B h^2) / (1 + B); B stays 0 with too few partials to tell."""
    w = np.sqrt(weights / (weights.max() + 1e-12))
    if len(h) < 5 or not inharmonic:
        return float(np.average(ratios, weights=w + 1e-9)), 0.0
    design = np.stack([np.ones(len(h)), h.astype(np.float64) ** 2], 1)
    for _ in range(3):
        (c0, c1), *_ = np.linalg.lstsq(design * w[:, None], ratios**2 * w, rcond=None)
        residual = np.abs(ratios**2 - design @ (c0, c1))
        w = w / (1 + (residual / 0.004) ** 2)
    b = float(np.clip(c1 / max(c0, 1e-6), 0.0, 3e-3))
    if b < 2e-6:
        return float(np.average(ratios, weights=w + 1e-9)), 0.0
    return float(np.sqrt(max(c0 * (1 + b), 1e-6))), b


def residual_power(audio: FloatArray, f0_hz: float, inharmonicity: float, spec: AudioSpec) -> FloatArray:
    """Power left after the best fit of stationary partials to every window, float32 (T, num_bins).

    Scaled like `power_spectrogram`. Windows that begin before the onset are fitted on the samples after it, so
    that a sudden attack does not pass for noise. Partials nearer than the window can resolve are fitted jointly
    with a small ridge, which leaves their energy tonal.
    """
    n = spec.n_fft
    window = hann(n).astype(np.float64)
    hz = partial_hz(f0_hz, inharmonicity, 128)
    hz = hz[hz < spec.sample_rate * 0.495]
    time = (np.arange(n) - n // 2) / spec.sample_rate
    phase = 2 * np.pi * time[:, None] * hz
    basis = np.concatenate([np.cos(phase), np.sin(phase)], 1)
    padded = np.pad(audio.astype(np.float64), n // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n)[:: spec.hop_length] * window
    residual = np.empty_like(frames)
    partial_frames = -(-n // 2 // spec.hop_length)
    for t in range(min(partial_frames, len(frames))):
        valid = np.arange(n) >= n // 2 - t * spec.hop_length
        residual[t] = _fit_residual(frames[t : t + 1], basis * (window * valid)[:, None])[0]
    if len(frames) > partial_frames:
        residual[partial_frames:] = _fit_residual(frames[partial_frames:], basis * window[:, None])
    scale = 2.0 / window.sum()
    return (np.abs(np.fft.rfft(residual, axis=-1)) * scale).astype(np.float32) ** 2


def _fit_residual(frames: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:
    gram = basis.T @ basis
    gram[np.diag_indices_from(gram)] += 1e-4 * gram.diagonal().max()
    return frames - (frames @ basis) @ np.linalg.solve(gram, basis.T)


def give_lobes_to_partials(
    residual: FloatArray, power: FloatArray, f0_hz: float, inharmonicity: float, spec: AudioSpec
) -> FloatArray:
    """Return the residual without what surrounds clearly tonal partials, float32 (T, num_bins).

    A partial that swells, beats or wavers leaves the best *stationary* fit with a residual in its own main lobe. As
    noise it would be heard as roughness; it belongs to the partial wherever the lobe holds `CLEARLY_TONAL_DB` more
    power than its residual.
    """
    bins = partial_hz(f0_hz, inharmonicity, 128) * (spec.n_fft / spec.sample_rate)
    bins = bins[bins < spec.num_bins - 1.0]
    near = np.abs(np.arange(spec.num_bins)[:, None] - bins) <= LOBE_REACH_BINS
    ratio = 10.0 ** (CLEARLY_TONAL_DB / 10.0)
    tonal = (power @ near > ratio * (residual @ near)) @ near.T
    cleaned: FloatArray = np.where(tonal, np.float32(0.0), residual)
    return cleaned
