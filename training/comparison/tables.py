"""The comparison as tables of words, for the terminal, for HTML and for Markdown."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..validation.anchors import opus_text
from ..validation.held_out import SAMPLER
from .expectations import UNKNOWN, Verdict
from .notes import HEARD, KEY, LAYER
from .run import Comparison
from .summary import ALL, BUDGET_VOICES, JUDGE, SHARED, PathResult

ABSENT = "-"
KIND_TITLES = {
    ALL: "all held-out notes",
    KEY: "keys never recorded",
    LAYER: "recorded keys at the held-out velocity",
    HEARD: "notes that training heard, where nothing is held out",
    SHARED: "notes of the instruments that every path plays",
}


@dataclass(frozen=True)
class Table:
    """A title, a header, and rows of as many cells."""

    title: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Column:
    """A column of the quality table: header, measure in the means, decimals, and a factor before printing."""

    header: str
    measure: str
    digits: int
    factor: float = 1.0


HEARD_FIRST = (
    Column("Zimtohrli", "zimtohrli", 4),
    Column("ViSQOL", "visqol", 2),
    Column(">10 kHz dB", "top_db", 1),
    Column("rise ms", "rise_ms", 1),
    Column("rise within 2 ms %", "rises_alike", 0, 100.0),
    Column("cents", "cents", 1),
    Column("within 10 cents %", "in_tune", 0, 100.0),
    Column("within 5 cents %", "well_in_tune", 0, 100.0),
    Column("notes", "notes", 0),
)
QUALITY = (
    Column("distance", "distance", 3),
    Column("auraloss", "auraloss", 3),
    Column("spectrum dB", "spectrum_db", 2),
    Column(">4 kHz dB", "high_db", 2),
    Column("phase", "phase", 3),
    Column("envelope dB", "envelope_db", 2),
    Column("onset ms", "onset_ms", 1),
    Column("loudness LU", "loudness_db", 2),
    Column("notes", "notes", 0),
)


def hearing_table(paths: list[PathResult], kind: str) -> Table | None:
    """Return what models of hearing say of every path over one kind of notes; None where there are no such notes."""
    header = ["path", "per-key correction", "like Opus at kb/s", *(one.header for one in HEARD_FIRST)]
    rows = [
        [path.name, _correction(path), opus_text(path.means[kind][ALL]["opus_kbps"]), *_cells(path, kind, HEARD_FIRST)]
        for path in paths
        if kind in path.means
    ]
    return Table(f"as ears judge it: {KIND_TITLES[kind]}", header, rows) if rows else None


def _correction(path: PathResult) -> str:
    if path.route is None:
        return ABSENT
    return "yes" if path.has_correction else "no"


def quality_table(paths: list[PathResult], kind: str) -> Table | None:
    """Return spectral and temporal errors of every path over one kind of notes; None where there are no such notes."""
    rows = [[path.name, *_cells(path, kind, QUALITY)] for path in paths if kind in path.means]
    return (
        Table(f"spectra and envelopes: {KIND_TITLES[kind]}", ["path", *(one.header for one in QUALITY)], rows)
        if rows
        else None
    )


def _cells(path: PathResult, kind: str, columns: tuple[Column, ...]) -> list[str]:
    means = path.means[kind][ALL]
    return [_number(means[one.measure] * one.factor, one.digits) for one in columns]


def cost_table(paths: list[PathResult]) -> Table:
    """Return what every path costs."""
    header = [
        "path",
        "parameters",
        "bytes",
        "GMAC/s",
        "MMAC/note",
        "RTF",
        "voices",
        "memory MB",
        "training h",
        "iterations",
    ]
    return Table("what a path costs", header, [[path.name, *_costs(path)] for path in paths if path.costs])


def _costs(path: PathResult) -> list[str]:
    costs, speed = path.costs, path.speed
    assert costs is not None
    played = [ABSENT] * 3
    if speed is not None:
        played = [_number(speed.rtf, 4), _number(speed.voices, 0), _number(speed.memory_mb, 0)]
    return [
        f"{costs.parameters:,}",
        f"{costs.bytes:,}",
        _number(costs.gmac_per_second, 3),
        _number(costs.seed_mmac, 2),
        *played,
        _number(costs.training_s / 3600.0, 2),
        f"{costs.iterations:,}",
    ]


def instrument_table(paths: list[PathResult]) -> Table:
    """Return the mean distance of every instrument on every path, as ears judge it, in thousandths."""
    instruments = list(paths[0].by_instrument) if paths else []
    rows = [[name, *(_distance(path, name) for path in paths)] for name in instruments]
    return Table("1000 times Zimtohrli, by instrument", ["instrument", *(path.name for path in paths)], rows)


def _distance(path: PathResult, instrument: str) -> str:
    means = path.by_instrument.get(instrument)
    return ABSENT if means is None else _number(1e3 * means[JUDGE], 1)


def sampler_table(paths: list[PathResult]) -> Table | None:
    """Return on how many instruments every path is nearer than the sampler; None where there is no sampler."""
    sampler = next((one for one in paths if one.name == SAMPLER), None)
    routed = [one for one in paths if one.route is not None]
    if sampler is None or not routed:
        return None
    return Table("against the sampler", ["path", "better on", "not on"], [_against(one, sampler) for one in routed])


def _against(path: PathResult, sampler: PathResult) -> list[str]:
    both, lost = _lost(path, sampler)
    return [path.name, f"{len(both) - len(lost)} of {len(both)}", ", ".join(lost) or ABSENT]


def _lost(path: PathResult, sampler: PathResult) -> tuple[list[str], list[str]]:
    """Return the instruments that both play, and those of them on which the sampler is as near or nearer."""
    ours, theirs = path.by_instrument, sampler.by_instrument
    both = [name for name in ours if name in theirs]
    return both, [name for name in both if ours[name][JUDGE] >= theirs[name][JUDGE]]


def verdict_table(verdicts: list[Verdict]) -> Table:
    """Return what the design expected beside what was measured."""
    rows = [[one.claim, _measured(one), one.verdict, one.why] for one in verdicts]
    return Table("what the design expected", ["expected", "measured", "verdict", "why"], rows)


def _measured(one: Verdict) -> str:
    if one.verdict == UNKNOWN or one.measured is None:
        return ABSENT
    return f"{one.measured:.2g} times" if "times as long" in one.claim else f"{100 * one.measured:+.0f} %"


def all_tables(comparison: Comparison) -> list[Table]:
    """Return every table of a comparison, in reading order."""
    paths = comparison.paths
    everyone_plays_all = all(_num_notes(path, SHARED) == _num_notes(path, ALL) for path in paths)
    kinds = [kind for kind in KIND_TITLES if kind != SHARED or not everyone_plays_all]
    quality = [one for table in (hearing_table, quality_table) for one in (table(paths, kind) for kind in kinds)]
    return [
        *(one for one in (*quality, sampler_table(paths)) if one is not None),
        cost_table(paths),
        instrument_table(paths),
        verdict_table(comparison.verdicts),
    ]


def _num_notes(path: PathResult, kind: str) -> float:
    return path.means[kind][ALL]["notes"] if kind in path.means else 0


def winner_sentence(comparison: Comparison) -> str:
    """Say which path is the best within the real-time budget."""
    winner = comparison.winner
    if winner is None or winner.speed is None:
        return "No path was compared."
    voices = winner.speed.voices
    playing = f"{BUDGET_VOICES} voices in real time on one core"
    among = f"of those that play {playing}" if voices >= BUDGET_VOICES else f"of all (none plays {playing})"
    return f"Best {among}: {winner.name}, {voices:.0f} voices."


def sampler_sentence(comparison: Comparison) -> str:
    """Say how much nearer than the sampler the winner comes, and on which instruments it does not."""
    winner = comparison.winner
    sampler = next((one for one in comparison.paths if one.name == SAMPLER), None)
    if winner is None or sampler is None:
        return ""
    gain = 1.0 - winner.score / sampler.score
    both, lost = _lost(winner, sampler)
    where = f"better on {len(both) - len(lost)} of {len(both)} instruments" + (
        f", not on {', '.join(lost)}" if lost else ""
    )
    change = f"takes {100 * gain:.0f} % off" if gain >= 0.0 else f"adds {-100 * gain:.0f} % to"
    return f"Against the sampler {winner.name} {change} the Zimtohrli distance in the mean; {where}."


def as_markdown(table: Table) -> str:
    """Return a table as Markdown."""
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else ABSENT
