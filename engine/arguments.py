"""Checks of what callers hand in."""

from __future__ import annotations

import math
from numbers import Integral, Real
from operator import index

from ..errors import UsageError

MAX_VOICES_LIMIT = 1024


def check_channel(channel: int | None, num_channels: int) -> int | None:
    """Return a MIDI channel, or None for all; raise `UsageError` for others."""
    if channel is not None and not 0 <= channel < num_channels:
        raise UsageError(f"the channel must be in 0..{num_channels - 1}, got {channel}")
    return channel


def check_number(name: str, value: object, limits: tuple[float, float] | None = None, *, whole: bool = False) -> None:
    """Raise `UsageError` for what is no finite number within limits, or no whole one."""
    kind = "a whole number" if whole else "a number"
    expected = kind if limits is None else f"{kind} in {limits[0]:g}..{limits[1]:g}"
    is_number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or (limits is not None and not limits[0] <= value <= limits[1]):  # type: ignore[arg-type, operator]
        raise UsageError(f"{name}: expected {expected}, got {value!r}")


def check_whole(name: str, value: int) -> int:
    """Return a whole number of any integer type; `UsageError` for anything else."""
    try:
        return index(value)
    except TypeError:
        raise UsageError(f"{name}: expected a whole number, got {value!r}") from None


def check_text(name: str, value: object, *, is_optional: bool = False) -> None:
    """Raise `UsageError` for what is no text; None may be allowed."""
    if not isinstance(value, str) and not (is_optional and value is None):
        raise UsageError(f"{name}: expected a name, got {value!r}")


def check_instrument(value: object) -> None:
    """Raise `UsageError` for what is neither the name of an instrument, nor a program, nor None."""
    if not isinstance(value, int):
        check_text("instrument", value, is_optional=True)


def check_callable(name: str, value: object) -> None:
    """Raise `UsageError` for what is neither None nor can be called."""
    if value is not None and not callable(value):
        raise UsageError(f"{name}: expected a function, got {value!r}")
