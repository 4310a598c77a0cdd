"""What was understood of a material, as a table for people and as values for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from ...midi.spec.general_midi import drum_name, key_name
from .material import Finding, Material

MOST_PER_KIND: Final = 20
MOST_KEYS: Final = 16
MOST_LAYERS: Final = 16


def describe(material: Material) -> dict[str, Any]:
    """Return what was understood as plain values, for JSON."""
    recordings = material.recordings
    return {
        "name": material.name,
        "kind": material.kind,
        "path": str(material.path),
        "sample_rate": material.sample_rate,
        "is_kit": material.is_kit,
        "num_notes": len(recordings),
        "seconds": round(sum(len(one.audio) for one in recordings) / material.sample_rate, 2),
        "pitches": list(material.pitches),
        "velocities": {str(velocity): count for velocity, count in material.velocities.items()},
        "velocities_estimated": material.velocities_heard,
        "num_loops": sum(one.loop is not None for one in recordings),
        "num_repeats": sum(note.repeat > 0 for note in material.notes),
        "num_sustaining": sum(one.sustains for one in recordings),
        "hold_s": _middle([one.hold_s for one in recordings]),
        "noise_dbfs": _middle([note.noise_db for note in material.notes if note.noise_db is not None]),
        "tuning_cents": _middle([_cents(note.heard) for note in material.notes if note.heard is not None]),
        "offset_semitones": material.offset.semitones if material.offset else 0,
        "offset_text": material.offset.text if material.offset else None,
        "remarks": list(material.remarks),
        "findings": [
            {"place": one.place, "reason": one.reason, "refused": one.is_refused} for one in material.findings
        ],
    }


def print_summary(material: Material, console: Console) -> None:
    """Print what was understood: a table, then a line for each thing that is doubtful or was left out."""
    table = Table(title=f"{material.name}: {material.kind} {material.path}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in _rows(material):
        table.add_row(name, text)
    console.print(table)
    for line in remarks(material):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def remarks(material: Material) -> list[str]:
    """Return what is to say beside the table, a line each; of each kind of finding the first 20."""
    lines = [*([f"warning: {material.offset.text}"] if material.offset else []), *material.remarks]
    doubts = [one for one in material.findings if not one.is_refused]
    for title, found in (("doubtful", doubts), ("left out", material.refused)):
        if found:
            kinds = Counter(one.kind for one in found)
            counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
            lines += [f"{len(found)} {title} ({counts}):", *_listed(found, kinds)]
    return lines


def _listed(findings: Sequence[Finding], kinds: Counter[str]) -> list[str]:
    lines = []
    for kind, count in kinds.most_common():
        same = [one for one in findings if one.kind == kind]
        lines += [f"  {one.place}: {one.reason}" for one in same[:MOST_PER_KIND]]
        if count > MOST_PER_KIND:
            lines.append(f"  and {count - MOST_PER_KIND} more: {kind}")
    return lines


def _rows(material: Material) -> list[tuple[str, str]]:
    facts = describe(material)
    rows = [("notes", _notes(facts)), ("drums" if material.is_kit else "keys", _keys(material))]
    rows.append(("velocities", _velocities(material)))
    if facts["num_loops"]:
        rows.append(("loops", f"{_counted(facts['num_loops'], 'note')} held through a loop"))
    if facts["num_repeats"]:
        rows.append(("repeats", f"{facts['num_repeats']} further takes of the same key and velocity"))
    rows.append(
        ("held", f"{facts['hold_s']:.1f} s, {facts['num_sustaining']} of {facts['num_notes']} keep their level")
    )
    noise = facts["noise_dbfs"]
    rows.append(("noise floor", "not heard: no note dies away" if noise is None else f"{noise:.0f} dBFS"))
    if facts["tuning_cents"] is not None:
        rows.append(("tuning", f"{facts['tuning_cents']:+.0f} cents"))
    return rows


def _notes(facts: dict[str, Any]) -> str:
    return f"{facts['num_notes']}, {facts['seconds']:.0f} s of sound"


def _keys(material: Material) -> str:
    keys = material.pitches
    if material.is_kit:
        names = [f"{key} {drum_name(key) or 'drum'}" for key in keys]
    else:
        names = [key_name(key) for key in keys]
    if len(names) > MOST_KEYS:
        return f"{len(names)}, from {names[0]} to {names[-1]}"
    return ", ".join(names)


def _velocities(material: Material) -> str:
    counts = material.velocities
    how = ", estimated from levels" if material.velocities_heard and len(counts) > 1 else ""
    if len(counts) > MOST_LAYERS:
        return f"{min(counts)} to {max(counts)}{how}"
    return ", ".join(f"{velocity} ({_counted(count, 'note')})" for velocity, count in counts.items()) + how


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _cents(heard: float) -> float:
    return 100 * (heard - round(heard))


def _middle(values: Sequence[float]) -> float | None:
    return round(float(np.median(values)), 2) if values else None
