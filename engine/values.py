"""Checks of values from files that others made: each has a type and a range, and an error names field, value and both.

Messages read like ``instruments[2].program is 300, expected a whole number in 0..127``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import BankError

MAX_SHOWN: Final = 60
"""Characters of a wrong value that are shown."""
MAX_NAME: Final = 200


def wrong(where: str, value: object, expected: str) -> BankError:
    """Return the error for a wrong value."""
    shown = repr(value)
    if len(shown) > MAX_SHOWN:
        shown = f"{shown[:MAX_SHOWN]}..."
    return BankError(f"{where} is {shown}, expected {expected}")


def member(values: Mapping[str, Any], name: str, where: str = "") -> tuple[str, Any]:
    """Return the full name of a field, and its value.

    Raises
    ------
    BankError
        If it is not there; so do all functions here for a wrong value.
    """
    full = f"{where}.{name}" if where else name
    if name not in values:
        raise BankError(f"{full} is missing")
    return full, values[name]


def whole(where: str, value: object, low: int, high: int) -> int:
    """Return a whole number of a range."""
    if type(value) is not int or not low <= value <= high:
        raise wrong(where, value, f"a whole number in {low}..{high}")
    return value


def number(where: str, value: object, low: float, high: float) -> float:
    """Return a finite number of a range."""
    # Nothing compares with NaN.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise wrong(where, value, f"a number in {low:g}..{high:g}")
    return float(value)


def truth(where: str, value: object) -> bool:
    """Return true or false."""
    if type(value) is not bool:
        raise wrong(where, value, "true or false")
    return value


def text(where: str, value: object, longest: int = MAX_NAME) -> str:
    """Return a text that can be printed in one line, and is not empty."""
    if type(value) is not str or not 0 < len(value) <= longest or not value.isprintable():
        raise wrong(where, value, f"a text of 1..{longest} characters in one line")
    return value


def mapping(where: str, value: object, most: int) -> dict[str, Any]:
    """Return names with values."""
    if not isinstance(value, dict) or len(value) > most:
        raise wrong(where, value, f"names and values, at most {most}")
    for name in value:
        text(f"a name in {where}", name)
    return value


def items(where: str, value: object, most: int, least: int = 0) -> Sequence[Any]:
    """Return a list."""
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise wrong(where, value, f"a list of {least}..{most} values")
    return value


def numbers(where: str, value: object, low: float, high: float, most: int, least: int = 0) -> list[float]:
    """Return a list of finite numbers of a range."""
    column = items(where, value, most, least)
    return [number(f"{where}[{index}]", one, low, high) for index, one in enumerate(column)]


def rising_keys(where: str, value: object) -> list[int]:
    """Return MIDI keys in rising order, at least one."""
    keys = [whole(f"{where}[{index}]", one, 0, 127) for index, one in enumerate(items(where, value, 128, 1))]
    if any(low >= high for low, high in pairwise(keys)):
        raise wrong(where, value, "rising keys")
    return keys


def vector(where: str, value: object, most: int, largest: float) -> NDArray[np.float64]:
    """Return a list of at least one finite number, none larger than `largest`, as an array."""
    column = items(where, value, most, 1)
    odd = next((one for one in column if type(one) not in (int, float)), None)
    if odd is not None:
        raise wrong(f"a value of {where}", odd, "a number")
    try:
        values = np.array(column, np.float64)
    except OverflowError:
        values = np.full(1, np.inf)
    if not (np.abs(values) <= largest).all():
        raise wrong(where, value, f"numbers in {-largest:g}..{largest:g}")
    return values
