"""What the commands share in printing: one line per error or warning on stderr, JSON and tables on stdout."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TextIO

PROGRAM: Final = "tnca-synth"


def show_any_text() -> None:
    """Let stdout and stderr print what their encoding lacks, such as a name in another one, as escapes.

    A name that a console cannot show is no reason to fail work that is done.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def print_error(text: str) -> None:
    """Print an error as one line on stderr."""
    print(f"{PROGRAM}: error: {one_line(text)}", file=sys.stderr)


def print_warning(text: str) -> None:
    """Print a warning as one line on stderr."""
    print(f"{PROGRAM}: warning: {one_line(text)}", file=sys.stderr)


def one_line(text: str) -> str:
    """Return a text with its white space, line breaks included, turned into single spaces."""
    return " ".join(text.split())


def print_json(value: Mapping[str, Any] | Sequence[Any], stream: TextIO | None = None) -> None:
    """Print one JSON value, on stdout unless told; numbers that JSON lacks (infinity, NaN) become null."""
    print(json.dumps(_finite(value), indent=2, allow_nan=False), file=stream)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print left-aligned columns on stdout, two spaces apart."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def progress_bar(title: str, shown: bool) -> Iterator[Callable[[float, float], None] | None]:
    """Give a function that takes (done, in all) and draws them on stderr, or None."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, number: bar.update(task, completed=done, total=number)


@contextmanager
def errors_aside() -> Iterator[None]:
    """Keep what audio libraries and processes that start meanwhile print on stderr away from the terminal.

    A failure under TNCA_DEBUG shows it.
    """
    if sys.stderr is None:  # nobody listens anyway
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if sys.exc_info()[0] is not None and os.environ.get("TNCA_DEBUG"):
                aside.seek(0)
                sys.stderr.write(aside.read().decode(errors="replace"))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
