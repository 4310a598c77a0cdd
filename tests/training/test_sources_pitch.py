"""The pitch detector: right to cents on tones, and silent on what has no pitch."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.errors import AudioFileError
from tnca_synth.training.sources.audio.pitch import detect_pitch

pytestmark = pytest.mark.slow

RATE = 22050


def harmonic(number, weights, duration_s=0.6, rate=RATE, seed=0):
    generator = np.random.default_rng(seed)
    hz = 440 * 2 ** ((number - 69) / 12)
    time = np.arange(int(duration_s * rate)) / rate
    partials = [
        weight * np.sin(2 * np.pi * hz * h * time + generator.uniform(0, 6))
        for h, weight in enumerate(weights, start=1)
        if hz * h < 0.48 * rate
    ]
    audio = np.sum(partials, axis=0) * np.minimum(1, time / 0.01)
    return (0.5 * audio / np.abs(audio).max()).astype(np.float32)


SAW = 1 / np.arange(1, 40)
CLARINET = SAW * (np.arange(1, 40) % 2)
WEAK_FUNDAMENTAL = SAW * np.where(np.arange(1, 40) == 1, 0.1, 1)
TIMBRES = (np.ones(1), SAW, CLARINET, WEAK_FUNDAMENTAL)


def off_by_cents(found, number):
    return 100 * (found.key - number) + found.cents


@pytest.mark.parametrize("key", range(36, 97))
def test_tones_are_found_within_10_cents(key):
    generator = np.random.default_rng(key)
    for weights in (TIMBRES[key % 4], TIMBRES[(key + 1) % 4]):
        number = key + generator.uniform(-0.4, 0.4)
        found = detect_pitch(harmonic(number, weights, seed=key), RATE)
        assert found.key == key
        assert abs(off_by_cents(found, number)) < 10


@pytest.mark.parametrize("key", [21, 24, 30, 100, 105, 108])
def test_the_ends_of_a_piano(key):
    assert detect_pitch(harmonic(key, SAW, 1.0), RATE).key == key


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_other_sample_rates(rate):
    assert abs(off_by_cents(detect_pitch(harmonic(60.2, SAW, rate=rate), rate), 60.2)) < 10


def test_vibrato_noise_and_decay_do_no_harm():
    time = np.arange(RATE) / RATE
    phase = 2 * np.pi * 220 * time + 3 * np.sin(2 * np.pi * 5 * time) * 220 * 0.0116 / 5 / 3
    tone = sum(np.sin(h * phase) / h for h in range(1, 20)) * np.exp(-3 * time)
    noise = 0.02 * np.random.default_rng(0).normal(size=RATE)
    assert detect_pitch((0.2 * (tone + noise)).astype(np.float32), RATE).key == 57


def noises(generator, num_samples):
    white = generator.normal(size=num_samples)
    spectrum, hz = np.fft.rfft(white), np.maximum(np.fft.rfftfreq(num_samples, 1 / RATE), 20)
    band = 1 / (1 + ((hz - 700) / 120) ** 2)
    return {
        "white": white,
        "pink": np.fft.irfft(spectrum / np.sqrt(hz), num_samples),
        "brown": np.fft.irfft(spectrum / hz, num_samples),
        "band": np.fft.irfft(spectrum * band, num_samples),
        "burst": white * np.exp(-np.arange(num_samples) / RATE * 15),
    }


@pytest.mark.parametrize("duration_s", [0.12, 0.4, 1.0])
@pytest.mark.parametrize("kind", ["white", "pink", "brown", "band", "burst"])
def test_noise_is_unpitched(kind, duration_s):
    for seed in range(8):
        noise = noises(np.random.default_rng(seed), int(duration_s * RATE))[kind]
        with pytest.raises(AudioFileError, match=r"^unpitched: "):
            detect_pitch((0.5 * noise / np.abs(noise).max()).astype(np.float32), RATE)


def test_a_glide_is_unpitched():
    time = np.arange(RATE) / RATE
    glide = 0.5 * np.sin(2 * np.pi * 200 * (2**time - 1) / np.log(2))
    with pytest.raises(AudioFileError, match="unpitched"):
        detect_pitch(glide.astype(np.float32), RATE)


def test_a_chord_is_unpitched():
    chord = sum(harmonic(key, SAW) for key in (60, 64, 67)) / 3
    with pytest.raises(AudioFileError, match="unpitched"):
        detect_pitch(chord.astype(np.float32), RATE)
