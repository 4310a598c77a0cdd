"""`tnca-synth instruments` lists what the bank can play, for people and for programs."""

import json
from types import SimpleNamespace

import pytest
from fake_ensemble import FakeBank

from tnca_synth.cli import main
from tnca_synth.engine.bank import bank


@pytest.fixture(autouse=True)
def _fake_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "Bank", SimpleNamespace(load=lambda path: FakeBank()))


def test_people_see_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["instruments"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "NAME          PROGRAM  FAMILY",
        "Piano         0        Piano",
        "Violin        40       Strings",
        "Standard Kit  drums    Drums",
    ]


def test_programs_see_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["instruments", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed[1] == {"name": "Violin", "program": 40, "family": "Strings", "is_drums": False}
    assert len(listed) == 3
