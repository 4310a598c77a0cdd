"""Says whether the plugin is built, installed, current, and seen by the hosts of this system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from ...version import __version__
from .build import NAME, BuildError, find_tools
from .install import engine_file, places
from .turtle import URI

PATIENCE_S: Final = 60.0
_PLUGIN: Final = "TNCA Synth"
_QTRACTOR: Final = "lib/*/qtractor/qtractor_plugin_scan"
_ARDOUR: Final = "lib/ardour*/ardour-vst3-scanner"
_LOAD: Final = (
    "import ctypes, sys, time; t = time.perf_counter(); ctypes.CDLL(sys.argv[1]); print(time.perf_counter() - t)"
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    subject : str
    is_well : bool or None
        None where there is nothing to say, as of a host that is not installed.
    text : str
        What was found, and what to do where it is not well.
    seconds : float or None
        What a scan or a load took.
    """

    subject: str
    is_well: bool | None
    text: str
    seconds: float | None = None


def examine() -> Iterator[Finding]:
    """Look at everything, one after the other."""
    yield _tools()
    for one, place in places().items():
        yield _bundle(one, place)
    yield _engine()
    yield from _hosts()


def library_of(bundle: Path) -> Path:
    """Return the shared library of a bundle."""
    return next(bundle.rglob(f"{NAME}.so"), bundle) if bundle.is_dir() else bundle


def _tools() -> Finding:
    try:
        tools = find_tools()
    except BuildError as error:
        return Finding("compiler", False, str(error))
    return Finding("compiler", True, f"{tools.cxx}, headers in {tools.headers}")


def _bundle(one: str, place: Path) -> Finding:
    library = library_of(place)
    if not library.is_file():
        return Finding(one, False, f"not installed in {place}: tnca-synth plugin install")
    if f"tnca-synth plugin {__version__}\n".encode() not in library.read_bytes():
        return Finding(one, False, f"{place} is of another version than {__version__}: tnca-synth plugin install")
    done, _ = _timed([sys.executable, "-c", _LOAD, str(library)])
    if done.returncode:
        return Finding(one, False, f"{library} cannot be loaded: {_last_line(done.stderr)}")
    return Finding(one, True, str(place), float(done.stdout))


def _engine() -> Finding:
    file = engine_file()
    if not file.is_file():
        return Finding("engine", False, f"{file} is missing, which says how it is started: tnca-synth plugin install")
    command = file.read_text(encoding="utf-8").splitlines()
    if not command or shutil.which(command[0]) is None:
        return Finding("engine", False, f"{file} names a program that is not there: tnca-synth plugin install")
    done, seconds = _timed([command[0], "-c", "import tnca_synth; print(tnca_synth.__version__)"])
    if done.returncode:
        return Finding("engine", False, f"{command[0]} has no tnca-synth any more: tnca-synth plugin install")
    if done.stdout.strip() != __version__:
        return Finding("engine", False, f"{command[0]} has version {done.stdout.strip()}: tnca-synth plugin install")
    return Finding("engine", True, " ".join(command), seconds)


def _hosts() -> Iterator[Finding]:
    """Let the scanners of hosts look at what is installed, each in a process of its own."""
    where = places()
    yield _scan("lv2ls", shutil.which("lv2ls"), (), URI)
    yield _scan("qtractor", _program(_QTRACTOR), (), _PLUGIN, feed=f"CLAP:{where['clap']}\n")
    vst3 = where["vst3"]
    yield _scan("Ardour", _program(_ARDOUR), ("-f", "-v", str(vst3)), _PLUGIN)


def _program(pattern: str) -> str | None:
    return next((str(path) for path in Path("/usr").glob(pattern)), None)


def _scan(host: str, program: str | None, arguments: Sequence[str], expected: str, feed: str = "") -> Finding:
    if program is None:
        return Finding(host, None, "not on this system")
    with tempfile.TemporaryDirectory(prefix="tnca-doctor-") as folder:
        # A scanner that keeps what it found must not find an older answer, nor leave one.
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_CACHE_HOME": folder}
        environment["LD_LIBRARY_PATH"] = str(Path(program).parent)  # Ardour's scanner stands beside its libraries
        done, seconds = _timed([program, *arguments], environment, feed)
    if expected in done.stdout + done.stderr:
        return Finding(host, True, f"sees {_PLUGIN}", seconds)
    return Finding(host, False, f"does not see {_PLUGIN}: {_last_line(done.stderr) or 'it says nothing'}", seconds)


def _timed(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    feed: str = "",
    clock: Callable[[], float] = perf_counter,
) -> tuple[subprocess.CompletedProcess[str], float]:
    started = clock()
    try:
        done = subprocess.run(
            command, env=environment, input=feed, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        done = subprocess.CompletedProcess(command, 1, "", str(error))
    return done, clock() - started


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
