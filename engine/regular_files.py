"""Files that someone else made: read whole, but never more than expected, and never from what is no file."""

from __future__ import annotations

import codecs
import errno
import os
import stat
import tomllib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final

MAX_TEXT_BYTES: Final = 2**20
"""No settings, preset or manifest is longer."""
_UTF_16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """Return what a file holds.

    Pipes, devices, sockets and folders are refused before anything is read from them: reading could wait for ever, or
    never end.

    Raises
    ------
    OSError
        If there is no such file, it cannot be read, is no regular file, or holds more than `max_bytes`.
    """
    # Opening a pipe would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", os.fspath(path))
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"it has more than {max_bytes} bytes", os.fspath(path))
    return data


def is_plain_name(name: str) -> bool:
    """Tell whether a file name leads to no other folder, on any system."""
    return name not in ("", ".", "..") and PurePosixPath(name).name == PureWindowsPath(name).name == name


def decode_text(data: bytes) -> str:
    """Return UTF-8 text, with or without a byte order mark in front.

    Raises
    ------
    ValueError
        If it is not UTF-8; of UTF-16 the message says so.
    """
    if data.startswith(_UTF_16_MARKS):
        raise ValueError("it is UTF-16, expected UTF-8; save it again as UTF-8")
    return data.decode("utf-8-sig")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises
    ------
    OSError
        As `read_regular_file`.
    ValueError
        If it is not TOML in UTF-8.
    """
    return tomllib.loads(decode_text(read_regular_file(path, MAX_TEXT_BYTES)))
