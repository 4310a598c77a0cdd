"""What follows the notes that training heard: measured with a bank's own models, and heard in the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import CORRECTION, Bank
from tnca_synth.engine.bank.manifest import MANIFEST, parse_manifest
from tnca_synth.engine.keys.correction import CorrectionArrays, CorrectionTable
from tnca_synth.errors import UsageError
from tnca_synth.training.correction import held_notes
from tnca_synth.training.correction.correction import EASE_MOMENTS, MOMENTS, _Sum
from tnca_synth.training.correction.held_notes import (
    FOLLOWED_S,
    LATE_S,
    measured_ends,
    with_held_notes,
    with_mean_after,
)

pytestmark = pytest.mark.slow

HOP_S = tiny.SPEC.hop_s
LATER_DB = -2.5


class LouderLater:
    """A SoundFont whose recordings leap where training ends, or fade from 4 s on."""

    def __init__(self, change_db: float, falls: bool = False) -> None:
        self.change_db, self.falls = change_db, falls
        self.asked: set[int] = set()

    def render(self, program: int, key: int, velocity: int, hold_s: float, tail_s: float, drums: bool) -> FloatArray:
        self.asked.add(velocity)
        audio = tiny.recording(tiny.REED, key, velocity, hold_s).audio[: round(hold_s * tiny.SPEC.sample_rate)]
        time_s = np.arange(len(audio)) / tiny.SPEC.sample_rate
        fallen = np.clip(time_s - 4.0, 0.0, None) / 8.0
        gain_db = self.change_db * (fallen if self.falls else np.clip((time_s - 1.9) * 100.0, 0.0, 1.0))
        return (audio * 10.0 ** (gain_db / 20.0)).astype(np.float32)


def grown_steadily(_: object, notes: list[object]) -> np.ndarray:
    """Return what a growth gives that keeps its level, and needs no correction: powers (V, 2 + L, bins)."""
    return np.ones((len(notes), 2 + len(FOLLOWED_S), tiny.SPEC.num_bins))


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_notes, "_grown", grown_steadily)


@pytest.fixture
def measured(steady: None) -> dict[float, CorrectionArrays]:
    wanted = {LATER_DB: False, -24.0: True}
    return {
        change_db: with_held_notes(tiny.bank(), "dual", (tiny.REED, tiny.KIT), LouderLater(change_db, falls))  # type: ignore[arg-type]
        for change_db, falls in wanted.items()
    }


def before() -> CorrectionArrays:
    arrays: CorrectionArrays = CorrectionArrays.from_bytes(tiny.bank().models_of("dual")[CORRECTION])
    return arrays


def corrections_db(arrays: CorrectionArrays, owner: tuple[str, int], *ages_s: float) -> np.ndarray:
    """Return the correction of the first partials of a key in dB, (T, 3)."""
    table = CorrectionTable(arrays, [owner], HOP_S)
    rows, courses = table.read(np.array([[0.0, 1.0]]), np.array(ages_s)[:, None])
    level = np.einsum("tcr,crn->tn", courses[:, 0], table.shapes[rows[0]])
    return np.asarray(level[:, :3] * tiny.SPEC.level_scale_db)


def test_what_was_measured_before_stays_to_the_bit(measured: dict[float, CorrectionArrays]) -> None:
    old, new = before(), measured[LATER_DB]
    rank = old.shapes.shape[1]
    for row, end in enumerate(measured_ends(old, tiny.SPEC)):
        np.testing.assert_array_equal(new.courses[row, : end + 1, :rank], old.courses[row, : end + 1])
        assert not new.courses[row, : end + 1, rank:].any()
    np.testing.assert_array_equal(new.shapes[:, :rank], old.shapes)
    np.testing.assert_array_equal(new.course_scale[:, :rank], old.course_scale)


def test_it_is_the_difference_to_the_recording_that_follows(measured: dict[float, CorrectionArrays]) -> None:
    louder = corrections_db(measured[LATER_DB], ("reed", 60), 6.0, 9.0, 12.0, 600.0)
    np.testing.assert_allclose(louder, LATER_DB, atol=0.5)


def test_a_recording_that_fades_goes_on_fading(measured: dict[float, CorrectionArrays]) -> None:
    found = corrections_db(measured[-24.0], ("reed", 60), 5.0, 8.0, 11.0)
    np.testing.assert_allclose(found, [[-3.0], [-12.0], [-21.0]] * np.ones((1, 3)), atol=1.5)


def test_it_eases_there_and_then_stays(measured: dict[float, CorrectionArrays]) -> None:
    arrays = measured[LATER_DB]
    assert arrays.moments[-len(LATE_S) :].tolist() == [round(at / HOP_S) for at in LATE_S]
    for row, (owner, end) in enumerate(zip(arrays.owners, measured_ends(before(), tiny.SPEC), strict=True)):
        end_s = float(arrays.moments[end]) * HOP_S
        times = np.linspace(end_s, end_s + 0.6, 60)
        steps = np.abs(np.diff(corrections_db(arrays, owner, *times), axis=0))
        assert steps.max() < 1.5, (owner, row)


def test_kits_and_what_is_not_listed_keep_their_last_moment(measured: dict[float, CorrectionArrays]) -> None:
    old, new = before(), measured[LATER_DB]
    for row, (name, _) in enumerate(old.owners):
        if name != "reed":
            assert (new.courses[row, -len(LATE_S) :, : old.shapes.shape[1]] == old.courses[row, -1]).all()


def test_the_held_out_velocity_is_never_measured() -> None:
    font = LouderLater(0.0)
    with_held_notes(tiny.bank(), "dual", (tiny.REED,), font)  # type: ignore[arg-type]
    assert font.asked and 90 not in font.asked


def test_it_is_done_once(measured: dict[float, CorrectionArrays]) -> None:
    """What is eased shows no more where training ended."""
    files = {**tiny.bank_files(), "dual.correction.npz": measured[LATER_DB].to_bytes()}
    bank = Bank(parse_manifest(files[MANIFEST]), files)
    with pytest.raises(UsageError, match="held notes of dual are in the bank already"):
        with_held_notes(bank, "dual", (tiny.REED,), LouderLater(LATER_DB))  # type: ignore[arg-type]
    assert with_mean_after(measured[LATER_DB], tiny.SPEC, frozenset()) is measured[LATER_DB]


def test_training_itself_ends_in_the_mean_of_the_sustained_part() -> None:
    """The last measured moment is one phase of a slow beat."""
    known = 20
    beat = np.sin(np.arange(known) * 0.9)[:, None] + 2.0
    measured = _Sum(1)
    measured.add(beat.astype(np.float32), np.ones(1, np.float32))
    course = measured.mean(decays=False)[:, 0]
    sustained = beat[MOMENTS[:known] >= MOMENTS[known - 1] / 2].mean()
    np.testing.assert_allclose(course[:known], beat[:, 0], atol=1e-6)
    np.testing.assert_allclose(course[known + EASE_MOMENTS :], sustained, atol=1e-6)
    assert course[-1] == pytest.approx(sustained)
    assert measured.mean(decays=True)[-1, 0] == pytest.approx(beat[-1, 0])


def test_the_last_moment_lies_beyond_what_is_held_longest() -> None:
    assert MOMENTS[-1] * 256 / 22_050 > 4.0 + 0.2
    measured = _Sum(1)
    measured.add(np.sin(np.arange(len(MOMENTS) - 1.0))[:, None].astype(np.float32), np.ones(1, np.float32))
    course = measured.mean(decays=False)[:, 0]
    assert course[-1] == pytest.approx(course[:-1][MOMENTS[:-1] >= MOMENTS[-2] / 2].mean(), abs=1e-6)


def test_what_is_grown_is_heard_with_corrections_in_the_reference_and_bare_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(held_notes, "HELD_S", 2.4)
    monkeypatch.setattr(held_notes, "FOLLOWED_S", (1.0, 2.0))
    growth, arrays = tiny.bank().growth_model("dual", "cpu"), before()
    notes = list(held_notes._notes_of(tiny.REED, tiny.bank(), growth, arrays, measured_ends(arrays, tiny.SPEC)))
    power = held_notes._grown(growth, notes)
    assert power.shape == (len(notes), 4, tiny.SPEC.num_bins) and np.isfinite(power).all() and power.any(2).all()
    bare = tiny.bank().growth_model("dual", "cpu")
    bare.motions.corrections = lambda *_: None  # type: ignore[method-assign]
    plain = held_notes._grown(bare, notes)
    np.testing.assert_array_equal(power[:, 1:], plain[:, 1:])
    assert not np.allclose(power[:, 0], plain[:, 0], rtol=0.05)


def test_silent_recordings_are_left_alone() -> None:
    class Silent(LouderLater):
        def render(self, *arguments: object, **named: object) -> FloatArray:  # type: ignore[override]
            return np.zeros(round(held_notes.HELD_S * tiny.SPEC.sample_rate), np.float32)

    new = with_held_notes(tiny.bank(), "dual", (replace(tiny.REED),), Silent(0.0))  # type: ignore[arg-type]
    old = before()
    assert (new.courses[:, -len(LATE_S) :, : old.shapes.shape[1]] == old.courses[:, -1:]).all()
