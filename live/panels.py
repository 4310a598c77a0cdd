"""What the panels of the screen say, made from a status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rich.text import Text

from .log import lateness, output
from .meters import bar, decibels, level_bar, load_bar, piano
from .state import LiveStatus
from .typed_keys import TypedKeys

LABEL_WIDTH: Final = 12
METER_WIDTH: Final = 14


def head(status: LiveStatus, learning: str | None) -> Text:
    """Return the line over all panels; `learning` is what waits for a controller."""
    line = Text.assemble(("tnca-synth", "bold"), f"   latency {status.latency_ms:.1f} ms", no_wrap=True)
    if learning is not None:
        line.append("   ").append(f" move the controller for {learning} ", "bold black on orange1")
    return line


def sound(status: LiveStatus) -> Text:
    """Return what plays, and how many voices of how many."""
    voices = bar(status.voices / max(status.max_voices, 1), METER_WIDTH, "cyan")
    return _lines(
        {
            "Instrument": Text(status.instrument or "as the program asks", "bold"),
            "Grown as": Text(status.representation),
            "Decoder": Text(status.decoder),
            "Voices": voices.append(f" {status.voices}/{status.max_voices}", "default on default"),
        }
    )


def levels(status: LiveStatus) -> Text:
    """Return how loud it is, and how hard the machine works."""
    rows = {
        side: level_bar(level_db, METER_WIDTH).append(f" {decibels(level_db):>8}", "default on default")
        for side, level_db in (("Left", status.peak_left_db), ("Right", status.peak_right_db))
    }
    rows["Load"] = load_bar(status.load, METER_WIDTH).append(f" {status.load:>7.0%}", "default on default")
    rows["Late blocks"] = Text(lateness(status), "red" if status.underruns or status.xruns else "")
    return _lines(rows)


def connections(status: LiveStatus) -> Text:
    """Return what is plugged in, and the last message that came."""
    return _lines(
        {
            "MIDI in": Text(", ".join(status.midi_ports) or "none: play on the computer's keyboard"),
            "Audio out": Text(output(status)),
            "Last message": Text(status.last_message or "-"),
        }
    )


def keys(typed: TypedKeys) -> Text:
    """Return the typed keys beside what they are set to."""
    rows = piano(typed.held).split("\n")
    pedal = ("pedal down", "bold black on orange1") if typed.pedal else ("pedal up", "")
    rows[0].append(" " * max(48 - rows[0].cell_len, 1))
    rows[0].append(f"octave C{typed.octave}   touch {typed.velocity}")
    rows[1].append(" " * max(48 - rows[1].cell_len, 1))
    rows[1].append_text(Text.assemble(pedal))
    hint = Text("A key rings for a moment, and for as long as it is held; space is the pedal.", "italic dim")
    return _joined([*rows, hint])


PANELS: Final[Mapping[str, Callable[[LiveStatus], Text]]] = {
    "sound": sound,
    "levels": levels,
    "connections": connections,
}
"""The panels that a status fills, by name."""


def _lines(rows: Mapping[str, Text]) -> Text:
    return _joined([Text(f"{label:<{LABEL_WIDTH}} ", "dim").append_text(text) for label, text in rows.items()])


def _joined(lines: list[Text]) -> Text:
    text = Text("\n", no_wrap=True, overflow="ellipsis").join(lines)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
