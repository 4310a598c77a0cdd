"""Values of options, as several commands read them."""

from __future__ import annotations

import argparse
import math
import os


def integer(text: str, low: int, high: int) -> int:
    """Return a whole number within limits; argparse says what else was expected."""
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"expected a whole number in {low}..{high}, got {text!r}")
    return value


def number(text: str, limits: tuple[float, float]) -> float:
    """Return a number within limits."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not limits[0] <= value <= limits[1]:
        raise argparse.ArgumentTypeError(f"expected a number in {limits[0]:g}..{limits[1]:g}, got {text!r}")
    return value


def num_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
