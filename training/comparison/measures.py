"""How far a played note is from its recording, by several measures; docs/comparison.md defines every one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.spectra.stft import hann, stft
from ..measure.attacks import level_window_s, rise_ms
from ..measure.distance import log_spectral_error_db, match_rms, stft_distance, top_error_db
from ..measure.hearing import HEARING_RATE, hearing_distance
from ..measure.recording import Recording
from ..validation.opinion import visqol_mos

RATE = 22050
"""Rate in Hz of the measures that look at no more than half the band; they get what was rendered, resampled."""
N_FFT, HOP = 1024, 256
HIGH_FROM_HZ = 4000.0
ENVELOPE_WINDOW_S, ENVELOPE_STEP_S, ENVELOPE_RANGE_DB = 0.020, 0.005, 60.0
ONSET_WINDOW_S, ONSET_STEP_S = 0.010, 0.001
ONSET_SHARES = (0.1, 0.3, 0.5)
TUNING_CENTS = np.arange(-20.0, 20.5, 1.0)
SILENT_LUFS = -70.0
LOUDNESS_BLOCK_S = 0.4


@dataclass(frozen=True)
class Measures:
    """One note of one path against its recording; nan where a measure says nothing of the note.

    Attributes
    ----------
    zimtohrli, visqol : `training.measure.hearing`: distance, and mean opinion score
    top_db : log-spectral error in dB above 10 kHz
    rise_ms : 10 to 90 % rise of the attack minus the recording's, of sounds that do not sustain
    distance : `training.measure.distance.stft_distance`
    auraloss : multi-resolution STFT distance of the package auraloss, with its defaults
    spectrum_db, high_db : log-spectral error in dB up to 11 kHz: overall, and above 4 kHz
    phase : phase coherence, 1 for the recording itself and about 0 for random phases
    envelope_db, onset_ms : temporal structure
    loudness_db : loudness error by ITU-R BS.1770
    cents : pitch above the recording's, by a tracker that is not ours
    """

    zimtohrli: float
    visqol: float
    top_db: float
    rise_ms: float
    distance: float
    auraloss: float
    spectrum_db: float
    high_db: float
    phase: float
    envelope_db: float
    onset_ms: float
    loudness_db: float
    cents: float

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the measures, in the order of tables."""
        return tuple(one.name for one in fields(cls))


def measure(audio: FloatArray, recording: Recording, sustains: bool, cents: float) -> Measures:
    """Measure a note against its recording, both at `HEARING_RATE`; `cents` is what the tracker said."""
    reference = recording.audio
    audio = np.pad(audio, (0, max(0, len(reference) - len(audio))))[: len(reference)]
    low, low_reference = (soxr.resample(one, HEARING_RATE, RATE, quality="VHQ") for one in (audio, reference))
    spectrum_db, high_db = log_spectral_error_db(low, low_reference, RATE, N_FFT, (0.0, HIGH_FROM_HZ))
    return Measures(
        zimtohrli=hearing_distance(reference, audio, HEARING_RATE),
        visqol=visqol_mos(reference, audio, HEARING_RATE),
        top_db=top_error_db(audio, reference),
        rise_ms=float("nan") if sustains else rise_error_ms(audio, recording),
        distance=stft_distance(low, low_reference),
        auraloss=auraloss_distance(low, low_reference),
        spectrum_db=spectrum_db,
        high_db=high_db,
        phase=phase_coherence(low, low_reference) if recording.pitched else float("nan"),
        envelope_db=envelope_error_db(low, low_reference),
        onset_ms=onset_error_ms(low, low_reference),
        loudness_db=loudness_error_db(low, low_reference),
        cents=cents,
    )


def rise_error_ms(audio: FloatArray, recording: Recording) -> float:
    """Return by how much an attack rises more slowly than the recorded one, in ms; negative for faster."""
    key = recording.pitch if recording.pitched else None
    window_s = level_window_s(recording.audio, HEARING_RATE, key)
    return rise_ms(audio, HEARING_RATE, window_s) - rise_ms(recording.audio, HEARING_RATE, window_s)


def phase_coherence(audio: FloatArray, reference: FloatArray) -> float:
    """How well phases run on as they do in the recording: 1 just as there, about 0 at random.

    From one spectral frame to the next, half a window on, the phase of a bin advances. This is the mean cosine of the
    difference between the advances in both signals, weighted by their powers. What a partial's phase is does not
    matter, nor when all began: only how it goes on. A common mistuning of up to 20 cents is found and taken away,
    because pitch has a measure of its own.
    """
    a, b = (stft(x, N_FFT, N_FFT // 2).astype(np.complex128) for x in (audio, reference))
    difference = a[1:] * a[:-1].conj() * (b[1:] * b[:-1].conj()).conj()
    weight = np.sqrt(np.abs(difference))
    total = float(weight.sum())
    if total == 0.0:
        return float("nan")
    # Detuning turns every bin at a steady rate: summing over time first leaves one small sum per candidate.
    by_bin = (weight * np.exp(1j * np.angle(difference))).sum(0)
    hz = np.arange(N_FFT // 2 + 1) * RATE / N_FFT
    off_hz = hz * (2.0 ** (TUNING_CENTS[:, None] / 1200.0) - 1.0)
    turned = by_bin * np.exp(-2j * np.pi * off_hz * (N_FFT // 2) / RATE)
    return min(1.0, float(turned.real.sum(1).max() / total))


def envelope_error_db(audio: FloatArray, reference: FloatArray) -> float:
    """Return the mean difference of the envelopes in dB, after matching the levels by RMS.

    Envelopes are mean powers under 20 ms Hann windows, every 5 ms, down to 60 dB below the recording's peak; moments
    in which both lie below that do not count.
    """
    levels = [
        10.0 * np.log10(_power_envelope(x, ENVELOPE_WINDOW_S, ENVELOPE_STEP_S) + 1e-20)
        for x in (match_rms(audio, reference), reference)
    ]
    floor = levels[1].max() - ENVELOPE_RANGE_DB
    sounds = np.maximum(*levels) > floor
    return float(np.abs(np.maximum(levels[0], floor) - np.maximum(levels[1], floor))[sounds].mean())


def onset_error_ms(audio: FloatArray, reference: FloatArray) -> float:
    """Return how far the onsets lie apart in ms; nan if either signal is silent.

    The mean over three moments: when the amplitude first reaches 10, 30 and 50 % of its own maximum.
    """
    rises = [_rises_s(x) for x in (audio, reference)]
    return float(1e3 * np.abs(rises[0] - rises[1]).mean())


def _rises_s(audio: FloatArray) -> NDArray[np.float64]:
    amplitude = np.sqrt(_power_envelope(audio, ONSET_WINDOW_S, ONSET_STEP_S))
    peak = float(amplitude.max())
    if peak < 1e-6:
        return np.full(len(ONSET_SHARES), np.nan)
    return np.array([np.argmax(amplitude >= share * peak) for share in ONSET_SHARES]) * ONSET_STEP_S


def _power_envelope(audio: FloatArray, window_s: float, step_s: float) -> NDArray[np.float64]:
    """Return mean powers under windows centred at multiples of `step_s`, the first where only its end touches."""
    window = hann(round(window_s * RATE)).astype(np.float64)
    smooth = np.convolve(np.square(audio, dtype=np.float64), window / window.sum())
    at = np.round(np.arange(0.0, len(smooth) / RATE, step_s) * RATE).astype(np.intp)
    return np.maximum(smooth[at[at < len(smooth)]], 0.0)


def loudness_error_db(audio: FloatArray, reference: FloatArray) -> float:
    """Return the difference of the integrated loudnesses in LU (dB); what is below the gate counts as -70 LUFS."""
    return abs(loudness_lufs(audio) - loudness_lufs(reference))


def loudness_lufs(audio: FloatArray) -> float:
    """Return the integrated loudness by ITU-R BS.1770-4, at least -70 LUFS."""
    shortest = int(LOUDNESS_BLOCK_S * RATE) + 1
    padded = np.pad(audio, (0, max(0, shortest - len(audio)))).astype(np.float64)
    return max(SILENT_LUFS, float(_loudness_meter().integrated_loudness(padded)))


@lru_cache(maxsize=1)
def _loudness_meter() -> Any:
    from pyloudnorm import Meter

    return Meter(RATE, block_size=LOUDNESS_BLOCK_S)


def auraloss_distance(audio: FloatArray, reference: FloatArray) -> float:
    """Return auraloss' multi-resolution STFT distance, after matching the levels by RMS."""
    import torch

    with torch.no_grad():
        pair = [torch.from_numpy(x.astype(np.float32))[None, None] for x in (match_rms(audio, reference), reference)]
        return float(_auraloss()(*pair))


@lru_cache(maxsize=1)
def _auraloss() -> Any:
    from auraloss.freq import MultiResolutionSTFTLoss

    return MultiResolutionSTFTLoss()
