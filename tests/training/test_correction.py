"""What a growth misses on recorded keys, measured, and mended by it."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

from tnca_synth.engine.keys.apply import KeyApplier
from tnca_synth.engine.keys.motions import MotionTable
from tnca_synth.engine.spectra.pitch import pitch_to_hz
from tnca_synth.training.correction import correction
from tnca_synth.training.correction.correction import measure_correction
from tnca_synth.training.loop.rollout import NoteBatch
from tnca_synth.training.measure.motions import smooth_course

pytestmark = pytest.mark.slow

NOTES = tiny.notes()
OFF = 0.2  # level


def grown_badly(field: str, notes: np.ndarray, num_frames: int) -> Tensor:
    """Return recorded frames (B, T, 2, N) whose levels are off, in some bins more than in others and more and more."""
    frames = []
    for note in notes:
        recorded = NOTES.frames(field, int(note)).float()
        frames.append(torch.cat([recorded, recorded[-1:].expand(num_frames, -1, -1)])[:num_frames].clone())
    grown = torch.stack(frames)
    bins, times = torch.arange(grown.shape[3]), torch.arange(num_frames)
    wave = torch.sin(bins / 9.0) * (1.0 - torch.exp(-times / 30.0))[:, None]
    grown[:, :, 0] = torch.where(grown[:, :, 0] > 0.3, grown[:, :, 0] + OFF * wave, grown[:, :, 0])
    return grown


@pytest.mark.parametrize("representation", ["mel", "dual"])
def test_what_is_measured_mends_most_of_the_slow_course(representation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    field = {"mel": "mel", "dual": "linear"}[representation]
    seen: list[np.ndarray] = []

    def of(notes: object, index: np.ndarray) -> np.ndarray:
        seen.append(index)
        return index

    monkeypatch.setattr(correction.NoteBatch, "of", of)
    monkeypatch.setattr(correction, "grow", lambda _, index, frames, __: {field: grown_badly(field, index, frames)})
    arrays = measure_correction(tiny.growth_network(representation), NOTES)
    monkeypatch.undo()
    assert arrays.field == field
    motions = MotionTable(tiny.SPEC, NOTES.motion_arrays, arrays)
    before, after = [], []
    for note in np.concatenate(seen):
        count = int(float(NOTES.hold_s[note]) / tiny.SPEC.hop_s) - 3
        grown = grown_badly(field, np.array([note]), count).numpy()
        wanted = smooth_course(NOTES.frames(field, int(note))[:count, 0].float().numpy())
        loud = wanted > 0.4
        before.append(np.abs(smooth_course(grown[0, :, 0]) - wanted)[loud])
        finished = finish(motions, NoteBatch.of(NOTES, np.array([note])), field, grown)
        after.append(np.abs(smooth_course(finished) - wanted)[loud])
    assert np.concatenate(before).mean() > 0.02
    assert np.concatenate(after).mean() < 0.5 * np.concatenate(before).mean()


def finish(motions: MotionTable, batch: NoteBatch, field: str, grown: np.ndarray) -> np.ndarray:
    """Return the levels (T, N) of one note that the engine would decode."""
    count = grown.shape[1]
    correction = motions.corrections(batch.motion.numpy(), np.arange(count)[:, None] * tiny.SPEC.hop_s)
    assert correction is not None
    hz = np.full((1, count), float(pitch_to_hz(float(batch.pitch[0]))) * float(batch.pitched[0]))
    finisher, still = KeyApplier(tiny.SPEC, motions), np.zeros((1, count))
    return finisher.finish({field: grown}, correction, still, hz, batch.stretch.numpy())[field][0, :, 0]


def test_only_recorded_keys_are_measured_the_same_each_time() -> None:
    model = tiny.growth_network("mel")
    arrays = measure_correction(model, NOTES)
    recorded = {(NOTES.features[i].instrument, NOTES.features[i].pitch) for i in NOTES.indices(held_out=False)}
    assert set(arrays.owners) == recorded
    assert arrays.to_bytes() == measure_correction(model, NOTES).to_bytes()
