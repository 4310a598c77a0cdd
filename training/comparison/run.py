"""The comparison from a bank to its figures. Nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...engine.arrays import FloatArray
from ...engine.bank.bank import CORRECTION, Bank
from ...engine.render.benchmark import machine
from ...errors import UsageError
from ..config.instruments import InstrumentConfig
from ..config.run import DataConfig
from ..validation.anchors import ANCHORS
from .costs import path_costs
from .expectations import Verdict, judge
from .notes import HeldOutNote, held_out_notes
from .page.player import NotePlayer, NoteRow, Route, fitting_routes
from .speed import measure_speed
from .summary import PathResult, best, best_in_budget, summarise

RECORDING = "recording"
Report = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Example:
    """One note of an instrument, to look at: by name, its recording and what every path made of it, at 48 kHz."""

    title: str
    pitch: int
    sounds: dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Comparison:
    """All that was measured.

    Attributes
    ----------
    paths : the sampler first, then the anchors, then every route
    rows : one per note and path
    verdicts : on the design's expectations
    examples : instrument -> the note nearest to the middle of its range
    """

    paths: list[PathResult]
    rows: list[NoteRow]
    verdicts: list[Verdict]
    machine: dict[str, str]
    examples: dict[str, Example] = field(default_factory=dict)

    @property
    def winner(self) -> PathResult | None:
        """The best path within the real-time budget, else the best of all."""
        routed = [one for one in self.paths if one.route is not None]
        return best_in_budget(routed) or best(routed)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; measures that say nothing are NaN."""
        return {
            "machine": self.machine,
            "winner": self.winner.name if self.winner else None,
            "paths": {one.name: one.to_dict() for one in self.paths},
            "expectations": [asdict(one) for one in self.verdicts],
            "notes": [row.to_dict() for row in self.rows],
        }


def compare(
    bank_path: Path | None,
    routes: list[Route],
    instruments: Iterable[InstrumentConfig],
    data: DataConfig,
    num_keys: int,
    report: Report = lambda _: None,
) -> Comparison:
    """Play and measure held-out notes.

    Parameters
    ----------
    bank_path : None for the shipped bank
    routes : what to compare; every one that fits where empty
    num_keys : per instrument and kind of held-out notes
    report : hears what is being done

    Raises
    ------
    UsageError
        There is nothing to compare: no path plays any of the notes.
    """
    bank = Bank.load(bank_path)
    routes = routes or fitting_routes(bank)
    player = NotePlayer(bank, routes)
    rows: list[NoteRow] = []
    examples: dict[str, Example] = {}
    for instrument in instruments:
        report(f"playing {instrument.name}")
        for note in held_out_notes(instrument, data, num_keys):
            played = player.play(note)
            rows += player.measure(note, played)
            _keep_middle(examples, note, played)
    if not any(row.path in map(str, routes) for row in rows):
        raise UsageError("no path of the bank plays any of these notes; see --preset, --instruments and --path")
    means = summarise(rows)
    by_name: dict[str, Route] = {str(route): route for route in routes}
    paths = [_path_result(bank, bank_path, name, by_name.get(name), means[name], report) for name in means]
    return Comparison(paths, rows, judge(paths, rows), machine(), examples)


def _path_result(
    bank: Bank, bank_path: Path | None, name: str, route: Route | None, means: dict[str, Any], report: Report
) -> PathResult:
    if route is None:
        return PathResult(name, None, means)
    report(f"timing {name}")
    has_correction = CORRECTION in bank.models_of(route.representation)
    return PathResult(name, route, means, path_costs(bank, *route), measure_speed(bank_path, *route), has_correction)


def _keep_middle(examples: dict[str, Example], note: HeldOutNote, played: dict[str, FloatArray]) -> None:
    """Keep a note to look at if it is nearer to the middle of its instrument's range than the one kept so far."""
    instrument, recording = note.instrument, note.recording
    middle = (instrument.low + instrument.high) / 2
    kept = examples.get(instrument.name)
    if kept is None or abs(recording.pitch - middle) < abs(kept.pitch - middle):
        title = f"{instrument.name}, key {recording.pitch}, velocity {recording.velocity}"
        shown = {name: audio for name, audio in played.items() if name not in ANCHORS}
        examples[instrument.name] = Example(title, recording.pitch, {RECORDING: recording.audio, **shown})
