"""Commands are found, help is quick, and every failure is one line and the right exit status."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tnca_synth import __version__
from tnca_synth.cli import commands, main
from tnca_synth.errors import BankError, MidiFileError, TncaError, UsageError

HEAVY = ("numpy", "onnxruntime", "torch", "rich", "soundfile", "sounddevice", "rtmidi", "textual", "tomlkit")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Call the command line with a command that raises."""

    def call(error: BaseException) -> int:
        def run(argv: list[str]) -> int:
            raise error

        monkeypatch.setattr(commands, "_run", run)
        return main([])

    return call


def in_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tnca_synth", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["render", "--help"], ["play", "--help"], ["devices", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = f"""
import sys
from tnca_synth.cli import main
status = main({arguments!r})
print(status, [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "0 []\n"
    assert done.stdout


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert "render" in text
    assert "instruments" in text


def test_commands_whose_module_is_missing_are_not_offered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = commands.CliCommand("dance", "dance", "dance to it")
    monkeypatch.setattr(commands, "COMMANDS", (*commands.COMMANDS, absent))
    assert main(["--help"]) == 0
    assert "dance" not in capsys.readouterr().out
    assert main(["dance"]) == 2


def test_the_package_runs_as_a_module() -> None:
    done = in_process("--version")
    assert (done.returncode, done.stdout) == (0, f"tnca-synth {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rendr"], "unknown command 'rendr': did you mean 'render'?"),
        (["zzz"], "unknown command 'zzz': expected one of play, devices, render, "),
        (["render"], "the following arguments are required: IN.mid"),
        (["render", "a.mid", "--sample-rate", "7"], "expected a whole number in 8000..192000, got '7'"),
        (["render", "a.mid", "--seed", "x"], "got 'x'"),
        (["render", "a.mid", "--decoder", "magic"], "invalid choice: 'magic'"),
        (["instruments", "--jsn"], "unrecognized arguments: --jsn"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tnca-synth: error: ")
    assert told in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (UsageError("no such thing"), 2, "no such thing"),
        (MidiFileError("a.mid: broken"), 1, "a.mid: broken"),
        (BankError("two\nlines"), 1, "two lines"),
        (TncaError("some"), 1, "some"),
        (FileNotFoundError(2, "No such file or directory", "x.wav"), 1, "No such file or directory: x.wav"),
        (ModuleNotFoundError("no", name="torch.nn"), 1, "needs torch: pip install 'tnca-synth[train]'"),
        (ZeroDivisionError("oh"), 1, "unexpected ZeroDivisionError: oh (a bug; TNCA_DEBUG=1 shows where"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_every_failure_is_one_line_and_its_status(
    failing: Callable[[BaseException], int],
    error: BaseException,
    status: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TNCA_DEBUG", raising=False)
    assert failing(error) == status
    text = capsys.readouterr().err
    assert text.startswith(f"tnca-synth: error: {told}") or told in text
    assert text.count("\n") == 1


def test_debugging_shows_where(failing: Callable[[BaseException], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TNCA_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError("oh"))


@pytest.mark.parametrize("buffering", ["", "1"])
def test_a_reader_that_leaves_early_is_no_error(buffering: str) -> None:
    script = """
import sys
from tnca_synth.cli import commands
commands._run = lambda argv: print("piano") or 0
sys.exit(commands.main([]))
"""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONUNBUFFERED": buffering},
            stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, b"")
