"""The limiter's figures: where it holds the level, and how fast it lets go."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.mix.limiter import Limiter

RATE = 48000
QUIET = 0.25


def limited(level: FloatArray, block_size: int = 4096) -> FloatArray:
    """Return what becomes of a level (N,) on both sides, in time with it."""
    limiter = Limiter(RATE)
    ahead = limiter.look_ahead_frames
    line = np.tile(np.pad(level, (0, ahead)).astype(np.float32), (2, 1))
    out = [limiter.process(line[:, start : start + block_size]) for start in range(0, line.shape[1], block_size)]
    return np.concatenate(out, axis=1)[:, ahead:]


@pytest.mark.parametrize("level", [1.0, 1.5, 20.0])
def test_the_ceiling_is_a_tenth_of_a_decibel_below_full_scale(level: float) -> None:
    sine = level * np.sin(2 * np.pi * 997 * np.arange(RATE // 2) / RATE)
    peak_db = 20 * np.log10(np.abs(limited(sine)).max())
    assert peak_db == pytest.approx(-0.1, abs=0.005)
    assert peak_db <= -0.1 + 1e-4


def test_what_stays_below_the_ceiling_passes_unchanged() -> None:
    sine = (0.988 * np.sin(2 * np.pi * 997 * np.arange(RATE // 2) / RATE)).astype(np.float32)
    np.testing.assert_array_equal(limited(sine)[0], sine)


@pytest.mark.parametrize("block_size", [64, 4096])
def test_it_lets_go_by_60_decibels_a_second(block_size: int) -> None:
    level = np.full(RATE // 2, QUIET)
    level[1000:1480] = 4.0  # 12.14 dB above the ceiling, for 10 ms
    gain_db = 20 * np.log10(limited(level, block_size)[0] / QUIET)
    over_db = 20 * np.log10(4.0) + 0.1
    for after_s in (0.02, 0.1, 0.15):
        frame = 1480 + round(after_s * RATE)
        assert gain_db[frame] == pytest.approx(60.0 * after_s - over_db, abs=0.1)
    assert gain_db[1480 + round(0.21 * RATE) :].max() == gain_db[1480 + round(0.21 * RATE) :].min() == 0.0


def test_it_sees_what_comes_half_a_millisecond_ahead() -> None:
    level = np.full(4000, QUIET)
    level[2000] = 4.0
    gain = limited(level)[0] / QUIET
    turned_down = np.flatnonzero(gain[:2000] < 1.0)
    assert 2000 - turned_down[0] == pytest.approx(0.0005 * RATE, abs=1)
