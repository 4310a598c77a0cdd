"""The clock of the output, from observations that are never punctual."""

import numpy as np

from tnca_synth.live.audio.clock import OutputClock

RATE, BLOCK = 48000, 128


def observe(clock, rng, duration_s, rate=RATE, begin_s=50.0, lost_s=0.0):
    """Observe callbacks up to 0.4 ms late; return the moments of blocks and their frames."""
    count = int(duration_s * rate / BLOCK)
    starts = begin_s + lost_s + np.arange(count) * BLOCK / rate
    frames = np.arange(count) * BLOCK
    for start, frame in zip(starts, frames, strict=True):
        clock.observe(start + rng.uniform(0.00002, 0.0004), int(frame) + BLOCK)
    return starts, frames


def test_lateness_of_the_observer_does_not_show():
    clock = OutputClock(RATE, BLOCK)
    starts, frames = observe(clock, np.random.default_rng(0), 5.0)
    errors = [clock.frame_at(start) - frame for start, frame in zip(starts[-300:], frames[-300:], strict=True)]
    assert max(map(abs, errors)) <= 2


def test_an_observer_may_be_late_by_nearly_a_block():
    """One punctual look in a quarter of a second is enough."""
    clock, rng = OutputClock(RATE, BLOCK), np.random.default_rng(0)
    for index in range(1000):
        late = 0.01 if index % 20 == 0 else rng.uniform(0.1, 0.95)
        clock.observe(50.0 + (index + late) * BLOCK / RATE, (index + 1) * BLOCK)
        if index > 20:
            assert abs(clock.frame_at(50.0 + index * BLOCK / RATE) - index * BLOCK) <= 2


def test_a_device_with_another_crystal_is_followed():
    for rate in (RATE * 1.0002, RATE * 0.9998):
        clock = OutputClock(RATE, BLOCK)
        starts, frames = observe(clock, np.random.default_rng(0), 60.0, rate)
        assert abs(clock.frame_at(starts[-1]) - frames[-1]) < 0.0006 * RATE


def test_time_that_the_device_lost_is_noticed():
    clock = OutputClock(RATE, BLOCK)
    rng = np.random.default_rng(0)
    starts, frames = observe(clock, rng, 3.0)
    gap_s = 0.02
    for index in range(1, 20):
        clock.observe(starts[-1] + gap_s + index * BLOCK / RATE + 0.0001, int(frames[-1]) + (index + 1) * BLOCK)
    now_s = starts[-1] + gap_s + 19 * BLOCK / RATE
    assert abs(clock.frame_at(now_s) - (frames[-1] + 19 * BLOCK)) < BLOCK / 2


def test_it_is_not_set_before_anything_was_taken():
    clock = OutputClock(RATE, BLOCK)
    clock.observe(1.0, 0)
    assert not clock.is_set


def test_a_little_time_that_the_device_lost_is_forgotten_soon():
    clock = OutputClock(RATE, BLOCK)
    rng = np.random.default_rng(0)
    starts, frames = observe(clock, rng, 3.0)
    late_s = 0.001
    for index in range(1, 200):
        clock.observe(starts[-1] + late_s + index * BLOCK / RATE + 0.0001, int(frames[-1]) + (index + 1) * BLOCK)
    now_s = starts[-1] + late_s + 199 * BLOCK / RATE
    assert abs(clock.frame_at(now_s) - (frames[-1] + 199 * BLOCK)) < 10
