"""Models of hearing: the recording itself is nearest, worse codecs are further, and levels and rates change nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soxr

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.training.measure.hearing import HEARING_RATE, hearing_distance, opus_rate, visqol_mos


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


def test_the_rate_of_a_codec_is_read_between_the_anchors() -> None:
    anchors = {12: 0.008, 24: 0.002, 48: 0.0005}
    assert opus_rate(0.002, anchors) == pytest.approx(24.0)
    assert opus_rate(0.004, anchors) == pytest.approx(12.0 * math.sqrt(2.0))
    assert opus_rate(0.009, anchors) == 0.0
    assert opus_rate(0.0004, anchors) == math.inf


def test_a_rate_that_came_out_worse_than_a_lower_one_counts_as_that() -> None:
    assert opus_rate(0.002, {12: 0.008, 24: 0.002, 32: 0.003, 48: 0.0005}) == pytest.approx(32.0, abs=9.0)
