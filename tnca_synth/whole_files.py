"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PART: Final = ".part"
"""Suffix of a file that is being written."""
_MOST_OF_NAME: Final = 40
"""Characters of a file's name that its hidden neighbour takes over, so that long names stay possible."""


def part_beside(path: Path) -> Path:
    """Return a free name for a hidden file beside another one."""
    return path.with_name(f".{path.stem[:_MOST_OF_NAME]}-{secrets.token_hex(4)}{PART}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a place to write to; in the end, what was written there takes the place of `path` in one step.

    Where writing fails, `path` is as it was, and nothing else is left. A link stays a link: what it points at is
    replaced. The permissions of a file that is replaced stay.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    target = Path(os.path.realpath(path))
    part = part_beside(target)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # else a power cut could leave the new name with nothing in it
        with suppress(FileNotFoundError):
            part.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(part, target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; see `replacing`."""
    with replacing(path) as part:
        part.write_bytes(content)
