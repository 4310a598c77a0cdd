"""Files of instruments that are played, looked at now and then: a better one takes the place of the old one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

from ...engine.instrument_files import parse_instrument
from ...engine.instrument_files.file import read_content
from ...errors import BankError

LOOK_EVERY_S: Final = 0.5
State = tuple[int, int, int] | None


class Changed(NamedTuple):
    """A file that holds something else than before.

    Attributes
    ----------
    name : of the instrument
    content : of the file, which is known to be an instrument; empty where it is none
    fault : why it is none, else ""
    """

    name: str
    content: bytes
    fault: str = ""


class InstrumentWatch:
    """Looks whether files have changed. A file that is still being written is left until it rests.

    Thread: control. The engine's process never reads these files while it plays.

    """

    def __init__(self) -> None:
        self._paths: dict[str, Path] = {}
        self._known: dict[str, State] = {}
        self._seen: dict[str, State] = {}
        self._looked_s = monotonic()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the instruments whose files are looked at."""
        return tuple(self._paths)

    def follow(self, paths: Mapping[str, Path]) -> None:
        """Look at these files from now on.

        Parameters
        ----------
        paths : instruments by name; a file that is looked at already is known as it was
        """
        known = {name: self._known[name] for name, path in self._paths.items() if paths.get(name) == path}
        self._paths = dict(paths)
        self._known = {name: known[name] if name in known else _state(path) for name, path in paths.items()}
        self._seen = dict(self._known)

    def look(self) -> Iterator[Changed]:
        """Give the files that have changed since the look before, if it is time for another one."""
        if monotonic() - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = monotonic()
        for name, path in self._paths.items():
            before, state = self._seen[name], _state(path)
            self._seen[name] = state
            if state is None or state == self._known[name] or state != before:
                continue
            self._known[name] = state
            yield _read(name, path)


def _read(name: str, path: Path) -> Changed:
    try:
        content = read_content(path)
        parse_instrument(content)
    except BankError as error:
        return Changed(name, b"", str(error).removeprefix(f"{path}: "))
    return Changed(name, content)


def _state(path: Path) -> State:
    """Return what changes with a file's content, None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
