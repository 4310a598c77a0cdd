"""Distances between spectra: the STFT distance of this project, and the log-spectral error above a frequency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.spectra.stft import stft

WINDOWS = (256, 512, 1024, 2048)
EPSILON = 1e-3
SPECTRAL_RANGE_DB = 80.0
TOP_FROM_HZ = 10_000.0
TOP_RATE, TOP_FFT = 48_000, 2048


def match_rms(audio: FloatArray, reference: FloatArray) -> FloatArray:
    """Scale `audio` to the RMS of `reference`; silence stays silence."""
    rms = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
    target = float(np.sqrt(np.mean(np.square(reference, dtype=np.float64))))
    return (audio * (target / rms)).astype(np.float32) if rms > 0 else audio


def stft_distance(audio: FloatArray, reference: FloatArray) -> float:
    """Multi-resolution distance of two signals at 22,050 Hz; 0 is equal, 1 and more is unlike.

    `audio` is level-matched to `reference` by RMS. For Hann windows of 256, 512, 1024 and 2048 samples with a hop
    of a quarter and unscaled magnitudes A and B: mean ``|ln(A + 1e-3) - ln(B + 1e-3)|`` plus
    ``||A - B|| / (||B|| + 1e-3)``, averaged over the windows. The shorter signal is padded with zeros.
    """
    length = max(len(audio), len(reference))
    audio = np.pad(audio, (0, length - len(audio)))
    reference = np.pad(reference, (0, length - len(reference)))
    audio = match_rms(audio, reference)
    total = 0.0
    for n_fft in WINDOWS:
        a = np.abs(stft(audio, n_fft, n_fft // 4))
        b = np.abs(stft(reference, n_fft, n_fft // 4))
        log_part = np.mean(np.abs(np.log(a + EPSILON) - np.log(b + EPSILON)))
        total += log_part + np.linalg.norm(a - b) / (np.linalg.norm(b) + EPSILON)
    return float(total / len(WINDOWS))


def log_spectral_error_db(
    audio: FloatArray, reference: FloatArray, sample_rate: int, n_fft: int, from_hz: Sequence[float] = (0.0,)
) -> list[float]:
    """Return the log-spectral errors in dB above some frequencies, after matching the levels by RMS.

    Each spectral frame counts the root mean square over the bins in which either signal is less than 80 dB below the
    loudest bin of the recording; all such frames count alike. Where there are none, the error is nan.
    """
    levels = [
        10.0 * np.log10(np.abs(stft(x, n_fft, n_fft // 4)) ** 2 + 1e-20)
        for x in (match_rms(audio, reference), reference)
    ]
    floor = levels[1].max() - SPECTRAL_RANGE_DB
    matters = np.maximum(*levels) > floor
    squares = np.square(np.maximum(levels[0], floor) - np.maximum(levels[1], floor)) * matters
    hz = np.arange(n_fft // 2 + 1) * sample_rate / n_fft
    return [_mean_of_roots(squares[:, hz >= lowest], matters[:, hz >= lowest]) for lowest in from_hz]


def top_error_db(audio: FloatArray, reference: FloatArray) -> float:
    """Return the log-spectral error in dB above 10 kHz, of signals at 48 kHz."""
    return log_spectral_error_db(audio, reference, TOP_RATE, TOP_FFT, (TOP_FROM_HZ,))[0]


def _mean_of_roots(squares: NDArray[np.float64], matters: NDArray[np.bool_]) -> float:
    """Return the mean over frames of the root mean square over the bins that matter; nan where none does."""
    count = matters.sum(1)
    counted = count > 0
    return float(np.sqrt(squares.sum(1)[counted] / count[counted]).mean()) if counted.any() else float("nan")
