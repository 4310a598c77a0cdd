"""Motions measured from notes: what is detail, what repeats, what is alike."""

from __future__ import annotations

import numpy as np
import pytest
import tiny

from tnca_synth.engine.keys.motions import MotionTable
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.transpose import transposed
from tnca_synth.training.measure.motions import (
    CODE_RANGE,
    FRAMES_PER_CODE,
    measure_motion,
    measure_motions,
    rounded,
    smooth_course,
    steps,
)
from tnca_synth.training.measure.note_features import NoteFeatures

pytestmark = pytest.mark.slow

SPEC = AudioSpec()
FRAMES = 340
RATE_HZ = 1.0 / (SPEC.hop_s * FRAMES_PER_CODE)


def levels(rate_hz: float = 5.0, depth: float = 0.1, drift: float = 0.0) -> np.ndarray:
    """Return mel levels (FRAMES, 80) that rise in the attack, then beat, each band in its own phase."""
    time_s = np.arange(FRAMES)[:, None] * SPEC.hop_s
    phase = np.linspace(0.0, 2.0 * np.pi, SPEC.num_mels)
    swell = depth * np.sin(2 * np.pi * rate_hz * time_s + phase)
    return (1.5 * (1.0 - np.exp(-time_s / 0.03)) - drift * time_s + swell).astype(np.float32)


def test_the_smooth_course_keeps_attacks_and_loses_beats() -> None:
    course = smooth_course(levels())
    assert np.array_equal(course[0], levels()[0])
    assert np.abs(course[:6] - levels()[:6]).max() < 0.2
    assert np.abs(np.diff(course[60:-40], axis=0)).max() < 0.25 * np.abs(np.diff(levels()[60:-40], axis=0)).max()


def test_course_and_detail_are_the_recording_again() -> None:
    recorded = levels()
    measured = measure_motion(recorded, np.zeros(FRAMES, np.float32), SPEC, decays=False)
    again = smooth_course(recorded)[::FRAMES_PER_CODE] + measured.detail
    middle = slice(20, len(again) - 20)
    assert np.abs(again - recorded[::FRAMES_PER_CODE])[middle].max() < 0.01


def test_what_repeats_is_found_and_loops_without_a_seam() -> None:
    sway = (0.2 * np.sin(2 * np.pi * 5.0 * np.arange(FRAMES) * SPEC.hop_s)).astype(np.float32)
    measured = measure_motion(levels(5.0), sway, SPEC, decays=False)
    turns = measured.loop / RATE_HZ * 5.0
    assert abs(turns - round(turns)) < 0.06
    assert round(turns) >= 1


def test_what_never_repeats_is_faded_into_its_own_past() -> None:
    noise = np.random.default_rng(0).standard_normal((FRAMES, SPEC.num_mels)).astype(np.float32)
    measured = measure_motion(levels(depth=0.0) + 0.1 * noise, np.zeros(FRAMES, np.float32), SPEC, decays=False)
    assert measured.loop > 20
    first = len(measured.courses) - 1 - int(measured.loop)
    np.testing.assert_allclose(measured.courses[-1], measured.courses[first], atol=1e-5)


def test_what_decays_comes_to_rest() -> None:
    measured = measure_motion(levels(drift=0.3), np.zeros(FRAMES, np.float32), SPEC, decays=True)
    assert measured.loop == 0.0
    assert not measured.courses[-1].any()
    assert np.abs(measured.courses[40]).max() > 0.01


def test_only_what_training_may_hear_is_measured() -> None:
    arrays = tiny.notes().motion_arrays
    recorded = {(arrays.names[t], int(k)) for t, k in zip(arrays.timbre, arrays.key, strict=True)}
    assert ("reed", 60) in recorded and ("kit:35", 35) in recorded
    assert not any(name in ("reed", "string") and key % 4 == 3 for name, key in recorded)
    heard = {(note.instrument, note.pitch) for note in tiny.notes().features if not note.held_out}
    assert recorded == heard


def test_keys_of_one_recording_move_alike_and_others_do_not() -> None:
    arrays = measure_motions(played_keys(), SPEC, ())
    assert arrays.key.tolist() == [60, 61, 64]
    assert arrays.take.tolist() == [0, 0, 1]
    table = MotionTable(SPEC, arrays)
    assert [table.heard_key("pad", key) for key in (62, 63)] == [64.0, 64.0]  # which serves one key so far


def played_keys() -> list[NoteFeatures]:
    """Return a sampled pad: keys 60 and 61 from one recording, 64 from another."""
    rng = np.random.default_rng(1)
    kernel = np.hanning(31) / np.hanning(31).sum()

    def recording() -> np.ndarray:
        rough = rng.standard_normal((FRAMES + 60, SPEC.num_mels))
        return 0.6 * np.apply_along_axis(
            lambda band: np.convolve(band, kernel[::6] / kernel[::6].sum(), "same"), 0, rough
        )

    one, other = recording(), recording()
    pace = 2.0 ** (1 / 12)
    at = np.arange(FRAMES) * pace
    faster = np.stack([np.interp(at, np.arange(len(one)), band) for band in one.T], 1)
    details = {60: one[:FRAMES], 61: transposed(faster.astype(np.float32), SPEC, pace), 64: other[:FRAMES]}
    notes = []
    for key, detail in details.items():
        level = (levels(depth=0.0) + 0.2 * detail).astype(np.float16)
        mel = np.stack([level, np.zeros_like(level)], 1)
        sway = np.zeros(FRAMES, np.float16)
        hold_s = FRAMES * SPEC.hop_s
        notes.append(NoteFeatures("pad", key, 80, True, False, hold_s, mel, mel, 0.0, 0.0, sway))
    return notes


def test_weak_courses_are_told_in_small_codes_and_levels_as_closely() -> None:
    rng = np.random.default_rng(2)
    left, strength, shapes = np.linalg.svd(rng.standard_normal((160, 80)) @ np.diag(0.95 ** np.arange(80)))
    courses = left[:, :8] * strength[:8] * 0.5 ** np.arange(8)
    scales = steps(courses, shapes[:8], CODE_RANGE)
    codes = [rounded(courses, scales[0]), rounded(shapes[:8], scales[1][:, None])]
    told = (codes[0] * scales[0]) @ (codes[1] * scales[1][:, None])
    wanted = courses @ shapes[:8]
    assert np.abs(told - wanted).max() < 0.04 * np.abs(wanted).max()
    largest = [np.abs(codes[0]).max(0), np.abs(codes[1]).max(1)]
    for values in largest:
        assert values.max() == CODE_RANGE
        assert values[7] < CODE_RANGE / 40


def test_what_does_not_move_has_codes_of_nothing() -> None:
    scales = steps(np.zeros((20, 2)), np.eye(2, 5), CODE_RANGE)
    assert not rounded(np.zeros((20, 2)), scales[0]).any()
    assert np.isfinite(scales[1]).all()
