"""Levels of a bank, measured against FluidSynth."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tnca_synth.instruments
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.instruments import BankInstrument, Levels
from tnca_synth.export.level_bank import level_bank, with_shared
from tnca_synth.training.correction.levels import SOFT_VELOCITY, VELOCITY, fitted

LOW_RATE = Path(tnca_synth.instruments.__path__[0]) / "low_rate"


def test_levels_are_fitted_to_what_notes_lack() -> None:
    notes = [(50, VELOCITY), (60, VELOCITY), (70, VELOCITY), (50, SOFT_VELOCITY), (60, SOFT_VELOCITY)]
    wanted = Levels((50, 60, 70), (3.0, -2.0, 5.0), 6.0)
    more = np.array([wanted.at(key, velocity / 127) for key, velocity in notes])
    assert fitted(notes, more, np.ones(5, bool)) == wanted
    heard = np.array([True, False, True, True, True])
    assert fitted(notes, more, heard) == replace(wanted, keys=(50, 70), db=(3.0, 5.0))
    assert fitted(notes, more, np.zeros(5, bool)) == Levels()


def test_a_kit_has_the_levels_of_the_drums_that_it_shares() -> None:
    owner = BankInstrument("room", 8, is_drums=True, levels=Levels((36, 40), (1.0, 2.0), 6.0))
    kit = BankInstrument("power", 16, is_drums=True, shared={40: "room:40"})
    found = with_shared(kit, {"power": Levels((36,), (-3.0,), 5.0)}, {"room": owner, "power": kit})
    assert found == Levels((36, 40), (-3.0, 2.0), 5.0)
    assert with_shared(owner, {"room": owner.levels}, {}) == owner.levels


@pytest.mark.slow
def test_once_measured_a_bank_asks_for_next_to_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    shutil.copytree(LOW_RATE, folder)
    first = level_bank(folder, "dual", ("fingered-bass",))["fingered-bass"]
    assert (
        Bank.load(folder).instruments[[one.name for one in Bank.load(folder).instruments].index("fingered-bass")].levels
        == first
    )
    assert 4.0 < first.slope_db < 9.0, "recordings are read with half the standard's slope"
    again = level_bank(folder, "dual", ("fingered-bass",))["fingered-bass"]
    np.testing.assert_allclose(again.db, first.db, atol=0.3)
