"""`learn --dry-run`: what a user is told of what he brings, and the question whether to mend names."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import bad_folder
import pytest
import soundfile
from rich.console import Console

from tnca_synth.cli.learn import mended
from tnca_synth.training.material import understand

pytestmark = pytest.mark.slow

KEYS = (48, 55, 60, 64, 67)


@pytest.fixture(scope="module")
def bells(tmp_path_factory) -> Path:
    """Return a folder whose names are an octave above what sounds, with one file that is none."""
    folder = tmp_path_factory.mktemp("bells")
    for key in KEYS:
        name = bad_folder.name_of(key + 12)
        soundfile.write(folder / f"Bell_{name}.wav", bad_folder.note(key, seed=key), bad_folder.RATE)
    (folder / "Bell_C2.wav").write_text("no sound")
    return folder


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200"}
    command = [sys.executable, "-m", "tnca_synth", "learn", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, timeout=60
    )


def test_a_dry_run_says_what_was_understood_and_what_mends_it(bells):
    told = run(bells, "--dry-run")
    assert told.returncode == 0, told.stderr
    said = told.stdout + told.stderr
    for text in ("5, 5 s of sound", "C4, G4, C5, E5, G5", "names are 12 semitones above", "--transpose -12"):
        assert text in said
    assert "Bell_C2.wav: unreadable" in said
    assert "Traceback" not in said


def test_a_dry_run_for_programs(bells):
    facts = json.loads(run(bells, "--dry-run", "--json", "--transpose", "-12").stdout)
    assert (facts["pitches"], facts["offset_semitones"]) == (list(KEYS), 0)
    assert [(one["place"], one["refused"]) for one in facts["findings"]] == [("Bell_C2.wav", True)]


@pytest.mark.parametrize(("name", "status"), [("nowhere", 1), ("empty", 1), ("two.sfz", 1), ("sine.sf2", 1)])
def test_what_cannot_be_learned_is_one_line(tmp_path, name, status):
    (tmp_path / "empty").mkdir()
    (tmp_path / "two.sfz").write_text("nothing here")
    (tmp_path / "sine.sf2").write_bytes(b"RIFF")
    told = run(tmp_path / name, "--dry-run")
    assert told.returncode == status
    assert len(told.stderr.splitlines()) == 1 and told.stderr.startswith("tnca-synth: error: ")


class Terminal(Console):
    """A console that takes itself for a terminal at which somebody types."""

    def __init__(self, answer: str | None) -> None:
        super().__init__(file=io.StringIO(), force_terminal=True)
        self._answer = answer
        self.asked = ""

    def input(self, prompt: object = "", **_: object) -> str:
        self.asked = str(prompt)
        if self._answer is None:
            raise EOFError
        return self._answer


@pytest.mark.parametrize(
    ("answer", "is_moved"), [("", True), ("y", True), ("Yes", True), ("n", False), ("no", False), (None, False)]
)
def test_whoever_sits_at_a_terminal_is_asked(bells, monkeypatch, answer, is_moved):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    console = Terminal(answer)
    material = mended(understand(bells), console)
    assert console.asked == "Move all keys by -12 semitones? [Y/n] "
    assert material.pitches == (KEYS if is_moved else tuple(key + 12 for key in KEYS))
    assert (material.offset is None) == is_moved


def test_nobody_is_asked_where_nobody_sits(bells, monkeypatch):
    console = Terminal("y")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    assert mended(understand(bells), console).offset is not None
    assert console.asked == ""
