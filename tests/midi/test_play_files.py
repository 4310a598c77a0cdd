"""The benchmark that plays whole folders counts what is played, warned of, refused and silent."""

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def test_a_folder_is_a_line_of_the_table(
    build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "songs"
    (folder / "deeper").mkdir(parents=True)
    (folder / "good.mid").write_bytes(build.file(build.note))
    (folder / "deeper" / "ODD.MID").write_bytes(build.file(build.note)[:-1])
    (folder / "silent.mid").write_bytes(build.file(b""))
    (folder / "none.kar").write_bytes(b"Hello")
    (folder / "ignored.txt").write_bytes(b"Hello")
    monkeypatch.setattr(sys, "argv", ["play_files.py", str(folder)])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / "benchmarks" / "play_files.py"), run_name="__main__")
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "| songs | 4 | 2 | 1 | 2 | 1 |" in out
    assert "none.kar: not a MIDI file" in out
