"""Instrument files become instruments of a bank, under their own programs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.own_files import instrument_of
from tnca_synth.engine.instrument_files import write_instrument
from tnca_synth.engine.open import open_synth
from tnca_synth.errors import UsageError
from tnca_synth.export.added_instruments import add_instruments
from tnca_synth.midi import messages as midi

pytestmark = pytest.mark.slow

SHIPPED = Path(__file__).parents[2] / "instruments"
HORN = SHIPPED / "french-horn.tnca"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "bank"))


def heard(*first: bytes, **options: object) -> np.ndarray:
    synth = open_synth(sample_rate=44_100, **options)  # type: ignore[arg-type]
    for data in (*first, midi.note_on(0, 60, 100)):
        synth.send(data, 0)
    audio = synth.render(22_050)
    assert np.abs(audio).max() > 0.01
    return audio


def test_a_program_is_played_by_its_file(folder: Path) -> None:
    assert add_instruments(folder, [HORN], "foundation-added") == {"french-horn.tnca": HORN.stat().st_size}
    assert [one.name for one in Bank.load(folder).instruments].count("french-horn") == 1
    asked = heard(midi.program_change(0, 60), bank_path=folder)
    np.testing.assert_array_equal(asked, heard(instrument=HORN))


def test_a_file_of_no_program_or_of_another_foundation_is_refused(folder: Path, tmp_path: Path) -> None:
    before = (folder / "bank.json").read_bytes()
    with pytest.raises(UsageError, match="preset foundation has no melodic instrument 'french-horn'"):
        add_instruments(folder, [HORN], "foundation")
    low = Bank.load(Path("low-rate"))
    violin = next(one for one in low.instruments if one.name == "violin")
    write_instrument(tmp_path / "violin.tnca", instrument_of(low, violin, low.growth_model("dual", "cpu")))
    with pytest.raises(UsageError, match="another foundation than this bank's"):
        add_instruments(folder, [tmp_path / "violin.tnca"], "foundation")
    assert (folder / "bank.json").read_bytes() == before
