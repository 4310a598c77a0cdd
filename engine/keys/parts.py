"""Key tables of single instruments, and the arrays of many that growth models read: from the one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .stored.correction_arrays import CorrectionArrays, no_layers, no_softer, no_totals
from .stored.motion_arrays import MotionArrays
from .stored.onsets import no_onsets
from .stored.releases import no_releases
from .stored.table import Courses, KeyTable
from .timbres import TimbreTable

ONSETS = "onsets"
"""The extra of a key table that holds the envelopes of attacks."""
CLOCK_ENDS = "clock_ends"
"""The extra of a key table that holds `CorrectionArrays.clock_ends`."""
TOTALS = "totals"
"""The extra of a key table that holds `CorrectionArrays.totals`."""
RELEASE_RATES = "release_rates"
"""The extra of a key table that holds `CorrectionArrays.release_rates`."""
SOFTER, LAYERS = "softer", "layers"
"""Extras of a key table that hold `CorrectionArrays.softer` and `layers`."""
REACH = "reach"
"""The extra of a key table that holds `MotionArrays.reach`."""
CORRECTED = (ONSETS, CLOCK_ENDS, TOTALS, RELEASE_RATES, SOFTER, LAYERS)
"""Extras that belong to corrections."""
Tuned = tuple[Sequence[float], Sequence[float], Sequence[float]]
"""MIDI keys, cents and inharmonicity."""


def table_of(
    timbres: dict[str, str],
    known: TimbreTable,
    motions: MotionArrays,
    correction: CorrectionArrays | None,
    tuned: Tuned,
) -> KeyTable:
    """Return the key table of one instrument among many.

    Parameters
    ----------
    timbres : suffix in the table -> name of the timbre
    known, motions, correction : of all instruments
    tuned : of this one

    Raises
    ------
    ValueError
        If a timbre has no recorded keys, or its codes are of other keys than its motions.
    """
    rows = np.concatenate([_rows_of(motions, name) for name in timbres.values()])
    chosen = np.unique(motions.motion[rows])
    keyed = [known.coded(name) for name in timbres.values()]
    _check_keys(timbres, keyed, motions)
    own = {int(row): number for number, row in enumerate(rows)}
    owners = [motions.owners[row] for row in rows.tolist()]
    corrected, corrections, moments = _corrections(correction, owners)
    names = [*timbres.values()]
    return KeyTable(
        suffixes=tuple(timbres),
        vectors=np.stack([known.own_vector(name) for name in names]),
        timbre=np.array([names.index(motions.owners[row][0]) for row in rows.tolist()], np.int64),
        key=motions.key[rows],
        codes=np.concatenate([codes for _, codes in keyed]),
        take=motions.take[rows] - motions.take[rows].min(),
        inharmonic_partials=motions.modes[rows],
        motion=np.searchsorted(chosen, motions.motion[rows]).astype(np.int64),
        pace=motions.pace[rows],
        source=np.array([own[int(row)] for row in motions.source[chosen]], np.int64),
        loop=motions.loop[chosen],
        motions=Courses(
            motions.codes, motions.code_scale, motions.first, motions.shapes, motions.shape_scale
        ).rows(chosen),
        motion_rate_hz=float(motions.rate_hz),
        corrected=corrected,
        moments=moments,
        corrections=corrections,
        corrected_field="" if correction is None or not corrected.size else correction.field,
        corrected_partials=0 if correction is None or not corrected.size else correction.partials,
        tuned_keys=np.array(tuned[0], np.int64),
        cents=np.array(tuned[1], np.float64),
        inharmonicity=np.array(tuned[2], np.float64),
        extras=_extras(motions, rows, correction, owners),
    )  # fmt: skip


def motions_of(table: KeyTable, name: str) -> MotionArrays:
    """Return the motions of an instrument's table under a name."""
    return MotionArrays(
        rate_hz=table.motion_rate_hz,
        codes=table.motions.values,
        code_scale=table.motions.scale,
        shapes=table.motions.shapes,
        shape_scale=table.motions.shape_scale,
        first=table.motions.first,
        loop=table.loop,
        source=table.source,
        motion=table.motion,
        pace=table.pace,
        take=table.take,
        modes=table.inharmonic_partials,
        timbre=table.timbre,
        key=table.key,
        names=tuple(name + suffix for suffix in table.suffixes),
        reach=np.asarray(table.extras.get(REACH, ()), np.int64),
    )


def correction_of(table: KeyTable, name: str) -> CorrectionArrays | None:
    """Return the corrections of an instrument's table under a name; None where it has none."""
    count, moments = len(table.corrected), len(table.moments)
    if not count:
        return None
    return CorrectionArrays(
        field=table.corrected_field,
        partials=table.corrected_partials,
        moments=table.moments,
        courses=table.corrections.values.reshape(count, moments, -1),
        course_scale=table.corrections.scale,
        shapes=table.corrections.shapes,
        shape_scale=table.corrections.shape_scale,
        timbre=table.timbre[table.corrected],
        key=table.key[table.corrected],
        names=tuple(name + suffix for suffix in table.suffixes),
        onsets=table.extras[ONSETS][table.corrected] if ONSETS in table.extras else no_onsets(),
        clock_ends=np.asarray(table.extras.get(CLOCK_ENDS, np.zeros(len(table.key)))[table.corrected], np.int64),
        release_rates=table.extras[RELEASE_RATES][table.corrected] if RELEASE_RATES in table.extras else no_releases(),
        softer=table.extras[SOFTER][table.corrected] if SOFTER in table.extras else no_softer(),
        layers=table.extras[LAYERS][table.corrected].astype(np.int64) if LAYERS in table.extras else no_layers(),
        totals=table.extras[TOTALS][table.corrected] if TOTALS in table.extras else no_totals(),
    )


def with_correction(table: KeyTable, name: str, correction: CorrectionArrays) -> KeyTable:
    """Return an instrument's table with other corrections under a name, and what else belongs to them."""
    owners = motions_of(table, name).owners
    corrected, corrections, moments = _corrections(correction, owners)
    others = {extra: values for extra, values in table.extras.items() if extra not in CORRECTED}
    return replace(
        table,
        corrected=corrected,
        corrections=corrections,
        moments=moments,
        extras=others | _corrected_extras(correction, owners),
    )


def _extras(
    motions: MotionArrays,
    rows: NDArray[np.intp],
    correction: CorrectionArrays | None,
    owners: Sequence[tuple[str, int]],
) -> dict[str, np.ndarray]:
    """Return what else is known of some keys: how far each reaches, and what belongs to its correction."""
    reach = {REACH: motions.reach[rows].astype(np.int16)} if len(motions.reach) else {}
    return reach if correction is None else reach | _corrected_extras(correction, owners)


def _corrected_extras(correction: CorrectionArrays, owners: Sequence[tuple[str, int]]) -> dict[str, np.ndarray]:
    """Return what else corrections say of some keys, if it was measured."""
    known = {owner: row for row, owner in enumerate(correction.owners)}
    rows = [(place, known[owner]) for place, owner in enumerate(owners) if owner in known]
    extras: dict[str, np.ndarray] = {}
    every = (
        (ONSETS, correction.onsets),
        (CLOCK_ENDS, correction.clock_ends.astype(np.int16)),
        (TOTALS, correction.totals),
        (RELEASE_RATES, correction.release_rates.astype(np.int16)),
        (SOFTER, correction.softer),
        (LAYERS, correction.layers.astype(np.uint8)),
    )
    for name, values in every:
        if values.any():
            extras[name] = np.zeros((len(owners), *values.shape[1:]), values.dtype)
            for place, row in rows:
                extras[name][place] = values[row]
    return extras


def _rows_of(motions: MotionArrays, name: str) -> NDArray[np.intp]:
    rows = (
        np.flatnonzero(motions.timbre == motions.names.index(name)) if name in motions.names else np.zeros(0, np.intp)
    )
    if not rows.size:
        raise ValueError(f"nothing was measured on keys of {name}")
    return rows


def _check_keys(
    timbres: dict[str, str], keyed: Sequence[tuple[NDArray[np.float32], NDArray[np.float16]]], motions: MotionArrays
) -> None:
    for name, (keys, _) in zip(timbres.values(), keyed, strict=True):
        if keys.tolist() != motions.key[_rows_of(motions, name)].tolist():
            raise ValueError(f"the codes of {name} are of other keys than its motions")


def _corrections(
    arrays: CorrectionArrays | None, owners: Sequence[tuple[str, int]]
) -> tuple[NDArray[np.int64], Courses, NDArray[np.int64]]:
    """Return which of some keys have a correction, what it is, and at which moments."""
    known = {} if arrays is None else {owner: row for row, owner in enumerate(arrays.owners)}
    rows = np.array([known.get(owner, -1) for owner in owners], np.int64)
    corrected = np.flatnonzero(rows >= 0).astype(np.int64)
    if arrays is None or not corrected.size:
        return corrected, no_courses(0), np.zeros(0, np.int64)
    count, moments, courses = arrays.courses.shape
    all_of_them = Courses(
        arrays.courses.reshape(count * moments, courses),
        arrays.course_scale,
        np.arange(count + 1, dtype=np.int64) * moments,
        arrays.shapes,
        arrays.shape_scale,
    )
    return corrected, all_of_them.rows(rows[corrected].astype(np.intp)), arrays.moments


def no_courses(bands: int) -> Courses:
    """Return courses of nothing."""
    return Courses(
        np.zeros((0, 0), np.int8), np.zeros((0, 0), np.float32), np.zeros(1, np.int64),
        np.zeros((0, 0, bands), np.int8), np.zeros((0, 0), np.float32),
    )  # fmt: skip
