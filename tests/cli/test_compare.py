"""`tnca-synth compare` on the shipped bank, as small as it can be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tnca_synth.cli import main
from tnca_synth.errors import TncaError
from tnca_synth.training.comparison import speed
from tnca_synth.training.comparison.speed import Speed
from tnca_synth.training.validation.anchors import ANCHORS

pytestmark = pytest.mark.slow

SMALL = ("compare", "--instruments", "Flute", "--keys", "1", "--path", "dual+harmonic")


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Take the time of no path; note which were to be timed."""
    asked: list[tuple[str, str]] = []

    def measure_speed(bank_path: Path | None, representation: str, decoder: str) -> Speed:
        asked.append((representation, decoder))
        return Speed(0.01, 50.0)

    monkeypatch.setattr("tnca_synth.training.comparison.run.measure_speed", measure_speed)
    return asked


def test_a_path_is_compared_with_the_sampler_and_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], timed: list[tuple[str, str]]
) -> None:
    assert main([*SMALL, "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert "keys never recorded" in printed.out and "what the design expected" in printed.out
    best, against = printed.out.rstrip().splitlines()[-2:]
    assert best.endswith("real time on one core: dual+harmonic, 100 voices.")
    assert against.startswith("Against the sampler dual+harmonic takes ")
    assert f"The page is {tmp_path / 'out' / 'comparison.html'}" in printed.err
    assert {"comparison.json", "comparison.html", "comparison.md", "frontier.png", "flute.png"} == {
        path.name for path in (tmp_path / "out").iterdir()
    }
    values = json.loads((tmp_path / "out" / "comparison.json").read_text())
    means = values["paths"]["dual+harmonic"]["means"]
    numbers = {kind: table["flute"]["notes"] for kind, table in means.items()}
    assert numbers == {"all": 2, "key": 1, "layer": 1, "shared": 2}
    assert 0.0 < means["all"]["all"]["distance"] < 1.5
    ours, sampler, opus = (
        values["paths"][name]["means"]["all"]["flute"]["zimtohrli"]
        for name in ("dual+harmonic", "sampler", "Opus 48 kb/s")
    )
    assert 0.0 < opus < ours < sampler
    assert 12.0 <= means["all"]["flute"]["opus_kbps"] <= 48.0
    assert values["paths"]["dual+harmonic"]["has_correction"] is True
    assert means["all"]["all"]["phase"] > 0.3
    assert timed == [("dual", "harmonic")]


def test_json_is_all_that_is_printed(capsys: pytest.CaptureFixture[str], timed: list[tuple[str, str]]) -> None:
    assert main([*SMALL, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert set(values) == {"machine", "winner", "paths", "expectations", "notes"}
    assert values["winner"] == "dual+harmonic"
    assert {note["path"] for note in values["notes"]} == {"sampler", *ANCHORS, "dual+harmonic"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--keys", "0"), "--keys must be at least 1, got 0"),
        (("--instruments", "flut"), "unknown instrument 'flut': did you mean 'flute'?"),
        (("--path", "dual+harmonics"), "unknown path 'dual+harmonics': did you mean 'dual+harmonic'?"),
        (("--path", "mel+harmonic"), "unknown path 'mel+harmonic'"),
        (("--preset", "duel"), "unknown preset 'duel'"),
    ],
)
def test_a_wrong_call_is_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    assert main(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_speed_and_memory_are_those_of_a_process_of_its_own() -> None:
    measured = speed.measure_speed(None, "mel", "vocoder")
    assert 0.0 < measured.rtf < 10.0
    assert measured.voices == 1.0 / measured.rtf
    assert 1.0 < measured.memory_mb < 1000.0


def test_a_path_that_cannot_be_timed_is_an_error_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(TncaError, match=r"the speed of mel\+vocoder cannot be measured: .*no bank at"):
        speed.measure_speed(tmp_path, "mel", "vocoder")
