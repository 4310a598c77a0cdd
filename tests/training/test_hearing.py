"""Models of hearing: the recording itself is nearest, worse codecs are further, and levels and rates change nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soxr

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.training.measure.hearing import HEARING_RATE, hearing_distance
from tnca_synth.training.validation.anchors import (
    ANCHORS,
    OPUS_KBPS,
    anchors,
    opus_name,
    opus_rate,
    opus_text,
    through_opus,
)
from tnca_synth.training.validation.opinion import visqol_mos


@pytest.fixture(scope="module")
def note() -> FloatArray:
    """Return a second of twelve partials that fade, with a little noise."""
    time_s = np.arange(HEARING_RATE) / HEARING_RATE
    tone = sum(np.sin(2 * np.pi * 330.0 * h * time_s + h * h) / h for h in range(1, 13))
    noise = 0.02 * np.random.default_rng(3).standard_normal(len(time_s))
    return (0.1 * (tone + noise) * np.exp(-2.0 * time_s)).astype(np.float32)


def noisy(audio: FloatArray, level: float) -> FloatArray:
    return audio + (level * np.random.default_rng(5).standard_normal(len(audio))).astype(np.float32)


def test_a_recording_is_at_no_distance_from_itself_at_any_level(note: FloatArray) -> None:
    assert hearing_distance(note, 0.25 * note, HEARING_RATE) == pytest.approx(0.0, abs=1e-6)
    assert visqol_mos(note, 0.25 * note, HEARING_RATE) > 4.7


def test_more_noise_is_further(note: FloatArray) -> None:
    little, much = noisy(note, 0.003), noisy(note, 0.03)
    assert 0.0 < hearing_distance(note, little, HEARING_RATE) < hearing_distance(note, much, HEARING_RATE)
    assert visqol_mos(note, note, HEARING_RATE) > visqol_mos(note, much, HEARING_RATE)


def test_sounds_of_another_rate_are_judged_at_48_khz(note: FloatArray) -> None:
    other = noisy(note, 0.01)
    at_44 = [soxr.resample(one, HEARING_RATE, 44_100) for one in (note, other)]
    assert hearing_distance(*at_44, 44_100) == pytest.approx(hearing_distance(note, other, HEARING_RATE), rel=0.1)


def test_what_is_silent_or_very_short_gets_a_figure(note: FloatArray) -> None:
    silent = np.zeros_like(note)
    assert hearing_distance(note, silent, HEARING_RATE) > 0.01
    assert visqol_mos(note, silent, HEARING_RATE) == 1.0
    assert math.isnan(visqol_mos(silent, note, HEARING_RATE))
    assert hearing_distance(note[:10], note[:4], HEARING_RATE) >= 0.0


def test_anchors_are_as_long_as_the_recording_and_in_time_with_it(note: FloatArray) -> None:
    for name, audio in anchors(note).items():
        assert audio.shape == note.shape, name
        lag = np.argmax(np.correlate(audio[4800:14400], note[4800 + 96 : 14400 - 96], "valid")) - 96
        assert abs(lag) <= 2, name


def test_a_low_pass_keeps_what_is_below_and_nothing_above() -> None:
    noise = np.random.default_rng(1).standard_normal(HEARING_RATE).astype(np.float32)
    window = np.hanning(HEARING_RATE)
    filtered, whole = (np.abs(np.fft.rfft(window * one)) ** 2 for one in (anchors(noise)["low-pass 3.5 kHz"], noise))
    power = filtered / whole
    assert np.median(power[:3300]) == pytest.approx(1.0, abs=0.05)
    assert power[3300] > 0.5
    assert np.median(power[4000:]) < 1e-7


def test_a_higher_rate_of_opus_is_nearer(note: FloatArray) -> None:
    far, near = (hearing_distance(note, through_opus(note, kbps), HEARING_RATE) for kbps in (12, 48))
    assert 0.0 < near < 0.5 * far


def opus_means(distances: dict[int, float]) -> dict[str, float]:
    return {opus_name(kbps): distance for kbps, distance in distances.items()}


def test_the_rate_of_a_codec_is_read_between_the_anchors() -> None:
    means = opus_means({12: 0.008, 16: 0.004, 24: 0.002, 32: 0.001, 48: 0.0005})
    assert opus_rate(0.002, means) == pytest.approx(24.0)
    assert opus_rate(0.004 * math.sqrt(2.0), means) == pytest.approx(math.sqrt(12.0 * 16.0))
    assert opus_rate(0.009, means) == 0.0
    assert opus_rate(0.0004, means) == math.inf
    assert math.isnan(opus_rate(0.002, {}))


def test_a_rate_that_came_out_worse_than_a_lower_one_counts_as_that() -> None:
    means = opus_means({12: 0.008, 16: 0.004, 24: 0.002, 32: 0.003, 48: 0.0005})
    assert opus_rate(0.001, means) == pytest.approx(32.0 * math.sqrt(1.5))


def test_rates_outside_the_anchors_are_said_in_words() -> None:
    assert [opus_text(rate) for rate in (19.7, 0.0, math.inf, math.nan)] == ["20", "below 12", "above 48", "-"]


def test_every_anchor_has_its_name(note: FloatArray) -> None:
    assert tuple(anchors(note)) == ANCHORS
    assert {opus_name(kbps) for kbps in OPUS_KBPS} < set(ANCHORS)
