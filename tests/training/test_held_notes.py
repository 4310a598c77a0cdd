"""What follows the notes that training heard is measured on long recordings, and is what is heard then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import own_files
import pytest
from own_files import SPEC

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.instrument_files import InstrumentFile, instrument_bytes, parse_instrument
from tnca_synth.engine.keys.apply import KeyApplier
from tnca_synth.engine.keys.motions import MotionTable
from tnca_synth.engine.keys.parts import correction_of, motions_of
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.models.growth_model import GrownHop
from tnca_synth.engine.models.interfaces import Genome, HopInputs
from tnca_synth.engine.spectra.pitch import pitch_to_hz
from tnca_synth.engine.spectra.stft import power_from_level
from tnca_synth.training.correction.correction import EASE_MOMENTS, MOMENTS, CourseSum
from tnca_synth.training.correction.held_notes import with_held_notes
from tnca_synth.training.correction.late_courses import (
    CLOCK_END_S,
    LAST_S,
    LATE_S,
    are_late,
    joined,
    measured_ends,
)

RATE = SPEC.sample_rate
TRAINED_S = 0.5
NAME = "made"


class Fading:
    """A growth whose levels fall with its clock, by some dB a second."""

    spec, steps_per_hop = SPEC, 1

    def __init__(self, fall_db: float = 0.0) -> None:
        self.fall = fall_db / SPEC.level_scale_db

    def plant(self, pitch: FloatArray, *_: FloatArray) -> Genome:
        return {"grid": np.zeros((len(pitch), SPEC.num_mels, 4), np.float32)}

    def level(self, age_s: np.ndarray) -> np.ndarray:
        return np.maximum(1.4 - self.fall * age_s, 0.0)

    def step(self, genome: Genome, hop: HopInputs) -> GrownHop:
        field = np.zeros((len(hop.age_s), 2, SPEC.num_bins), np.float32)
        field[:, 0] = self.level(hop.age_s)[:, None]
        return GrownHop(genome["grid"], {"linear": field}, np.ones(len(field), np.bool_))


class Recordings:
    """Tones that leap by some dB where training ends, or fall by so many a second for ever."""

    def __init__(self, leap_db: float = 0.0, fall_db: float = 0.0) -> None:
        self.leap_db, self.fall_db = leap_db, fall_db
        self.asked: set[int] = set()

    def __call__(self, key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
        self.asked.add(velocity)
        time_s = np.arange(round((hold_s + tail_s) * RATE)) / RATE
        tone = sum(0.02 * np.sin(2 * np.pi * float(pitch_to_hz(key)) * n * time_s) for n in (1, 2, 3))
        gain_db = np.where(time_s > TRAINED_S, self.leap_db, 0.0) - self.fall_db * time_s
        return (tone * 10.0 ** (gain_db / 20.0)).astype(np.float32)


def silence(key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
    return np.zeros(round((hold_s + tail_s) * RATE), np.float32)


@cache
def made() -> InstrumentFile:
    return own_files.made_instrument().renamed(NAME)


def correction(file: InstrumentFile) -> CorrectionArrays:
    found = correction_of(file.table, NAME)
    assert found is not None
    return found


def levels_db(file: InstrumentFile, growth: Fading, *ages_s: float, key: int = 60) -> np.ndarray:
    """Return how loud a key is at some ages, over what it is before training ends, in dB, as the engine sounds it."""
    first = np.linspace(0.5 * TRAINED_S, TRAINED_S, 9)
    found = _levels_db(file, growth, (*first, *ages_s), key)
    return found[len(first) :] - 10.0 * np.log10(np.mean(10.0 ** (found[: len(first)] / 10.0)))


def _levels_db(file: InstrumentFile, growth: Fading, ages_s: Sequence[float], key: int) -> np.ndarray:
    table = MotionTable(SPEC, motions_of(file.table, NAME), correction(file))
    motion = np.array([table.find(NAME, key)], np.float64)
    told_s = np.minimum(np.array(ages_s), table.clock_ends_s(motion)[0])
    field = np.zeros((1, len(ages_s), 2, SPEC.num_bins), np.float32)
    field[0, :, 0] = growth.level(told_s)[:, None]
    cents, stretch = (np.interp(key, file.table.tuned_keys, v) for v in (file.table.cents, file.table.inharmonicity))
    hz = np.full((1, len(ages_s)), float(pitch_to_hz(key + cents / 100.0)))
    corrections = table.corrections(motion, np.array(ages_s)[:, None])
    level = KeyApplier(SPEC, table).finish(
        {"linear": field}, corrections, np.zeros_like(hz), hz, np.array([float(stretch)])
    )["linear"][0, :, 0]
    return np.asarray(10.0 * np.log10(power_from_level(level, SPEC).astype(np.float64).sum(1) + 1e-12))


def test_a_held_note_comes_to_the_level_of_its_recording_and_keeps_it() -> None:
    growth = Fading()
    file = with_held_notes(made(), growth, Recordings(leap_db=-4.0))  # type: ignore[arg-type]
    found = levels_db(file, growth, 4.4, 6.0, 9.0, 12.0, 40.0, 600.0)
    np.testing.assert_allclose(found, -4.0, atol=0.3)


def test_a_recording_that_fades_goes_on_fading_beyond_what_was_measured() -> None:
    growth = Fading()
    file = with_held_notes(made(), growth, Recordings(fall_db=3.0))  # type: ignore[arg-type]
    ages_s = (5.0, 8.0, 11.0, 14.0)
    np.testing.assert_allclose(levels_db(file, growth, *ages_s), [-3.0 * (at - 0.38) for at in ages_s], atol=1.0)


@pytest.mark.parametrize("fall_db", [2.0, 12.0])
def test_a_growth_that_dies_sooner_than_its_recording_is_stopped_in_time(fall_db: float) -> None:
    growth = Fading(fall_db)
    file = with_held_notes(made(), growth, Recordings())  # type: ignore[arg-type]
    found = levels_db(file, growth, 4.5, 7.0, 12.0, 60.0)
    np.testing.assert_allclose(found, 0.0, atol=0.5)
    ends_s = correction(file).clock_ends * SPEC.hop_s
    assert ends_s == pytest.approx(CLOCK_END_S[0] if fall_db < 3.0 else ends_s, abs=SPEC.hop_s)
    assert ends_s.max() <= (4.01 if fall_db < 3.0 else 2.01)


def test_the_level_leaps_nowhere() -> None:
    growth = Fading(2.0)
    file = with_held_notes(made(), growth, Recordings())  # type: ignore[arg-type]
    found = levels_db(file, growth, *np.arange(3.8, 13.0, 0.05))
    assert np.abs(np.diff(found)).max() < 0.3 and np.ptp(found) < 1.0


def test_what_was_measured_before_stays_to_the_bit() -> None:
    old = correction(made())
    new = correction(with_held_notes(made(), Fading(), Recordings(leap_db=-4.0)))  # type: ignore[arg-type]
    rank = old.shapes.shape[1]
    for row, end in enumerate(measured_ends(old, SPEC)):
        np.testing.assert_array_equal(new.courses[row, : end + 1, :rank], old.courses[row, : end + 1])
        assert not new.courses[row, : end + 1, rank:].any()
    np.testing.assert_array_equal(new.shapes[:, :rank], old.shapes)
    np.testing.assert_array_equal(new.course_scale[:, :rank], old.course_scale)
    assert new.moments[-len(LATE_S) - 1 :].tolist() == [round(at / SPEC.hop_s) for at in (*LATE_S, LAST_S)]
    assert are_late(new, SPEC) and not are_late(old, SPEC)


def test_the_held_out_velocity_is_never_measured() -> None:
    recordings = Recordings()
    with_held_notes(made(), Fading(), recordings)  # type: ignore[arg-type]
    assert recordings.asked and 90 not in recordings.asked


def test_silent_recordings_are_left_alone() -> None:
    old, new = correction(made()), correction(with_held_notes(made(), Fading(), silence))  # type: ignore[arg-type]
    assert not new.clock_ends.any()
    assert (new.courses[:, -len(LATE_S) :, : old.shapes.shape[1]] == old.courses[:, -1:]).all()


def test_an_instrument_file_keeps_how_its_notes_go_on() -> None:
    file = with_held_notes(made(), Fading(), Recordings(leap_db=-4.0))  # type: ignore[arg-type]
    read = parse_instrument(instrument_bytes(file))
    assert correction(read).to_bytes() == correction(file).to_bytes() and correction(read).clock_ends.all()


def test_keys_of_others_repeat_their_last_moment_where_there_is_room_for_more() -> None:
    held = correction(with_held_notes(made(), Fading(), Recordings(leap_db=-4.0)))  # type: ignore[arg-type]
    old = correction(made())
    known = replace(
        old,
        **{
            name: np.concatenate([getattr(old, name)] * 2)
            for name in ("courses", "course_scale", "shapes", "shape_scale", "key")
        },
        timbre=np.repeat([0, 1], len(old.key)),
        names=(NAME, "other"),
        clock_ends=np.zeros(0, np.int64),
    )
    every, count = joined(known, [held], SPEC), len(old.key)
    np.testing.assert_array_equal(every.courses[:count], held.courses)
    np.testing.assert_array_equal(every.clock_ends, [*held.clock_ends, *[0] * count])
    rank = old.shapes.shape[1]
    assert (every.courses[count:, -len(LATE_S) :, :rank] == old.courses[:, -1:]).all()
    assert not every.courses[count:, :, rank:].any()


def test_what_training_knew_no_more_does_not_count_as_measured() -> None:
    old = correction(made())
    moments = np.arange(0, 24, 2)
    courses = np.random.default_rng(4).integers(-90, 90, (len(old.key), len(moments), 2)).astype(np.int8)
    courses[:, 9:] = courses[:, 8:9]  # one repeats its last moment
    line = np.linspace(courses[0, 3], [10, -20], EASE_MOMENTS + 1)
    courses[0, 3 : 4 + EASE_MOMENTS], courses[0, 4 + EASE_MOMENTS :] = np.round(line), [10, -20]
    known = replace(old, moments=moments, courses=courses)
    assert measured_ends(known, SPEC).tolist() == [3, *[8] * (len(old.key) - 1)]


def test_training_itself_ends_in_the_mean_of_the_sustained_part() -> None:
    """The last measured moment is one phase of a slow beat."""
    known = 20
    beat = np.sin(np.arange(known) * 0.9)[:, None] + 2.0
    measured = CourseSum(1)
    measured.add(beat.astype(np.float32), np.ones(1, np.float32))
    course = measured.mean(decays=False)[:, 0]
    sustained = beat[MOMENTS[:known] >= MOMENTS[known - 1] / 2].mean()
    np.testing.assert_allclose(course[:known], beat[:, 0], atol=1e-6)
    np.testing.assert_allclose(course[known + EASE_MOMENTS :], sustained, atol=1e-6)
    assert course[-1] == pytest.approx(sustained)
    assert measured.mean(decays=True)[-1, 0] == pytest.approx(beat[-1, 0])


def test_the_last_moment_lies_beyond_what_is_held_longest() -> None:
    assert MOMENTS[-1] * 256 / 22_050 > 4.0 + 0.2
    measured = CourseSum(1)
    measured.add(np.sin(np.arange(len(MOMENTS) - 1.0))[:, None].astype(np.float32), np.ones(1, np.float32))
    course = measured.mean(decays=False)[:, 0]
    assert course[-1] == pytest.approx(course[:-1][MOMENTS[:-1] >= MOMENTS[-2] / 2].mean(), abs=1e-6)


def test_what_has_come_to_rest_fades_no_further_however_much_it_fell_before() -> None:
    class Resting(Recordings):
        def __call__(self, key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
            audio = super().__call__(key, velocity, hold_s, tail_s)
            time_s = np.arange(len(audio)) / RATE
            gain_db = np.interp(time_s, [0.0, 6.0], [0.0, -20.0]) + 0.3 * np.sin(time_s)
            return (audio * 10.0 ** (gain_db / 20.0)).astype(np.float32)

    growth = Fading()
    file = with_held_notes(made(), growth, Resting())  # type: ignore[arg-type]
    late, later = levels_db(file, growth, 12.0, 60.0)
    assert late < -15.0 and abs(later - late) < 0.7
