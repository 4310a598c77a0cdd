"""What was grown becomes what is heard: levels set right, spectra on the key that sounds."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.keys.apply import KeyApplier, partial_places
from tnca_synth.engine.keys.correction import Corrections, total_level
from tnca_synth.engine.keys.motions import MotionTable
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.keys.stored.motion_arrays import MotionArrays
from tnca_synth.engine.spectra.pitch import MAX_INHARMONIC_PARTIALS
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.stft import level_from_power, mel_edges_hz, power_from_level, power_spectrogram
from tnca_synth.engine.spectra.transpose import transposed_field

SPEC = AudioSpec()
PARTIALS = 4
BIN_HZ = SPEC.sample_rate / SPEC.n_fft


def table(field: str = "linear", partials: int = PARTIALS, bands: int = SPEC.num_mels) -> MotionTable:
    """Return a table that sets a field right: each partial and band by a course of its own."""
    moves = MotionArrays(
        rate_hz=43.0, codes=np.zeros((1, 2), np.int8), code_scale=np.zeros((1, 2), np.float32),
        shapes=np.zeros((1, 1, SPEC.num_mels), np.int8), shape_scale=np.zeros((1, 1), np.float32),
        first=np.array([0, 1]), loop=np.zeros(1, np.float32), source=np.zeros(1, np.int64),
        motion=np.zeros(1, np.int64), pace=np.ones(1, np.float32), take=np.zeros(1, np.int64),
        modes=np.zeros((1, MAX_INHARMONIC_PARTIALS), np.float32),
        timbre=np.zeros(1, np.int64), key=np.array([60]), names=("reed",),
    )  # fmt: skip
    size = partials + bands
    correction = CorrectionArrays(
        field=field, partials=partials, moments=np.array([0]), courses=np.zeros((1, 1, size), np.int8),
        course_scale=np.zeros((1, size), np.float32), shapes=np.eye(size, dtype=np.int8)[None],
        shape_scale=np.ones((1, size), np.float32), timbre=np.zeros(1, np.int64), key=np.array([60]), names=("reed",),
    )  # fmt: skip
    return MotionTable(SPEC, moves, correction)


def unknown(correction: FloatArray) -> FloatArray:
    """Return totals (T, V, 2) of corrections (V, T, N) that were measured without them."""
    return np.zeros((correction.shape[1], correction.shape[0], 2), np.float32)


def corrections(correction: FloatArray) -> Corrections:
    """Return corrections (1, T, N) of one voice as courses of `table`."""
    return Corrections(np.ones((1, 1), np.intp), correction.transpose(1, 0, 2)[:, :, None], unknown(correction))


def finish(
    level: FloatArray, correction: FloatArray, semitones: float = 0.0, hz: float = 430.0, name: str = "linear"
) -> FloatArray:
    """Finish one voice's levels (T, N)."""
    motions = table(name, 0 if name == "mel" else PARTIALS)
    pair = np.stack([level, np.full_like(level, 0.5)], 1)[None].astype(np.float32)
    fields = KeyApplier(SPEC, motions).finish(
        {name: pair},
        corrections(correction),
        np.full((1, len(level)), semitones),
        np.full((1, len(level)), hz),
        np.zeros(1),
    )
    return fields[name][0, :, 0]


def test_a_partial_is_set_right_where_it_sounds_and_its_band_between() -> None:
    level = np.full((3, SPEC.num_bins), 1.0)
    correction = np.zeros((1, 3, PARTIALS + SPEC.num_mels), np.float32)
    correction[..., 1], correction[..., PARTIALS:] = 0.2, -0.1
    finished = finish(level, correction)
    second = round(2 * 430.0 / BIN_HZ)
    np.testing.assert_allclose(finished[:, second], 1.2, atol=1e-6)
    np.testing.assert_allclose(finished[:, second - 10], 0.9, atol=1e-6)
    np.testing.assert_allclose(finished[:, round(430.0 / BIN_HZ)], 1.0, atol=1e-6)


def test_silence_stays_silent_and_nothing_sinks_below_it() -> None:
    level = np.zeros((2, SPEC.num_bins))
    level[1] = 0.05
    correction = np.full((1, 2, PARTIALS + SPEC.num_mels), 0.4, np.float32)
    assert not finish(level, correction)[0].any()
    assert finish(level, correction)[1].max() < 0.16
    assert finish(level, -4.0 * correction).min() == 0.0


def told(level: FloatArray, correction: float, known: float, measured: float) -> FloatArray:
    """Finish levels (T, N) of one voice whose total level is known to some share, and was `measured` then."""
    pair = np.stack([level, np.full_like(level, 0.5)], 1)[None].astype(np.float32)
    every = corrections(np.full((1, len(level), PARTIALS + SPEC.num_mels), correction, np.float32))
    totals = np.broadcast_to(np.float32([known, known * measured]), (len(level), 1, 2))
    hz = np.full((1, len(level)), 430.0)
    fields = {"linear": pair}
    done = KeyApplier(SPEC, table()).finish(fields, every._replace(totals=totals), 0 * hz, hz, np.zeros(1))
    return done["linear"][0, :, 0]


def test_silence_is_set_right_where_the_total_level_is_known() -> None:
    level = np.zeros((3, SPEC.num_bins), np.float32)
    for frame, loud in enumerate((2.0, 1.5, 2.5)):  # as loud as it was measured, softer by 20 dB, and louder
        level[frame, 40:60] = loud
    measured = float(total_level(level[0], SPEC))
    found = told(level, 0.8, 1.0, measured)
    np.testing.assert_allclose(found[:, 200], [0.8, 0.3, 0.8], atol=1e-3)  # never louder than it was measured
    np.testing.assert_allclose(found[:, 50], [2.8, 2.3, 3.3], atol=1e-6)
    assert not told(level, 0.09, 1.0, measured)[:, 200].any()  # too faint to be heard
    assert 0.02 < told(level, 0.14, 1.0, measured)[0, 200] < 0.1
    assert not told(level, 0.8, 0.0, 0.0)[:, 200].any()


def test_on_a_pad_what_is_known_of_some_corners_counts_as_much_as_they_do() -> None:
    level = np.zeros((1, SPEC.num_bins), np.float32)
    level[0, 40:60] = 2.0
    measured = float(total_level(level[0], SPEC))
    np.testing.assert_allclose(told(level, 0.8, 0.5, measured)[:, 200], 0.4, atol=1e-3)


def test_the_total_level_is_that_of_all_powers_and_silence_adds_nothing() -> None:
    level = np.zeros(SPEC.num_bins, np.float32)
    assert total_level(level, SPEC) == 0.0
    level[:10] = 1.7
    assert float(total_level(level, SPEC)) == pytest.approx(1.7 + 10.0 / SPEC.level_scale_db, abs=1e-4)


def test_the_partials_that_are_set_right_are_those_of_the_key_that_is_grown() -> None:
    level = np.full((1, SPEC.num_bins), 1.0)
    correction = np.zeros((1, 1, PARTIALS + SPEC.num_mels), np.float32)
    correction[..., 3] = 0.3
    moved = finish(level, correction, semitones=2.0)
    assert abs(np.argmax(moved[0]) - 4 * 430.0 / BIN_HZ) <= 2.0  # transposed to where it sounds


def test_bands_of_a_mel_field_are_set_right_one_by_one() -> None:
    level = np.full((1, SPEC.num_mels), 1.0)
    correction = np.random.default_rng(2).uniform(-0.2, 0.2, (1, 1, SPEC.num_mels)).astype(np.float32)
    np.testing.assert_allclose(finish(level, correction, name="mel"), 1.0 + correction[0], atol=1e-6)


def test_a_field_of_partials_is_set_right_where_it_begins_and_kept_beyond_them() -> None:
    motions = table("waveform", PARTIALS, bands=0)
    level = np.full((1, 2, 1, PARTIALS + 3), 1.0, np.float32)
    correction = np.array([[[0.2, -0.1, 0.0, 0.3]] * 2], np.float32)
    still = np.zeros((1, 2))
    finisher = KeyApplier(SPEC, motions)
    done = finisher.finish({"waveform": level.copy()}, corrections(correction), still, still + 200.0, np.zeros(1))
    np.testing.assert_allclose(done["waveform"][0, :, 0, :PARTIALS], 1.0 + correction[0], atol=1e-6)
    assert (done["waveform"][..., PARTIALS:] == 1.0).all()


def test_an_unpitched_voice_follows_its_bands_alone() -> None:
    near, own = partial_places(SPEC, 0.0, 0.0, PARTIALS)
    assert not own.any()
    assert near.shape == (SPEC.num_bins,)


@pytest.mark.parametrize("semitones", [-2.0, 1.0])
def test_a_transposed_spectrum_is_that_of_the_transposed_tone(semitones: float) -> None:
    ratio = 2.0 ** (semitones / 12.0)
    time = np.arange(8192) / SPEC.sample_rate

    def tone(hz: float) -> FloatArray:
        audio = 0.5 * np.sin(2.0 * np.pi * hz * time) + 0.1 * np.sin(2.0 * np.pi * 3.0 * hz * time)
        return level_from_power(power_spectrogram(audio.astype(np.float32), SPEC), SPEC)[16:17]

    pair = np.stack([tone(900.0), tone(900.0)], 1)
    moved = transposed_field("linear", pair, SPEC, ratio)[0, 0]
    wanted = tone(900.0 * ratio)[0]
    loud = wanted > wanted.max() - 0.3
    assert np.abs(moved - wanted)[loud].mean() * SPEC.level_scale_db < 4.0
    assert np.abs(pair[0, 0] - wanted)[loud].mean() * SPEC.level_scale_db > 6.0


def test_what_is_no_spectrum_is_not_transposed() -> None:
    latent = np.random.default_rng(1).normal(size=(3, 1, 32)).astype(np.float32)
    np.testing.assert_array_equal(transposed_field("latent", latent, SPEC, 1.2), latent)


def test_frames_of_different_pitch_are_set_right_as_they_are_alone() -> None:
    rng = np.random.default_rng(7)
    level = np.full((4, SPEC.num_bins), 1.0)
    correction = rng.uniform(-0.2, 0.2, (1, 4, PARTIALS + SPEC.num_mels)).astype(np.float32)
    hz = np.array([[300.0, 330.0, 360.0, 360.0]])
    motions = table()

    def run(frames: slice) -> FloatArray:
        pair = np.stack([level[frames], level[frames]], 1)[None].astype(np.float32)
        done = KeyApplier(SPEC, motions).finish(
            {"linear": pair},
            corrections(correction[:, frames]),
            np.zeros((1, len(level[frames]))),
            hz[:, frames],
            np.zeros(1),
        )
        return done["linear"][0, :, 0]

    together = run(slice(0, 4))
    for frame in range(4):
        np.testing.assert_allclose(together[frame], run(slice(frame, frame + 1))[0], atol=1e-6)


def test_voices_are_transposed_together_as_each_alone() -> None:
    rng = np.random.default_rng(4)
    semitones = np.array([0.0, 1.0, -2.0, 0.0, 3.0, 1.0])[:, None] * np.ones(9)
    semitones[3] = np.linspace(0.0, 1.0, 9)  # one that glides
    field = {"linear": rng.uniform(0, 1, (6, 9, 2, SPEC.num_bins)).astype(np.float32)}
    still = np.zeros((6, 9))

    def finished(rows: slice) -> FloatArray:
        copy = {name: values[rows].copy() for name, values in field.items()}
        return KeyApplier(SPEC, table()).finish(copy, None, semitones[rows], still[rows], np.zeros(6)[rows])["linear"]

    together = finished(slice(None))
    for voice in range(6):
        np.testing.assert_array_equal(together[voice], finished(slice(voice, voice + 1))[0])
        assert np.array_equal(together[voice], field["linear"][voice]) == (voice == 0)


@pytest.mark.parametrize("ratio", [2 ** (-3 / 12), 2 ** (1 / 12), 2 ** (2 / 12)])
def test_transposed_bands_are_as_loud_as_before_and_as_quiet_between(ratio: float) -> None:
    hz = mel_edges_hz(SPEC)[1:-1]
    level = np.full((1, 2, SPEC.num_mels), 0.5, np.float32)  # -80 dB between the tones
    level[0, 0, [20, 35, 50, 65]] = 2.0
    moved = transposed_field("mel", level.copy(), SPEC, ratio)[0, 0]
    loudness = [float(power_from_level(one, SPEC).sum()) for one in (level[0, 0], moved)]
    assert 10 * np.log10(loudness[1] / loudness[0]) == pytest.approx(0.0, abs=0.5)
    for band in (20, 35, 50, 65):
        at = int(np.abs(hz - hz[band] * ratio).argmin())
        assert moved[at - 1 : at + 2].max() > 1.7  # no tone lost more than 12 dB
    assert np.median(moved) < 0.6


def test_transposed_silence_is_silence() -> None:
    assert not transposed_field("mel", np.zeros((3, 2, SPEC.num_mels), np.float32), SPEC, 1.1)[:, 0].any()


def test_voices_are_set_right_together_as_each_alone() -> None:
    rng = np.random.default_rng(4)
    voices, frames, size = 7, 3, PARTIALS + SPEC.num_mels
    level = rng.uniform(0.1, 1.5, (voices, frames, SPEC.num_bins)).astype(np.float32)
    courses = rng.normal(0.0, 0.1, (voices, frames, size)).astype(np.float32)
    hz = np.repeat(rng.uniform(60.0, 900.0, (voices, 1)), frames, 1)
    hz[-1] = hz[0]  # two that are alike

    def finished(rows: slice, finisher: KeyApplier) -> FloatArray:
        pair = np.stack([level[rows], np.zeros_like(level[rows])], 2)
        together = Corrections(
            np.ones((len(pair), 1), np.intp), courses[rows].transpose(1, 0, 2)[:, :, None], unknown(courses[rows])
        )
        still = np.zeros((len(pair), frames))
        return finisher.finish({"linear": pair}, together, still, hz[rows], np.zeros(len(pair)))["linear"]

    finisher = KeyApplier(SPEC, table())
    together = finished(slice(None), finisher)
    for _ in range(2):  # then again, with groups that have come and gone
        for voice in range(voices):
            alone = slice(voice, voice + 1)
            np.testing.assert_array_equal(finished(alone, finisher), together[alone])
    np.testing.assert_array_equal(finished(slice(None), finisher), together)
    assert np.abs(together[:, :, 0] - level).max() > 0.05
