"""What a user hears of a learned instrument beyond its recordings: notes held for longer, and beside the bank."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.instrument_files import InstrumentFile
from tnca_synth.training.correction.levels import HOLD, SPACING, VELOCITY, loudness_of
from tnca_synth.training.learning.figures import Player
from tnca_synth.training.learning.fit import Stage
from tnca_synth.training.learning.foundation import REPRESENTATION, Foundation, open_foundation
from tnca_synth.training.learning.instrument import About, Leveller, make_instrument, with_held, with_levels
from tnca_synth.training.learning.notes import measure, note_set
from tnca_synth.training.learning.start import nearest_start
from tnca_synth.training.measure.recording import Recording
from tnca_synth.training.sources.fluidsynth import RATE as LEVEL_RATE
from tnca_synth.training.validation.rendered import NoteRenderer

KEYS = (57, 64)
HELD_S = 9.0
HOLD_S = HOLD / LEVEL_RATE


@pytest.fixture(scope="module")
def shipped() -> Foundation:
    return open_foundation(Bank.load(Path("low-rate")))


def tone(key: int, rate: int, fall_db: float) -> Recording:
    """Return a note of eight partials, held for 1.5 s, that falls by some dB a second."""
    time_s = np.arange(round(1.6 * rate)) / rate
    hz = 440.0 * 2.0 ** ((key - 69) / 12)
    audio = sum(np.sin(2 * np.pi * n * hz * time_s) / n for n in range(1, 9))
    audio = 0.1 * audio * np.minimum(time_s / 0.02, 1.0) * 10.0 ** (-fall_db * time_s / 20.0)
    return Recording(audio.astype(np.float32), "mine", key, 100, 1.5, True, sustains=fall_db == 0.0)


def made_of(foundation: Foundation, recordings: list[Recording]) -> InstrumentFile:
    features = measure(foundation, recordings, lambda *_: None)
    notes = note_set(foundation, features, judges=False)
    starts = {"mine": nearest_start(foundation, features)}
    stage = Stage(foundation, notes, starts, 1, look_every=1, patience=1, seed=0, error=lambda _: 0.0)
    return make_instrument(foundation, stage.best_model(), notes, About("mine"), (0,), {})


def course_db(foundation: Foundation, file: InstrumentFile, key: int, *at_s: float) -> np.ndarray:
    """Return how loud a held key is at some ages over what it is at 1 s, in dB."""
    rate = foundation.spec.sample_rate
    audio = Player(foundation, file, rate).play(key, 100, HELD_S, round(HELD_S * rate))
    parts = [audio[round((at - 0.2) * rate) : round((at + 0.2) * rate)] for at in (1.0, *at_s)]
    levels = np.array([10.0 * np.log10(np.mean(np.square(part, dtype=np.float64)) + 1e-20) for part in parts])
    return levels[1:] - levels[0]


def test_held_notes_of_what_keeps_its_level_neither_drift_nor_step(shipped: Foundation) -> None:
    recordings = [tone(key, shipped.spec.sample_rate, 0.0) for key in KEYS]
    file = with_held(shipped, made_of(shipped, recordings), recordings)
    found = course_db(shipped, file, 57, *np.arange(1.2, HELD_S - 0.3, 0.2))
    assert np.abs(found).max() < 1.5 and np.abs(np.diff(found)).max() < 0.5


def test_held_notes_of_what_fades_go_on_fading(shipped: Foundation) -> None:
    recordings = [tone(key, shipped.spec.sample_rate, 8.0) for key in KEYS]
    file = with_held(shipped, made_of(shipped, recordings), recordings)
    found = course_db(shipped, file, 57, 3.0, 5.0)
    assert found[0] == pytest.approx(-16.0, abs=5.0) and found[1] == pytest.approx(-32.0, abs=8.0)


@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_a_learned_instrument_is_as_loud_as_those_of_the_bank(shipped: Foundation, gain: float) -> None:
    recordings = [tone(key, shipped.spec.sample_rate, 0.0) for key in KEYS]
    quiet = [replace(one, audio=one.audio * np.float32(gain)) for one in recordings]
    made = made_of(shipped, quiet)
    growth = shipped.bank.growth_model(REPRESENTATION, provider="cpu")
    renderer = NoteRenderer(shipped.bank, growth, "harmonic", LEVEL_RATE)
    pitched = [one for one in shipped.bank.instruments if not one.is_drums and one.pitched]
    theirs = [_loudness_db([renderer.render(one, 60, VELOCITY, HOLD_S, SPACING)]) for one in pitched]
    player = Player(shipped, with_levels(made, Leveller(shipped, False).levels_of(made)), LEVEL_RATE)
    mine = _loudness_db([player.play(key, VELOCITY, HOLD_S, SPACING) for key in KEYS])
    assert mine == pytest.approx(float(np.mean(theirs)), abs=3.0)


def _loudness_db(notes: list[np.ndarray]) -> float:
    return float(np.mean(loudness_of(np.concatenate(notes)[:, None], len(notes))))
