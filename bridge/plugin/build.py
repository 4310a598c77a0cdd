"""Compiles the plugin in its three formats, with the system's C++ compiler and the headers of DPF."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...errors import TncaError
from ...version import __version__
from .turtle import manifest, plugin_description

NAME: Final = "tnca-synth"
FORMATS: Final = ("vst3", "clap", "lv2")
HEADERS: Final = Path("/usr/share/dpf/distrho/src")
"""Where Debian's package dpf-source has the headers of the three formats."""
HEADERS_VARIABLE: Final = "TNCA_DPF"
_SOURCES: Final = Path(__file__).parent
_WARNINGS: Final = ("-Wall", "-Wextra")
_COMMON: Final = ("-O2", "-g0", "-fPIC", "-fvisibility=hidden", "-pthread", *_WARNINGS)


class BuildError(TncaError):
    """The plugin could not be built; the message says why, in one line."""


@dataclass(frozen=True)
class Tools:
    """What compiles the plugin.

    Attributes
    ----------
    c, cxx : str
        The compilers.
    headers : Path
        The folder that has `travesty`, `clap` and `lv2`.
    options : tuple of str
        For compiling and linking, such as ``-fsanitize=address``.
    """

    c: str
    cxx: str
    headers: Path
    options: tuple[str, ...] = ()


def find_tools(options: Sequence[str] = ()) -> Tools:
    """Return what compiles the plugin here; the variables CC, CXX and TNCA_DPF choose.

    Raises
    ------
    BuildError
        If something is missing; the message says what to install.
    """
    if sys.platform != "linux":
        raise BuildError(f"the plugin is built for Linux only so far, this is {sys.platform}: see docs/plugin.md")
    c, cxx = os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")
    missing = [one for one in (c, cxx) if shutil.which(one.split()[0]) is None]
    if missing:
        raise BuildError(f"no compiler {missing[0]!r}: install one (on Debian: sudo apt-get install g++)")
    headers = Path(os.environ.get(HEADERS_VARIABLE, HEADERS))
    if not (headers / "travesty" / "component.h").is_file():
        raise BuildError(
            f"no headers of DPF in {headers}: install them (on Debian: sudo apt-get install dpf-source), "
            f"or let {HEADERS_VARIABLE} name the folder distrho/src of DPF 1.6"
        )
    return Tools(c, cxx, headers, tuple(options))


def build(target: Path, tools: Tools | None = None, formats: Sequence[str] = FORMATS) -> dict[str, Path]:
    """Compile the plugin.

    Parameters
    ----------
    target : Path
        The folder for the bundles; those that are there are replaced.
    tools : Tools, optional
        What `find_tools` finds, by default.
    formats : sequence of str
        Some of `FORMATS`.

    Returns
    -------
    dict of str to Path
        The bundle of each format, a file or a folder.

    Raises
    ------
    BuildError
        If something is missing or the compiler fails.
    """
    tools = tools or find_tools()
    with tempfile.TemporaryDirectory(prefix="tnca-plugin-") as folder:
        shared = [*sorted(_SOURCES.parent.glob("*.c")), _SOURCES / "instance.cpp"]
        sources = [*shared, *(_SOURCES / f"{one}.cpp" for one in formats)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            made = list(pool.map(lambda source: _compile(source, Path(folder), tools), sources))
        objects = dict(zip(sources, made, strict=True))
        common = [objects[source] for source in shared]
        return {one: _bundle(one, target, [objects[_SOURCES / f"{one}.cpp"], *common], tools) for one in formats}


def _compile(source: Path, folder: Path, tools: Tools) -> Path:
    made = folder / f"{source.stem}.o"
    is_c = source.suffix == ".c"
    compiler, standard = (tools.c, "-std=gnu11") if is_c else (tools.cxx, "-std=c++17")
    # The headers of the formats are others' work: their warnings are not ours.
    places = ("-I", str(_SOURCES.parent), "-isystem", str(tools.headers))
    version = f'-DTNCA_VERSION="{__version__}"'
    _run([*compiler.split(), standard, *_COMMON, version, *places, *tools.options, "-c", str(source), "-o", str(made)])
    return made


def _bundle(one: str, target: Path, objects: Sequence[Path], tools: Tools) -> Path:
    bundle = target / f"{NAME}.{one}"
    if bundle.is_dir():
        shutil.rmtree(bundle)
    library = bundle
    if one == "vst3":
        library = bundle / "Contents" / f"{os.uname().machine}-linux" / f"{NAME}.so"
    elif one == "lv2":
        library = bundle / f"{NAME}.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    # With options the library of a sanitizer is part of the host that is tested, not of the plugin.
    complete = () if tools.options else ("-Wl,--no-undefined",)
    linking = ("-shared", "-pthread", "-Wl,-Bsymbolic")
    _run([*tools.cxx.split(), *linking, *complete, *tools.options, *map(str, objects), "-o", str(library)])
    if one == "lv2":
        (bundle / "manifest.ttl").write_text(manifest(library.name), encoding="utf-8")
        (bundle / f"{NAME}.ttl").write_text(plugin_description(), encoding="utf-8")
    return bundle


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        raise BuildError(f"{command[0]} failed: {lines[0] if lines else 'without a message'}")
