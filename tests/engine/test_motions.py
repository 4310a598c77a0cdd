"""What moves recorded notes, read from its table."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from tnca_synth.engine.keys.motions import STILL, Motion, MotionTable
from tnca_synth.engine.keys.stored.motion_arrays import MotionArrays
from tnca_synth.engine.spectra.pitch import MAX_INHARMONIC_PARTIALS
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.stft import mel_edges_hz
from tnca_synth.engine.spectra.transpose import transposed
from tnca_synth.errors import BankError

SPEC = AudioSpec(sample_rate=8000, n_fft=256, hop_length=64, num_mels=16)
RATE_HZ = 10.0
NOISE = np.random.default_rng(3)


def arrays(loop: float = 4.0, count: int = 21, keys: tuple[int, ...] = (60, 61)) -> MotionArrays:
    """Return motions of one timbre on some keys, with sways of their own and two random courses."""
    codes = NOISE.integers(-127, 128, (count * len(keys), 3)).astype(np.int8)
    return MotionArrays(
        rate_hz=RATE_HZ,
        codes=codes,
        code_scale=np.full((len(keys), 3), 0.01, np.float32),
        shapes=NOISE.integers(-127, 128, (len(keys), 2, SPEC.num_mels)).astype(np.int8),
        shape_scale=np.full((len(keys), 2), 0.01, np.float32),
        first=np.arange(len(keys) + 1) * count,
        loop=np.full(len(keys), loop, np.float32),
        source=np.arange(len(keys)),
        motion=np.arange(len(keys)),
        pace=np.ones(len(keys), np.float32),
        take=np.zeros(len(keys), np.int64),
        modes=np.zeros((len(keys), MAX_INHARMONIC_PARTIALS), np.float32),
        timbre=np.zeros(len(keys), np.int64),
        key=np.array(keys),
        names=("reed",),
    )


def shared(pace: float) -> MotionArrays:
    """Return the one motion of key 60, which moves key 64, too, at a pace."""
    of = arrays(keys=(60,))
    both = {"motion": np.zeros(2, np.int64), "pace": np.array([1.0, pace], np.float32), "take": np.zeros(2, np.int64)}
    both["modes"] = np.zeros((2, MAX_INHARMONIC_PARTIALS), np.float32)
    return replace(of, timbre=np.zeros(2, np.int64), key=np.array([60, 64]), **both)


def rows(*motions: Motion) -> np.ndarray:
    return np.array(motions, np.float64)


def at(*ages_s: float) -> np.ndarray:
    return np.array(ages_s)[:, None]


def test_at_the_codes_times_the_codes_themselves_are_read() -> None:
    stored = arrays()
    table = MotionTable(SPEC, stored)
    times = np.arange(21)[:, None] / RATE_HZ
    second = stored.codes[21:].astype(np.float64) * 0.01
    np.testing.assert_allclose(table.sway(rows(table.find("reed", 61)), times)[:, 0], second[:, 0], atol=1e-6)
    swell = second[:, 1:] @ (stored.shapes[1] * 0.01)
    np.testing.assert_allclose(table.swell(rows(table.find("reed", 61)), times)[:, 0], swell, atol=1e-4)


def test_between_two_codes_lies_the_line() -> None:
    table = MotionTable(SPEC, arrays())
    motion = rows(table.find("reed", 60))
    for read in (table.sway, table.swell):
        low, middle, high = (read(motion, at(age_s))[0, 0] for age_s in (0.3, 0.35, 0.4))
        np.testing.assert_allclose(middle, (low + high) / 2, atol=1e-5)


def test_a_loop_repeats_for_ever() -> None:
    table = MotionTable(SPEC, arrays(loop=4.0))
    motion = rows(table.find("reed", 60))
    within = table.swell(motion, at(1.65, 1.75, 1.85, 1.95))
    for turns in (1, 7, 15_000):
        later = table.swell(motion, at(1.65, 1.75, 1.85, 1.95) + turns * 0.4)
        np.testing.assert_allclose(later, within, atol=1e-3)


def test_what_has_no_loop_stays_at_its_end() -> None:
    table = MotionTable(SPEC, arrays(loop=0.0))
    motion = rows(table.find("reed", 60))
    np.testing.assert_array_equal(table.swell(motion, at(2.0)), table.swell(motion, at(600.0)))


def test_a_transposed_recording_runs_faster_and_its_bands_move_up() -> None:
    table = MotionTable(SPEC, arrays())
    own, higher = table.find("reed", 61), table.find("reed", 64)
    assert higher.row == own.row
    assert higher.pace == pytest.approx(2 ** (3 / 12))
    np.testing.assert_allclose(
        table.sway(rows(higher), at(0.5)), table.sway(rows(own), at(0.5 * higher.pace)), atol=1e-9
    )
    as_recorded = table.swell(rows(own), at(0.5 * higher.pace))
    np.testing.assert_allclose(table.swell(rows(higher), at(0.5)), as_recorded, atol=1e-5)
    moved = transposed(as_recorded, SPEC, higher.pace)
    np.testing.assert_allclose(table.swell(rows(higher), at(0.5), on_key=True), moved, atol=1e-5)


@pytest.mark.parametrize("pace", [2 ** (4 / 12), 1.0])
def test_keys_that_share_a_motion_have_it_transposed_and_at_their_own_pace(pace: float) -> None:
    table = MotionTable(SPEC, shared(pace))
    source, other = (rows(table.find("reed", key)) for key in (60, 64))
    assert other[0, 1] == 1.0  # it is a recorded key
    ages = np.linspace(0.0, 9.0, 50)[:, None]
    np.testing.assert_allclose(table.sway(other, ages), table.sway(source, ages * pace), atol=1e-5)
    moved = transposed(table.swell(source, ages * pace), SPEC, 2 ** (4 / 12))
    np.testing.assert_allclose(table.swell(other, ages), moved, atol=1e-4)


def test_what_borrows_from_a_key_that_shares_a_motion_runs_at_both_paces() -> None:
    table = MotionTable(SPEC, shared(2 ** (4 / 12)))
    lent = table.find("reed", 66)
    assert lent.semitones == pytest.approx(2.0)  # above key 64, which it is grown as
    ages = np.linspace(0.0, 3.0, 20)[:, None]
    paced = table.sway(rows(table.find("reed", 60)), ages * 2 ** (6 / 12))
    np.testing.assert_allclose(table.sway(rows(lent), ages), paced, atol=1e-5)


def test_a_motion_tells_how_far_it_is_from_its_recorded_key() -> None:
    table = MotionTable(SPEC, arrays())
    assert table.find("reed", 61).semitones == 0.0
    assert table.find("reed", 64).semitones == pytest.approx(3.0)
    assert STILL.semitones == 0.0


def test_transposing_moves_a_peak_to_the_band_where_it_is_heard() -> None:
    hz = mel_edges_hz(SPEC)[1:-1]
    bump = np.exp(-(((hz - 1000.0) / 300.0) ** 2)).astype(np.float32)
    moved = transposed(bump, SPEC, 1.5)
    assert (moved * hz).sum() / moved.sum() == pytest.approx(1500.0, rel=0.06)  # bands grow wider


def test_voices_are_read_together_as_alone() -> None:
    table = MotionTable(SPEC, arrays())
    motions = rows(table.find("reed", 60), STILL, table.find("reed", 64), table.find("no such", 60))
    ages = NOISE.uniform(0.0, 5.0, (6, 4))
    together = table.swell(motions, ages)
    for voice in range(4):
        alone = table.swell(motions[voice : voice + 1], ages[:, voice : voice + 1])
        np.testing.assert_allclose(together[:, voice], alone[:, 0], atol=1e-6)
    assert not together[:, [1, 3]].any()
    assert not table.sway(motions, ages)[:, [1, 3]].any()
    assert table.sway(motions, ages)[:, 0].any()


def test_without_motions_nothing_moves() -> None:
    table = MotionTable(SPEC)
    assert table.find("reed", 60) == STILL
    assert not table.swell(rows(STILL), at(0.0, 3.0)).any()
    assert not table.sway(rows(STILL), at(0.0, 3.0)).any()


def test_motions_are_stored_and_read_back() -> None:
    stored = arrays()
    content = stored.to_bytes()
    assert content == stored.to_bytes()
    read = MotionArrays.from_bytes(content)
    for name, value in vars(stored).items():
        np.testing.assert_array_equal(getattr(read, name), value)


def test_the_reach_of_keys_is_stored_and_decides_what_is_heard() -> None:
    stored = replace(arrays(keys=(60, 66)), take=np.array([0, 1]), reach=np.array([61, 70]))
    table = MotionTable(SPEC, MotionArrays.from_bytes(stored.to_bytes()))
    assert [table.heard_key("reed", key) for key in (55, 61, 61.4, 62, 65, 70, 80)] == [60, 60, 60, 66, 66, 66, 66]
    assert MotionTable(SPEC, replace(stored, reach=arrays().reach)).heard_key("reed", 62) == 60  # guessed


def test_a_file_from_before_there_was_reach_is_read() -> None:
    stored = arrays()
    values = {name: np.asarray(value) for name, value in vars(stored).items() if name != "reach"}
    content = io.BytesIO()
    np.savez_compressed(content, **values)
    assert len(MotionArrays.from_bytes(content.getvalue()).reach) == 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", arrays().to_bytes()[:-40]])
def test_a_damaged_file_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(BankError, match="motions cannot be read") as caught:
        MotionArrays.from_bytes(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"motion": np.array([0, 2])},
        {"source": np.array([0, -1])},
        {"take": np.array([1, 0])},
        {"take": np.zeros(1, np.int64)},
        {"reach": np.zeros(1, np.int64)},
        {"timbre": np.array([0, 1])},
        {"pace": np.array([1.0, 0.0], np.float32)},
        {"pace": np.array([1.0, np.nan], np.float32)},
    ],
)
def test_numbers_of_what_is_not_there_are_refused_in_one_line(wrong: dict[str, np.ndarray]) -> None:
    torn = arrays()
    vars(torn).update(wrong)  # as a file may hold it
    with pytest.raises(BankError, match="motions cannot be read") as caught:
        MotionArrays.from_bytes(torn.to_bytes())
    assert "\n" not in str(caught.value)


def test_motions_of_other_bands_are_refused() -> None:
    with pytest.raises(BankError, match="16 bands do not fit a model of 20"):
        MotionTable(replace(SPEC, num_mels=20), arrays())
