"""`tnca-synth learn` as a user calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tnca_synth.cli import main
from tnca_synth.engine.instrument_files import read_instrument

RATE = 22_050
PATIENCE_S = 240.0
"""Until an instrument can be played, on a machine that does much else."""


@pytest.fixture
def bells(tmp_path: Path) -> Path:
    """Return a folder of three short notes, and one that is silent."""
    folder = tmp_path / "bells"
    folder.mkdir()
    time_s = np.arange(16_000) / RATE
    for name, hz in (("C4", 261.63), ("G4", 392.0), ("C5", 523.25)):
        tone = sum(np.sin(2 * np.pi * n * hz * time_s) * np.exp(-3.0 * n * time_s) / n for n in (1, 2, 3, 4))
        soundfile.write(folder / f"bells_{name}.wav", 0.2 * tone, RATE)
    soundfile.write(folder / "bells_E4.wav", np.zeros(16_000), RATE)
    return folder


def test_a_dry_run_says_what_is_understood_and_writes_nothing(
    bells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["learn", str(bells), "-o", str(tmp_path / "bells.tnca"), "--dry-run", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["pitches"] == [60, 67, 72]
    assert "bells_E4.wav" in facts["findings"][0]["place"] and facts["findings"][0]["refused"]
    assert not (tmp_path / "bells.tnca").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "bells.wav"], "must end in .tnca"),
        (["-o", "nowhere/bells.tnca"], "there is no folder nowhere"),
        (["-o", "bells.tnca", "--continue"], "no instrument to go on from"),
        (["--speed", "slow"], "--speed"),
    ],
)
def test_a_wrong_call_is_one_line(
    bells: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["learn", str(bells), *arguments]) == 2
    told = capsys.readouterr().err
    assert says in told and told.count("\n") == 1


@pytest.mark.slow
def test_ctrl_c_leaves_an_instrument_and_continue_goes_on(bells: Path, tmp_path: Path) -> None:
    path = tmp_path / "bells.tnca"
    command = [sys.executable, "-m", "tnca_synth", "learn", str(bells), "-o", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    until = time.monotonic() + PATIENCE_S
    assert process.stderr is not None
    for line in process.stderr:
        if "playable after" in line or time.monotonic() > until:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "--continue goes on" in err and f"--instrument {path}" in out
    stopped = read_instrument(path)
    assert stopped.table.key.tolist() == [60, 67, 72]
    again = subprocess.run(
        [*command, "--continue", "--json"], capture_output=True, text=True, check=True, timeout=4 * PATIENCE_S
    )
    report = json.loads(again.stdout)
    assert report["complete"] and report["refused"] == 1
    assert report["figures"]["iterations"] > stopped.facts.figures["iterations"]
    assert report["figures"]["watched_distance"] <= stopped.facts.figures["watched_distance"] + 1e-5
