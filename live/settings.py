"""The settings file of a player, `tnca-synth.toml`: defaults of the options, and which controller does what.

instrument = "cello"
midi-in = ["Keystation"]

[cc]
74 = "brightness"

[map]
0 = "kalimba.tnca"
"drums:0" = "mykit.tnca"
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..engine.bank.added import parse_place
from ..engine.instrument_files import is_file_name
from ..engine.names import closest
from ..engine.regular_files import decode_text, read_toml
from ..errors import UsageError
from ..whole_files import write_whole
from .options import BY_KEY, CONTROLLER_RANGE, instrument, whole_number
from .protocol import CONTROL_TARGETS

FILE_NAME: Final = "tnca-synth.toml"
CONTROLS: Final = "cc"
PLACES: Final = "map"
INSTRUMENTS: Final = ("instrument", "lock_instrument")
STORED: Final = tuple(key for key, option in BY_KEY.items() if option.stored)


@dataclass(frozen=True)
class Settings:
    """What a settings file says; None is what it leaves open.

    Attributes
    ----------
    path : Path or None
        The file; None if there is none.
    cc : mapping of int to str
        Controller number to the name of what it moves.
    map : mapping of str to str
        Place, such as "0" or "drums:0", to the instrument that plays there: a name, program or file.
    """

    path: Path | None = None
    midi_in: tuple[str, ...] | None = None
    audio_out: str | None = None
    host_api: str | None = None
    sample_rate: int | None = None
    block_size: int | None = None
    instrument: str | None = None
    lock_instrument: str | None = None
    representation: str | None = None
    decoder: str | None = None
    channel: int | None = None
    max_voices: int | None = None
    seed: int | None = None
    provider: str | None = None
    bank: Path | None = None
    growth_cc: bool | None = None
    cc: Mapping[int, str] = field(default_factory=dict)
    map: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in STORED:
            value = getattr(self, BY_KEY[key].field)
            if value is not None and not isinstance(value, Path):
                BY_KEY[key].check(value)
        for controller, target in self.cc.items():
            whole_number(controller, *CONTROLLER_RANGE)
            closest(target, CONTROL_TARGETS, "target")
        for place in self.map:
            parse_place(place)

    def given(self) -> dict[str, Any]:
        """Return the options that are set, by field name, controllers and path apart."""
        values = {BY_KEY[key].field: getattr(self, BY_KEY[key].field) for key in STORED}
        return {name: value for name, value in values.items() if value is not None}


def user_folder(platform: str = sys.platform, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder where this user's settings belong on a platform."""
    if platform == "win32":
        base = environment.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    elif platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = environment.get("XDG_CONFIG_HOME", "")
        base = base if Path(base).is_absolute() else str(Path.home() / ".config")
    return Path(base) / "tnca-synth"


def find_settings() -> Path | None:
    """Return the settings file of the current folder, else of this user, else None."""
    candidates = (Path(FILE_NAME), user_folder() / FILE_NAME)
    return next((path for path in candidates if path.is_file()), None)


def read_settings(path: Path | None) -> Settings:
    """Read and check a settings file.

    Parameters
    ----------
    path : Path or None
        None gives empty settings.

    Raises
    ------
    UsageError
        If the file cannot be read, is not TOML, or says something unknown or impossible; it names file and key.
    """
    if path is None:
        return Settings()
    try:
        tables = read_toml(path)
    except OSError as error:
        raise UsageError(f"cannot read the settings {path}: {error.strerror}") from error
    except ValueError as error:  # neither TOML nor UTF-8
        raise UsageError(f"{path} is not TOML: {error}") from error
    values = {}
    for key, value in tables.items():
        if key not in (CONTROLS, PLACES):
            name, checked = _option(path, key, value)
            values[name] = checked
    controls, places = (tables.get(name, {}) for name in (CONTROLS, PLACES))
    return Settings(path=path, cc=_controls(path, controls), map=_mapped(path, places), **values)


def store_control(path: Path, controller: int, target: str) -> None:
    """Write into a settings file what a controller moves; all else in it, comments too, stays as it is.

    The file appears complete or not at all. Missing folders are made.

    Raises
    ------
    UsageError
        If the file is not TOML, or cannot be written.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    path = path.expanduser().resolve()  # through links, so that a link stays one
    try:
        before = path.read_bytes() if path.exists() else b""
        mark = "\ufeff" if before.startswith(codecs.BOM_UTF8) else ""
        document = tomlkit.parse(decode_text(before))
        if CONTROLS not in document:
            document[CONTROLS] = tomlkit.table()
        document[CONTROLS][str(controller)] = target
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (mark + tomlkit.dumps(document)).encode())
    except OSError as error:
        raise UsageError(f"cannot write the settings {path}: {error.strerror}") from error
    except (TOMLKitError, TypeError, ValueError) as error:
        raise UsageError(f"cannot add to the settings {path}: {error}") from error


def _option(path: Path, key: str, value: object) -> tuple[str, Any]:
    """Return field name and checked value of a line in the file."""
    try:
        option = BY_KEY[closest(key, (*STORED, CONTROLS, PLACES), "setting")]
        if option.key != key:
            raise UsageError(f"unknown setting {key!r}: did you mean {option.key!r}?")
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    try:
        checked = option.check(value)
    except UsageError as error:
        raise UsageError(f"{path}: {key}: {error}") from error
    if isinstance(checked, Path):
        checked = path.parent / checked
    return option.field, _beside(path, checked) if option.field in INSTRUMENTS else checked


def _beside(path: Path, instrument: str) -> str:
    """Return what names an instrument; a file is meant from the settings' folder."""
    return str(path.parent / Path(instrument).expanduser()) if is_file_name(instrument) else instrument


def _mapped(path: Path, table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        raise UsageError(f'{path}: expected a table [{PLACES}] of lines such as 0 = "kalimba.tnca", got {table!r}')
    mapped = {}
    for place, named in table.items():
        try:
            parse_place(place)
            mapped[place] = _beside(path, instrument(named))
        except UsageError as error:
            raise UsageError(f"{path}: [{PLACES}] {place}: {error}") from error
    return mapped


def _controls(path: Path, table: object) -> dict[int, str]:
    if not isinstance(table, dict):
        raise UsageError(f'{path}: expected a table [{CONTROLS}] of lines such as 74 = "brightness", got {table!r}')
    controls = {}
    for number, target in table.items():
        try:
            controller = whole_number(number, *CONTROLLER_RANGE)
            if not isinstance(target, str):
                raise UsageError(f"expected the name of what it moves, got {target!r}")
            controls[controller] = closest(target, CONTROL_TARGETS, "target")
        except UsageError as error:
            raise UsageError(f"{path}: [{CONTROLS}] {number}: {error}") from error
    return controls
