"""`train` and `export` from the command line: a model in moments, a bank that plays, and every mistake in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from tnca_synth.cli import main
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.manifest import MANIFEST
from tnca_synth.export import parity
from tnca_synth.training.loop.checkpoint import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.slow


def tnca(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tnca_synth", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_a_preset_of_ones_own_trains_stops_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset, cache = tmp_path / "mine.toml", tmp_path / "cache"
    preset.write_text(tiny.PRESET)
    common = ("--cache", cache, "--output", tmp_path / "run", "--threads", "1", "--seed", "4")
    done = tnca("train", preset, *common)
    assert done.returncode == 0, done.stderr
    for words in ("rendering 1 of 1 instruments", "training mine: ", "iterations 0 to 3 on cpu", "iteration 1 of 3, "):
        assert words in done.stderr  # a log that is no terminal hears that it lives
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    assert done.stdout.splitlines()[0] == f"The checkpoint is in {checkpoint}"
    assert f"tnca-synth export {checkpoint}" in done.stdout
    assert {"validation.jsonl", "held_out_000003.png", "tensorboard"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }
    held_out = json.loads((tmp_path / "run" / "validation.jsonl").read_text())["held_out_db"]
    assert held_out["mel"]["flute"] > 0

    def train(*arguments: str | Path, preset: Path = preset) -> tuple[int, str, str]:
        """Train in this process, which has torch already."""
        status = main(["train", str(preset), *map(str, arguments)])
        return (status, *capsys.readouterr())

    status, out, error = train(*common)
    assert (status, out, error.count("error:")) == (2, "", 1)
    assert "give --resume to go on with it" in error
    status, out, error = train(*common, "--resume")
    assert (status, out) == (0, done.stdout)
    elsewhere = tmp_path / "renamed.toml"
    elsewhere.write_text(tiny.PRESET)
    others = ("--cache", cache, "--threads", "1", "--output", tmp_path / "run", "--resume")
    status, out, error = train(
        *others, "--seed", "4", "--iterations", "5", preset=elsewhere
    )  # for longer, and by another name
    assert (status, out) == (0, done.stdout), error
    assert "going on with" in error and "after 3 iterations" in " ".join(error.split())
    assert load_checkpoint(checkpoint).iteration == 5
    status, out, error = train(*others, "--seed", "5", "--iterations", "7")
    assert (status, error.count("error:")) == (2, 1)
    assert (
        f"seed 4, now 5; resume with the same, or begin a new run with its weights: --start-from {checkpoint}" in error
    )
    status, out, error = train(*others, "--seed", "4")
    assert status == 2
    assert "has 5 iterations already, more than 3" in error
    others = ("--cache", cache, "--threads", "1", "--start-from")
    status, out, error = train(*others, checkpoint, "--output", tmp_path / "tuned")
    assert status == 0, error
    assert "new weights: none" in " ".join(error.split())
    status, out, error = train(*others, preset, "--output", tmp_path / "no")
    assert status == 1
    assert "is not a readable checkpoint" in error


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "duel"], "unknown preset 'duel', did you mean 'dual'?"),
        (["train", "vocoder", "--representation", "mel"], "--representation mel is the preset 'mel'"),
        (["train", "--threads", "0"], "expected a whole number of at least 1, got '0'"),
        (["train", "--iterations", "many"], "expected a whole number of at least 1, got 'many'"),
        (["train", "--seed", "-1"], "--seed"),
        (["train", "--device", "tpu"], "invalid choice: 'tpu'"),
        (["train", "nowhere/absent.toml"], "cannot read preset nowhere/absent.toml: No such file"),
        (["export", "a.pt"], "the following arguments are required: -o/--output"),
        (["export", "-o", "bank"], "the following arguments are required: CHECKPOINT"),
        (["export", "a.pt", "-o", "bank", "--metrics", "absent.json"], "cannot read the metrics absent.json"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["{", "[]", '{"dual": 3}', "\xff"])
def test_metrics_that_are_none_are_refused(text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.json"
    metrics.write_text(text, encoding="latin-1")
    assert main(["export", "a.pt", "-o", str(tmp_path / "bank"), "--metrics", str(metrics)]) == 2
    assert "metrics.json" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["absent.pt", "song.mid"])
def test_a_file_that_is_no_checkpoint_is_one_line(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "song.mid").write_bytes(b"MThd")
    assert main(["export", str(tmp_path / name), "-o", str(tmp_path / "bank")]) == 1
    error = capsys.readouterr().err
    assert name in error
    assert error.count("\n") == 1
    assert not (tmp_path / "bank").exists()


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a saved checkpoint of what the tiny bank holds; exporting takes its files, and a second of parity."""

    def copied(folder: Path, *_: object) -> dict[str, int]:
        tiny.write_tiny_bank(folder)
        return {name: len(data) for name, data in tiny.bank_files().items() if name != MANIFEST}

    monkeypatch.setattr(parity, "write_bank", copied)
    monkeypatch.setattr(parity.rollout_parity, "__defaults__", (1.0, 4))
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, tiny.checkpoint(tiny.config("dual")))
    return path


def test_export_tells_sizes_and_parity(checkpoint: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bank = tmp_path / "bank"
    assert main(["export", str(checkpoint), "-o", str(bank), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["bank"] == str(bank)
    assert 0.0 < report["parity"]["dual"] <= 1e-4
    for name, size in report["bytes"].items():
        assert (bank / name).stat().st_size == size
    assert report["total_bytes"] == sum(report["bytes"].values())
    assert "dual" in Bank.load(bank).representations

    assert main(["export", str(checkpoint), "-o", str(bank)]) == 0
    text = capsys.readouterr().out
    assert "dual.step.onnx" in text
    assert "largest difference from torch: dual " in text


def test_export_refuses_what_differs_from_torch(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = tiny.checkpoint(tiny.config("dual"))
    other.weights["update.weight"].mul_(1.5)
    save_checkpoint(checkpoint, other)
    assert main(["export", str(checkpoint), "-o", str(tmp_path / "bank")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "differs from torch by" in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "bank").exists()


@pytest.mark.parametrize("command", ["train", "export"])
def test_without_torch_one_line_says_what_to_install(command: str) -> None:
    script = f"""
import sys
sys.modules["torch"] = None
from tnca_synth.cli import main
sys.exit(main({[command, "a.pt", "-o", "bank"] if command == "export" else [command, "dual"]!r}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'tnca-synth[train]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["train", "export"])
def test_help_needs_nothing_heavy(command: str) -> None:
    script = f"""
import sys
from tnca_synth.cli import main
main([{command!r}, "--help"])
print([name for name in ("torch", "numpy", "onnxruntime", "rich") if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == "[]\n"
