"""Many instruments are learned side by side; one that fails stops no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import tiny

from tnca_synth.cli import main
from tnca_synth.engine.instrument_files import read_instrument
from tnca_synth.errors import UsageError
from tnca_synth.training.learn_all import LearnTask, learn_all, learn_one
from tnca_synth.training.learning import plan
from tnca_synth.training.learning.plan import Speed

pytestmark = pytest.mark.slow

RATE = tiny.SPEC.sample_rate
QUICK = Speed("quick", iterations=4, with_all=2, look_every=2, patience=9)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in ("one", "two", "empty")]
    for folder in made:
        folder.mkdir()
        for key in (57, 60, 64) if folder.name != "empty" else ():
            soundfile.write(folder / f"reed_m{key:03d}.wav", tiny.recording(tiny.REED, key, 100, 0.8).audio, RATE)
    return made


def test_one_is_learned_as_learn_does_and_goes_on_from_its_file(
    tmp_path: Path, folders: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(plan.SPEEDS, "fit", QUICK)
    bank = tiny.write_tiny_bank(tmp_path / "bank")
    task = LearnTask(str(folders[0]), str(tmp_path / "one.tnca"), "fit", 0, False, str(bank))
    first = learn_one(task)
    assert (first.failure, first.values["notes"]) == ("", 3)
    assert read_instrument(tmp_path / "one.tnca").facts.name == "one"
    again = learn_one(task)  # as after a process that died
    assert again.failure == ""
    assert again.values["figures"]["iterations"] > first.values["figures"]["iterations"]


def test_what_cannot_be_learned_is_told_and_stops_nothing(
    tmp_path: Path, folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """In processes of their own; none of these has anything to learn from, so it is quick."""
    (tmp_path / "silent.wav").write_bytes(b"no sound")
    seen: list[str] = []
    outcomes = learn_all(
        [folders[2], tmp_path / "silent.wav"], tmp_path / "out", workers=2, watch=lambda one: seen.append(one.source)
    )
    assert [one.source for one in outcomes] == [str(folders[2]), str(tmp_path / "silent.wav")]
    assert sorted(seen) == sorted(one.source for one in outcomes)
    assert all(one.failure and "\n" not in one.failure for one in outcomes)
    assert main(["learn-all", str(folders[2]), "-o", str(tmp_path / "out"), "--workers", "1"]) == 1
    assert f"{folders[2]} failed: " in capsys.readouterr().err


def test_names_that_meet_and_files_that_are_there_are_refused(tmp_path: Path, folders: list[Path]) -> None:
    (tmp_path / "more" / "ONE").mkdir(parents=True)
    with pytest.raises(UsageError, match="two sources"):
        learn_all([folders[0], tmp_path / "more" / "ONE"], tmp_path / "out")
    (tmp_path / "one.tnca").write_bytes(b"an instrument")
    with pytest.raises(UsageError, match="--continue"):
        learn_all([folders[0]], tmp_path)
    assert (tmp_path / "one.tnca").read_bytes() == b"an instrument"
