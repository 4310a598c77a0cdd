"""How polyphony gives way and returns."""

import pytest

from tnca_synth.live.producer.polyphony_governor import LoadMeter, PolyphonyGovernor


def run(governor, load, begin_s, duration_s, voices, underruns=0):
    limits = []
    for step in range(int(duration_s / 0.01)):
        limit = governor.observe(begin_s + 0.01 * step, load, underruns, min(voices, governor.limit))
        limits += [] if limit is None else [limit]
    return limits


def test_it_leaves_a_calm_synth_alone():
    assert run(PolyphonyGovernor(64), 0.5, 0.0, 10.0, 64) == []


def test_it_steps_down_until_the_load_is_bearable_but_never_to_nothing():
    limits = run(PolyphonyGovernor(64), 0.95, 1.0, 20.0, 64)
    assert limits[:3] == [51, 41, 33]
    assert limits[-1] == 4
    assert limits == sorted(limits, reverse=True)


def test_an_underrun_under_some_load_counts_as_overload_and_one_from_outside_does_not():
    busy, idle = PolyphonyGovernor(64), PolyphonyGovernor(64)
    run(busy, 0.8, 1.0, 1.0, 40)
    run(idle, 0.1, 1.0, 1.0, 40)
    assert busy.observe(2.0, 0.8, 1, 40) == 32
    assert idle.observe(2.0, 0.1, 1, 40) is None


def test_it_steps_up_again_slowly_and_no_further_than_allowed():
    governor = PolyphonyGovernor(64)
    run(governor, 0.95, 1.0, 5.0, 64)
    limits = run(governor, 0.3, 6.0, 60.0, 3)
    assert limits == [6, 9, 12, 16, 21, 27, 35, 45, 57, 64], "a quarter more each time, and one"


def test_each_step_up_takes_three_seconds_of_calm():
    governor = PolyphonyGovernor(64)
    assert governor.observe(1.0, 0.95, 0, 20) == 16
    assert governor.observe(3.9, 0.3, 0, 10) is None
    assert governor.observe(4.1, 0.3, 0, 10) == 21
    assert governor.observe(7.0, 0.3, 0, 10) is None
    assert governor.observe(7.05, 0.7, 0, 10) is None, "busy again: the three seconds begin anew"
    assert governor.observe(10.0, 0.3, 0, 10) is None
    assert governor.observe(10.1, 0.3, 0, 10) == 27


def test_each_step_down_waits_for_the_last_one_to_be_felt():
    governor = PolyphonyGovernor(64)
    assert governor.observe(1.0, 0.95, 0, 60) == 48
    assert governor.observe(1.29, 0.95, 0, 48) is None
    assert governor.observe(1.31, 0.95, 0, 48) == 38


def test_the_load_of_a_steady_producer_is_its_share_and_one_block_hardly_moves_it():
    meter = LoadMeter()
    for _ in range(1000):
        meter.observe(0.5 * 0.0027, 0.0027)
    assert meter.load == pytest.approx(0.5, abs=0.01)
    meter.observe(60.0, 0.0027)
    assert 0.55 < meter.load < 0.62
