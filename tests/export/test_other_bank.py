"""A bank may name another one, in a folder of its own, that has further representations."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.manifest import MANIFEST
from tnca_synth.engine.open import assemble_synth
from tnca_synth.errors import BankError, UsageError
from tnca_synth.export.other_bank import name_other

SHIPPED = Path(__file__).parents[2] / "instruments"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the shipped bank that names no other one, with the one at 22,050 Hz in it."""
    place = tmp_path / "bank"
    place.mkdir()
    for path in SHIPPED.iterdir():
        if path.name == MANIFEST:
            values = json.loads(path.read_text())
            (place / MANIFEST).write_text(json.dumps({k: v for k, v in values.items() if k not in ("others",)}))
        elif path.is_file():
            (place / path.name).symlink_to(path)
    shutil.copytree(SHIPPED / "low_rate", place / "low_rate")
    return place


def test_it_serves_what_the_bank_lacks_and_is_read_when_that_is_asked_for(folder: Path) -> None:
    assert Bank.load(folder).representations == ("dual",)
    assert name_other(folder, "low_rate", ["mel", "latent"]) == ("mel", "latent")
    bank = Bank.load(folder)
    assert bank.representations == ("dual", "mel", "latent") and bank.own_representations == ("dual",)
    assert bank.sample_rate == 44100 and not bank._others
    assert bank.growth_model("mel", "cpu").spec.sample_rate == 22050
    assert bank._others and bank.with_files([], {})._others is bank._others
    assert bank.foundation("mel") == Bank.load(folder / "low_rate").foundation("mel") != bank.foundation("dual")


def test_a_decoder_with_a_model_brings_the_representation_that_it_sounds() -> None:
    opened = assemble_synth(decoder="vocoder")
    assert (opened.representation, opened.decoder, opened.synth.internal_rate) == ("mel", "vocoder", 44100)
    assert assemble_synth(decoder="griffin-lim").representation == "dual"
    low = assemble_synth(decoder="vocoder", bank_path="low-rate")
    assert (low.representation, low.synth.internal_rate) == ("dual", 22050)


@pytest.mark.parametrize("names", [["dual"], ["opera"]])
def test_what_it_cannot_serve_is_refused(folder: Path, names: list[str]) -> None:
    with pytest.raises(UsageError, match="low_rate has no representation"):
        name_other(folder, "low_rate", names)


def test_another_bank_in_its_place_is_refused_in_a_line(folder: Path) -> None:
    name_other(folder, "low_rate")
    shutil.rmtree(folder / "low_rate")
    with pytest.raises(BankError, match=r"no bank at .*low_rate"):
        Bank.load(folder).growth_model("mel", "cpu")
    (folder / "low_rate").mkdir(exist_ok=True)
    (folder / "low_rate" / MANIFEST).write_bytes((SHIPPED / MANIFEST).read_bytes())
    with pytest.raises(BankError, match="is another bank than the one that belongs there"):
        Bank.load(folder).growth_model("mel", "cpu")
    assert Bank.load(folder).growth_model("dual", "cpu").spec.sample_rate == 44100


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"../x": {"representations": ["mel"], "sha256": "0" * 64}}, "a file name without folders"),
        ({"x": {"representations": ["dual"], "sha256": "0" * 64}}, "representations that this bank lacks"),
        ({"x": {"representations": [], "sha256": "0" * 64}}, "representations"),
        ({"x": {"representations": ["mel"], "sha256": "0"}}, "64 hexadecimal digits"),
        ({"x": 3}, "names and values"),
    ],
)
def test_a_wrong_entry_is_named(folder: Path, others: object, words: str) -> None:
    values = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(values | {"others": others}))
    with pytest.raises(BankError, match=words):
        Bank.load(folder)
