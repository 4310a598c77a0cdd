"""`tnca-synth`: finds the command, runs it, and turns every error into one line and an exit status."""

from __future__ import annotations

import argparse
import math
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from time import monotonic
from types import FrameType
from typing import Any, Final, NamedTuple, NoReturn

from ..errors import TncaError, UsageError
from ..version import __version__
from .output import PROGRAM, print_error, show_any_text

EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_SIGNAL: Final = 128
PATIENCE_S: Final = 2.0
"""So soon after the first a further signal changes nothing."""
# Numpy's matrices are small here: a second thread of its BLAS would only spin beside the one that makes the sound.
ONE_THREAD: Final = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "MKL_NUM_THREADS")
DEBUG_VARIABLE: Final = "TNCA_DEBUG"
PLAY: Final = "play"
ALONE: Final = ("-h", "--help", "--version")
"""Options that need no command; any other one in its place means `play`."""
USAGE: Final = f"""{PROGRAM} --midi-in [PORT] [OPTION ...]    play, now
       {PROGRAM} COMMAND [ARGUMENT ...]         all else"""
TRAIN_PACKAGES: Final = frozenset(
    {
        "torch",
        "onnx",
        "soxr",
        "librosa",
        "scipy",
        "matplotlib",
        "tensorboard",
        "tinysoundfont",
        "onnxscript",
        "auraloss",
        "pyloudnorm",
        "yaml",
        "PIL",
        "swift_f0",
        "zimtohrli",
    }
)
SCALE_PACKAGES: Final = frozenset({"pyarrow", "ray"})
JUDGE_PACKAGES: Final = frozenset({"visqol"})
EXTRAS: Final = {"train": TRAIN_PACKAGES, "scale": SCALE_PACKAGES, "judges": JUDGE_PACKAGES}


class CliCommand(NamedTuple):
    """A row of the table of commands.

    The module, in this package, offers ``add_arguments(parser)`` and ``run(arguments) -> int``, the exit status.
    It is imported only when its command is called, and imports what is heavy inside `run`, so that ``--help`` stays
    quick. A command whose module is not there is not offered.
    """

    name: str
    module: str
    help: str


COMMANDS: Final = (
    CliCommand("play", "play", "play live, from a MIDI keyboard or the computer's (the word may be left out)"),
    CliCommand("devices", "devices", "list MIDI inputs and audio outputs, and what is missing"),
    CliCommand("render", "render", "turn a MIDI file into a WAV or FLAC file"),
    CliCommand(
        "render-corpus", "render_corpus", "render many songs, with stems and annotations, on all cores or a cluster"
    ),
    CliCommand("render-notes", "render_notes", "render an instrument's notes as samples with an SFZ file"),
    CliCommand("instruments", "instruments", "list the instruments of the bank"),
    CliCommand("learn", "learn", "make an instrument of your own from recorded notes"),
    CliCommand("learn-all", "learn_all", "learn many instruments at once, on all cores"),
    CliCommand("train", "train", "train a growth model or a decoder"),
    CliCommand("export", "export", "write a trained model as ONNX, or a bank"),
    CliCommand("codec", "codec", "turn a codec that was trained elsewhere into a decoder of latents"),
    CliCommand("vocoder", "vocoder", "import a vocoder that was trained elsewhere"),
    CliCommand("evaluate", "evaluate", "measure models against recordings they never saw"),
    CliCommand("compare", "compare", "set every representation and decoder side by side, on held-out notes"),
    CliCommand("jack", "jack", "play as a client of a JACK server, with ports of its own"),
    CliCommand("plugin", "plugin", "build and install the plugin for digital audio workstations (VST3, CLAP, LV2)"),
    CliCommand("bridge-engine", "bridge_engine", "play for plugins; they start it themselves"),
    CliCommand("bench", "bench", "measure speed on this machine"),
)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (try: {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit status: 0, 1 for a failure, 2 for a wrong call, 128 + n when stopped by signal n.
    """
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    show_any_text()
    stop = _Stop()
    try:
        with _signals_unwind(stop, ends_process=argv is None):
            try:
                return _run(sys.argv[1:] if argv is None else list(argv))
            finally:
                sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAILURE
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        # Nobody reads any more, as in `tnca-synth instruments | head -1`; Python's own flush at exit must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_SIGNAL + 13
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        # A compiled module that is interrupted while it is imported makes another error of it.
        return _interrupted() if stop.is_interrupted else _report(error)


def _interrupted() -> int:
    print_error("interrupted")
    return EXIT_SIGNAL + signal.SIGINT


def _run(argv: list[str]) -> int:
    commands = {command.name: command for command in COMMANDS if find_spec(f"..{command.module}", __name__)}
    if argv and argv[0].startswith("-") and argv[0] not in ALONE and PLAY in commands:
        argv = [PLAY, *argv]
    wanted = next((argument for argument in argv if not argument.startswith("-")), None)
    if wanted is not None and wanted not in commands:
        raise UsageError(_unknown_command(wanted, list(commands)))
    parser, child = _parsers(commands, wanted)
    if not argv:
        parser.print_help()
        return 0
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        (child or parser).error(_unknown_arguments(unknown, (child or parser).format_help()))
    return int(arguments.run(arguments))


def _parsers(commands: dict[str, CliCommand], wanted: str | None) -> tuple[_Parser, _Parser | None]:
    """Return the parser of the whole, and that of the wanted command, which alone declares its arguments."""
    parser = _Parser(
        prog=PROGRAM,
        usage=USAGE,
        allow_abbrev=False,
        description="Play MIDI, live or from files, on instruments grown by cellular automata.",
        epilog=f"`{PROGRAM} {PLAY} --help` lists the options for playing, `{PROGRAM} COMMAND --help` any command's.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    children = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, prog=PROGRAM)
    chosen = None
    for command in commands.values():
        child = children.add_parser(
            command.name,
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            allow_abbrev=False,
        )
        if command.name == wanted:
            module: Any = import_module(f"..{command.module}", __name__)
            module.add_arguments(child)
            child.set_defaults(run=module.run)
            chosen = child
    return parser, chosen


def _unknown_arguments(unknown: list[str], help_text: str) -> str:
    known = re.findall(r"--[a-z][a-z-]+", help_text)
    near = [get_close_matches(one.partition("=")[0], known, n=1) for one in unknown if one.startswith("--")]
    hint = f" (did you mean {near[0][0]}?)" if near and near[0] else ""
    return f"unrecognized arguments: {' '.join(unknown)}{hint}"


def _unknown_command(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}"
    return f"unknown command {name!r}: {hint}"


def _report(error: Exception) -> int:
    """Print an error in one line and return the exit status it stands for."""
    if isinstance(error, TncaError):
        print_error(str(error))
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILURE
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    extra = next((name for name, packages in EXTRAS.items() if package in packages), None)
    if extra is not None:
        print_error(f"this command needs {package}: pip install 'tnca-synth[{extra}]'")
    elif isinstance(error, OSError) and error.strerror:
        print_error(f"{error.strerror}: {error.filename}" if error.filename else error.strerror)
    else:
        print_error(
            f"unexpected {type(error).__name__}: {error} (a bug; {DEBUG_VARIABLE}=1 shows where, please report it)"
        )
    return EXIT_FAILURE


class _Stop:
    """Turns signals into exceptions that unwind the stack, so that files half written are removed.

    What is asked for twice is not done twice: a second signal, while the first still unwinds the stack, must not end
    the removing. Later on it counts again, in case the first was lost.
    """

    def __init__(self) -> None:
        self.has_come = self.is_interrupted = False
        self._last_s = -math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        if monotonic() - self._last_s < PATIENCE_S:
            return
        self._last_s, self.has_come = monotonic(), True
        if number == signal.SIGINT:
            self.is_interrupted = True
            raise KeyboardInterrupt
        raise SystemExit(EXIT_SIGNAL + number)


@contextmanager
def _signals_unwind(stop: _Stop, ends_process: bool) -> Iterator[None]:
    """Handle signals so, but those that are ignored, as SIGHUP under nohup, or handled otherwise already.

    A process that was told to end and is about to leaves the rest alone.
    """
    usual = {signal.SIG_DFL, signal.default_int_handler}
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) in usual}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if ends_process and stop.has_come else handler)
