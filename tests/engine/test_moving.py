"""Motions of recorded keys in sounding notes: pitch, levels, clocks and pads."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.keys.motions import STILL, Motion
from tnca_synth.engine.keys.stored.motion_arrays import MotionArrays
from tnca_synth.engine.spectra.pitch import MAX_INHARMONIC_PARTIALS
from tnca_synth.engine.synth import Synth
from tnca_synth.midi.messages import note_on
from tnca_synth.midi.spec.growth_controllers import GROWTH_RATE, MORPH_X, growth_message

from .fakes import HOP, RATE, SPEC, FakeBank, FakeGrowth, make_synth, render_in_blocks, set_up

HOP_RATE_HZ = RATE / HOP
COUNT = 400
KEY = 69


def moves(sway: FloatArray, swell: FloatArray) -> MotionArrays:
    """Return one motion, with a code for every hop: semitones in hundredths, and levels in hundredths of all cells."""
    return MotionArrays(
        rate_hz=HOP_RATE_HZ,
        codes=np.stack([sway, swell], 1).astype(np.int8),
        code_scale=np.full((1, 2), 0.01, np.float32),
        shapes=np.ones((1, 1, SPEC.num_mels), np.int8),
        shape_scale=np.ones((1, 1), np.float32),
        first=np.array([0, len(sway)]),
        loop=np.zeros(1, np.float32),
        source=np.zeros(1, np.int64),
        motion=np.zeros(1, np.int64),
        pace=np.ones(1, np.float32),
        take=np.zeros(1, np.int64),
        modes=np.zeros((1, MAX_INHARMONIC_PARTIALS), np.float32),
        timbre=np.zeros(1, np.int64),
        key=np.array([KEY]),
        names=("fake",),
    )


def rising() -> MotionArrays:
    steps = np.minimum(np.arange(COUNT), 100)
    return moves(np.full(COUNT, 100), steps)


def play(growth: FakeGrowth, *motions: Motion, block: int = 4 * HOP, controls: tuple[bytes, ...] = ()) -> FloatArray:
    synth = make_synth(growth, bank=FakeBank(motions=motions))
    return heard(synth, block, controls)


def heard(synth: Synth, block: int, controls: tuple[bytes, ...]) -> FloatArray:
    set_up(synth)
    for message in (*controls, note_on(0, KEY, 127)):
        synth.send(message, 0)
    return render_in_blocks(synth, 40 * HOP, block)[:, 0]


def pitch_hz(audio: FloatArray) -> float:
    part = audio[8 * HOP : 36 * HOP]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 17))
    return float(np.argmax(spectrum) * RATE / (1 << 17))


def test_the_pitch_sways_and_the_genome_stays() -> None:
    growth = FakeGrowth(moves=rising())
    assert pitch_hz(play(growth, Motion(0))) == pytest.approx(440.0 * 2 ** (1 / 12), rel=1e-3)
    assert set(growth.planted_pitches) == {float(KEY)}
    assert pitch_hz(play(FakeGrowth(moves=rising()), STILL)) == pytest.approx(440.0, rel=1e-3)


def test_the_growth_is_told_of_swells_hop_by_hop() -> None:
    growth = FakeGrowth(moves=rising())
    play(growth, Motion(0))
    told = np.array([swell[0, 0] for swell in growth.swells])
    np.testing.assert_allclose(told, 0.01 * np.minimum(np.arange(len(told)), 100), atol=1e-5)


def test_a_transposed_motion_runs_at_its_pace() -> None:
    growth = FakeGrowth(moves=rising())
    play(growth, Motion(0, pace=1.5))
    told = np.array([swell[0, 0] for swell in growth.swells])[:40]
    np.testing.assert_allclose(told, 0.015 * np.arange(40), atol=1e-5)


def test_growth_rate_stretches_the_motion() -> None:
    usual, slowed = FakeGrowth(moves=rising()), FakeGrowth(moves=rising())
    play(usual, Motion(0))
    play(slowed, Motion(0), controls=(growth_message(0, GROWTH_RATE, 20),))
    assert 0.0 < slowed.swells[30][0, 0] < 0.8 * usual.swells[30][0, 0]


def test_block_sizes_change_nothing() -> None:
    sounds = [play(FakeGrowth(moves=rising()), Motion(0), block=block) for block in (HOP // 3, HOP, 7 * HOP)]
    for other in sounds[1:]:
        np.testing.assert_allclose(other, sounds[0], atol=1e-6)


def test_half_way_between_two_timbres_a_note_moves_half_as_much() -> None:
    growth = FakeGrowth(moves=rising())
    synth = make_synth(growth, bank=FakeBank(motions=(Motion(0), STILL)))
    synth.set_morph(0, 1)
    audio = heard(synth, 4 * HOP, (growth_message(0, MORPH_X, 64),))
    assert growth.swells[30][0, 0] == pytest.approx(0.15, abs=0.01)
    assert pitch_hz(audio) == pytest.approx(440.0 * 2 ** (0.5 / 12), rel=2e-3)
