"""The pitch of one recorded note, read from its sound.

One note has one pitch, so the squared difference function of YIN (de Cheveigne and Kawahara, 2002) is averaged over
the whole loud part before its minimum is sought. Against `librosa.pyin`, which follows a melody frame by frame, that
takes 20 ms of CPU instead of a second, and its minimum is a periodicity to judge by. The spectrum then refines the
estimate, since a lag of few samples is a coarse measure of a high pitch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from ....engine.arrays import FloatArray
from ....engine.spectra.spec import AudioSpec
from ....errors import AudioFileError
from ...measure.tuning_and_tonality import estimate_tuning

RATE: Final = 22050
LOWEST_HZ: Final = 25.0
HIGHEST_HZ: Final = 4500.0
WINDOW: Final = 2048
NUM_LAGS: Final = int(RATE / LOWEST_HZ) + 16
HOP: Final = 1024
OVERSAMPLING: Final = 4
MAX_S: Final = 1.5
MIN_PERIODICITY: Final = 0.85
MAX_SPREAD: Final = 0.03
MIN_LOW_PARTIAL_DB: Final = -30.0
ALMOST_AS_DEEP: Final = 0.05

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pitch:
    """A detected pitch.

    Attributes
    ----------
    key : nearest MIDI number
    cents : how far the sound lies above it, -50..50
    periodicity : 1 where every period is like the one before, 0 for white noise
    spread : standard deviation of the period between windows, as a share of it
    """

    key: int
    cents: float
    periodicity: float
    spread: float


def detect_pitch(audio: FloatArray, sample_rate: int) -> Pitch:
    """Find the pitch of one note, 25..4500 Hz.

    Parameters
    ----------
    audio : float32 (N,)
    sample_rate : int
        In Hz.

    Raises
    ------
    AudioFileError
        No confident pitch: noise, a glide, a chord. Its text begins ``unpitched:``.
    """
    if sample_rate != RATE:
        audio = soxr.resample(audio, sample_rate, RATE, quality="HQ")
    loud = _loud_part(audio)
    differences = _differences(loud)
    lag, periodicity = _common_period(differences)
    if periodicity < MIN_PERIODICITY:
        raise AudioFileError(f"unpitched: periodicity {max(periodicity, 0):.2f}, expected {MIN_PERIODICITY} or more")
    spread = _spread(differences, lag)
    if spread > MAX_SPREAD:
        raise AudioFileError(f"unpitched: its period wanders by {100 * spread:.0f} %, expected at most 3 %")
    rough_hz = RATE * OVERSAMPLING / lag
    if _low_partials_db(loud, rough_hz) < MIN_LOW_PARTIAL_DB:
        raise AudioFileError(f"unpitched: repeats at {rough_hz:.0f} Hz but has no partial near there; a chord?")
    cents, _ = estimate_tuning(loud.astype(np.float32), rough_hz, AudioSpec(sample_rate=RATE), inharmonic=False)
    number = 69 + 12 * np.log2(rough_hz / 440) + cents / 100
    key = round(number)
    return Pitch(key, float(100 * (number - key)), periodicity, spread)


def _loud_part(audio: FloatArray) -> Array:
    """Return what lies within 20 dB of the loudest, at most 1.5 s, zeros behind it where too short to analyse."""
    power = np.convolve(np.square(audio, dtype=np.float64), np.ones(512) / 512, "same")
    loud = np.flatnonzero(power >= 0.01 * power.max())
    part = audio[loud[0] : loud[-1] + 1][: int(MAX_S * RATE)].astype(np.float64)
    return np.pad(part, (0, max(0, WINDOW + NUM_LAGS + 1 - len(part))))


def _differences(audio: Array) -> Array:
    """Return the mean squared difference between a window and itself `lag` later, float64 (windows, lags).

    Lags count in samples of 4 x 22050 Hz. Each row is scaled by the window's power, within 20 dB of the loudest.
    """
    windows = np.lib.stride_tricks.sliding_window_view(audio, WINDOW + NUM_LAGS + 1)[::HOP]
    size = 4096
    cross = np.fft.rfft(windows, size) * np.fft.rfft(windows[:, :WINDOW], size).conj()
    correlation = OVERSAMPLING * np.fft.irfft(cross, size * OVERSAMPLING)[:, : NUM_LAGS * OVERSAMPLING]
    running = np.pad(np.cumsum(windows**2, axis=1), ((0, 0), (1, 0)))
    energy = running[:, WINDOW : WINDOW + NUM_LAGS + 1] - running[:, : NUM_LAGS + 1]
    lags = np.arange(NUM_LAGS * OVERSAMPLING) / OVERSAMPLING
    whole = lags.astype(np.int64)
    later = energy[:, whole] + (lags - whole) * (energy[:, whole + 1] - energy[:, whole])
    difference = np.maximum(later[:, :1] + later - 2 * correlation, 0.0)
    return difference / np.maximum(later[:, :1], 0.01 * later[:, 0].max() + 1e-20)


def _normalized(difference: Array) -> Array:
    """Divide by the mean over all shorter lags (YIN, step 3): 1 at lag 0, near 0 at a period."""
    lags = np.arange(1, difference.shape[-1])
    result = np.ones_like(difference)
    result[..., 1:] = difference[..., 1:] * lags / np.maximum(np.cumsum(difference[..., 1:], axis=-1), 1e-20)
    return result


def _common_period(differences: Array) -> tuple[int, float]:
    """Return (lag, periodicity) of the first minimum that is almost as deep as the deepest; (1, 0) if there is none."""
    curve = _normalized(differences.mean(axis=0))
    minima = np.flatnonzero((curve[1:-1] <= curve[:-2]) & (curve[1:-1] < curve[2:])) + 1
    minima = minima[minima >= RATE * OVERSAMPLING / HIGHEST_HZ]
    if not len(minima):
        return 1, 0.0
    lag = int(minima[curve[minima] <= curve[minima].min() + ALMOST_AS_DEEP][0])
    return lag, float(1 - curve[lag])


def _spread(differences: Array, lag: int) -> float:
    """Return how much the period varies from window to window within a semitone around the common one."""
    low, high = max(2, int(lag * 0.94) - 1), min(differences.shape[1] - 1, int(lag * 1.06) + 2)
    best = low + _normalized(differences)[:, low:high].argmin(axis=1)
    return float(np.std(best / lag))


def _low_partials_db(audio: Array, hz: float) -> float:
    """Return the strongest of the first three partials, in dB below the strongest of all."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 4 * len(audio)))
    near = [np.array([h / 1.03, h * 1.03]) * hz * 4 * len(audio) / RATE for h in (1, 2, 3)]
    low = max(spectrum[int(a) : int(b) + 2].max(initial=0.0) for a, b in near)
    return float(20 * np.log10((low + 1e-12) / (spectrum.max() + 1e-12)))
