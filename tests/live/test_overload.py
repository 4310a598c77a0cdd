"""How polyphony gives way and returns."""

from tnca_synth.live.overload import Governor


def run(governor, load, begin_s, duration_s, voices, underruns=0):
    limits = []
    for step in range(int(duration_s / 0.01)):
        limit = governor.observe(begin_s + 0.01 * step, load, underruns, min(voices, governor.limit))
        limits += [] if limit is None else [limit]
    return limits


def test_it_leaves_a_calm_synth_alone():
    assert run(Governor(64), 0.5, 0.0, 10.0, 64) == []


def test_it_steps_down_until_the_load_is_bearable_but_never_to_nothing():
    limits = run(Governor(64), 0.95, 1.0, 20.0, 64)
    assert limits[:3] == [51, 41, 33]
    assert limits[-1] == 4
    assert limits == sorted(limits, reverse=True)


def test_an_underrun_under_some_load_counts_as_overload_and_one_from_outside_does_not():
    busy, idle = Governor(64), Governor(64)
    run(busy, 0.8, 1.0, 1.0, 40)
    run(idle, 0.1, 1.0, 1.0, 40)
    assert busy.observe(2.0, 0.8, 1, 40) == 32
    assert idle.observe(2.0, 0.1, 1, 40) is None


def test_it_steps_up_again_slowly_and_no_further_than_allowed():
    governor = Governor(64)
    run(governor, 0.95, 1.0, 5.0, 64)
    limits = run(governor, 0.3, 6.0, 60.0, 3)
    assert limits == sorted(limits) and limits[-1] == 64
