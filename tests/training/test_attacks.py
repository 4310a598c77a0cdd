"""Attacks measured on what a bank renders: envelopes that bring it back to its recordings, where ears do not mind."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.keys.stored.onsets import LENGTH_S, MOMENTS, STEP_S, coded, decoded, onset_db
from tnca_synth.training.correction.attacks import (
    decoded_db,
    is_no_worse,
    measured_envelope,
    with_envelope,
)
from tnca_synth.training.measure.attacks import level_window_s

pytestmark = pytest.mark.slow

RATE = 22_050
TRUE_DB = np.interp(np.arange(MOMENTS) * STEP_S, [0.0, 0.01, 0.03, 0.045], [-20.0, 6.0, -3.0, 0.0])


def noise(seed: int) -> FloatArray:
    audio = 0.2 * np.random.default_rng(seed).standard_normal(round(0.4 * RATE))
    return audio.astype(np.float32)


def pairs() -> list[tuple[FloatArray, FloatArray]]:
    """Return takes of noise, recorded with another attack than rendered."""
    return [(with_envelope(noise(2 * take), decoded_db(TRUE_DB), RATE), noise(2 * take + 1)) for take in range(24)]


def test_the_envelope_between_rendered_and_recorded_attacks_is_found() -> None:
    found = measured_envelope(pairs(), RATE, 2.0 * STEP_S)
    np.testing.assert_allclose(found[1:], TRUE_DB[1:], atol=1.5)
    assert found[0] < -12.0


def test_levels_after_the_attack_are_no_matter_of_it() -> None:
    louder = [(2.0 * recorded, rendered) for recorded, rendered in pairs()]
    np.testing.assert_allclose(
        measured_envelope(louder, RATE, 2.0 * STEP_S), measured_envelope(pairs(), RATE, 2.0 * STEP_S), atol=1e-3
    )


def test_codes_are_half_decibels_and_end_in_nothing() -> None:
    levels = decoded(coded(TRUE_DB))
    np.testing.assert_allclose(levels[:-1], TRUE_DB, atol=0.26)
    assert onset_db(levels, np.array([LENGTH_S, 1.0])).tolist() == [0.0, 0.0]


def test_an_envelope_that_takes_notes_away_from_their_recordings_is_left_out() -> None:
    recorded, rendered = pairs()[0]
    assert is_no_worse([(recorded, rendered)], decoded_db(TRUE_DB), RATE)
    assert not is_no_worse([(rendered, rendered)], decoded_db(np.full(MOMENTS, -30.0)), RATE)


def test_the_window_of_a_level_is_a_period_of_the_lowest_tone() -> None:
    time_s = np.arange(RATE) / RATE
    drum = sum(np.sin(2 * np.pi * hz * time_s) for hz in (80.0, 230.0, 1900.0)) * np.exp(-8.0 * time_s)
    assert level_window_s(drum, RATE, None) == pytest.approx(1.0 / 80.0, rel=0.25)
    assert level_window_s(drum, RATE, 69) == pytest.approx(1.0 / 440.0)
    assert level_window_s(drum, RATE, 120) == 0.001
