"""Recordings that are held for longer than they were."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.training.correction.prolonged import prolonged
from tnca_synth.training.measure.recording import Recording

RATE = 8000


def recording(length_s: float, fall_db: float = 0.0, sustains: bool = True, hold_s: float | None = None) -> Recording:
    """Return noise that falls by some dB a second."""
    time_s = np.arange(round(length_s * RATE)) / RATE
    noise = np.random.default_rng(3).standard_normal(len(time_s))
    audio = (0.1 * noise * 10.0 ** (-fall_db * time_s / 20.0)).astype(np.float32)
    return Recording(audio, "mine", 60, 100, length_s if hold_s is None else hold_s, True, sustains)


def levels_db(audio: FloatArray, *at_s: float) -> np.ndarray:
    parts = [audio[round((at - 0.2) * RATE) : round((at + 0.2) * RATE)] for at in at_s]
    return np.array([10.0 * np.log10(np.mean(part.astype(np.float64) ** 2) + 1e-20) for part in parts])


def test_what_keeps_its_level_goes_on_at_it_without_a_gap() -> None:
    short = recording(2.0)
    held = prolonged(short, 12.5, RATE)
    assert len(held) == round(12.5 * RATE)
    begin = round(1.8 * RATE)  # from there on the loop is crossfaded
    np.testing.assert_array_equal(held[:begin], short.audio[:begin])
    np.testing.assert_allclose(levels_db(held, *np.arange(0.3, 12.2, 0.1)), -20.0, atol=1.0)


def test_what_fades_goes_on_fading_as_fast() -> None:
    held = prolonged(recording(3.0, fall_db=6.0, sustains=False), 12.5, RATE)
    np.testing.assert_allclose(levels_db(held, 5.0, 8.0, 12.0), [-20.0 - 6.0 * at for at in (5.0, 8.0, 12.0)], atol=3.0)


def test_what_has_faded_away_stays_silent() -> None:
    held = prolonged(recording(2.0, fall_db=60.0, sustains=False), 12.5, RATE)
    assert not held[round(2.0 * RATE) :].any() and held[:100].any()


def test_a_long_recording_is_taken_as_it_is() -> None:
    long = recording(14.0)
    np.testing.assert_array_equal(prolonged(long, 12.5, RATE), long.audio[: round(12.5 * RATE)])


@pytest.mark.parametrize("hold_s", [0.0, 0.2])
def test_what_was_hardly_held_tells_nothing(hold_s: float) -> None:
    assert not prolonged(recording(2.0, hold_s=hold_s), 12.5, RATE).any()
