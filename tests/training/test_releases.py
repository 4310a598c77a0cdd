"""How recorded notes fall once they are let go, and whether an instrument takes it over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.instrument_files import InstrumentFile, read_instrument
from tnca_synth.engine.keys.parts import correction_of
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.keys.stored.releases import HIGHEST, STEP
from tnca_synth.training.correction import releases
from tnca_synth.training.correction.releases import judged, release_rate, with_rates
from tnca_synth.training.learning import instrument
from tnca_synth.training.learning.foundation import open_foundation
from tnca_synth.training.measure.recording import Recording
from tnca_synth.training.validation.rendered import RecordedNote

RATE = 22_050
HOLD_S, TAIL_S = 1.0, 0.8


def held(length_s: float = HOLD_S + TAIL_S, key: int = 60, rate: int = RATE) -> FloatArray:
    time_s = np.arange(round(length_s * rate)) / rate
    hz = 440.0 * 2.0 ** ((key - 69) / 12)
    audio = sum(np.sin(2 * np.pi * n * hz * time_s) / n for n in range(1, 9))
    return (0.2 * audio * np.minimum(time_s / 0.02, 1.0)).astype(np.float32)


def let_go(db_per_s: float, hold_s: float = HOLD_S, **options: int) -> FloatArray:
    audio = held(**options)
    rate = options.get("rate", RATE)
    since_s = np.maximum(np.arange(len(audio)) / rate - hold_s, 0.0)
    return (audio * 10.0 ** (-db_per_s * since_s / 20.0)).astype(np.float32)


@pytest.mark.parametrize("db_per_s", [0.0, 2.7, 44.4, 120.0, 265.0, 600.0, 1500.0])
def test_the_rate_of_a_release_is_measured(db_per_s: float) -> None:
    assert release_rate(let_go(db_per_s), held(), HOLD_S, RATE) == pytest.approx(
        db_per_s, rel=0.02 if db_per_s < 1000.0 else 0.1, abs=0.05
    )


def test_noise_under_a_recording_does_not_slow_its_release_down() -> None:
    hiss = 0.002 * np.random.default_rng(1).standard_normal(len(held())).astype(np.float32)
    assert release_rate(let_go(80.0) + hiss, held() + hiss, HOLD_S, RATE) == pytest.approx(80.0, rel=0.05)


def test_what_is_cut_has_the_highest_rate_and_what_falls_in_no_line_has_none() -> None:
    cut = held().copy()
    cut[round(HOLD_S * RATE) :] = 0.0
    assert release_rate(cut, held(), HOLD_S, RATE) == HIGHEST
    both = 0.9 * let_go(200.0) + 0.1 * let_go(5.0)  # a room, or two layers
    assert release_rate(both, held(), HOLD_S, RATE) is None
    assert release_rate(held(HOLD_S), held(), HOLD_S, RATE) is None  # it ends there
    over = held() * np.exp(-12.0 * np.arange(len(held())) / RATE).astype(np.float32)
    assert release_rate(over, over, HOLD_S, RATE) is None


def correction(file: InstrumentFile) -> CorrectionArrays:
    found = correction_of(file.table, file.facts.name)
    assert found is not None
    return found


def test_rates_are_left_out_where_notes_are_further_from_their_recordings_with_them() -> None:
    file = read_instrument(Path("instruments") / "celesta.tnca")
    rated = with_rates(file, [[100.0] * 3] * len(correction(file).key))
    notes = [RecordedNote(60, 80, HOLD_S, let_go(100.0))]

    def by(sound: FloatArray, other: FloatArray) -> InstrumentFile:
        def rendered(one: InstrumentFile, notes: Sequence[RecordedNote]) -> list[FloatArray]:
            return [sound if correction(one).release_rates.any() else other for _ in notes]

        return judged(rated, notes, rendered, RATE)

    falling, dead = let_go(100.0), let_go(3000.0)
    assert correction(by(falling, dead)).release_rates.all()
    assert not correction(by(dead, falling)).release_rates.size


def recordings(db_per_s: float, tail_s: float, rate: int) -> list[Recording]:
    found = []
    for key in (57, 64):
        audio = let_go(db_per_s, 1.2, length_s=1.2 + tail_s, key=key, rate=rate)
        found.append(Recording(audio, "mine", key, 100, 1.2))
    return found


@pytest.mark.parametrize("db_per_s", [60.0, 300.0])
def test_a_learned_instrument_falls_as_its_recordings_do(db_per_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instrument, "judged", lambda file, *_: file)
    shipped = read_instrument(Path("instruments") / "pad-2-warm.tnca")
    file = with_rates(shipped, [None] * len(correction(shipped).key))
    foundation = open_foundation(Bank.load())
    rate = foundation.spec.sample_rate
    found = correction(instrument.with_releases(foundation, file, recordings(db_per_s, TAIL_S, rate)))
    assert found.release_rates * STEP == pytest.approx(np.full((len(found.key), 3), db_per_s), rel=0.05)
    for tail_s in (0.0, 0.05):
        again = correction(instrument.with_releases(foundation, file, recordings(db_per_s, tail_s, rate)))
        assert not again.release_rates.size


def test_layers_that_fall_by_different_rates_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instrument, "judged", lambda file, *_: file)
    foundation = open_foundation(Bank.load())
    rate = foundation.spec.sample_rate
    soft = [replace(one, velocity=60) for one in recordings(120.0, TAIL_S, rate)]
    loud = [replace(one, velocity=124) for one in recordings(40.0, TAIL_S, rate)]
    file = read_instrument(Path("instruments") / "pad-2-warm.tnca")
    found = correction(instrument.with_releases(foundation, file, soft + loud)).release_rates * STEP
    assert found == pytest.approx(np.tile([120.0, 60.0, 40.0], (len(found), 1)), rel=0.05)


@pytest.mark.slow
def test_what_plays_any_key_tells_the_rates_of_soft_middle_and_loud_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "judged", lambda file, *_: file)
    foundation = open_foundation(Bank.load())
    rate = foundation.spec.sample_rate

    def played(key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
        return let_go(12_000.0 / velocity, hold_s, length_s=hold_s + tail_s, key=key, rate=rate)

    file = read_instrument(Path("instruments") / "pad-2-warm.tnca")
    found = correction(instrument.with_releases(foundation, file, [], played)).release_rates * STEP
    assert found == pytest.approx(np.tile([200.0, 130.4, 96.8], (len(found), 1)), rel=0.02)
