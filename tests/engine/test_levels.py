"""How loud the keys of a bank's instruments sound beside each other, as its manifest says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.instruments import Levels
from tnca_synth.engine.bank.manifest import MANIFEST
from tnca_synth.engine.open import assemble_synth
from tnca_synth.errors import BankError
from tnca_synth.midi import messages as midi

RATE = tiny.SPEC.sample_rate
REED = {"keys": [50, 60, 70], "db": [-12.0, -6.0, 3.0], "slope_db": 5.0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny.write_tiny_bank(tmp_path / "bank")


def give_levels(folder: Path, **levels: Any) -> None:
    """Write levels of instruments into a bank's manifest."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for entry in manifest["instruments"]:
        if entry["name"] in levels:
            entry["levels"] = levels[entry["name"]]
    (folder / MANIFEST).write_text(json.dumps(manifest))


def played(folder: Path, core: str, key: int, velocity: int, *before: bytes) -> FloatArray:
    """Return a note of the reed, so soft that no limiter acts."""
    synth = assemble_synth(bank_path=folder, instrument="reed", is_locked=False, sample_rate=RATE, core=core).synth
    for message in (midi.control_change(0, 7, 20), *before, midi.note_on(0, key, velocity)):
        synth.send(message)
    return synth.render(RATE // 2)


@pytest.mark.parametrize("core", ["kernel", "numpy"])
@pytest.mark.parametrize(("key", "velocity", "db"), [(60, 127, -6.0), (65, 127, -1.5), (90, 64, 3.0 - 4.94)])
def test_a_key_is_as_loud_as_the_manifest_says(folder: Path, core: str, key: int, velocity: int, db: float) -> None:
    plain = played(folder, core, key, velocity)
    give_levels(folder, reed=REED)
    louder = played(folder, core, key, velocity)
    assert np.abs(plain).max() > 0.0
    np.testing.assert_allclose(louder, plain * 10 ** (db / 20), atol=2e-3 * np.abs(plain).max())


def test_levels_change_nothing_of_other_instruments(folder: Path) -> None:
    plain = played(folder, "numpy", 60, 100)
    give_levels(folder, string=REED, kit=REED)
    np.testing.assert_array_equal(played(folder, "numpy", 60, 100), plain)


def test_on_a_pad_of_timbres_the_levels_of_the_corners_are_mixed(folder: Path) -> None:
    def in_the_middle() -> float:
        ensemble = assemble_synth(
            bank_path=folder, instrument="reed", is_locked=False, sample_rate=RATE, growth_controllers=True
        )
        ensemble.set_morph(0, "string")
        for message in (midi.control_change(0, 7, 20), midi.control_change(0, 102, 64), midi.note_on(0, 60, 127)):
            ensemble.synth.send(message)
        return float(np.sqrt(np.mean(ensemble.synth.render(RATE // 2) ** 2)))

    plain = in_the_middle()
    give_levels(folder, reed=REED, string=REED | {"db": [-12.0] * 3})
    corners = {-6.0, -12.0}
    change = 20 * np.log10(in_the_middle() / plain)
    assert min(corners) <= change <= max(corners)


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        ([], "levels"),
        (REED | {"db": [1.0]}, "levels.db"),
        (REED | {"db": [0.0, 1.0, 100.0]}, "levels.db"),
        (REED | {"keys": [60, 50, 70]}, "levels.keys"),
        (REED | {"slope_db": "6"}, "levels.slope_db"),
        ({"keys": [60], "db": [0.0]}, "levels.slope_db"),
    ],
)
def test_levels_that_cannot_be_are_refused_by_name(folder: Path, levels: Any, told: str) -> None:
    give_levels(folder, reed=levels)
    with pytest.raises(BankError, match=told):
        Bank.load(folder)


def test_levels_are_lines_between_keys_and_follow_the_doublings_of_the_velocity() -> None:
    levels = Levels((50, 60), (0.0, 4.0), 6.0)
    assert levels.at(55, 1.0) == pytest.approx(2.0)
    assert levels.at(20, 0.5) == pytest.approx(-6.0)
    assert levels.at(99, 0.25) == pytest.approx(-8.0)
    assert np.isfinite(levels.at(60, 0.0))
