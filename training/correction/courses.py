"""Measuring corrections again at the end of the chain: what a bank's own models grow, against what was recorded.

What training measures is the mean of many velocities, and nothing of what the growth keeps silent. Here each recorded
key is grown and heard at the velocities that most music asks for, and its correction is measured in two ways: such that
it fades with the level, or with the total level that it was measured at (`engine.keys.apply`), which sets right what
is silent as well. Each key keeps that of training, or what a model of hearing finds clearly nearer to recordings: that
of the key, and that of another which is heard from it.
Letters: M keys, K moments, T frames, F bins, N partials and bands, R courses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.bank.bank import Bank
from ...engine.instrument_files import InstrumentFile
from ...engine.keys.correction import total_level
from ...engine.keys.motions import MotionTable
from ...engine.keys.parts import correction_of, with_correction
from ...engine.keys.stored.correction_arrays import COURSES, CorrectionArrays, coded_totals, no_totals
from ...engine.keys.stored.onsets import no_onsets
from ...engine.keys.stored.releases import no_releases
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.stft import level_from_power, power_spectrogram
from ...engine.spectra.transpose import LINEAR
from ..measure.motions import smooth_course
from ..measure.recording import is_held_out_key
from ..validation.rendered import RecordedNote, distances, rendered_by
from .axes import PartialAxis
from .correction import FURTHEST, MOMENTS, RANK, CourseSum, coded_courses, loudness_of
from .instrument_growth import InstrumentGrowth, Note, Recorded
from .late_courses import trained

VELOCITIES = (76, 104)
MEASURED_S = 4.0
"""As far as training heard."""
FURTHEST_TOLD = 1.2
"""Level, 48 dB, that a correction may reach which sets right what is silent."""
BATCH = 24
JUDGED_VELOCITY = 84
HOLD_S, TAIL_S = 1.5, 0.8
FURTHEST_KEY = 3
"""Semitones from a recorded key to one that is heard from it and judged as well."""
NEARER = 0.9
"""Share of the distance that training's correction has at most; a few per cent are chance."""
AUDIBLE = 1e-3


def with_courses(file: InstrumentFile, bank: Bank, growth: OnnxGrowthModel, recorded: Recorded) -> InstrumentFile:
    """Return an instrument whose corrections are measured again, without attacks and what follows after training.

    Instruments with layers, and representations whose corrections are not of linear bins, stay as they are.

    Parameters
    ----------
    file : InstrumentFile
    bank : what it belongs to: its decoder renders the notes, the usual one of the representation
    growth : of the bank
    recorded : what is to be met, at the growth's sample rate
    """
    name = file.facts.name
    correction = correction_of(file.table, name)
    if correction is None or correction.layers.size or correction.field != LINEAR or not correction.partials:
        return file
    instrument = InstrumentGrowth(file, growth)
    tried = [_as_trained(correction, growth.spec), *measured_again(instrument, recorded)]
    table = instrument.table(correction)
    keys = [_judged_keys(instrument, table, row) for row in range(len(correction.key))]
    off = _distances(file, tried, keys, bank, growth, recorded)
    which = np.where(off.min(0) <= NEARER * off[0], off.argmin(0), 0)
    return replace(file, table=with_correction(file.table, name, _chosen(tried, which)))


def _as_trained(arrays: CorrectionArrays, spec: AudioSpec) -> CorrectionArrays:
    """Return what training measured of corrections, and total levels where they are known."""
    rank = min(arrays.courses.shape[2], RANK)
    count = min(len(trained(arrays, spec)), len(MOMENTS) - 1)
    last = len(MOMENTS) - count

    def on_moments(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[:, :count], np.repeat(values[:, count - 1 : count], last, 1)], 1)

    missing = ((0, 0), (0, RANK - rank))
    return replace(
        arrays,
        moments=MOMENTS.astype(np.int64),
        courses=np.pad(on_moments(arrays.courses[..., :rank]), ((0, 0), *missing)),
        course_scale=np.pad(arrays.course_scale[:, :rank], missing),
        shapes=np.pad(arrays.shapes[:, :rank], (*missing, (0, 0))),
        shape_scale=np.pad(arrays.shape_scale[:, :rank], missing),
        totals=on_moments(arrays.totals) if arrays.totals.size else no_totals(),
        clock_ends=np.zeros(0, np.int64),
        release_rates=no_releases(),
    )


def measured_again(instrument: InstrumentGrowth, recorded: Recorded) -> list[CorrectionArrays]:
    """Return corrections such that they fade with the level, and such that they fade with the total level."""
    arrays, spec = instrument.correction, instrument.growth.spec
    rows = range(len(arrays.key))
    notes = [instrument.note(row, velocity) for row in rows for velocity in VELOCITIES]
    axis, frames = PartialAxis(spec, arrays.partials), round(MEASURED_S / spec.hop_s)
    width, table = arrays.shapes.shape[2], instrument.table(arrays)
    sums = [[CourseSum(width) for _ in rows] for _ in (FURTHEST, FURTHEST_TOLD)]
    totals = np.zeros((len(arrays.key), len(MOMENTS)))
    moments = MOMENTS[: np.searchsorted(MOMENTS, frames)]
    for start in range(0, len(notes), BATCH):
        some = notes[start : start + BATCH]
        for note, own in zip(some, _levels(instrument, table, some, frames), strict=True):
            heard = power_spectrogram(recorded(note.key, note.velocity, MEASURED_S, 0.0), spec)[:frames]
            level = np.zeros_like(own)
            level[: len(heard)] = level_from_power(heard, spec)
            wanted, grown = smooth_course(level), smooth_course(own)
            loudness = loudness_of(wanted.mean(0))
            for furthest, every in zip((FURTHEST, FURTHEST_TOLD), sums, strict=True):
                missed = np.clip((wanted - grown)[moments], -furthest, furthest)
                every[note.row].add(*axis.read(missed, loudness, note.hz, note.stretch))
            course = smooth_course(total_level(own, spec)[:, None])[:, 0]
            totals[note.row] += np.pad(course[moments], (0, len(MOMENTS) - len(moments)), "edge") / len(VELOCITIES)
    owners = arrays.owners
    plain, told = (
        coded_courses({owner: {0: one} for owner, one in zip(owners, every, strict=True)}, LINEAR, arrays.partials)
        for every in sums
    )
    order = [owners.index(owner) for owner in plain.owners]
    return [_in_order(one, arrays, order) for one in (plain, replace(told, totals=coded_totals(totals[order])))]


def _in_order(measured: CorrectionArrays, arrays: CorrectionArrays, order: Sequence[int]) -> CorrectionArrays:
    """Return measured corrections, whose rows are those of others at some places, in the order of these."""
    back = np.argsort(order)
    rows: dict[str, Any] = {name: getattr(measured, name)[back] for name in COURSES}
    totals = measured.totals[back] if measured.totals.size else no_totals()
    names: dict[str, Any] = {"timbre": arrays.timbre, "key": arrays.key, "names": arrays.names}
    return replace(measured, **rows, **names, totals=totals)


def _levels(instrument: InstrumentGrowth, table: MotionTable, notes: Sequence[Note], frames: int) -> FloatArray:
    """Return the bare levels (V, T, F) that notes are grown with."""
    never = np.full(len(notes), np.inf, np.float32)
    grown = [fields[LINEAR][:, 0].copy() for _, fields in instrument.grown(notes, table, frames, never)]
    return np.maximum(np.stack(grown, 1), np.float32(0.0))


def _judged_keys(instrument: InstrumentGrowth, table: MotionTable, row: int) -> list[int]:
    """Return a recorded key, and the key farthest from it that is heard from it, but none that is held out."""
    arrays = instrument.correction
    root, timbre = int(arrays.key[row]), arrays.names[arrays.timbre[row]]
    around = [root + side * away for away in range(FURTHEST_KEY, 0, -1) for side in (1, -1)]
    served = (key for key in around if not is_held_out_key(key) and table.heard_key(timbre, key) == root)
    further = next(served, None) if instrument.is_pitched else None
    return [root] if further is None else [root, further]


def _distances(
    file: InstrumentFile,
    tried: Sequence[CorrectionArrays],
    keys: Sequence[Sequence[int]],
    bank: Bank,
    growth: OnnxGrowthModel,
    recorded: Recorded,
) -> NDArray[np.float64]:
    """Return how far notes of some keys of each row are from their recordings with each correction, 0 in silence."""
    played = {key: recorded(key, JUDGED_VELOCITY, HOLD_S, TAIL_S) for row in keys for key in row}
    heard = [key for key, audio in played.items() if np.abs(audio).max() >= AUDIBLE]
    notes = [RecordedNote(key, JUDGED_VELOCITY, HOLD_S, played[key]) for key in heard]
    off, rendered = np.zeros((len(tried), len(keys))), rendered_by(bank, growth)
    for number, correction in enumerate(tried):
        one = replace(file, table=with_correction(file.table, file.facts.name, correction))
        own = dict(zip(heard, distances(notes, rendered(one, notes), growth.spec.sample_rate), strict=True))
        off[number] = [sum(own.get(key, 0.0) for key in row) for row in keys]
    return off


def _chosen(tried: Sequence[CorrectionArrays], which: NDArray[np.intp]) -> CorrectionArrays:
    """Return corrections whose rows are each that of one of some."""
    rows = np.arange(len(which))
    parts: dict[str, Any] = {name: np.stack([getattr(one, name) for one in tried])[which, rows] for name in COURSES}
    nothing = np.zeros((len(which), len(MOMENTS)), np.uint8)
    totals = np.stack([one.totals if one.totals.size else nothing for one in tried])[which, rows]
    return replace(tried[0], **parts, totals=totals if totals.any() else no_totals(), onsets=no_onsets())
