"""A finished bank is tuned to its recordings, and its files are heard from the recordings that serve their keys."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tnca_synth.instruments
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.own_files import instrument_of
from tnca_synth.engine.instrument_files import write_instrument
from tnca_synth.engine.keys.parts import REACH
from tnca_synth.export.added_instruments import add_instruments
from tnca_synth.export.tuned_bank import tune_bank
from tnca_synth.training.correction import tuning

pytestmark = pytest.mark.slow

LOW_RATE = Path(tnca_synth.instruments.__path__[0]) / "low_rate"
NAME = "clarinet"
OFF_CENTS = 14.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tuning, "LOWEST", 60)
    monkeypatch.setattr(tuning, "HIGHEST", 62)
    folder = Path(shutil.copytree(LOW_RATE, tmp_path / "bank"))
    manifest = json.loads((folder / "bank.json").read_text())
    own = next(one for one in manifest["instruments"] if one["name"] == NAME)["tuning"]
    own["cents"] = [cents + OFF_CENTS for cents in own["cents"]]
    (folder / "bank.json").write_text(json.dumps(manifest))
    return folder


def cents_of(folder: Path, key: int) -> float:
    bank = Bank.load(folder)
    listed = bank.listed("dual")
    if NAME in listed:
        table = listed[NAME].read().table
        return float(np.interp(key, table.tuned_keys, table.cents))
    return next(one for one in bank.instruments if one.name == NAME).tuning(key)[0]


def test_what_is_out_of_tune_is_tuned(folder: Path) -> None:
    before, elsewhere = cents_of(folder, 61), cents_of(folder, 80)
    assert tune_bank(folder, "dual", [NAME]) == {}
    assert cents_of(folder, 61) - before == pytest.approx(-OFF_CENTS, abs=6.0)
    assert cents_of(folder, 80) == pytest.approx(elsewhere, abs=0.01), "it was not measured there"


def test_a_file_learns_which_recording_serves_its_keys(folder: Path, tmp_path: Path) -> None:
    bank = Bank.load(folder)
    one = next(instrument for instrument in bank.instruments if instrument.name == NAME)
    file = instrument_of(bank, one, bank.growth_model("dual", "cpu"))
    extras = {name: values for name, values in file.table.extras.items() if name != REACH}
    path = tmp_path / f"{NAME}.tnca"
    write_instrument(path, replace(file, table=replace(file.table, extras=extras)))
    add_instruments(folder, [path], "dual")
    before = cents_of(folder, 61)
    assert [*tune_bank(folder, "dual", [NAME])] == [path.name]
    table = Bank.load(folder).listed("dual")[NAME].read().table
    assert table.extras[REACH][-1] == 127
    assert np.all(np.diff(table.extras[REACH]) > 0)
    assert cents_of(folder, 61) - before == pytest.approx(-OFF_CENTS, abs=6.0)
