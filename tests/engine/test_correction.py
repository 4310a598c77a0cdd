"""Corrections of the slow course of levels, read from their table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tnca_synth.engine.keys.correction import CorrectionTable
from tnca_synth.engine.keys.motions import STILL
from tnca_synth.engine.keys.stored.correction_arrays import VELOCITY_STEPS, CorrectionArrays, coded_totals, step_at
from tnca_synth.errors import BankError

MOMENTS = np.array([0, 2, 6, 20])
HOP_S = 0.01
RANDOM = np.random.default_rng(5)


def arrays(keys: tuple[int, ...] = (60, 64), size: int = 7) -> CorrectionArrays:
    """Return corrections of two courses on some keys of one timbre."""
    return CorrectionArrays(
        field="linear",
        partials=3,
        moments=MOMENTS,
        courses=RANDOM.integers(-127, 128, (len(keys), len(MOMENTS), 2)).astype(np.int8),
        course_scale=np.full((len(keys), 2), 0.01, np.float32),
        shapes=RANDOM.integers(-127, 128, (len(keys), 2, size)).astype(np.int8),
        shape_scale=np.full((len(keys), 2), 0.01, np.float32),
        timbre=np.zeros(len(keys), np.int64),
        key=np.array(keys),
        names=("reed",),
    )


def rows(*motions: tuple[int, float]) -> np.ndarray:
    return np.array(motions, np.float64)


def read(table: CorrectionTable, motions: np.ndarray, ages_s: np.ndarray) -> np.ndarray:
    """Return corrections (T, V, N) of partials and bands."""
    rows, courses, _ = table.read(motions, ages_s)
    return np.einsum("tvcr,vcrn->tvn", courses, table.shapes[rows])


def at(*ages_s: float) -> np.ndarray:
    return np.array(ages_s)[:, None]


def test_at_the_moments_the_courses_themselves_are_read_and_lines_between() -> None:
    stored = arrays()
    table = CorrectionTable(stored, stored.owners, HOP_S)
    wanted = (stored.courses[1] * 0.01) @ (stored.shapes[1] * 0.01)
    found = read(table, rows((1, 1.0)), MOMENTS[:, None] * HOP_S)
    np.testing.assert_allclose(found[:, 0], wanted, atol=1e-5)
    between = read(table, rows((1, 1.0)), at(4 * HOP_S))
    np.testing.assert_allclose(between[0, 0], (wanted[1] + wanted[2]) / 2, atol=1e-5)


def test_after_the_last_moment_a_correction_stays_as_it_is_there() -> None:
    stored = arrays()
    table = CorrectionTable(stored, stored.owners, HOP_S)
    later = read(table, rows((0, 1.0)), at(0.2, 3.0, 600.0))
    last = (stored.courses[0, -1] * 0.01) @ (stored.shapes[0] * 0.01)
    assert np.abs(last).max() > 0.1  # not zero, which would be a jump
    np.testing.assert_allclose(later[0, 0], last, atol=1e-6)
    before, after = read(table, rows((0, 1.0)), at(0.2 - 1e-6, 0.2 + 1e-6))
    np.testing.assert_allclose(before, after, atol=1e-4)
    np.testing.assert_array_equal(later[0], later[1])
    np.testing.assert_array_equal(later[0], later[2])


def test_a_transposed_note_runs_through_its_courses_at_its_pace() -> None:
    stored = arrays()
    table = CorrectionTable(stored, stored.owners, HOP_S)
    faster, plain = read(table, rows((0, 1.5)), at(0.08)), read(table, rows((0, 1.0)), at(0.12))
    np.testing.assert_allclose(faster, plain, atol=1e-6)


def test_keys_are_found_by_timbre_and_key_and_others_need_no_correction() -> None:
    stored = arrays()
    table = CorrectionTable(stored, [("reed", 62), ("reed", 64), ("drum", 64)], HOP_S)
    own = CorrectionTable(stored, stored.owners, HOP_S)
    motions = rows((0, 1.0), (1, 1.0), (2, 1.0), tuple(STILL))
    found = read(table, motions, np.full((1, 4), 0.03))
    np.testing.assert_allclose(found[0, 1], read(own, rows((1, 1.0)), at(0.03))[0, 0], atol=1e-6)
    assert found[0, 1].any()
    assert not found[0, [0, 2, 3]].any()


def test_corrections_are_stored_and_read_back() -> None:
    stored = arrays()
    assert stored.to_bytes() == stored.to_bytes()
    found = CorrectionArrays.from_bytes(stored.to_bytes())
    assert (found.field, found.partials, found.names) == ("linear", 3, ("reed",))
    for name, value in vars(stored).items():
        np.testing.assert_array_equal(getattr(found, name), value)


@pytest.mark.parametrize("content", [b"", arrays().to_bytes()[:-40]])
def test_a_damaged_file_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(BankError, match="per-key correction cannot be read") as caught:
        CorrectionArrays.from_bytes(content)
    assert "\n" not in str(caught.value)


def test_where_the_growths_clock_has_stopped_courses_run_in_real_time() -> None:
    stored = replace(arrays(), clock_ends=np.array([6, 0]))
    table = CorrectionTable(stored, stored.owners, HOP_S)
    faster, plain = read(table, rows((0, 1.5)), at(0.04 + 0.07)), read(table, rows((0, 1.0)), at(0.06 + 0.07))
    np.testing.assert_allclose(faster, plain, atol=1e-6)
    others = read(table, rows((1, 1.5)), at(0.11)), read(table, rows((1, 1.0)), at(0.165))
    np.testing.assert_allclose(*others, atol=1e-6)
    with pytest.raises(ValueError, match="clock_ends of"):
        replace(stored, clock_ends=np.array([6]))


def test_total_levels_are_read_as_courses_are_and_are_not_known_of_others() -> None:
    level = np.array([[1.0, 2.0, 1.5, 0.5], [0.0] * 4])
    totals = coded_totals(level) * np.array([[1], [0]], np.uint8)
    stored = CorrectionArrays.from_bytes(replace(arrays(), totals=totals).to_bytes())
    table = CorrectionTable(stored, [*stored.owners, ("drum", 60)], HOP_S)
    motions = rows((0, 1.0), (1, 1.0), (2, 1.0), tuple(STILL))
    found = table.read(motions, np.array([[0.0] * 4, [0.01] * 4, [5.0] * 4])).totals
    np.testing.assert_allclose(found[:, 0], [[1.0, 1.0], [1.0, 1.5], [1.0, 0.5]], atol=1 / 128)
    assert not found[:, 1:].any()
    with pytest.raises(ValueError, match="total levels of"):
        replace(stored, totals=totals[:, :3])


def test_every_step_of_velocity_falls_by_the_rate_of_its_key() -> None:
    stored = replace(with_layers(), release_rates=np.array([[0, 0, 0], [445, 200, 100]], np.int16))
    table = CorrectionTable(stored, stored.owners, HOP_S)
    found = table.release_rates[table.rows]
    np.testing.assert_allclose(found, [[0.0] * 3] * (1 + VELOCITY_STEPS) + [[89.0, 40.0, 20.0]] * VELOCITY_STEPS)
    assert CorrectionArrays.from_bytes(stored.to_bytes()).to_bytes() == stored.to_bytes()
    assert not CorrectionArrays.from_bytes(with_layers().to_bytes()).release_rates.size


@pytest.mark.parametrize(
    "rates", [[[1, 1, 1]], [[1], [1]], [[0, 0, 0], [-1, 1, 1]], [[0, 0, 0], [1, 1, 30_001]], [[0, 0, 0], [0, 1, 1]]]
)
def test_rates_of_releases_that_do_not_fit_are_refused(rates: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="release_rates of"):
        replace(arrays(), release_rates=np.array(rates, np.int16))
    good = replace(arrays(), release_rates=np.ones((2, 3), np.int16))
    object.__setattr__(good, "release_rates", np.array(rates, np.int16))
    with pytest.raises(BankError, match="release_rates of"):
        CorrectionArrays.from_bytes(good.to_bytes())


def with_layers() -> CorrectionArrays:
    """Return corrections of two keys, of which the second was recorded in three layers."""
    stored = arrays()
    softer = RANDOM.integers(-127, 128, (2, 2, 2, len(MOMENTS))).astype(np.int8)
    softer[0] = 0
    return replace(stored, softer=softer, layers=np.array([[0, 0, 0], [112, 64, 24]]))


def test_notes_between_two_layers_lie_between_their_courses() -> None:
    stored = with_layers()
    table = CorrectionTable(stored, stored.owners, HOP_S)
    moment = MOMENTS[2] * HOP_S

    def found(key: int, velocity: float) -> np.ndarray:
        row = key * stored.steps + step_at(velocity / 127, stored.steps)
        return read(table, rows((row, 1.0)), at(moment))[0, 0]

    def layer(courses: np.ndarray) -> np.ndarray:
        return np.asarray((courses * 0.01) @ (stored.shapes[1] * 0.01))

    loud, middle, soft = (layer(one) for one in (stored.courses[1, 2], *stored.softer[1, :, :, 2]))
    np.testing.assert_allclose(found(1, 127), loud, atol=1e-5)
    np.testing.assert_allclose(found(1, 1), soft, atol=1e-5)
    share = (71.4375 - 64) / (112 - 64)  # the middle of the step from 63.5 to 79.4
    np.testing.assert_allclose(found(1, 70), middle + share * (loud - middle), atol=1e-5)
    np.testing.assert_array_equal(found(0, 1), found(0, 127))


def test_layers_survive_as_bytes_and_corrections_of_before_have_none() -> None:
    stored = with_layers()
    again = CorrectionArrays.from_bytes(stored.to_bytes())
    np.testing.assert_array_equal(again.softer, stored.softer)
    np.testing.assert_array_equal(again.layers, stored.layers)
    plain = CorrectionArrays.from_bytes(arrays().to_bytes())
    assert plain.steps == 1 and not plain.softer.size


@pytest.mark.parametrize(
    "changed",
    [
        {"softer": np.zeros((2, 2, 2, 3), np.int8)},
        {"layers": np.array([[112, 64], [112, 64]])},
        {"layers": np.array([[112, 64, 24], [64, 112, 0]])},
        {"layers": np.array([[112, 64, 24], [200, 112, 0]])},
        {"layers": np.zeros((0, 0), np.int64)},
        {"softer": np.zeros((0, 0, 0, 0), np.int8)},
    ],
)
def test_layers_that_do_not_fit_are_refused(changed: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="layers"):
        replace(with_layers(), **changed)  # type: ignore[arg-type]
