"""Tuning, inharmonicity and tonality of sounds that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.spectra.pitch import partial_hz, pitch_to_hz
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.stft import power_spectrogram
from tnca_synth.training.measure.distance import stft_distance
from tnca_synth.training.measure.note_features import extract
from tnca_synth.training.measure.recording import Recording
from tnca_synth.training.measure.tuning_and_tonality import estimate_tuning, residual_power

pytestmark = pytest.mark.slow

SPEC = AudioSpec()
RATE = SPEC.sample_rate
SUSTAIN = slice(20, 60)


def tone(
    pitch: float, cents: float = 0.0, stretch: float = 0.0, partials: int = 12, seconds: float = 1.0
) -> FloatArray:
    hz = partial_hz(pitch_to_hz(pitch + cents / 100), stretch, partials)
    hz = hz[hz < 0.45 * RATE]
    return tiny.sines(hz, 0.3 / np.arange(1, len(hz) + 1), 1.0, RATE)


def noise(amplitude: float = 0.05) -> FloatArray:
    return (amplitude * np.random.default_rng(4).standard_normal(RATE)).astype(np.float32)


@pytest.mark.parametrize("pitch", [33, 45, 60, 69, 84])
@pytest.mark.parametrize("cents", [-20.0, 0.0, 7.5])
def test_tuning_of_a_stiff_string_is_found_within_a_cent(pitch: int, cents: float) -> None:
    stretch = 3e-4
    found_cents, found_stretch = estimate_tuning(
        tone(pitch, cents, stretch), float(pitch_to_hz(pitch)), SPEC, inharmonic=True
    )
    assert found_cents == pytest.approx(cents, abs=1.0)
    assert found_stretch == pytest.approx(stretch, rel=0.1)


@pytest.mark.parametrize("pitch", [36, 60, 90])
def test_tuning_of_a_harmonic_sound_has_no_stretch(pitch: int) -> None:
    cents, stretch = estimate_tuning(tone(pitch, -12.0), float(pitch_to_hz(pitch)), SPEC, inharmonic=False)
    assert cents == pytest.approx(-12.0, abs=1.0)
    assert stretch == 0.0


def test_a_harmonic_sound_fitted_with_stretch_gets_next_to_none() -> None:
    cents, stretch = estimate_tuning(tone(57, 5.0), float(pitch_to_hz(57)), SPEC, inharmonic=True)
    assert cents == pytest.approx(5.0, abs=1.0)
    assert stretch < 1e-5


@pytest.mark.parametrize("audio", [np.zeros(RATE, np.float32), noise(), np.zeros(70, np.float32)])
def test_tuning_of_what_has_none_stays_in_range(audio: FloatArray) -> None:
    for inharmonic in (False, True):
        cents, stretch = estimate_tuning(audio, 220.0, SPEC, inharmonic)
        assert abs(cents) <= 60.0
        assert 0.0 <= stretch <= 3e-3


@pytest.mark.parametrize("pitch", [36, 57, 76])
def test_partials_leave_hardly_a_residual(pitch: int) -> None:
    audio = tone(pitch, stretch=2e-4)
    total = power_spectrogram(audio, SPEC)[SUSTAIN].sum()
    residual = residual_power(audio, float(pitch_to_hz(pitch)), 2e-4, SPEC)[SUSTAIN].sum()
    assert 10 * np.log10(residual / total) < -40.0


def test_noise_is_nearly_all_residual() -> None:
    audio = noise()
    total = power_spectrogram(audio, SPEC)[SUSTAIN].sum()
    residual = residual_power(audio, 880.0, 0.0, SPEC)[SUSTAIN].sum()
    assert 0.7 < residual / total < 1.0


def test_a_sudden_attack_does_not_pass_for_noise() -> None:
    audio = tone(69)
    total, residual = power_spectrogram(audio, SPEC), residual_power(audio, 440.0, 0.0, SPEC)
    for frame in range(3):  # their windows begin before the note does
        assert 10 * np.log10(residual[frame].sum() / total[frame].sum()) < -20.0


def test_features_tell_tone_from_noise() -> None:
    spoken = {}
    for name, audio in (("tone", tone(69)), ("noise", noise()), ("both", tone(69) + noise(0.003))):
        features = extract(Recording(audio, "one", 69, 64, 1.0), SPEC, inharmonic=False)
        assert features.mel.shape == (len(audio) // SPEC.hop_length + 1, 2, SPEC.num_mels)
        assert features.linear.shape == (len(audio) // SPEC.hop_length + 1, 2, SPEC.num_bins)
        spoken[name] = features.linear[30, 1].astype(np.float32)
    at_partial, between = round(440 * SPEC.n_fft / RATE), round(660 * SPEC.n_fft / RATE)
    assert spoken["tone"][at_partial] > 0.95
    assert spoken["both"][at_partial] > 0.8
    assert spoken["both"][between] < 0.2
    assert np.median(spoken["noise"]) < 0.1


def test_an_unpitched_note_is_all_noise() -> None:
    features = extract(Recording(tone(69), "one", 69, 64, 1.0, pitched=False), SPEC, inharmonic=False)
    assert not features.linear[:, 1].any()
    assert (features.tuning_cents, features.inharmonicity) == (0.0, 0.0)


def test_features_of_silence_are_exactly_zero() -> None:
    silence = Recording(np.zeros(RATE, np.float32), "one", 69, 64, 1.0)
    features = extract(silence, SPEC, inharmonic=True)
    assert not features.mel.any()
    assert not features.linear.any()


def test_the_distance_ignores_level_and_hears_everything_else() -> None:
    audio = tone(60) + noise(0.001)
    assert stft_distance(audio, audio) == 0.0
    assert stft_distance(0.25 * audio, audio) == pytest.approx(0.0, abs=1e-3)
    small, large = stft_distance(tone(60, cents=20.0), tone(60)), stft_distance(noise(), tone(60))
    assert 0.0 < small < large
    assert stft_distance(audio[: RATE // 2], audio) > 0.1  # what is missing counts as silence
