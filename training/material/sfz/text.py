"""The text of an SFZ file: headers and opcodes, with comments, `#define` and `#include` carried out.

The format is described at https://sfzformat.com; values may hold spaces, and end at the next opcode or line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ....errors import DatasetError

MOST_BYTES: Final = 8 << 20
MOST_INCLUDES: Final = 1000
DEEPEST: Final = 16
BLOCK_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
LINE_COMMENT: Final = re.compile(r"(?://|^\s*;).*$", re.MULTILINE)
INCLUDE: Final = re.compile(r'#include\s*"([^"\n]+)"')
DEFINE: Final = re.compile(r"#define\s+\$(\w+)[ \t]+(\S+)")
DIRECTIVE: Final = re.compile(rf"{INCLUDE.pattern}|{DEFINE.pattern}")
HEADER: Final = re.compile(r"<(\w+)>")
OPCODE: Final = re.compile(r"(?:(?<=\s)|^)([A-Za-z_]\w*)=", re.MULTILINE)
VARIABLE: Final = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Section:
    """A header and the opcodes behind it, names in small letters; of opcodes that occur twice the last counts."""

    header: str
    opcodes: dict[str, str]


def read_sections(path: Path) -> list[Section]:
    """Read the sections of an SFZ file and of all that it includes.

    Raises
    ------
    DatasetError
        A file cannot be read, is no text, or includes itself without end.
    """
    return list(_sections(_Reader(path.parent).expanded(path)))


def _sections(text: str) -> Iterator[Section]:
    headers = list(HEADER.finditer(text))
    for i, header in enumerate(headers):
        end = headers[i + 1].start() if i + 1 < len(headers) else len(text)
        yield Section(header[1].lower(), _opcodes(text[header.end() : end]))


def _opcodes(body: str) -> dict[str, str]:
    found = list(OPCODE.finditer(body))
    opcodes = {}
    for i, match in enumerate(found):
        end = found[i + 1].start() if i + 1 < len(found) else len(body)
        value = body[match.end() : end].partition("\n")[0]
        opcodes[match[1].lower()] = value.strip()
    return opcodes


class _Reader:
    """Expands directives; what is included is relative to the folder of the first file, as players have it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._variables: dict[str, str] = {}
        self._included = 0

    def expanded(self, path: Path, depth: int = 0) -> str:
        """Return the text of a file with everything included and every variable replaced."""
        text = _read_text(path)
        parts = []
        at = 0
        for match in DIRECTIVE.finditer(text):
            parts.append(self._replaced(text[at : match.start()]))
            at = match.end()
            if match[1] is None:
                self._variables[match[2]] = match[3]
                continue
            self._included += 1
            if depth >= DEEPEST or self._included > MOST_INCLUDES:
                raise DatasetError(f"{path} includes {match[1]}, which includes itself without end")
            inner = self._folder / self._replaced(match[1]).replace("\\", "/")
            parts.append("\n" + self.expanded(inner, depth + 1) + "\n")
        return "".join([*parts, self._replaced(text[at:])])

    def _replaced(self, text: str) -> str:
        """Replace variables; of names that begin alike the longest counts: ``$KEY1`` may be ``$KEY`` and a 1."""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            known = next((name[:n] for n in range(len(name), 0, -1) if name[:n] in self._variables), None)
            return match[0] if known is None else self._variables[known] + name[len(known) :]

        return VARIABLE.sub(value, text)


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DatasetError(
                f"{path} has {path.stat().st_size:,} bytes, expected an SFZ file of at most {MOST_BYTES:,}"
            )
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from error
    if b"\0" in content:
        raise DatasetError(f"{path} is not an SFZ file: it is no text")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # older editors wrote it
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return LINE_COMMENT.sub("", BLOCK_COMMENT.sub("", text))
