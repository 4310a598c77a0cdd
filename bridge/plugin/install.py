"""Puts the plugin where a user's hosts look for it, and takes it away again."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ...live.settings import user_folder
from ...whole_files import write_whole
from .build import FORMATS, NAME, Tools, build

_FOLDERS: Final = {"vst3": ".vst3", "clap": ".clap", "lv2": ".lv2"}
ENGINE_ARGUMENTS: Final = ("-m", "tnca_synth", "bridge-engine", "--detach")


def places(formats: Sequence[str] = FORMATS) -> dict[str, Path]:
    """Return where the bundle of each format lies once installed."""
    return {one: Path.home() / _FOLDERS[one] / f"{NAME}.{one}" for one in formats}


def engine_file() -> Path:
    """Return the file that tells the plugin how to start the engine, a word of the command in each line."""
    return user_folder() / "engine"


def engine_command() -> tuple[str, ...]:
    """Return the command that starts the engine with this Python."""
    return (sys.executable, *ENGINE_ARGUMENTS)


def install(formats: Sequence[str] = FORMATS, tools: Tools | None = None) -> dict[str, Path]:
    """Build the plugin, put it where hosts look, and write how the engine is started; return where the bundles are.

    A bundle that a host has loaded already goes on as it was: a new one takes its name.

    Raises
    ------
    BuildError
        If it cannot be built; nothing has changed then.
    OSError
        If it cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="tnca-plugin-") as folder:
        built = build(Path(folder), tools, formats)
        for one, place in places(formats).items():
            _replace(built[one], place)
    file = engine_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, "".join(f"{word}\n" for word in engine_command()).encode())
    return places(formats)


def uninstall(formats: Sequence[str] = FORMATS) -> list[Path]:
    """Remove what `install` has put somewhere; return what was there."""
    gone = [place for place in places(formats).values() if place.exists()]
    for place in gone:
        _remove(place)
    if set(formats) == set(FORMATS) and engine_file().exists():
        engine_file().unlink()
        gone.append(engine_file())
    return gone


def _replace(bundle: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.part")
    _remove(beside)
    if bundle.is_dir():
        shutil.copytree(bundle, beside)
    else:
        shutil.copy2(bundle, beside)
    _remove(place)
    beside.rename(place)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
