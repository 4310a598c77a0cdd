"""A kit plays drums of another one: most kits of a SoundFont differ in a few."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.instruments import KeyChoice
from tnca_synth.engine.bank.manifest import MANIFEST, parse_manifest
from tnca_synth.engine.bank.own_files import bank_of_files
from tnca_synth.errors import BankError
from tnca_synth.export.bank import write_bank
from tnca_synth.training.config.instruments import InstrumentConfig

pytestmark = pytest.mark.slow

JAZZ = 32
OTHER = InstrumentConfig(
    "jazz-kit", JAZZ, 35, 36, pitched=False, drum_keys=True, sustains=False, like=(("kit", (36,)), ("none", (35,)))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("bank")
    config = tiny.config("dual")
    both = replace(config, data=replace(config.data, instruments=(tiny.KIT, OTHER)))
    write_bank(found, [tiny.checkpoint(both)], {})
    return found


def drum(bank: Bank, program: int, key: int) -> KeyChoice:
    book = bank.timbre_book(bank.growth_model("dual", "cpu"))
    book.load("jazz-kit" if program else "kit")
    return book.instrument_for(program, 0, True, key)


@pytest.mark.parametrize("as_files", [False, True])
def test_a_shared_drum_sounds_as_in_its_own_kit(folder: Path, tmp_path: Path, as_files: bool) -> None:
    if as_files:
        for name, content in bank_of_files(Bank.load(folder)).items():
            (tmp_path / name).write_bytes(content)
    bank = Bank.load(tmp_path if as_files else folder)
    shared, own = drum(bank, JAZZ, 36), drum(bank, 0, 36)
    assert shared.instrument.name == "jazz-kit" and not shared.substituted and not shared.is_silent
    assert np.array_equal(shared.timbre, own.timbre)
    assert shared.motion.pace == own.motion.pace == 1.0
    assert not np.array_equal(shared.timbre, drum(bank, 0, 35).timbre)


def test_a_drum_that_neither_kit_has_is_no_other_one(folder: Path) -> None:
    bank = Bank.load(folder)
    (jazz,) = (one for one in bank.instruments if one.name == "jazz-kit")
    assert dict(jazz.shared) == {36: "kit:36"}


def test_a_drum_on_no_key_is_refused() -> None:
    content = tiny.bank_files()[MANIFEST]
    torn = content.replace(b'"is_drums": true,', b'"is_drums": true, "shared": {"200": "kit:36"},', 1)
    assert torn != content
    with pytest.raises(BankError, match=r"shared.*200"):
        parse_manifest(torn)
