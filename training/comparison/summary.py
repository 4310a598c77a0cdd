"""What rows of measured notes say of a path, and what the design expected of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .costs import Costs
from .measures import Measures
from .notes import KINDS
from .page.player import NoteRow, Route
from .speed import Speed

ALL, SHARED = "all", "shared"
IN_TUNE_CENTS = 10.0
BUDGET_VOICES = 32
"""Voices that one core must play in real time for a path to be the default: the design's figure for dual."""
Means = dict[str, float]


@dataclass(frozen=True)
class PathResult:
    """One path, measured.

    Attributes
    ----------
    name : such as "dual+harmonic", or "sampler"
    route : None for the sampler, which has neither models nor costs
    means : kind of held-out notes, "all" or "shared" (those that every path plays) -> instrument or "all" -> measure
        -> mean
    """

    name: str
    route: Route | None
    means: dict[str, dict[str, Means]]
    costs: Costs | None = None
    speed: Speed | None = None

    @property
    def overall(self) -> Means:
        """Means over the notes that every path plays, over its own where there are none: what paths are ranked by."""
        return self.means.get(SHARED, self.means[ALL])[ALL]

    @property
    def by_instrument(self) -> dict[str, Means]:
        """Means over all notes of each instrument."""
        return {name: means for name, means in self.means[ALL].items() if name != ALL}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "means": self.means,
            "costs": asdict(self.costs) if self.costs else None,
            "speed": asdict(self.speed) | {"voices": self.speed.voices} if self.speed else None,
        }


def mean_measures(rows: Sequence[NoteRow]) -> Means:
    """Return the mean of every measure over the notes that it says something of.

    Of the pitch: `cents`, the median distance from the recording's, `in_tune`, the share of notes within 10 cents,
    and `pitch_heard`, how many notes the tracker heard in both.
    """
    means = {}
    for name in Measures.names():
        values = np.array([getattr(row.measures, name) for row in rows])
        known = values[np.isfinite(values)]
        if name == "cents":
            off = np.abs(known)
            means[name] = float(np.median(off)) if len(off) else float("nan")
            means["in_tune"] = float((off <= IN_TUNE_CENTS).mean()) if len(off) else float("nan")
            means["pitch_heard"] = len(off)
        else:
            means[name] = float(known.mean()) if len(known) else float("nan")
    return means | {"notes": len(rows)}


def summarise(rows: Sequence[NoteRow]) -> dict[str, dict[str, dict[str, Means]]]:
    """Return path -> kind, "all" or "shared" -> instrument or "all" -> means; groups without a note are left out."""
    shared = shared_notes(rows, {row.path for row in rows})
    groups: dict[tuple[str, str, str], list[NoteRow]] = {}
    for row in rows:
        for kind in (ALL, row.kind, *((SHARED,) if row.note in shared else ())):
            for instrument in (ALL, row.instrument):
                groups.setdefault((row.path, kind, instrument), []).append(row)
    table: dict[str, dict[str, dict[str, Means]]] = {}
    for (path, kind, instrument), group in groups.items():
        table.setdefault(path, {}).setdefault(kind, {})[instrument] = mean_measures(group)
    ordered = (ALL, *KINDS, SHARED)
    return {path: {kind: kinds[kind] for kind in ordered if kind in kinds} for path, kinds in table.items()}


def shared_notes(rows: Iterable[NoteRow], paths: Collection[str]) -> set[tuple[str, int, int]]:
    """Return the notes that each of some paths plays; see `NoteRow.note`."""
    played: dict[str, set[tuple[str, int, int]]] = {path: set() for path in paths}
    for row in rows:
        if row.path in played:
            played[row.path].add(row.note)
    return set.intersection(*played.values()) if played else set()


def best(paths: Iterable[PathResult]) -> PathResult | None:
    """Return the path with the least mean distance; None of none."""
    return min(paths, key=lambda one: one.overall["distance"], default=None)


def best_in_budget(paths: Iterable[PathResult]) -> PathResult | None:
    """Return the best path of which one core plays `BUDGET_VOICES` voices in real time."""
    return best(one for one in paths if one.speed is not None and one.speed.voices >= BUDGET_VOICES)


def frontier(paths: Iterable[PathResult], cost: Mapping[str, float]) -> list[PathResult]:
    """Return the paths that no cheaper one is as good as, the cheapest first; `cost` is by a path's name."""
    found: list[PathResult] = []
    for one in sorted((one for one in paths if one.name in cost), key=lambda one: (cost[one.name], one.name)):
        if not found or one.overall["distance"] < found[-1].overall["distance"]:
            found.append(one)
    return found
