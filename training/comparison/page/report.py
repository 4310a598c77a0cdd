"""The files of a comparison: JSON, PNG, Markdown, and one HTML page that needs nothing beside itself."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from ..run import Comparison, Example
from ..tables import Table, all_tables, as_markdown, sampler_sentence, winner_sentence
from .pictures import draw_example, draw_frontier
from .sounds import Sounds

JSON_NAME, HTML_NAME, MARKDOWN_NAME = "comparison.json", "comparison.html", "comparison.md"
FRONTIER_NAME = "frontier.png"
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: left; border-bottom: 1px solid #ddd; white-space: nowrap; }
td:last-child { white-space: normal; } th { background: #f4f4f4; } tr:hover td { background: #fafae8; }
img { max-width: 100%; } .note { color: #666; }
.sounds { display: flex; flex-wrap: wrap; gap: .6rem 1rem; } figure { margin: 0; }
audio { width: 15rem; height: 2.2rem; }
"""


def write_report(comparison: Comparison, folder: Path) -> list[Path]:
    """Write every file of a comparison into a folder; return their paths, the page first."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {FRONTIER_NAME: draw_frontier(comparison)}
    pictures |= {f"{name}.png": draw_example(example) for name, example in comparison.examples.items()}
    contents = {
        HTML_NAME: html_page(comparison, pictures).encode(),
        JSON_NAME: (json.dumps(finite(comparison.to_dict()), indent=1, allow_nan=False) + "\n").encode(),
        MARKDOWN_NAME: markdown(comparison).encode(),
        **pictures,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def html_page(comparison: Comparison, pictures: Mapping[str, bytes]) -> str:
    """Return the page: tables, the frontier, and one note per instrument to look at and to listen to."""
    sounds = Sounds()
    tables = all_tables(comparison)
    machine = ", ".join(f"{key} {value}" for key, value in comparison.machine.items())
    notes = f"{len({(row.instrument, row.pitch, row.velocity) for row in comparison.rows})} held-out notes"
    parts = [
        "<h1>Every representation and decoder, side by side</h1>",
        f"<p>{escape(winner_sentence(comparison))} {escape(sampler_sentence(comparison))}</p>",
        f'<p class="note">{escape(notes)}; {escape(machine)}. Less is better, but for phase (1 at best), '
        "in tune and voices. Definitions: docs/comparison.md.</p>",
        *(_table(one) for one in tables),
        "<h2>Quality against cost</h2>",
        _image(pictures[FRONTIER_NAME], "distance over cost of every path"),
        *(_example(one, pictures[f"{name}.png"], sounds) for name, one in comparison.examples.items()),
    ]
    head = f'<meta charset="utf-8"><title>tnca-synth: comparison</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def markdown(comparison: Comparison) -> str:
    """Return the tables as Markdown."""
    parts = [f"{one.title[0].upper()}{one.title[1:]}:\n\n{as_markdown(one)}" for one in all_tables(comparison)]
    return "\n\n".join([*parts, winner_sentence(comparison), sampler_sentence(comparison)]) + "\n"


def _table(table: Table) -> str:
    header = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    title = escape(table.title[0].upper() + table.title[1:])
    return f'<h2>{title}</h2>\n<div class="scroll"><table><tr>{header}</tr>\n{rows}</table></div>'


def _example(example: Example, png: bytes, sounds: Sounds) -> str:
    return f"<h2>{escape(example.title)}</h2>\n{_image(png, example.title)}\n{sounds.players(example)}"


def _image(png: bytes, alt: str) -> str:
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{b64encode(png).decode()}">'


def finite(value: Any) -> Any:
    """Return plain values with null for the numbers that JSON lacks."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
