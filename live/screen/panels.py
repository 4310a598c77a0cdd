"""What the panels of the screen say, made from a status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rich.text import Text

from ..protocol import LiveStatus, PartStatus
from .growth_keys import ROWS, GrowthRow
from .meters import bar, decibels, level_bar, load_bar, piano
from .plain_log import lateness, output
from .typed_keys import TypedKeys

LABEL_WIDTH: Final = 12
METER_WIDTH: Final = 14
GROWTH_LABEL_WIDTH: Final = 9
GROWTH_METER_WIDTH: Final = 8
LIT: Final = "bold black on orange1"
RECORDING: Final = "bold white on red3"


def head(status: LiveStatus, learning: str | None) -> Text:
    """Return the line over all panels; `learning` is what waits for a controller."""
    line = Text.assemble(("tnca-synth", "bold"), f"   latency {status.latency_ms:.1f} ms   ", no_wrap=True)
    if learning is not None:
        line.append(f" move the controller for {learning} ", LIT).append("   ")
    return line.append_text(_lamp(status))


def sound(status: LiveStatus) -> Text:
    """Return what plays, and how many voices of how many."""
    voices = bar(status.voices / max(status.max_voices, 1), METER_WIDTH, "cyan")
    if status.is_locked:
        program = Text.assemble((" locked ", LIT), " tab: as MIDI")
    else:
        program = Text(f"{'first choice' if status.is_first_choice else 'as MIDI says'}  tab: lock")
    return _lines(
        {
            "Instrument": Text(status.instrument or "none yet", "bold"),
            "Program": program,
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
    left_out = f", {status.left_out_messages} left out" if status.left_out_messages else ""
    rows["Late notes"] = Text(f"{status.late_messages}{left_out}", "red" if left_out else "")
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


def channels(status: LiveStatus, rows: int) -> Text:
    """Return what each channel plays on which a note has begun, in so many rows."""
    parts = status.parts
    if not parts:
        return Text("nothing has been played yet", "dim")
    shown = parts if len(parts) <= rows else parts[: max(rows - 1, 0)]
    width = max(len(part.instrument) for part in shown) if shown else 0
    lines = [_part(part, width) for part in shown]
    if len(shown) < len(parts):
        lines.append(Text(f"and {len(parts) - len(shown)} more", "dim"))
    return _joined(lines)


def growth(status: LiveStatus) -> Text:
    """Return how notes grow, each value with the keys that move it."""
    return _joined([_growth_row(row, status) for row in ROWS])


def keys(typed: TypedKeys) -> Text:
    """Return the typed keys beside what they are set to."""
    rows = piano(typed.held).split("\n")
    pedal = (" pedal down ", LIT) if typed.pedal else ("space  pedal up", "")
    rows[0].append(" " * max(47 - rows[0].cell_len, 1))
    rows[0].append(f"z/x octave C{typed.octave}   c/v touch {typed.velocity}")
    rows[1].append(" " * max(47 - rows[1].cell_len, 1))
    rows[1].append_text(Text.assemble(pedal))
    return _joined(list(rows))


PANELS: Final[Mapping[str, Callable[[LiveStatus], Text]]] = {
    "sound": sound,
    "levels": levels,
    "connections": connections,
    "growth": growth,
}
"""The panels that a status fills, by name."""


def _lamp(status: LiveStatus) -> Text:
    if not status.recording:
        return Text("\u25cb not recording", "dim")
    minutes, seconds = divmod(int(status.recorded_s), 60)
    return Text.assemble((f" \u25cf REC {minutes}:{seconds:02d} ", RECORDING), f" {status.recording}")


def _part(part: PartStatus, width: int) -> Text:
    line = Text().append(f"{part.channel:>2} ", "bold").append(f"{part.instrument:<{width}} ")
    line.append(f"{part.representation} {part.decoder}", "dim")
    return line.append(f" for {part.stands_in_for}" if part.stands_in_for else "", "italic dim")


def _growth_row(row: GrowthRow, status: LiveStatus) -> Text:
    line = Text().append(f"{row.keys:>3} ", "bold").append(f"{row.label:<{GROWTH_LABEL_WIDTH}} ", "dim")
    if row.share is not None:
        line.append_text(bar(row.share(status), GROWTH_METER_WIDTH, "magenta")).append(" ")
    return line.append(row.value(status))


def _lines(rows: Mapping[str, Text]) -> Text:
    return _joined([Text(f"{label:<{LABEL_WIDTH}} ", "dim").append_text(text) for label, text in rows.items()])


def _joined(lines: list[Text]) -> Text:
    text = Text("\n", no_wrap=True, overflow="ellipsis").join(lines)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text
