"""Held-out notes stay unseen: every pitch with pitch % 4 == 3, and velocity 90."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from tnca_synth.errors import DatasetError
from tnca_synth.training.data.dataset import NoteSet, assemble, measure_tuning
from tnca_synth.training.data.split import describe, hold_out
from tnca_synth.training.loop.loop import TrainingLoop
from tnca_synth.training.loop.pool import Overtime, SamplePool
from tnca_synth.training.measure.note_features import extract
from tnca_synth.training.measure.recording import Recording
from tnca_synth.training.spectral.trainer import Trainer
from tnca_synth.training.spectral.vocoder_trainer import VocoderTrainer
from tnca_synth.training.validation.fields import validation_notes

ITERATIONS = 12


def note(pitch: int, velocity: int, pitched: bool = True) -> Recording:
    return Recording(np.zeros(10, np.float32), "one", pitch, velocity, 0.1, pitched)


@pytest.mark.parametrize(
    ("pitch", "velocity", "pitched", "held_out"),
    [
        (60, 64, True, False),
        (63, 64, True, True),
        (3, 127, True, True),
        (64, 90, True, True),
        (64, 89, True, False),
        (39, 64, False, False),  # a drum's key is no pitch
        (38, 90, False, True),
    ],
)
def test_every_fourth_pitch_and_velocity_90_are_held_out(
    pitch: int, velocity: int, pitched: bool, held_out: bool
) -> None:
    assert note(pitch, velocity, pitched).held_out is held_out


def test_the_note_set_splits_without_overlap() -> None:
    notes = tiny.notes()
    train, held_out = notes.indices(held_out=False), notes.indices(held_out=True)
    assert sorted([*train, *held_out]) == list(range(len(notes.features)))
    assert len(train) == 28
    for i in train:
        feature = notes.features[i]
        assert feature.velocity != 90
        assert not (feature.pitched and feature.pitch % 4 == 3)


def spoiled_notes() -> NoteSet:
    """Return notes whose held-out frames are not numbers: whoever touches one shows it."""
    notes = tiny.notes()
    mel, linear = notes.mel.clone(), notes.linear.clone()
    for i in notes.indices(held_out=True):
        frames = slice(notes.offset[i], notes.offset[i] + notes.num_frames[i])
        mel[frames], linear[frames] = float("nan"), float("nan")
    columns = {name: getattr(notes, name).clone() for name in ("pitch", "velocity", "hold_s")}
    for column in columns.values():
        column[notes.indices(held_out=True)] = float("nan")
    return replace(notes, mel=mel, linear=linear, **columns)


def trained(kind: str, notes: NoteSet) -> TrainingLoop:
    trainer: TrainingLoop
    if kind == "vocoder":
        trainer = VocoderTrainer(tiny.vocoder_config(iterations=ITERATIONS, batch_size=12), notes)
    else:
        trainer = Trainer(tiny.config(kind, iterations=ITERATIONS, batch_size=12, overtime_share=0.5), notes)
    for _ in range(ITERATIONS):
        losses = trainer.iterate()
        assert all(np.isfinite(value) for value in losses.values()), losses
        trainer.iteration += 1
    return trainer


@pytest.mark.parametrize("kind", ["mel", "dual", "vocoder"])
def test_held_out_notes_change_nothing_in_training(kind: str) -> None:
    weights = trained(kind, tiny.notes()).average
    for name, value in trained(kind, spoiled_notes()).average.items():
        assert torch.equal(value, weights[name])


def test_the_pool_never_holds_a_held_out_note() -> None:
    notes, rng = tiny.notes(), np.random.default_rng(0)
    overtime = Overtime.of(notes, ("mel",), tiny.SPEC)
    pool = SamplePool(notes, overtime, 64, tiny.SPEC.num_mels, 8, tiny.SPEC, rng)
    seen = set(pool.note)
    for _ in range(60):
        chosen = pool.draw(32)
        pool.advance(chosen, torch.zeros(32, tiny.SPEC.num_mels, 8), 32, 0.1)
        seen |= set(pool.note)
    assert seen == set(notes.indices(held_out=False))


def test_tuning_is_measured_on_notes_that_training_sees() -> None:
    tables = measure_tuning(tiny.notes().features)
    assert tables["reed"].keys == tables["string"].keys == (60, 61, 62, 64, 65, 66)


def test_validation_takes_held_out_notes_of_every_instrument() -> None:
    notes = tiny.notes()
    chosen = validation_notes(notes, 3, seed=0)
    assert set(chosen) <= set(notes.indices(held_out=True))
    assert {notes.features[i].instrument.split(":")[0] for i in chosen} == {"reed", "string", "kit"}
    assert list(chosen) == list(validation_notes(notes, 3, seed=0))


def kept(*notes: tuple[int, int], name: str = "one", pitched: bool = True) -> list[bool]:
    """Return which notes, each a pitch and a velocity, training may hear."""
    features = [
        extract(Recording(np.ones(800, np.float32), name, *one, 0.1, pitched), tiny.SPEC, False) for one in notes
    ]
    return [not one.held_out for one in hold_out(features)]


@pytest.mark.parametrize(
    ("notes", "heard"),
    [
        ([(60, 90), (62, 90), (63, 90)], [True, True, False]),  # a single layer that is called 90
        ([(63, 60), (63, 90), (63, 120)], [True, False, True]),  # a single key that would be held out
        ([(63, 90)], [True]),  # one note in all
        ([(63, 90), (67, 90)], [True, True]),
        ([(59, 64), (63, 64), (67, 64)], [True, True, True]),
        ([(60, 64), (63, 64), (64, 90)], [True, False, False]),
    ],
)
def test_something_is_always_left_to_train_on(notes: list[tuple[int, int]], heard: list[bool]) -> None:
    assert kept(*notes) == heard


def test_every_instrument_is_left_something() -> None:
    features = [
        extract(Recording(np.ones(800, np.float32), name, key, 64, 0.1), tiny.SPEC, False)
        for name, key in (("low", 60), ("low", 63), ("bell", 63))
    ]
    assert [one.held_out for one in hold_out(features)] == [False, True, False]
    assert describe(hold_out(features)) == (
        "held out, not to train on: 1 of 3 notes (every fourth key (note % 4 == 3) and velocity 90); nothing of bell"
    )


def test_a_single_note_is_trained_on_and_judged_by_itself() -> None:
    notes = assemble([[extract(tiny.recording(tiny.REED, 63, 90, 0.3), tiny.SPEC, False)]], tiny.SPEC)
    assert list(notes.indices(held_out=False)) == [0]
    assert list(validation_notes(notes, 3, seed=0)) == [0]
    assert describe(notes.features).startswith("nothing is held out of 1 notes")


def test_no_notes_at_all_are_an_error() -> None:
    with pytest.raises(DatasetError, match="no note to train on"):
        assemble([[]], tiny.SPEC)
