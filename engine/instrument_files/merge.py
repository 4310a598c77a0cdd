"""Several instruments of one foundation as one: kits with the drums of all, or a pitched one with the keys of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ..keys.stored.table import Courses, KeyTable
from .facts import InstrumentFacts
from .file import InstrumentFile


class _Part(NamedTuple):
    """What is taken of one table: the rows of recorded keys, in rising order."""

    table: KeyTable
    rows: NDArray[np.intp]


def merge_instruments(instruments: Sequence[InstrumentFile], name: str) -> InstrumentFile:
    """Return one instrument with the recorded keys of all.

    Of a drum that several kits have, the last one's is taken.

    Raises
    ------
    UsageError
        They are of different foundations or kinds, or pitched ones have the same keys.
    """
    facts = [one.facts for one in instruments]
    _check_alike(facts)
    parts = _parts([one.table for one in instruments], facts[0].is_drums)
    table = _joined(parts, facts[0].is_drums)
    drums = {key: drum for one in facts for key, drum in one.drums.items()}
    return InstrumentFile(
        replace(
            facts[0],
            name=name,
            low=min(one.low for one in facts),
            high=max(one.high for one in facts),
            programs=tuple(dict.fromkeys(program for one in facts for program in one.programs)),
            author=", ".join(dict.fromkeys(one.author for one in facts if one.author))[:1000],
            licence="; ".join(dict.fromkeys(one.licence for one in facts if one.licence))[:1000],
            learned_from=tuple(line for one in facts for line in one.learned_from)[:10_000],
            figures={},
            drums=drums,
        ),
        table,
    )


def _check_alike(facts: Sequence[InstrumentFacts]) -> None:
    if len(facts) < 2:
        raise UsageError("merging takes two instruments or more")
    for one in facts[1:]:
        if (one.representation, one.foundation) != (facts[0].representation, facts[0].foundation):
            raise UsageError(f"{one.name!r} is for another foundation than {facts[0].name!r}")
        if one.kind != facts[0].kind:
            raise UsageError(f"{one.name!r} is of kind {one.kind}, {facts[0].name!r} is of kind {facts[0].kind}")


def _parts(tables: Sequence[KeyTable], is_kit: bool) -> list[_Part]:
    """Return what to take of each table."""
    if is_kit:
        owners = {suffix: number for number, table in enumerate(tables) for suffix in table.suffixes}
        wanted = [[suffix for suffix, owner in owners.items() if owner == number] for number in range(len(tables))]
        rows = [
            np.flatnonzero(np.isin(table.timbre, [table.suffixes.index(one) for one in own]))
            for table, own in zip(tables, wanted, strict=True)
        ]
        return [_Part(table, own) for table, own in zip(tables, rows, strict=True) if own.size]
    keys = np.concatenate([table.key for table in tables])
    values, counts = np.unique(keys, return_counts=True)
    if (counts > 1).any():
        raise UsageError(f"key {values[counts > 1][0]} is recorded in two of them; pitched instruments share no keys")
    return [_Part(table, np.arange(len(table.key))) for table in tables]


def _joined(parts: Sequence[_Part], is_kit: bool) -> KeyTable:
    """Return one table of all parts."""
    _check_forms(parts)
    suffixes = tuple(sorted({part.table.suffixes[row] for part in parts for row in part.table.timbre[part.rows]}))
    vectors, codes = _timbres(parts, suffixes, is_kit)
    timbre = np.concatenate([[suffixes.index(p.table.suffixes[row]) for row in p.table.timbre[p.rows]] for p in parts])
    key = _column(parts, "key")
    order = np.lexsort((key, timbre))
    return KeyTable(
        suffixes=suffixes,
        vectors=vectors,
        timbre=timbre[order].astype(np.int64),
        key=key[order],
        codes=codes[order],
        take=_takes(parts, order, timbre),
        inharmonic_partials=_column(parts, "inharmonic_partials")[order],
        pace=_column(parts, "pace")[order],
        extras={name: _extra(parts, name)[order] for name in _common_extras(parts)},
        **_motions(parts, order),
        **_corrections(parts, order),
        **_tuning(parts),
    )


def _motions(parts: Sequence[_Part], order: NDArray[np.intp]) -> dict[str, Any]:
    """Return what moves the keys of all parts, whose rows come in a new order."""
    place, firsts = np.argsort(order), _firsts([len(part.rows) for part in parts])
    chosen = [np.unique(part.table.motion[part.rows]) for part in parts]
    motion, source = [], []
    for part, own, first, offset in zip(parts, chosen, firsts, _firsts([len(one) for one in chosen]), strict=True):
        motion.append(offset + np.searchsorted(own, part.table.motion[part.rows]))
        source.append(place[first + np.searchsorted(part.rows, part.table.source[own])])
    return {
        "motion": np.concatenate(motion)[order].astype(np.int64),
        "source": np.concatenate(source).astype(np.int64),
        "loop": np.concatenate([part.table.loop[own] for part, own in zip(parts, chosen, strict=True)]),
        "motions": _all_courses([part.table.motions.rows(own) for part, own in zip(parts, chosen, strict=True)]),
        "motion_rate_hz": parts[0].table.motion_rate_hz,
    }


def _corrections(parts: Sequence[_Part], order: NDArray[np.intp]) -> dict[str, Any]:
    """Return the corrections of all parts, whose rows come in a new order."""
    place, first = np.argsort(order), parts[0].table
    among = [_among(part.table.corrected, part.rows) for part in parts]
    firsts = _firsts([len(part.rows) for part in parts])
    corrected = place[np.concatenate([start + rows for start, (_, rows) in zip(firsts, among, strict=True)])]
    courses = _all_courses([p.table.corrections.rows(chosen) for p, (chosen, _) in zip(parts, among, strict=True)])
    by_place = np.argsort(corrected)
    return {
        "corrected": corrected[by_place].astype(np.int64),
        "corrections": courses.rows(by_place),
        "moments": first.moments,
        "corrected_field": first.corrected_field,
        "corrected_partials": first.corrected_partials,
    }


def _tuning(parts: Sequence[_Part]) -> dict[str, Any]:
    """Return the measured tunings of all parts; of a key that several have, the last one's."""
    known: dict[int, tuple[float, float]] = {}
    for table in (part.table for part in parts):
        known |= dict(zip(table.tuned_keys.tolist(), zip(table.cents, table.inharmonicity, strict=True), strict=True))
    keys = sorted(known)
    cents, inharmonicity = np.array([known[key] for key in keys], np.float64).T
    return {"tuned_keys": np.array(keys, np.int64), "cents": cents.copy(), "inharmonicity": inharmonicity.copy()}


def _firsts(counts: Sequence[int]) -> list[int]:
    """Return where each part begins among all."""
    return [0, *np.cumsum(counts)[:-1].tolist()]


def _check_forms(parts: Sequence[_Part]) -> None:
    """Raise `UsageError` for tables that were measured in different ways."""

    def form(table: KeyTable) -> tuple[Any, ...]:
        sizes = table.timbre_size, table.num_bands, table.motions.shapes.shape[1], table.motion_rate_hz
        corrections = table.corrections.shapes.shape[1:], table.corrected_field, table.corrected_partials
        return (*sizes, *corrections, table.moments.tolist())

    if any(form(part.table) != form(parts[0].table) for part in parts):
        raise UsageError("they were measured in different ways (courses, moments or bands), and cannot be merged")


def _timbres(
    parts: Sequence[_Part], suffixes: tuple[str, ...], is_kit: bool
) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
    """Return the vectors of all timbres and the codes of the taken rows.

    Pitched instruments whose keys share different vectors get none that is shared: it becomes part of the codes.
    """
    tables = [part.table for part in parts]
    if is_kit or all(np.array_equal(table.vectors, tables[0].vectors) for table in tables):
        known = {suffix: table.vectors[row] for table in tables for row, suffix in enumerate(table.suffixes)}
        return np.stack([known[suffix] for suffix in suffixes]), _column(parts, "codes")
    whole = [
        np.concatenate([table.vectors[table.timbre].astype(np.float16), table.codes], 1)[part.rows]
        for table, part in zip(tables, parts, strict=True)
    ]
    return np.zeros((1, 0), np.float32), np.concatenate(whole)


def _takes(parts: Sequence[_Part], order: NDArray[np.intp], timbre: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return new numbers of recordings, which rise where another one begins."""
    whose = np.concatenate([np.full(len(part.rows), number) for number, part in enumerate(parts)])[order]
    takes = _column(parts, "take")[order]
    begins = (np.diff(whose) != 0) | (np.diff(takes) != 0) | (np.diff(timbre[order]) != 0)
    return np.concatenate([[0], np.cumsum(begins)]).astype(np.int64)


def _column(parts: Sequence[_Part], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(part.table, name)[part.rows] for part in parts])


def _extra(parts: Sequence[_Part], name: str) -> NDArray[Any]:
    return np.concatenate([part.table.extras[name][part.rows] for part in parts])


def _common_extras(parts: Sequence[_Part]) -> list[str]:
    """Return the names of the extras that all have, in one form."""
    tables = [part.table for part in parts]
    names = set.intersection(*(set(table.extras) for table in tables))

    def form(table: KeyTable, name: str) -> tuple[Any, ...]:
        return table.extras[name].dtype, table.extras[name].shape[1:]

    return sorted(name for name in names if all(form(table, name) == form(tables[0], name) for table in tables))


def _among(values: NDArray[np.int64], rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which of rising values are among rows, and where there."""
    chosen = np.flatnonzero(np.isin(values, rows))
    return chosen, np.searchsorted(rows, values[chosen])


def _all_courses(parts: Sequence[Courses]) -> Courses:
    """Return the courses of all parts."""
    counts = np.concatenate([np.diff(part.first) for part in parts])
    return Courses(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.scale for part in parts]),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([part.shapes for part in parts]),
        np.concatenate([part.shape_scale for part in parts]),
    )
