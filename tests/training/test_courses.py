"""Corrections that are measured again on what a bank's own models grow."""

from __future__ import annotations

import numpy as np
import own_files
from own_files import SPEC

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.keys.apply import KeyApplier
from tnca_synth.engine.keys.motions import MotionTable
from tnca_synth.engine.keys.parts import motions_of
from tnca_synth.engine.keys.stored.correction_arrays import CorrectionArrays
from tnca_synth.engine.models.growth_model import GrownHop
from tnca_synth.engine.models.interfaces import Genome, HopInputs
from tnca_synth.training.correction.courses import measured_again
from tnca_synth.training.correction.instrument_growth import InstrumentGrowth

NAME, KEY = "made", 60
SILENT_FROM = SPEC.num_bins // 2


class HalfSilent:
    """A growth of steady levels that is silent from some bin on."""

    spec, steps_per_hop = SPEC, 1

    def plant(self, pitch: FloatArray, *_: FloatArray) -> Genome:
        return {"grid": np.zeros((len(pitch), SPEC.num_mels, 4), np.float32)}

    def step(self, genome: Genome, hop: HopInputs) -> GrownHop:
        field = np.zeros((len(hop.age_s), 2, SPEC.num_bins), np.float32)
        field[:, 0, :SILENT_FROM] = 1.5
        return GrownHop(genome["grid"], {"linear": field}, np.ones(len(field), np.bool_))


def noise(key: int, velocity: int, hold_s: float, tail_s: float) -> FloatArray:
    """Record noise of all frequencies, 10 dB louder at velocity 104 than at 76."""
    count = round((hold_s + tail_s) * SPEC.sample_rate)
    gain = 0.002 * 10.0 ** ((velocity - 76) / 28.0 * 0.5)
    return (gain * np.random.default_rng(key).standard_normal(count)).astype(np.float32)


def levels(correction: CorrectionArrays, instrument: InstrumentGrowth, softer: float = 0.0) -> FloatArray:
    """Return the levels (N,) that a key comes to after a second, grown softer by a level."""
    table = MotionTable(SPEC, motions_of(instrument._file.table, NAME), correction)
    note = instrument.note(instrument.correction.key.tolist().index(KEY), 76)
    motion = np.array([instrument.motion(table, note)], np.float64)
    field = np.zeros((1, 1, 2, SPEC.num_bins), np.float32)
    field[..., 0, :SILENT_FROM] = 1.5 - softer
    hz = np.full((1, 1), note.hz)
    corrections = table.corrections(motion, np.array([[1.0]]))
    done = KeyApplier(SPEC, table).finish({"linear": field}, corrections, 0 * hz, hz, np.array([note.stretch]))
    return done["linear"][0, 0, 0]


def test_what_the_growth_keeps_silent_is_measured_and_falls_with_the_rest() -> None:
    instrument = InstrumentGrowth(own_files.made_instrument().renamed(NAME), HalfSilent())  # type: ignore[arg-type]
    plain, told = measured_again(instrument, noise)
    heard, silent = slice(SILENT_FROM // 3, SILENT_FROM - 12), slice(SILENT_FROM + 12, -12)
    wanted = float(levels(told, instrument)[heard].mean())  # the mean of both velocities
    assert 0.5 < wanted < 1.0
    assert levels(plain, instrument)[silent].max() < 0.05
    assert abs(float(levels(told, instrument)[silent].mean()) - wanted) < 0.05
    assert abs(float(levels(told, instrument, 0.3)[silent].mean()) - (wanted - 0.3)) < 0.05
    assert not plain.totals.size and told.totals.all()


def test_corrections_keep_the_order_of_the_keys() -> None:
    instrument = InstrumentGrowth(own_files.made_instrument().renamed(NAME), HalfSilent())  # type: ignore[arg-type]
    for one in measured_again(instrument, noise):
        assert one.owners == instrument.correction.owners
        assert len(one.courses) == len(one.shapes) == len(one.key)
