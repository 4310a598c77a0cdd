"""`tnca-synth instruments info`, `rename`, `merge`, `verify`, `export`, and a file's path in place of a name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from own_files import FOUNDATION, made_bytes, made_instrument, shipped_instrument

from tnca_synth.cli import main
from tnca_synth.engine.instrument_files import instrument_bytes, read_instrument, write_instrument
from tnca_synth.engine.instrument_files.folder import VARIABLE

SHIPPED = Path(__file__).parents[2] / "instruments"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the user's folder, with an instrument for no real foundation."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    write_instrument(tmp_path / "own" / "k.tnca", made_instrument())
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> str:
    """Run a command; return what it prints, errors after all else."""
    capsys.readouterr()
    assert main(["instruments", *arguments]) == status
    printed = capsys.readouterr()
    return printed.out + printed.err


def test_info_tells_all_that_a_file_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, 0, "info", "KALIMBA")
    assert "name: kalimba" in text and f"foundation: {FOUNDATION}" in text and "recorded keys: 60, 62, 64, 67" in text
    assert "levels: +0.0 dB at velocity 127, 0.0 dB less with each halving of the velocity" in text
    facts = json.loads(said(capsys, 0, "info", str(folder / "own" / "k.tnca"), "--json"))
    assert (facts["kind"], facts["low"], facts["recorded_keys"]) == ("pitched", 60, [60, 62, 64, 67])
    assert "did you mean 'kalimba'" in said(capsys, 2, "info", "kalimbo")
    assert "cannot read the instrument" in said(capsys, 1, "info", "missing.tnca")


def test_rename_changes_the_name_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "own" / "k.tnca"
    said(capsys, 0, "rename", "kalimba", "Thumb Piano", "-o", str(folder / "other.tnca"))
    assert path.read_bytes() == made_bytes()
    said(capsys, 0, "rename", str(path), "Thumb Piano")
    assert path.read_bytes() == (folder / "other.tnca").read_bytes()
    assert instrument_bytes(read_instrument(path).renamed("kalimba")) == made_bytes()
    assert "expected a text" in said(capsys, 1, "rename", str(path), "a\nb")
    assert read_instrument(path).facts.name == "Thumb Piano"


def test_merge_makes_one_of_several(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kit, out = folder / "kit.tnca", folder / "both.tnca"
    write_instrument(kit, made_instrument("kit"))
    assert "2 recorded keys" in said(capsys, 0, "merge", str(kit), str(kit), "-o", str(out))
    assert read_instrument(out).facts.name == "both"
    assert "of kind" in said(capsys, 2, "merge", str(kit), "kalimba", "-o", str(out))


def test_verify_tells_of_each_file_and_fails_for_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, torn = folder / "good.tnca", folder / "torn.tnca"
    write_instrument(good, shipped_instrument("flute"))
    torn.write_bytes(good.read_bytes()[:-1])
    assert said(capsys, 0, "verify", str(good)) == f"{good}: as it should be\n"
    text = said(capsys, 1, "verify", str(good), str(torn), "kalimba")
    assert f"{good}: as it should be" in text and f"{torn}: it is no instrument file" in text
    assert "kalimba: for another foundation than this bank's" in text
    listed = json.loads(said(capsys, 1, "verify", str(torn), "--json"))
    assert listed[0]["file"] == str(torn) and listed[0]["fault"]


def test_export_writes_what_the_bank_plays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "v.tnca"
    assert "violin, 16 recorded keys, 51" in said(capsys, 0, "export", "40", "-o", str(out))
    found = read_instrument(out)
    assert found.facts.versions.keys() == {"tnca-synth"}
    assert found.table.key.tobytes() == shipped_instrument("violin").table.key.tobytes()
    assert "takes the name of an instrument, or --all DIR" in said(capsys, 2, "export")
    assert "unknown instrument" in said(capsys, 2, "export", "violine d'amore")


def test_a_learned_file_of_up_to_24_keys_has_80_kb_at_most_and_4_kb_for_each_of_more() -> None:
    sizes = {path.name: (len(read_instrument(path).table.key), path.stat().st_size) for path in SHIPPED.glob("*.tnca")}
    assert len(sizes) > 10
    assert {name: one for name, one in sizes.items() if one[1] > max(80_000, 4_100 * one[0])} == {}


@pytest.mark.parametrize("name", ["grand-piano", "trumpet", "fingered-bass", "vibraphone", "violin"])
def test_a_file_of_an_instrument_has_80_kb_for_24_keys_at_most(name: str) -> None:
    instrument = shipped_instrument(name)
    assert len(instrument_bytes(instrument)) * 24 / len(instrument.table.key) < 80_000


def test_the_list_shows_ones_own_and_what_is_wrong_with_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_instrument(folder / "own" / "f.tnca", shipped_instrument("flute").renamed("My Flute"))
    (folder / "own" / "torn.tnca").write_bytes(b"")
    lines = said(capsys, 0).splitlines()
    own = {line.split("  ")[0]: line for line in lines[-3:]}
    assert own["My Flute"].endswith("yours") and "another foundation" in own["kalimba"]
    assert "no zip archive" in own["torn.tnca"]
    listed = json.loads(said(capsys, 0, "--json"))
    assert [(one["name"], bool(one["fault"])) for one in listed[-3:]] == [
        ("My Flute", False), ("kalimba", True), ("torn.tnca", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--map", "0"), "expected PLACE=INSTRUMENT"),
        (("--map", "x=violin"), "expected a program 0..127"),
        (("--map", "0=violn"), "did you mean 'violin'"),
        (("--map", "drums=violin"), "drums are played by a kit"),
        (("--instrument", "kalimba.tnca"), "cannot read the instrument kalimba.tnca"),
    ],
)
def test_a_wrong_choice_is_told_before_anything_is_written(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = Path(__file__).parents[2] / "examples" / "canon.mid"
    assert main(["render", str(song), "-o", str(tmp_path / "out.wav"), "--workers", "1", *arguments]) in (1, 2)
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
