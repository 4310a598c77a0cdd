"""The latent TNCA: its pool knows what a note's latents should be, at any age; training learns and resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_codec
import torch

from tnca_synth.errors import BankError, UsageError
from tnca_synth.training.codec.trainer import codec_of
from tnca_synth.training.config.models import ALPHA
from tnca_synth.training.config.run import load_preset, train_config
from tnca_synth.training.latent.pool import SILENT_AFTER_S, LatentPool, Latents
from tnca_synth.training.latent.trainer import LatentTrainer
from tnca_synth.training.loop.rollout import NoteBatch, plant
from tnca_synth.training.registry import growth_model
from tnca_synth.training.validation.sound import grown_latents, sound_distances, sound_of

pytestmark = pytest.mark.slow

HOP_S = tiny_codec.SPEC.hop_s


@pytest.fixture(scope="module")
def codec_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_codec.save_codec(tmp_path_factory.mktemp("codec"))


def trainer(codec_path: Path, **changes: object) -> LatentTrainer:
    latent = replace(tiny_codec.LATENT, codec=str(codec_path))
    return LatentTrainer(tiny_codec.train_config("latent", latent=latent, **changes), tiny_codec.sounds())


def pool() -> LatentPool:
    return LatentPool(
        tiny_codec.sounds(), Latents(tiny_codec.codec(), tiny_codec.sounds()), 8, 8, np.random.default_rng(0)
    )


def long_note(name: str) -> int:
    sounds = tiny_codec.sounds()
    features = sounds.features
    return next(i for i, one in enumerate(features) if one.instrument == name and one.hold_s > 1.5 and not one.held_out)


def at(entries: LatentPool, note: int, frame: int, held: bool = False) -> np.ndarray:
    chosen = np.array([0])
    entries.note[0], entries.frame[0], entries.held[0], entries.skipped_s[0] = note, frame, held, 0.0
    return chosen


def test_recorded_frames_are_to_be_what_the_codec_encodes() -> None:
    sounds, entries, note = tiny_codec.sounds(), pool(), long_note("reed")
    turn = torch.from_numpy(sounds.turns(np.array([note]), np.zeros(1, np.int64), int(sounds.num_frames[note])))
    with torch.no_grad():
        encoded = tiny_codec.codec().encode(torch.from_numpy(sounds.audio[note])[None], turn)[0].T
    latent, life = entries.wanted(at(entries, note, 10), 5)
    torch.testing.assert_close(latent[0], encoded[10:15])
    assert life[0].tolist() == [1.0] * 5


def test_a_sustaining_note_held_on_keeps_its_latents_and_lives() -> None:
    entries, note = pool(), long_note("reed")
    chosen = at(entries, note, 1000, held=True)
    latent, life = entries.wanted(chosen, 4)
    assert torch.equal(latent[0, 0], latent[0, 3])
    assert life.min() == 1.0


def test_a_decaying_note_held_on_falls_silent_and_dies() -> None:
    entries, note = pool(), long_note("string")
    end = round(float(entries.overtime.start_s[note]) / HOP_S)
    half, _ = entries.wanted(at(entries, note, end + round(SILENT_AFTER_S / 2 / HOP_S), held=True), 2)
    chosen = at(entries, note, end + round(1.1 * SILENT_AFTER_S / HOP_S), held=True)
    latent, life = entries.wanted(chosen, 2)
    silence = entries.latents.silence
    torch.testing.assert_close(latent[0], silence.expand(2, -1))
    assert life.max() == 0.0
    assert float((half[0, 0] - silence).norm()) > 0.0


def test_training_brings_the_latents_closer(codec_path: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    run = trainer(codec_path, iterations=60, checkpoint_every=100, batch_size=6, learning_rate=1e-2)
    run.run(tmp_path, lambda progress: losses.append(progress.losses["latent"]))
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


def test_a_resumed_run_equals_an_uninterrupted_one(codec_path: Path, tmp_path: Path) -> None:
    whole = trainer(codec_path)
    whole.run(tmp_path / "whole", lambda _: None)
    first = trainer(codec_path)
    for _ in range(2):
        first.iterate()
        first.iteration += 1
    again = trainer(codec_path)
    again.resume(first.checkpoint())
    again.run(tmp_path / "again", lambda _: None)
    assert all(torch.equal(again.average[name], value) for name, value in whole.average.items())
    assert growth_model(again.checkpoint()).config.codec == str(codec_path)


def test_a_cell_without_living_neighbours_stays_silent() -> None:
    model, sounds = tiny_codec.latent_network(), tiny_codec.sounds()
    planted = plant(model, NoteBatch.of(sounds, np.array([0])))
    grid = planted["grid"].clone()
    grid[:, :, ALPHA] = 0.0
    one = torch.zeros(1)
    mask = torch.ones(1, 1, tiny_codec.LATENT.dimension)
    with torch.no_grad():
        grown = model.step(grid, planted, one, one - 1.0, mask, torch.zeros(1, tiny_codec.SPEC.num_mels))
    assert float(grown.abs().max()) == 0.0


def test_held_out_notes_are_judged_by_how_they_sound(codec_path: Path) -> None:
    sounds, run = tiny_codec.sounds(), trainer(codec_path)
    note = long_note("reed")
    grown = grown_latents(run.averaged_model(), sounds, note)
    assert grown.shape == (tiny_codec.LATENT.dimension, sounds.num_frames[note])
    assert len(sound_of(run.codec, sounds, note, grown)) == len(sounds.audio[note])
    table = sound_distances(run, sounds, np.array([note, long_note("string")]))["distance"]
    assert set(table) == {"reed", "string"}
    assert all(np.isfinite(value) and value > 0.0 for value in table.values())


def test_a_codec_with_other_latents_is_refused(codec_path: Path) -> None:
    latent = replace(tiny_codec.LATENT, codec=str(codec_path), dimension=5)
    with pytest.raises(UsageError, match="other latents"):
        LatentTrainer(tiny_codec.train_config("latent", latent=latent), tiny_codec.sounds())
    with pytest.raises(BankError, match="holds a latent model, not a codec"):
        codec_of(trainer(codec_path).checkpoint())


def test_the_preset_rebuilds_from_what_a_checkpoint_tells() -> None:
    config = load_preset("latent")
    assert config.kind == "latent"
    assert train_config(config.to_dict()) == config
