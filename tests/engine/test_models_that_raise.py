"""A model that raises costs the notes that it fails on, and no other; who shall be told is told."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.path import SignalPath
from tnca_synth.engine.decoders.base import NoteControls
from tnca_synth.engine.models.interfaces import Genome, HopInputs
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.errors import ModelError
from tnca_synth.midi import messages as midi

from .fakes import RATE, FakeBank, FakeDecoder, FakeGrown, FakeGrowth, make_synth

HIGH = 65.0


class RaisingGrowth(FakeGrowth):
    """Raises whenever a high note is planted, or grown after some time."""

    plants, steps_until_s = True, np.inf

    def plant(self, pitch: FloatArray, *rest: FloatArray) -> Genome:
        if not self.plants and (pitch > HIGH).any():
            raise RuntimeError("no room for seeds\nsecond line")
        return super().plant(pitch, *rest)

    def step(self, genome: Genome, hop: HopInputs) -> FakeGrown:
        if ((genome["pitch"] > HIGH) & (hop[0] >= self.steps_until_s)).any():
            raise ValueError("bad shape\nsecond line")
        return super().step(genome, hop)


class RaisingDecoder(FakeDecoder):
    """Raises when a high note is begun or decoded."""

    name, fails_in = "fake", "decode"

    def begin(self, slots, fields: Fields, controls: NoteControls, seeds) -> None:  # type: ignore[no-untyped-def]
        if self.fails_in == "begin" and (controls.f0_hz > 350.0).any():
            raise MemoryError("out of memory")
        super().begin(slots, fields, controls, seeds)

    def decode(self, slots, fields: Fields, controls: NoteControls) -> FloatArray:  # type: ignore[no-untyped-def]
        if self.fails_in == "decode" and (controls.f0_hz > 350.0).any():
            raise ZeroDivisionError("division by zero")
        return super().decode(slots, fields, controls)


def growth(**changes: object) -> RaisingGrowth:
    one = RaisingGrowth()
    for name, value in changes.items():
        setattr(one, name, value)
    return one


def decoder(fails_in: str) -> RaisingDecoder:
    one = RaisingDecoder(8)
    one.fails_in = fails_in
    return one


FAULTS = [
    (lambda: (growth(plants=False), None), "the growth model raised RuntimeError: no room for seeds for a note"),
    (lambda: (growth(steps_until_s=0.06), None), "the growth model raised ValueError: bad shape for a note"),
    (lambda: (None, decoder("begin")), "decoder fake raised MemoryError: out of memory for a note"),
    (lambda: (None, decoder("decode")), "decoder fake raised ZeroDivisionError: division by zero for a note"),
]
NAMES = ["plant", "step", "begin", "decode"]


@pytest.mark.parametrize(("models", "text"), FAULTS, ids=NAMES)
@pytest.mark.parametrize("block_size", [100, 5000])
def test_muting_cuts_the_note_that_a_model_fails_on_and_no_other(models, text: str, block_size: int) -> None:
    synth, reference = make_synth(*models(), on_model_error="mute"), make_synth()
    for one in (synth, reference):
        one.send(midi.note_on(0, 60, 100), 0)
    synth.send(midi.note_on(0, 70, 100), 0)
    audio = np.concatenate([synth.render(block_size) for _ in range(5000 // block_size)])
    assert synth.model_errors == 1
    assert synth.active_voices == 1
    assert text in synth.model_failure and "\n" not in synth.model_failure
    last = slice(2500, None)
    assert np.abs(audio[last]).max() > 0.05
    np.testing.assert_allclose(audio[last], reference.render(5000)[last], atol=1e-6)


@pytest.mark.parametrize(("models", "text"), FAULTS, ids=NAMES)
def test_raising_is_one_clear_line_and_the_synth_goes_on(models, text: str) -> None:
    synth = make_synth(*models())
    synth.send(midi.note_on(2, 70, 100), 0)
    with pytest.raises(ModelError) as caught:
        synth.render(RATE)
    assert text in str(caught.value) and "MIDI channel 3" in str(caught.value)
    assert "\n" not in str(caught.value)
    synth.send(midi.note_on(2, 60, 100))
    assert np.abs(synth.render(5000)).max() > 0.05
    assert synth.active_voices == 1


@pytest.mark.parametrize("aside", [False, True])
def test_a_model_that_raises_in_a_rehearsal_costs_the_notes_that_go_over(aside: bool) -> None:
    synth = make_synth(on_model_error="mute", grows_together=aside)
    other = growth(plants=False)
    synth.send(midi.note_on(0, 60, 100))
    synth.send(midi.note_on(0, 70, 100))
    synth.render(RATE // 2)
    synth.set_path(SignalPath(other, FakeDecoder(8), FakeBank()))
    blocks = [synth.render(128) for _ in range(80)]
    assert synth.model_errors == 1
    assert synth.active_voices == 1
    assert np.abs(blocks[-1]).max() > 0.02
    assert "raised RuntimeError" in synth.model_failure


def test_keyboard_interrupts_are_no_fault_of_a_model() -> None:
    class Interrupted(FakeGrowth):
        def step(self, genome: Genome, hop: HopInputs) -> FakeGrown:
            raise KeyboardInterrupt

    synth = make_synth(Interrupted(), on_model_error="mute")
    synth.send(midi.note_on(0, 60, 100))
    with pytest.raises(KeyboardInterrupt):
        synth.render(1000)
    assert synth.model_errors == 0
