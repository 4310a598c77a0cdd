"""Modes are found where tones stand beside the series, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.spectra.pitch import MAX_INHARMONIC_PARTIALS, partial_hz
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.training.measure.inharmonic_partials import measure_inharmonic_partials
from tnca_synth.training.measure.note_features import NoteFeatures, extract
from tnca_synth.training.measure.recording import Recording

pytestmark = pytest.mark.slow

SPEC = AudioSpec()
RATE = SPEC.sample_rate
KEY, HZ = 57, 220.0
SERIES = tiny.sines(partial_hz(HZ, 0.0, 8), 0.2 / np.arange(1, 9), 1.5, RATE)
NOISE = np.random.default_rng(0).standard_normal(len(SERIES)).astype(np.float32)


def tone(ratio: float, amplitude: float) -> FloatArray:
    audio: FloatArray = tiny.sines(np.array([HZ * ratio]), np.array([amplitude]), 1.5, RATE)
    return audio


def features(audio: FloatArray, pitched: bool = True, hold_s: float = 1.5) -> NoteFeatures:
    return extract(Recording(audio, "one", KEY, 100, hold_s, pitched), SPEC, inharmonic=False)


def found(audio: FloatArray, **options: object) -> list[float]:
    modes = measure_inharmonic_partials(features(audio, **options), SPEC)  # type: ignore[arg-type]
    assert modes.shape == (MAX_INHARMONIC_PARTIALS,)
    count = int((modes > 0).sum())
    assert not modes[count:].any()
    return [float(ratio) for ratio in modes[:count]]


@pytest.mark.parametrize("ratio", [1.5, 4.3, 10.336, 17.71])
def test_a_tone_beside_the_series_is_found_where_it_lies(ratio: float) -> None:
    noisy = SERIES + tone(ratio, 0.05) + 0.001 * NOISE
    assert found(noisy) == [pytest.approx(ratio, abs=0.004)]


def test_a_series_alone_has_no_modes() -> None:
    assert found(SERIES) == []
    assert found(SERIES + 0.02 * NOISE) == []


@pytest.mark.parametrize(("ratio", "amplitude"), [(4.3, 0.001), (4.08, 0.05), (0.3, 0.05)])
def test_what_is_faint_or_near_a_partial_or_below_the_pitch_is_none(ratio: float, amplitude: float) -> None:
    assert found(SERIES + tone(ratio, amplitude) + 0.001 * NOISE) == []


def test_the_strongest_are_kept_in_rising_order() -> None:
    strengths = {2.5: 0.02, 5.4: 0.05, 9.5: 0.04, 12.45: 0.03, 15.5: 0.06}
    audio = SERIES + sum(tone(ratio, amplitude) for ratio, amplitude in strengths.items())
    assert found(audio) == [pytest.approx(ratio, abs=0.004) for ratio in (5.4, 9.5, 12.45, 15.5)]


def test_what_moves_like_noise_is_none() -> None:
    rng = np.random.default_rng(3)
    slow = np.repeat(rng.standard_normal(len(SERIES) // 600 + 1), 600)[: len(SERIES)]
    assert found(SERIES + tone(4.3, 0.05) * np.abs(slow)) == []


def test_notes_without_a_pitch_and_short_ones_have_none() -> None:
    audio = SERIES + tone(4.3, 0.05)
    assert found(audio, pitched=False) == []
    assert found(audio, hold_s=0.3) == []
