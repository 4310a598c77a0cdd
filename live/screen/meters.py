"""Bars and pictures of the screen, as text of one style a cell."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from rich.text import Text

from .typed_keys import BLACK_KEYS, WHITE_KEYS

EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
TROUGH: Final = "grey27"
QUIETEST_DB: Final = -60.0
HOT_DB: Final = -12.0
CLIPPING_DB: Final = -1.0
HIGH_LOAD: Final = 0.6
FULL_LOAD: Final = 0.85


def bar(share: float, width: int, style: str) -> Text:
    """Draw a bar of `width` cells that is filled to a share in 0..1, in eighths of a cell."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    text = Text(EIGHTHS[-1] * full + (EIGHTHS[rest] if rest else ""), style)
    text.stylize(f"on {TROUGH}")
    text.append(" " * (width - len(text)), f"on {TROUGH}")
    return text


def level_bar(level_db: float, width: int) -> Text:
    """Draw a level in dBFS, from -60 dB to full scale: green, yellow over -12 dB, red near full scale."""
    style = "green" if level_db < HOT_DB else "yellow" if level_db < CLIPPING_DB else "red"
    return bar(1 - level_db / QUIETEST_DB, width, style)


def load_bar(load: float, width: int) -> Text:
    """Draw a share of real time in 0..1."""
    style = "green" if load < HIGH_LOAD else "yellow" if load < FULL_LOAD else "red"
    return bar(load, width, style)


def decibels(level_db: float) -> str:
    """Return a level for people; silence is a dash."""
    return "-" if level_db <= -120.0 else f"{level_db:.1f} dB"


def piano(held: Collection[str]) -> Text:
    """Draw the typed keys in two rows, those that sound marked."""
    text = Text()
    text.append("  ")
    for key in BLACK_KEYS:
        text.append_text(_cap(key, key in held, "white on grey15") if key != " " else Text("    "))
    text.append("\n")
    for key in WHITE_KEYS:
        text.append_text(_cap(key, key in held, "black on grey78"))
    return text


def _cap(key: str, is_held: bool, style: str) -> Text:
    return Text.assemble((f" {key.upper()} ", "bold black on orange1" if is_held else style), " ")
