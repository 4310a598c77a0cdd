"""What a growth misses of recordings that are held long, measured at the end of the chain: with the bank's own models.

Training hears notes of up to 4 s, and what `training.correction.correction` measures ends there. On each recorded key
of an instrument the clock of the growth is stopped there, so that what is grown stays as it is, and the correction goes
on alone: to the mean of what follows in the recording, or, where that fades or surges, along its course. Powers are
averaged, so that slow beats keep their loudness.
Letters: V notes, L moments that are followed, F bins or bands, N partials and bands, K moments, R courses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.instrument_files import InstrumentFile
from ...engine.keys.apply import KeyApplier
from ...engine.keys.parts import correction_of, with_correction
from ...engine.keys.stored.correction_arrays import CorrectionArrays
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import mel_filterbank, power_from_level, power_spectrogram
from ...engine.spectra.transpose import BANDS
from .axes import PartialAxis
from .correction import loudness_of
from .instrument_growth import InstrumentGrowth, Note, Recorded
from .late_courses import CLOCK_END_S, FOLLOWED_S, Late, continued, measured_ends

HELD_S = 12.5
VELOCITIES = (80, 104)
"""Louder and softer notes may be other recordings, which go on otherwise; these are what most music asks for."""
GROWN_S = 8.0
"""Notes are grown for so long: with its clock stopped the growth has come to rest by then."""
RESTING_S = 6.5
"""What is grown later is as it is from here to there."""
SETTLING_S = 0.5
REFERENCE_S = (1.5, 3.8)
"""Later levels are compared with those here; where less was measured, with its second half."""
MARGIN_S = 0.25
QUIET = 1e-9
"""Mean power of what counts as silent, -90 dB."""
FADING_DB = 6.0
"""A recording that is so much quieter in the end fades, and is followed to there."""
STILL_FADING_DB = 1.0
"""And goes on fading beyond what is followed if it has fallen by so much in the last 4 s; less is a beat."""
SURGING_DB = 2.0
"""One that moves so far from its later mean is followed, too, and ends in that mean."""
MOST_LIFT_DB = 10.0
"""Where more is missing once the clock has stopped, the growth died too soon: its clock is stopped earlier."""

Span = tuple[float, float]
"""From one second to another."""


class _Plan(NamedTuple):
    """When to listen to a note: the reference, all that follows, and around each moment that is followed.

    Attributes
    ----------
    end_s : where the clock of the growth stops
    measured_s : what training measured of the key, not beyond that
    """

    end_s: float
    measured_s: float

    @property
    def reference_s(self) -> Span:
        """The seconds that later levels are compared with."""
        stop = min(self.measured_s, REFERENCE_S[1])
        return (min(REFERENCE_S[0], 0.5 * stop), stop)

    @property
    def spans_s(self) -> list[Span]:
        """All of them, 2 + L."""
        edges = (FOLLOWED_S[0] - 2.0 * MARGIN_S, *FOLLOWED_S, 2.0 * HELD_S - FOLLOWED_S[-1])
        halves = [
            0.5 * min(at - before, after - at) for before, at, after in zip(edges, edges[1:], edges[2:], strict=False)
        ]
        around = [(at - half, at + half) for at, half in zip(FOLLOWED_S, halves, strict=True)]
        return [self.reference_s, (self.end_s + SETTLING_S, HELD_S), *around]

    @property
    def grown_s(self) -> list[Span]:
        """Where the growth is listened to for each of them."""
        return [span if span[1] <= GROWN_S else (min(span[0], RESTING_S), GROWN_S) for span in self.spans_s]

    @property
    def followed(self) -> list[int]:
        """Which of the spans are those around moments after what training measured."""
        return [2 + place for place, at_s in enumerate(FOLLOWED_S) if at_s > self.measured_s]


def with_held_notes(file: InstrumentFile, growth: OnnxGrowthModel, recorded: Recorded) -> InstrumentFile:
    """Return an instrument whose held notes go on as their recordings do; measured anew where they do already.

    Parameters
    ----------
    file : InstrumentFile
        What training measured of its keys stays as it was.
    growth : OnnxGrowthModel
        The foundation that it was made for.
    recorded : what is to be met
    """
    if correction_of(file.table, file.facts.name) is None or file.facts.is_drums:
        return file
    instrument = InstrumentGrowth(file, growth)
    ends = measured_ends(instrument.correction, growth.spec)
    late: dict[int, Late] = {}
    missing: Sequence[int] = range(len(ends))
    for end_s in CLOCK_END_S:
        measured_s = np.minimum(instrument.correction.moments[ends] * growth.spec.hop_s, end_s)
        found = _measured(instrument, missing, [_Plan(end_s, float(one)) for one in measured_s], recorded)
        late |= {row: one for row, one in found.items() if row not in late or one.lift_db < late[row].lift_db}
        missing = [row for row in missing if row in late and late[row].lift_db > MOST_LIFT_DB]
        if not missing:
            break
    applied = _Applied(instrument, [_notes(instrument, row)[0] for row in late])
    correction = continued(instrument.correction, late, growth.spec, applied)
    return replace(file, table=with_correction(file.table, file.facts.name, correction))


def _notes(instrument: InstrumentGrowth, row: int) -> list[Note]:
    """Return the notes that tell how a recorded key goes on: of the usual velocities, or of its loudest layer."""
    layers = instrument.correction.layers
    loudest = int(layers[row, 0]) if layers.size else 0
    return [instrument.note(row, velocity) for velocity in ([loudest] if loudest else VELOCITIES)]


class _Applied:
    """How loud keys are where they rest, once they are corrected."""

    def __init__(self, instrument: InstrumentGrowth, notes: Sequence[Note]) -> None:
        self._instrument, self._notes = instrument, notes

    def __call__(self, correction: CorrectionArrays, late: Mapping[int, Late]) -> dict[int, NDArray[np.float64]]:
        """Return the total levels (L,) in dB of keys at the moments that are followed."""
        instrument, spec = self._instrument, self._instrument.growth.spec
        axis = _Axis(spec, instrument.correction)
        table = instrument.table(correction)
        applier, found = KeyApplier(spec, table), {}
        for note in self._notes:
            one = late[note.row]
            motion = np.array([instrument.motion(table, note)], np.float64)
            corrections = table.corrections(motion, np.array(one.moments_s)[:, None])
            field = np.zeros((1, len(one.level), 2, one.level.shape[1]), np.float32)
            field[0, :, 0] = one.level
            hz = np.full((1, len(one.level)), note.hz)
            name = table.corrected_field
            level = applier.finish({name: field}, corrections, np.zeros_like(hz), hz, np.array([note.stretch]))[name]
            found[note.row] = total_db(axis.heard(level[0, :, 0]), spec)
        return found


class _Axis:
    """What powers are averaged on, F, and what corrections are stored on, N."""

    def __init__(self, spec: AudioSpec, arrays: CorrectionArrays) -> None:
        self.spec, self._width = spec, arrays.shapes.shape[2]
        self._bank = mel_filterbank(replace(spec, num_mels=self._width)) if arrays.field.startswith(BANDS) else None
        self._partials = PartialAxis(spec, arrays.partials) if arrays.partials else None
        self._grows_bins = arrays.partials < self._width

    def recorded(self, power: FloatArray, note: Note) -> FloatArray:
        """Return powers of a recording (L, bins) on N."""
        if self._partials is None:
            return power if self._bank is None else power @ self._bank.T
        # Sums over whole lobes: in the mean, a pitch that wavers leaves a bin, but not its partial.
        ones = np.ones(power.shape[1], np.float32)
        return power @ self._partials.weights(ones, note.hz, note.stretch)[: self._width].T

    def heard(self, values: FloatArray) -> FloatArray:
        """Return which of the levels or powers of a grown field (L, F) are heard."""
        return values if self._grows_bins else values[:, : self._width]

    def grown(self, power: FloatArray, note: Note) -> FloatArray:
        """Return powers of a grown field (L, F) on N."""
        return self.recorded(power, note) if self._grows_bins and self._bank is None else power[:, : self._width]


def total_db(level: FloatArray, spec: AudioSpec) -> NDArray[np.float64]:
    """Return the power of levels (L, F) together, in dB."""
    return np.asarray(10.0 * np.log10(power_from_level(level, spec).astype(np.float64).sum(1) + QUIET))


def _measured(
    instrument: InstrumentGrowth, rows: Iterable[int], plans: Sequence[_Plan], recorded: Recorded
) -> dict[int, Late]:
    """Return what some keys should come to, with the clock of the growth stopped; silent ones are left out.

    Parameters
    ----------
    plans : of all rows
    """
    notes = [note for row in rows for note in _notes(instrument, row)]
    spec, found = instrument.growth.spec, dict[int, Late]()
    axis = _Axis(spec, instrument.correction)
    grown = _grown(instrument, notes, [plans[note.row] for note in notes])
    for note, own in zip(notes, grown, strict=True):
        plan = plans[note.row]
        power = power_spectrogram(recorded(note.key, note.velocity, HELD_S, 0.0), spec)
        bins = np.stack([power[_frames(span, spec)].mean(0) for span in plan.spans_s])
        if bins[0].sum() >= QUIET and own[0].sum() >= QUIET:
            late = _late(axis, note, plan, bins, own)
            found[note.row] = found[note.row].joined(late) if note.row in found else late
    return found


def _late(axis: _Axis, note: Note, plan: _Plan, bins: FloatArray, own: FloatArray) -> Late:
    """Return what a note should come to, from mean powers of its recording and of what is grown, each (2 + L, F)."""
    spec, wanted = axis.spec, axis.recorded(bins, note)
    heard_db, played_db = (10.0 * np.log10(one.astype(np.float64).sum(1) + QUIET) for one in (bins, axis.heard(own)))
    at = _wanted(heard_db, plan.followed)
    # Before its clock stops, the growth is what it is there, whatever is wanted.
    there = [one if FOLLOWED_S[one - 2] < plan.end_s else two for one, two in zip(plan.followed, at, strict=True)]
    heard, played = _level(wanted, spec), _level(axis.grown(own, note), spec)
    # What was played in the reference, moved as the recording moves from there, less what is grown later.
    values = heard[at] - heard[0] + played[0] - played[there]
    moved_db = heard_db[at] - heard_db[0] + played_db[0]
    stopped = next(place for place, one in enumerate(plan.followed) if FOLLOWED_S[one - 2] >= plan.end_s)
    lift_db = float(moved_db[stopped] - played_db[there[stopped]])
    return Late(
        moments_s=tuple(FOLLOWED_S[place - 2] for place in plan.followed),
        end_s=plan.end_s,
        fades=bool(heard_db[0] - heard_db[-1] > FADING_DB and heard_db[-3] - heard_db[-1] > STILL_FADING_DB),
        values=values,
        weights=loudness_of(_level(wanted[0] + wanted[1], spec)),
        level=_level(own[there], spec),
        total_db=moved_db,
        lift_db=lift_db if heard_db[0] - played_db[0] < MOST_LIFT_DB else np.inf,
    )


def _wanted(level_db: NDArray[np.float64], followed: list[int]) -> list[int]:
    """Return which of the spans is wanted at each followed moment, by the levels of a recording in all of them."""
    if level_db[0] - level_db[-1] > FADING_DB:
        return followed
    surges = np.abs(level_db[followed] - level_db[1]).max() > SURGING_DB
    return [*followed[:-1], 1] if surges else [1] * len(followed)


def _level(power: FloatArray, spec: AudioSpec) -> FloatArray:
    floor = 10.0 ** (spec.floor_db / 10.0)
    return (10.0 * np.log10(np.maximum(power / floor, 1.0)) / spec.level_scale_db).astype(np.float32)


def _frames(span: Span, spec: AudioSpec) -> slice:
    start, stop = (round(at / spec.hop_s) for at in span)
    return slice(start, max(stop, start + 1))


def _grown(instrument: InstrumentGrowth, notes: Sequence[Note], plans: Sequence[_Plan]) -> FloatArray:
    """Return mean powers of grown notes in their spans, (V, 2 + L, F): in the reference as played, later bare."""
    spec, count = instrument.growth.spec, len(notes)
    table = instrument.table(instrument.correction)
    applier, name = KeyApplier(spec, table), table.corrected_field
    motions = np.array([instrument.motion(table, note) for note in notes], np.float64)
    hz, stretch = (np.array([getattr(note, one) for note in notes]) for one in ("hz", "stretch"))
    spans = [[_frames(span, spec) for span in plan.grown_s] for plan in plans]
    inside = np.array([[(one.start, one.stop) for one in row] for row in spans])
    ends_s = np.array([plan.end_s for plan in plans], np.float32)
    total = np.zeros(0)
    for frame, (age_s, fields) in enumerate(instrument.grown(notes, table, round(GROWN_S / spec.hop_s), ends_s)):
        field = fields[name][:, None]
        counted = (inside[..., 0] <= frame) & (frame < inside[..., 1])
        total = np.zeros((*counted.shape, field.shape[3]), np.float32) if not total.size else total
        rows, columns = np.nonzero(counted[:, 1:])
        total[rows, columns + 1] += power_from_level(field[:, 0, 0], spec)[rows]
        if counted[:, 0].any():
            corrections = table.corrections(motions, age_s)
            played = applier.finish({name: field.copy()}, corrections, np.zeros((count, 1)), hz[:, None], stretch)
            total[counted[:, 0], 0] += power_from_level(played[name][:, 0, 0], spec)[counted[:, 0]]
    return np.asarray(total / np.maximum(inside[..., 1] - inside[..., 0], 1)[..., None], np.float32)
