"""What a growth misses of recordings that are held long, measured at the end of the chain: with the bank's own models.

Training hears notes of up to 4 s, and what `training.correction.correction` measures ends there. What is heard later is
measured here, once for each recorded key, and becomes the last moments of its correction: the mean of what follows,
or, where the recording fades, its course. Powers are averaged, so that slow beats keep their loudness.
Letters: V notes, F bins or bands, N partials and bands, M keys, K moments, L moments that are followed, R courses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.bank.bank import CORRECTION, Bank
from ...engine.bank.instruments import KeyChoice
from ...engine.keys.correction import CorrectionArrays
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.models.interfaces import HopInputs
from ...engine.spectra.pitch import pitch_to_hz
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import mel_filterbank, power_from_level, power_spectrogram
from ...engine.spectra.transpose import BANDS
from ...errors import UsageError
from ..config.instruments import InstrumentConfig
from ..measure.motions import rounded
from ..sources.soundfont import SoundFont
from .correction import CODE_RANGE, FURTHEST, RANK, PartialAxis, loudness_of

HELD_S = 12.0
VELOCITIES = (80, 104)
"""Louder and softer notes may be other recordings, which go on otherwise; these are what most music asks for."""
LATE_S = (4.3, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0)
"""Moments that follow the trained ones."""
FOLLOWED_S = (1.0, 2.0, 3.0, *LATE_S)
"""Where targets are measured: keys of which training heard short notes alone begin earlier."""
TRAINED_S = 4.1
REFERENCE_S = (1.5, 3.8)
"""Later levels are compared with those here; where less was measured, with its second half."""
EASE_S = 0.4
"""How long a correction takes from its last measured moment to what follows."""
MARGIN_S = 0.25
FADING_DB = 6.0
"""A recording that is so much quieter in the end fades, and is followed to there."""
SURGING_DB = 3.0
"""One that moves so far from its later mean is followed, too, and ends in that mean."""
FURTHEST_LATE = 2.0 * FURTHEST
"""Level that a correction may reach where the recording fades and the growth does not."""
QUIET = 1e-9
"""Mean power of what counts as silent, -90 dB."""
BATCH = 48
RIDGE = 1e-3
QUIETEST = 0.03
"""Share of the loudest amplitude below which a shape is not told more closely."""
FURTHER = 2
"""Courses that a key may get for what is late, beside those of training."""
SIGNIFICANT = 0.0125
"""Level, 0.5 dB, by which one more course must better what is late."""

Span = tuple[float, float]
"""From one second to another."""


class _Note(NamedTuple):
    """A note to hold: its row in the table and its key, what plays it, and the seconds that training measured of it."""

    row: int
    key: int
    velocity: int
    choice: KeyChoice
    measured_s: float

    @property
    def reference_s(self) -> Span:
        """The seconds that later levels are compared with."""
        stop = min(self.measured_s, REFERENCE_S[1])
        return (min(REFERENCE_S[0], 0.5 * stop), stop)

    @property
    def spans_s(self) -> list[Span]:
        """The reference, all that follows, and what lies around each moment that is followed, half-way to the next."""
        between = [0.5 * (one + other) for one, other in pairwise(FOLLOWED_S)]
        windows = pairwise((FOLLOWED_S[0] - MARGIN_S, *between, HELD_S))
        return [self.reference_s, (self.reference_s[1] + MARGIN_S, HELD_S), *windows]


@dataclass(eq=False)
class _Targets:
    """What one key should be corrected by at the moments that are followed: weighted sums over notes, each (L, N)."""

    values: NDArray[np.float64]
    weights: NDArray[np.float64]


def with_held_notes(
    bank: Bank,
    representation: str,
    instruments: tuple[InstrumentConfig, ...],
    font: SoundFont,
    report: Callable[[str], None] = lambda _: None,
) -> CorrectionArrays:
    """Return the corrections of a representation, with what held notes are like after those that training heard.

    Parameters
    ----------
    bank : Bank
        Its models grow the notes.
    instruments : of the SoundFont; kits and what has no correction stay as they are
    font : what is to be met
    report : hears of every instrument that is done

    Returns
    -------
    CorrectionArrays
        Shapes and measured moments as before, and `LATE_S` as the last moments.

    Raises
    ------
    UsageError
        The bank holds such corrections already: what training measured of them shows no more.
    """
    growth = bank.growth_model(representation, provider="cpu")
    arrays = CorrectionArrays.from_bytes(bank.models_of(representation)[CORRECTION])
    if _late_moments(arrays, growth.spec) > 1:
        raise UsageError(f"held notes of {representation} are in the bank already; begin with what training left")
    ends = measured_ends(arrays, growth.spec)
    axis = _Axis(growth.spec, arrays)
    targets: dict[int, _Targets] = {}
    for instrument in instruments:
        notes = [] if instrument.drum_keys else list(_notes_of(instrument, bank, growth, arrays, ends))
        for start in range(0, len(notes), BATCH):
            some = notes[start : start + BATCH]
            recorded = [_recorded(font, instrument.program, note, axis) for note in some]
            _add(targets, some, recorded, _grown(growth, some), axis)
        if notes:
            report(f"{representation}: held {len(notes)} notes of {instrument.name}")
    return _continued(arrays, ends, targets, growth.spec)


def with_mean_after(arrays: CorrectionArrays, spec: AudioSpec, decaying: frozenset[str]) -> CorrectionArrays:
    """Return corrections that ease into the mean of the second half of what was measured; for want of long recordings.

    Those that go beyond what training measured already stay as they are.

    Parameters
    ----------
    arrays : CorrectionArrays
    spec : AudioSpec
        Of the representation.
    decaying : instruments that keep their last moment, because they fade out
    """
    if _late_moments(arrays, spec):
        return arrays
    moments = np.append(_trained(arrays, spec), round(LATE_S[0] / spec.hop_s))
    courses = arrays.courses[:, np.minimum(np.arange(len(moments)), arrays.courses.shape[1] - 1)]
    for row, end in enumerate(measured_ends(arrays, spec)):
        if arrays.names[arrays.timbre[row]].split(":")[0] not in decaying:
            known = courses[row, : end + 1].astype(np.float64)
            mean = known[moments[: end + 1] >= moments[end] / 2].mean(0)
            share = np.clip((moments[end + 1 :] - moments[end]) * spec.hop_s / EASE_S, 0.0, 1.0)[:, None]
            courses[row, end + 1 :] = np.round(known[-1] + share * (mean - known[-1]))
        else:
            courses[row, end + 1 :] = courses[row, end]
    return replace(arrays, moments=moments, courses=courses)


def _trained(arrays: CorrectionArrays, spec: AudioSpec) -> NDArray[np.int64]:
    """Return the moments that training measured."""
    return arrays.moments[arrays.moments * spec.hop_s < TRAINED_S]


def _late_moments(arrays: CorrectionArrays, spec: AudioSpec) -> int:
    return len(arrays.moments) - len(_trained(arrays, spec))


def measured_ends(arrays: CorrectionArrays, spec: AudioSpec) -> NDArray[np.intp]:
    """Return the last moment that training measured on each of M keys; what it knew no more repeats that."""
    courses = arrays.courses[:, : len(_trained(arrays, spec))].astype(np.int64)
    differs = (courses != courses[:, -1:]).any(2)
    last = courses.shape[1] - 1
    return np.where(differs.any(1), np.minimum(last + 1 - differs[:, ::-1].argmax(1), last), 0)


def _notes_of(
    instrument: InstrumentConfig, bank: Bank, growth: OnnxGrowthModel, arrays: CorrectionArrays, ends: NDArray[np.intp]
) -> Iterator[_Note]:
    book = bank.timbre_book(growth)
    for row, (name, key) in enumerate(arrays.owners):
        if name == instrument.name:
            choice = book.instrument_for(instrument.program, 0, False, key)
            measured_s = float(arrays.moments[ends[row]] * growth.spec.hop_s)
            for velocity in VELOCITIES:
                yield _Note(row, key, velocity, choice, measured_s)


class _Axis:
    """What powers are averaged on, F, and what corrections are stored on, N."""

    def __init__(self, spec: AudioSpec, arrays: CorrectionArrays) -> None:
        self.spec, self._width = spec, arrays.shapes.shape[2]
        self._bank = mel_filterbank(replace(spec, num_mels=self._width)) if arrays.field.startswith(BANDS) else None
        self._partials = PartialAxis(spec, arrays.partials) if arrays.partials else None
        self._grows_bins = arrays.partials < self._width

    def recorded(self, power: FloatArray, note: _Note) -> FloatArray:
        """Return powers of a recording (L, bins) on N."""
        if self._partials is None:
            return power if self._bank is None else power @ self._bank.T
        cents, stretch = note.choice.instrument.tuning(note.key)
        hz = float(pitch_to_hz(note.key + cents / 100.0)) * float(note.choice.pitched)
        # Sums over whole lobes: in the mean, a pitch that wavers leaves a bin, but not its partial.
        return power @ self._partials.weights(np.ones(power.shape[1], np.float32), hz, stretch)[: self._width].T

    def grown(self, power: FloatArray, note: _Note) -> FloatArray:
        """Return powers of a grown field (L, F) on N."""
        return self.recorded(power, note) if self._grows_bins and self._bank is None else power[:, : self._width]


def _recorded(font: SoundFont, program: int, note: _Note, axis: _Axis) -> FloatArray:
    """Return mean powers of a recording in the spans of a note, (2 + L, N)."""
    audio = font.render(program, note.key, note.velocity, HELD_S, 0.0, drums=False)
    power = power_spectrogram(audio, axis.spec)
    return axis.recorded(np.stack([power[_frames(span, axis.spec)].mean(0) for span in note.spans_s]), note)


def _frames(span: Span, spec: AudioSpec) -> slice:
    start, stop = (round(min(at, HELD_S) / spec.hop_s) for at in span)
    return slice(start, max(stop, start + 1))


def _grown(growth: OnnxGrowthModel, notes: list[_Note]) -> NDArray[np.float64]:
    """Return mean powers of grown notes in their spans, (V, 2 + L, F): in the reference as played, later bare."""
    spec, count = growth.spec, len(notes)
    motions = np.array([note.choice.motion for note in notes], np.float64)
    tuning = np.array([note.choice.instrument.tuning(note.key) for note in notes], np.float64)
    pitched = np.array([float(note.choice.pitched) for note in notes], np.float32)
    pitch = np.array([note.key for note in notes]) + tuning[:, 0] / 100.0
    stretch = np.ascontiguousarray(tuning[:, 1] * pitched)
    genome = growth.plant(
        pitch.astype(np.float32), np.array([note.velocity / 127 for note in notes], np.float32),
        np.stack([note.choice.timbre for note in notes]), pitched, stretch.astype(np.float32),
    )  # fmt: skip
    mask = np.ones((count, growth.steps_per_hop, genome["grid"].shape[1]), np.float32)
    hz = (np.where(pitched, pitch_to_hz(pitch), 0.0))[:, None]
    name = growth.motions.corrected_field
    spans = [[_frames(span, spec) for span in note.spans_s] for note in notes]
    inside = np.array([[(one.start, one.stop) for one in row] for row in spans])
    total = np.zeros(0)
    for frame in range(round(HELD_S / spec.hop_s)):
        age_s = np.full((1, count), frame * spec.hop_s)
        swell = growth.motions.swell(motions, age_s)[0]
        hop = growth.step(genome, HopInputs(age_s[0].astype(np.float32), np.full(count, -1, np.float32), mask, swell))
        genome["grid"] = hop.grid
        field = hop.fields[name][:, None]
        counted = (inside[..., 0] <= frame) & (frame < inside[..., 1])
        total = np.zeros((*counted.shape, field.shape[3])) if not total.size else total
        rows, columns = np.nonzero(counted[:, 1:])
        total[rows, columns + 1] += power_from_level(field[:, 0, 0], spec)[rows]
        if counted[:, 0].any():
            corrections = growth.motions.corrections(motions, age_s)
            played = growth.finisher.finish({name: field.copy()}, corrections, np.zeros((count, 1)), hz, stretch)
            total[counted[:, 0], 0] += power_from_level(played[name][:, 0, 0], spec)[counted[:, 0]]
    return total / np.maximum(inside[..., 1] - inside[..., 0], 1)[..., None]


def _add(
    targets: dict[int, _Targets],
    notes: list[_Note],
    recorded: list[FloatArray],
    grown: NDArray[np.float64],
    axis: _Axis,
) -> None:
    """Add what notes should be corrected by to the targets of their keys."""
    for note, wanted, own in zip(notes, recorded, grown, strict=True):
        if wanted[0].sum() < QUIET or wanted[1].sum() < QUIET:
            continue
        late = _followed(10.0 * np.log10(wanted.sum(1) + QUIET))
        heard, played = _level(wanted, axis.spec), _level(axis.grown(own, note), axis.spec)
        # What was played in the reference, moved as the recording moves from there, less what is grown later.
        values = heard[late] - heard[0] + played[0] - played[late]
        weights = np.repeat(loudness_of(_level(wanted[0] + wanted[1], axis.spec))[None], len(values), 0)
        one = targets.setdefault(note.row, _Targets(np.zeros(values.shape), np.zeros(values.shape)))
        one.values += np.clip(values, -FURTHEST_LATE, FURTHEST) * weights
        one.weights += weights


def _followed(level_db: FloatArray) -> list[int]:
    """Return which of the spans is wanted at each followed moment, by the levels (2 + L,) of a recording there."""
    around = list(range(2, 2 + len(FOLLOWED_S)))
    if level_db[0] - level_db[-1] > FADING_DB:
        return around
    surges = np.abs(level_db[2:] - level_db[1]).max() > SURGING_DB
    return [*around[:-1], 1] if surges else [1] * len(around)


def _level(power: FloatArray | NDArray[np.float64], spec: AudioSpec) -> FloatArray:
    floor = 10.0 ** (spec.floor_db / 10.0)
    return (10.0 * np.log10(np.maximum(power, floor)) / spec.level_scale_db).astype(np.float32)


def _continued(
    arrays: CorrectionArrays, ends: NDArray[np.intp], targets: dict[int, _Targets], spec: AudioSpec
) -> CorrectionArrays:
    """Let each key ease from its last measured moment to its targets, by one course more where its own fall short."""
    moments = np.concatenate([_trained(arrays, spec), np.round(np.array(LATE_S) / spec.hop_s).astype(np.int64)])
    keys, rank = len(ends), min(arrays.shapes.shape[1], RANK)
    courses = np.zeros((keys, len(moments), rank + FURTHER), np.int8)
    shapes = np.zeros((keys, rank + FURTHER, arrays.shapes.shape[2]), np.int8)
    scales = [np.pad(one[:, :rank], ((0, 0), (0, FURTHER))) for one in (arrays.course_scale, arrays.shape_scale)]
    shapes[:, :rank] = arrays.shapes[:, :rank]
    for row, end in enumerate(ends):
        courses[row, : end + 1, :rank] = arrays.courses[row, : end + 1, :rank]
        courses[row, end + 1 :, :rank] = arrays.courses[row, end, :rank]
        if row not in targets:
            continue
        after_s = moments[end + 1 :] * spec.hop_s
        share = np.clip((after_s - moments[end] * spec.hop_s) / EASE_S, 0.0, 1.0)[:, None]
        own = [one[row, :rank].astype(np.float64) for one in scales]
        fitted = _fitted(shapes[row, :rank] * own[1][:, None], own[0], targets[row])
        last = arrays.courses[row, end, :rank]
        courses[row, end + 1 :, :rank] = np.round(last + share * (_at(after_s, fitted.codes) - last))
        scales[0][row, rank:], scales[1][row, rank:] = (
            np.abs(one).max(axis) / CODE_RANGE for one, axis in ((fitted.courses, 0), (fitted.shapes, 1))
        )
        courses[row, end + 1 :, rank:] = rounded(share * _at(after_s, fitted.courses), scales[0][row, rank:])
        shapes[row, rank:] = rounded(fitted.shapes, scales[1][row, rank:, None])
    return replace(
        arrays, moments=moments, courses=courses, shapes=shapes, course_scale=scales[0], shape_scale=scales[1]
    )


def _at(times_s: NDArray[np.float64], late: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return courses (K, R) at some times, of those where they are followed (L, R)."""
    return np.stack([np.interp(times_s, FOLLOWED_S, course) for course in late.T], 1)


class _Fit(NamedTuple):
    """What comes near to the targets of a key.

    Attributes
    ----------
    codes : (L, R), of the courses that training measured
    courses, shapes : (L, FURTHER), (FURTHER, N), further ones
    """

    codes: NDArray[np.float64]
    courses: NDArray[np.float64]
    shapes: NDArray[np.float64]


def _fitted(shapes: NDArray[np.float64], scale: NDArray[np.float64], targets: _Targets) -> _Fit:
    """Return what comes near to the targets with the shapes (R, N) of training and some more; the loud counts most.

    No course goes further than it can be coded in steps of `scale` (R,), so the measured moments stay as they were.
    """
    weights = targets.weights.mean(0) / max(targets.weights.mean(0).max(), 1e-12)
    values = targets.values / np.maximum(targets.weights, 1e-12)
    largest = shapes * (scale * CODE_RANGE)[:, None]
    square = (largest * weights) @ largest.T
    square += np.eye(len(shapes)) * RIDGE * max(float(np.trace(square)) / len(shapes), 1e-12)
    followed = np.clip(np.linalg.solve(square, (largest * weights) @ values.T).T, -1.0, 1.0)
    rest = (values - followed @ largest) * np.sqrt(weights)
    left, strength, right = np.linalg.svd(rest, full_matrices=False)
    strength = strength[:FURTHER]
    strength = np.where(strength / np.sqrt(len(rest) * weights.sum()) < SIGNIFICANT, 0.0, strength)
    kept = strength[:, None] > 0.0
    further = np.where(kept, right[:FURTHER] / np.maximum(np.sqrt(weights), QUIETEST), 0.0)
    return _Fit(followed * CODE_RANGE, left[:, :FURTHER] * strength, further)
