"""The folder where a user keeps instruments: what lies there can be named instead of given by its path."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from ...errors import BankError
from .facts import InstrumentFacts
from .file import SUFFIX, facts_at

VARIABLE: Final = "TNCA_SYNTH_INSTRUMENTS"
"""Environment variable that names another folder."""
MAX_LISTED: Final = 10_000


class Listed(NamedTuple):
    """A file of the folder.

    Attributes
    ----------
    path : Path
    facts : InstrumentFacts or None
    fault : why it cannot be played, "" where it can
    """

    path: Path
    facts: InstrumentFacts | None
    fault: str = ""


def instruments_folder(platform: str = sys.platform, environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder of this user's instruments on a platform, whether there is one or not."""
    known = os.environ if environment is None else environment
    if known.get(VARIABLE):
        return Path(known[VARIABLE])
    if platform == "win32":
        base = known.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    elif platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = known.get("XDG_DATA_HOME", "")
        base = base if Path(base).is_absolute() else str(Path.home() / ".local" / "share")
    return Path(base) / "tnca-synth" / "instruments"


def list_folder(folder: Path | None = None) -> list[Listed]:
    """Return the instrument files of a folder, by default the user's, in the order of their names."""
    place = instruments_folder() if folder is None else folder
    try:
        found = sorted(path for path in place.iterdir() if path.suffix.lower() == SUFFIX)
    except OSError:
        return []
    return [_listed(path) for path in found[:MAX_LISTED] if not path.name.startswith(".")]


def _listed(path: Path) -> Listed:
    try:
        return Listed(path, facts_at(path))
    except BankError as error:
        return Listed(path, None, str(error).removeprefix(f"{path}: "))
