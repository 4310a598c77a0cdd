"""Measures of the comparison: perfect for the recording itself, in the right order, and right about known errors."""

from __future__ import annotations

import math

import librosa
import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.training.comparison.measures import (
    HIGH_FROM_HZ,
    N_FFT,
    RATE,
    Measures,
    envelope_error_db,
    loudness_error_db,
    loudness_lufs,
    measure,
    onset_error_ms,
    phase_coherence,
)
from tnca_synth.training.measure.attacks import rise_ms
from tnca_synth.training.measure.distance import log_spectral_error_db, top_error_db
from tnca_synth.training.measure.hearing import HEARING_RATE
from tnca_synth.training.measure.recording import Recording

pytestmark = pytest.mark.slow

HOP = N_FFT // 4


def bowed(f0_hz: float = 220.0, seconds: float = 1.6, depth_cents: float = 15.0, rate: int = RATE) -> FloatArray:
    """Return twenty partials with vibrato, a soft onset, and breath."""
    time_s = np.arange(round(seconds * rate)) / rate
    cents = depth_cents * np.sin(2 * np.pi * 5.5 * time_s)
    phase = 2 * np.pi * np.cumsum(f0_hz * 2.0 ** (cents / 1200)) / rate
    tone = sum(np.sin(h * phase + h * h) / h for h in range(1, 21))
    noise = 0.01 * np.random.default_rng(3).standard_normal(len(time_s))
    envelope = np.clip(time_s / 0.05, 0, 1) * np.clip((seconds - 0.3 - time_s) / 0.1 + 1, 0, 1)
    return (0.2 * envelope * (tone + noise)).astype(np.float32)


def recorded(audio: FloatArray, pitched: bool = True) -> Recording:
    return Recording(audio, "viola", 57, 64, 1.3, pitched)


def with_phases(audio: FloatArray, phases: np.ndarray) -> FloatArray:
    """Return the resynthesis of a signal's magnitudes with other phases."""
    magnitude = np.abs(librosa.stft(audio, n_fft=N_FFT, hop_length=HOP))
    return librosa.istft(magnitude * np.exp(1j * phases), hop_length=HOP, n_fft=N_FFT, length=len(audio))


def griffin_lim(audio: FloatArray) -> FloatArray:
    magnitude = np.abs(librosa.stft(audio, n_fft=N_FFT, hop_length=HOP))
    return librosa.griffinlim(
        magnitude, n_iter=32, hop_length=HOP, n_fft=N_FFT, length=len(audio), random_state=0
    ).astype(np.float32)


def random_phase(audio: FloatArray) -> FloatArray:
    frames = librosa.stft(audio, n_fft=N_FFT, hop_length=HOP).shape
    return with_phases(audio, 2 * np.pi * np.random.default_rng(0).random(frames)).astype(np.float32)


def delayed(audio: FloatArray, seconds: float) -> FloatArray:
    count = round(seconds * RATE)
    return np.concatenate([np.zeros(count, np.float32), audio])[: len(audio)]


def test_the_recording_itself_is_perfect() -> None:
    note = bowed(rate=HEARING_RATE)
    perfect = measure(note, recorded(note), sustains=False, cents=0.0)
    for name in Measures.names():
        expected = {"phase": 1.0, "visqol": 4.732}.get(name, 0.0)
        assert getattr(perfect, name) == pytest.approx(expected, abs=1e-3), name


def test_level_alone_shows_in_the_loudness_alone() -> None:
    note = bowed(rate=HEARING_RATE)
    quiet = measure(note * 0.5, recorded(note), sustains=False, cents=0.0)
    assert quiet.loudness_db == pytest.approx(20 * math.log10(2), abs=0.01)
    assert quiet.phase == pytest.approx(1.0, abs=1e-6)
    matched = ("zimtohrli", "top_db", "rise_ms", "distance", "auraloss", "spectrum_db", "high_db", "envelope_db")
    for name in (*matched, "onset_ms"):
        assert getattr(quiet, name) == pytest.approx(0.0, abs=1e-3), name


@pytest.mark.parametrize("f0_hz", [55.0, 220.0, 880.0])
def test_phase_coherence_orders_the_true_signal_its_griffin_lim_and_random_phases(f0_hz: float) -> None:
    note = bowed(f0_hz)
    guessed, scattered = phase_coherence(griffin_lim(note), note), phase_coherence(random_phase(note), note)
    assert phase_coherence(note, note) > guessed + 0.005
    assert guessed > scattered + 0.1
    assert abs(scattered) < 0.4


def test_phase_coherence_minds_neither_a_common_delay_nor_where_partials_begin_nor_the_tuning() -> None:
    note = bowed(depth_cents=0.0)
    turned = np.fft.rfft(note) * np.exp(
        1j * np.interp(np.arange(len(note) // 2 + 1), [0, 4000, 9000], [0.0, 2.0, -1.0])
    )
    assert phase_coherence(delayed(note, 0.005), note) > 0.97
    assert phase_coherence(np.fft.irfft(turned, len(note)).astype(np.float32), note) > 0.97
    assert phase_coherence(bowed(220.0 * 2 ** (8 / 1200), depth_cents=0.0), note) > 0.97


def test_phase_coherence_hears_vibrato_out_of_step() -> None:
    assert phase_coherence(bowed(depth_cents=0.0), bowed(depth_cents=40.0)) < 0.9


def test_silence_has_no_phase_and_no_onset() -> None:
    note, silence = bowed(), np.zeros(RATE, np.float32)
    assert math.isnan(phase_coherence(silence, note[:RATE]))
    assert math.isnan(onset_error_ms(silence, note[:RATE]))


def test_unpitched_notes_have_no_phase_coherence() -> None:
    note = bowed(rate=HEARING_RATE)
    assert math.isnan(measure(note, recorded(note, pitched=False), sustains=True, cents=float("nan")).phase)


def test_what_is_missing_above_10_khz_shows_there_alone() -> None:
    noise = 0.05 * np.random.default_rng(1).standard_normal(HEARING_RATE).astype(np.float32)
    spectrum = np.fft.rfft(noise)
    top = np.fft.rfftfreq(len(noise), 1 / HEARING_RATE) > 10_000.0
    softer = np.fft.irfft(np.where(top, 0.25, 1.0) * spectrum, len(noise)).astype(np.float32)
    level_db = 10 * math.log10(float(np.mean(noise**2) / np.mean(softer**2)))
    assert top_error_db(softer, noise) == pytest.approx(12.04 - level_db, abs=0.3)
    tone = np.sin(2 * np.pi * 440 * np.arange(HEARING_RATE) / HEARING_RATE).astype(np.float32)
    faded = tone * np.hanning(HEARING_RATE).astype(np.float32)
    assert math.isnan(top_error_db(faded * 0.3, faded))


@pytest.mark.parametrize("rise_s", [0.0, 0.004, 0.02])
def test_the_rise_of_a_ramp_is_its_time_from_10_to_90_per_cent(rise_s: float) -> None:
    time_s = np.arange(HEARING_RATE // 2) / HEARING_RATE
    ramp = np.clip(time_s / rise_s, 0.0, 1.0) if rise_s else np.ones_like(time_s)
    noise = np.sign(np.random.default_rng(2).standard_normal(len(time_s)))
    # The window of 1 ms alone rises from 10 to 90 % of its level in 0.8 of its time, by power.
    assert rise_ms((ramp * noise).astype(np.float32), HEARING_RATE, 0.001) == pytest.approx(
        800.0 * rise_s + 0.4, abs=0.5
    )
    assert math.isnan(rise_ms(np.zeros(480, np.float32), HEARING_RATE, 0.001))


def test_a_spectrum_6_db_louder_above_4_khz_shows_there() -> None:
    note = np.random.default_rng(1).standard_normal(2 * RATE).astype(np.float32) * 0.05
    spectrum = np.fft.rfft(note)
    high = np.fft.rfftfreq(len(note), 1 / RATE) > 4000
    tilted = np.fft.irfft(np.where(high, 2.0, 1.0) * spectrum, len(note)).astype(np.float32)
    overall, above = log_spectral_error_db(tilted, note, RATE, N_FFT, (0.0, HIGH_FROM_HZ))
    # Matching the levels moves both sides: together they still lie 6.02 dB apart.
    level_db = 10 * math.log10(float(np.mean(tilted**2) / np.mean(note**2)))
    assert above == pytest.approx(6.02 - level_db, abs=0.2)
    share = 4000 / (RATE / 2)
    assert overall == pytest.approx(math.sqrt(share * level_db**2 + (1 - share) * (6.02 - level_db) ** 2), abs=0.2)


def test_nothing_above_4_khz_is_no_error_there() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    faded = tone * np.hanning(RATE).astype(np.float32)
    assert math.isnan(log_spectral_error_db(faded, faded * 0.3, RATE, N_FFT, (HIGH_FROM_HZ,))[0])


@pytest.mark.parametrize("shift_ms", [2, 10, 40])
def test_a_late_onset_is_late_by_as_much(shift_ms: int) -> None:
    note = bowed()
    assert onset_error_ms(delayed(note, shift_ms / 1e3), note) == pytest.approx(shift_ms, abs=0.5)
    assert onset_error_ms(note, delayed(note, shift_ms / 1e3)) == pytest.approx(shift_ms, abs=0.5)


def test_half_of_a_note_12_db_too_quiet_is_6_db_of_envelope() -> None:
    time_s = np.arange(2 * RATE) / RATE
    tone = np.sin(2 * np.pi * 440 * time_s).astype(np.float32)
    stepped = np.where(time_s < 1.0, tone, tone * 10 ** (-12 / 20)).astype(np.float32)
    # After matching the levels, one half is too loud and the other too quiet, together by 12 dB.
    assert envelope_error_db(stepped, tone) == pytest.approx(6.0, abs=0.3)


def test_loudness_is_that_of_the_standard() -> None:
    """BS.1770: a full-scale sine of 997 Hz on one channel is -3.01 LUFS."""
    tone = np.sin(2 * np.pi * 997 * np.arange(3 * RATE) / RATE).astype(np.float32)
    assert loudness_lufs(tone) == pytest.approx(-3.01, abs=0.1)
    assert loudness_lufs(np.zeros(100, np.float32)) == -70.0
    assert loudness_error_db(tone * 0.1, tone) == pytest.approx(20.0, abs=0.01)


def test_a_shorter_note_is_padded_with_silence() -> None:
    note = bowed(rate=HEARING_RATE)
    short = measure(note[: HEARING_RATE // 2], recorded(note), sustains=True, cents=0.0)
    assert short.envelope_db > 5.0 and short.zimtohrli > 0.001
    assert math.isnan(short.rise_ms)
