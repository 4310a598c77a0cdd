"""Attacks measured on what a bank renders: envelopes that bring it back to its recordings, where ears do not mind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.keys.onsets import LENGTH_S, MOMENTS, STEP_S, coded, decoded, onset_db
from tnca_synth.export import attack_bank
from tnca_synth.export.attack_bank import measure_attacks
from tnca_synth.training.config.run import load_preset
from tnca_synth.training.correction.attacks import (
    decoded_db,
    is_no_worse,
    measured_envelope,
    with_attacks,
    with_envelope,
)
from tnca_synth.training.measure.attacks import level_window_s
from tnca_synth.training.validation.rendered import NoteRenderer

pytestmark = pytest.mark.slow

RATE = 22_050
TRUE_DB = np.interp(np.arange(MOMENTS) * STEP_S, [0.0, 0.01, 0.03, 0.045], [-20.0, 6.0, -3.0, 0.0])


def noise(seed: int) -> FloatArray:
    audio = 0.2 * np.random.default_rng(seed).standard_normal(round(0.4 * RATE))
    return audio.astype(np.float32)


def pairs() -> list[tuple[FloatArray, FloatArray]]:
    """Return takes of noise, recorded with another attack than rendered."""
    return [(with_envelope(noise(2 * take), decoded_db(TRUE_DB), RATE), noise(2 * take + 1)) for take in range(24)]


def test_the_envelope_between_rendered_and_recorded_attacks_is_found() -> None:
    found = measured_envelope(pairs(), RATE, 2.0 * STEP_S)
    np.testing.assert_allclose(found[1:], TRUE_DB[1:], atol=1.5)
    assert found[0] < -12.0


def test_levels_after_the_attack_are_no_matter_of_it() -> None:
    louder = [(2.0 * recorded, rendered) for recorded, rendered in pairs()]
    np.testing.assert_allclose(
        measured_envelope(louder, RATE, 2.0 * STEP_S), measured_envelope(pairs(), RATE, 2.0 * STEP_S), atol=1e-3
    )


def test_codes_are_half_decibels_and_end_in_nothing() -> None:
    levels = decoded(coded(TRUE_DB))
    np.testing.assert_allclose(levels[:-1], TRUE_DB, atol=0.26)
    assert onset_db(levels, np.array([LENGTH_S, 1.0])).tolist() == [0.0, 0.0]


def test_an_envelope_that_takes_notes_away_from_their_recordings_is_left_out() -> None:
    recorded, rendered = pairs()[0]
    assert is_no_worse([(recorded, rendered)], decoded_db(TRUE_DB), RATE)
    assert not is_no_worse([(rendered, rendered)], decoded_db(np.full(MOMENTS, -30.0)), RATE)


def test_the_window_of_a_level_is_a_period_of_the_lowest_tone() -> None:
    time_s = np.arange(RATE) / RATE
    drum = sum(np.sin(2 * np.pi * hz * time_s) for hz in (80.0, 230.0, 1900.0)) * np.exp(-8.0 * time_s)
    assert level_window_s(drum, RATE, None) == pytest.approx(1.0 / 80.0, rel=0.25)
    assert level_window_s(drum, RATE, 69) == pytest.approx(1.0 / 440.0)
    assert level_window_s(drum, RATE, 120) == 0.001


class Sudden:
    """A SoundFont whose reed begins at once, and then as the bank renders it: another attack and no other fault."""

    sample_rate = tiny.SPEC.sample_rate

    def __init__(self, bank: Bank) -> None:
        self._renderer = NoteRenderer(bank, bank.growth_model("dual", "cpu"), "harmonic", self.sample_rate)

    def render(self, program: int, key: int, velocity: int, hold_s: float, tail_s: float, drums: bool) -> FloatArray:
        count = round((hold_s + tail_s) * self.sample_rate)
        instrument = {one.program: one for one in tiny.INSTRUMENTS if one.is_drums == drums}[program]
        grown = self._renderer.render(instrument, key, velocity, hold_s, count)
        gain = np.interp(np.arange(count) / self.sample_rate, [0.0, 0.02, 0.04], [3.0, 2.0, 1.0])
        return (grown * gain).astype(np.float32)


def test_a_bank_sounds_the_attacks_of_its_recordings() -> None:
    bank = tiny.bank()
    correction = with_attacks(bank, "dual", (tiny.REED,), Sudden(bank))  # type: ignore[arg-type]
    rows = [row for row, (name, _) in enumerate(correction.owners) if name == "reed"]
    others = [row for row in range(len(correction.key)) if row not in rows]
    assert (correction.onsets[rows, :3] > 12).all()  # 6 dB and more, while the note of an untrained network lasts
    assert not correction.onsets[others].any()
    assert not correction.onsets[rows, 25:].any()


def test_attacks_are_written_into_a_bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny.write_tiny_bank(tmp_path / "bank")
    data = replace(load_preset("dual").data, instruments=(tiny.REED,))
    monkeypatch.setattr(attack_bank, "SoundFont", lambda *_: Sudden(tiny.bank()))
    monkeypatch.setattr(attack_bank, "open_corrected", lambda *_: (Bank.load(folder), data, ("dual",)))
    written = measure_attacks(folder, "dual")
    assert written == {"dual.correction.npz": (folder / "dual.correction.npz").stat().st_size}
    again = Bank.load(folder)  # its hash is right, or loading would fail
    _, correction = again.measured("dual")
    assert correction is not None and correction.onsets.any()
    renderers = [NoteRenderer(one, one.growth_model("dual", "cpu"), "harmonic", 8000) for one in (tiny.bank(), again)]
    before, after = (one.render(tiny.REED, 60, 64, 0.5, 4000) for one in renderers)
    recorded = Sudden(tiny.bank()).render(71, 60, 64, 0.5, 0.0, False)
    errors = [float(np.sum((one[:300] - recorded[:300]) ** 2)) for one in (before, after)]
    assert errors[1] < 0.3 * errors[0]
