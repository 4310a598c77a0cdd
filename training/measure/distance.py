"""The STFT distance by which decoders and whole paths are judged."""

from __future__ import annotations

import numpy as np

from ...engine.arrays import FloatArray
from ...engine.spectra.stft import stft

WINDOWS = (256, 512, 1024, 2048)
EPSILON = 1e-3


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
