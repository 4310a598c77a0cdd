"""The clocks of notes: their speeds, and where they change."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.modulation.channel import Control
from tnca_synth.engine.modulation.envelope_clocks import read_clocks
from tnca_synth.midi import messages as midi

from .fakes import HOP, RATE, FakeGrowth, make_synth
from .listening import note, perform

HOP_S = HOP / RATE
NUM_CONTROLS = max(int(one) for one in Control) + 1


def clocks(hops: int, held: float, release_speed: float = 1.0, **speeds: float):  # type: ignore[no-untyped-def]
    frames = np.arange(hops, dtype=np.int64)[:, None]
    controls = np.ones((hops, 1, NUM_CONTROLS))
    for name, value in speeds.items():
        controls[..., Control[name.upper()]] = value
    none = np.zeros(1)
    pace = (controls, none, none, np.array([release_speed]))
    return read_clocks(frames, frames * HOP, np.array([held]), pace, HOP, RATE)


@pytest.mark.parametrize("speed", [0.25, 2.0, 4.0])
def test_the_release_clock_begins_at_0_and_gains_from_there_alone(speed: float) -> None:
    released_at = 10 * HOP + 57  # in the midst of a hop
    read = clocks(40, released_at, release=speed)
    since_s = np.arange(40) * HOP_S - released_at / RATE
    assert (read.release_age_s[:11, 0] == -1.0).all()
    assert (read.release_lead_s[:11, 0] == 0.0).all()
    expected = since_s[11:] * speed
    np.testing.assert_allclose(read.release_age_s[11:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_the_lead_of_a_hop_is_that_of_a_hop_and_no_more(speed: float) -> None:
    read = clocks(60, 5.0 * HOP, release_speed=speed)
    gains = np.diff(read.release_lead_s[6:, 0])
    np.testing.assert_allclose(gains, (speed - 1.0) * HOP_S, atol=1e-12)


def test_attack_time_holds_for_a_tenth_of_a_second() -> None:
    slow = clocks(60, 1e9, attack=0.25)
    ages = slow.age_s[:, 0]
    speeds = np.diff(ages) / HOP_S
    hop_times = np.arange(59) * HOP_S
    np.testing.assert_allclose(speeds[hop_times < 0.1], 0.25, atol=1e-3)
    np.testing.assert_allclose(speeds[hop_times >= 0.1], 1.0, atol=1e-3)


def test_decay_time_holds_from_there_on() -> None:
    speeds = np.diff(clocks(60, 1e9, decay=4.0).age_s[:, 0]) / HOP_S
    hop_times = np.arange(59) * HOP_S
    np.testing.assert_allclose(speeds[hop_times < 0.1], 1.0, atol=1e-3)
    np.testing.assert_allclose(speeds[hop_times >= 0.1], 4.0, atol=1e-3)


def test_a_note_plays_its_attack_slowly_for_as_long_and_no_longer() -> None:
    growth = FakeGrowth()
    perform(make_synth(growth), [(0.0, midi.control_change(0, 73, 127)), *note(60, 0.01)], 0.6)
    ages = np.array([age[0] for age in growth.ages_s])
    speeds = np.diff(ages) / HOP_S
    slow = np.count_nonzero(speeds < 0.5)
    assert 0.1 / HOP_S - 1 <= slow <= 0.1 / HOP_S + 2
    assert speeds[0] == pytest.approx(0.25, abs=1e-3) and speeds[-1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("velocity", "speed"), [(127, 2.0), (64, 1.0), (0, 1.0), (1, 0.5), (95, 2.0 ** (31 / 63))])
def test_a_key_let_go_of_fast_releases_up_to_twice_as_fast(velocity: int, speed: float) -> None:
    growth = FakeGrowth(release_factor=0.99)
    synth = make_synth(growth)
    synth.send(midi.note_on(0, 60, 100), 0)
    synth.send(midi.note_off(0, 60, velocity), 2000)
    synth.render(10000)
    ages = [float(age[0]) for age in growth.release_ages_s if age[0] >= 0.0]
    assert np.diff(ages) == pytest.approx(speed * HOP_S, rel=1e-3)


def test_the_first_release_of_a_note_is_the_one_that_counts() -> None:
    """A second release of the same note must neither begin it anew nor change its speed."""

    def release_ages(*more: bytes) -> list[float]:
        growth = FakeGrowth(release_factor=0.99)
        synth = make_synth(growth)
        synth.send(midi.note_on(0, 60, 100), 0)
        synth.send(midi.note_off(0, 60, 127), 2000)
        for message in more:
            synth.send(message, 6000)
        synth.render(12000)
        return [float(age[0]) for age in growth.release_ages_s]

    once = release_ages()
    conductor_twice = release_ages_twice()
    assert once == pytest.approx(conductor_twice)
    assert once == release_ages(midi.note_off(0, 60, 1))


def release_ages_twice() -> list[float]:
    """As above, but the release arrives twice at the sequencer itself, as from two pedals."""
    from tnca_synth.midi.commands import NoteRelease

    growth = FakeGrowth(release_factor=0.99)
    synth = make_synth(growth)
    synth.send(midi.note_on(0, 60, 100), 0)
    synth.send(midi.note_off(0, 60, 127), 2000)
    synth.render(6000)
    synth._sequencer._carry_out(6000, NoteRelease(1, 1))
    synth.render(6000)
    return [float(age[0]) for age in growth.release_ages_s]


def test_clocks_of_a_successor_never_lie_before_their_beginning() -> None:
    """Their leads are reckoned back, by more than there has been: a model that is told of such a time runs away."""
    frames = np.arange(6, dtype=np.int64)[:, None]
    pace = (np.ones((6, 1, NUM_CONTROLS)), np.array([-0.05]), np.array([-0.03]), np.ones(1))
    read = read_clocks(frames, frames * HOP, np.array([2.0 * HOP]), pace, HOP, RATE)
    np.testing.assert_allclose(read.age_s[:, 0], np.maximum(np.arange(6) * HOP_S - 0.05, 0.0), atol=1e-6)
    np.testing.assert_allclose(read.release_age_s[2:, 0], np.maximum(np.arange(4) * HOP_S - 0.03, 0.0), atol=1e-6)
