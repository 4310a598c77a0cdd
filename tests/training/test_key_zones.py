"""Motions of several keys that are told by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.keys.stored.table import MAX_PACE
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.transpose import transposed
from tnca_synth.training.measure.zones import Measured, number_takes, share

pytestmark = pytest.mark.slow

SPEC = AudioSpec()
COUNT = 160
LOOP = 40.0
COURSES = 3


def motion(seed: int) -> Measured:
    """Return a motion that swings slowly, each course and band in its own way."""
    rng = np.random.default_rng(seed)
    time = np.arange(COUNT)[:, None]
    courses = np.sin(2 * np.pi * (rng.integers(1, 6, COURSES) * time / LOOP + rng.random(COURSES)))
    bands = np.linspace(0.0, 2 * np.pi, SPEC.num_mels)
    shapes = 0.1 * np.sin(rng.integers(1, 4, COURSES)[:, None] * bands + rng.random((COURSES, 1)))
    sway = 0.05 * np.sin(2 * np.pi * time[:, 0] / LOOP)
    loud = np.ones(SPEC.num_mels, np.float32)
    return Measured(sway.astype(np.float32), courses.astype(np.float32), shapes.astype(np.float32), LOOP, loud)


def played(one: Measured, semitones: float, pace: float) -> Measured:
    """Return a motion as it is when its recording is transposed and runs at a pace."""
    at = np.arange(COUNT) * pace
    at = np.where(at > COUNT - 1, at - np.ceil((at - COUNT + 1) / LOOP) * LOOP, at)

    def read(values: FloatArray) -> FloatArray:
        return np.interp(at, np.arange(COUNT), values).astype(np.float32)

    return replace(
        one,
        sway=read(one.sway),
        courses=np.stack([read(course) for course in one.courses.T], 1),
        shapes=transposed(one.shapes, SPEC, 2 ** (semitones / 12)),
        loop=LOOP / pace,
    )


def sampled(*keys: int) -> list[Measured]:
    """Return motions of keys that are played from one recording of key 60."""
    return [played(motion(1), key - 60, 2 ** ((key - 60) / 12)) for key in keys]


def owners(*keys: int, name: str = "pad") -> list[tuple[str, int]]:
    return [(name, key) for key in keys]


def test_keys_at_both_ends_of_a_piano_share_a_motion_at_a_pace_that_files_may_have() -> None:
    still = replace(motion(1), sway=np.zeros(COUNT, np.float32), courses=np.zeros((COUNT, COURSES), np.float32))
    shared = share(owners(21, 108), [still, still], SPEC)
    assert len(shared.source) == 1
    assert 1.0 < shared.pace.max() <= MAX_PACE


def test_keys_of_one_recording_need_one_motion_at_their_paces() -> None:
    shared = share(owners(60, 61, 62, 64), sampled(60, 61, 62, 64), SPEC)
    assert len(shared.source) == 1
    key = (60, 61, 62, 64)[shared.source[0]]
    assert shared.motion.tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(shared.pace, [2 ** ((other - key) / 12) for other in (60, 61, 62, 64)], rtol=1e-6)


def test_what_an_oscillator_moves_on_all_keys_keeps_its_pace() -> None:
    alike = [played(motion(1), key - 60, 1.0) for key in (60, 63, 66)]
    shared = share(owners(60, 63, 66), alike, SPEC)
    assert len(shared.source) == 1
    assert shared.pace.tolist() == [1.0, 1.0, 1.0]


def test_keys_that_move_in_ways_of_their_own_keep_their_motions() -> None:
    shared = share(owners(60, 61, 62), [motion(1), motion(2), motion(3)], SPEC)
    assert shared.source.tolist() == [0, 1, 2]
    assert shared.motion.tolist() == [0, 1, 2]
    assert shared.pace.tolist() == [1.0, 1.0, 1.0]


def test_timbres_share_nothing() -> None:
    shared = share([*owners(60, 61), *owners(60, name="reed")], sampled(60, 61, 60), SPEC)
    assert shared.motion.tolist() == [0, 0, 1]
    assert shared.source[1] == 2


def test_recordings_are_numbered_from_border_to_border() -> None:
    measured = [*sampled(60, 61), motion(2), played(motion(2), 1, 2 ** (1 / 12)), motion(2)]
    of = [*owners(60, 61, 63, 64), *owners(60, name="reed")]
    assert number_takes(of, measured, SPEC).tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("still", [[0], [0, 1]])
def test_what_does_not_move_is_told_by_what_does_not_move(still: list[int]) -> None:
    measured = sampled(60, 61)
    for row in still:
        measured[row] = replace(measured[row], sway=0 * measured[row].sway, courses=0 * measured[row].courses)
    assert len(share(owners(60, 61), measured, SPEC).source) == (1 if len(still) == 2 else 2)
