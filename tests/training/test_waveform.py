"""The waveform model: its grid is causal and reaches as far as it says, chunks equal the whole, training learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import tiny_codec
import tiny_waveform
import torch
from torch import Tensor

from tnca_synth.engine.decoders.parts.excitation import NOISE_LENGTH
from tnca_synth.engine.spectra.pitch import MAX_PARTIALS
from tnca_synth.errors import UsageError
from tnca_synth.training.codec.layers import Memory
from tnca_synth.training.codec.source import ExcitationInput
from tnca_synth.training.config.models import ALPHA
from tnca_synth.training.config.run import load_preset, train_config
from tnca_synth.training.config.sound_models import WaveformConfig
from tnca_synth.training.loop.rollout import NoteBatch, plant
from tnca_synth.training.validation.waveform import waveform_distances
from tnca_synth.training.waveform.trainer import PartialTargets, WaveformTrainer

pytestmark = pytest.mark.slow

SPEC = tiny_codec.SPEC
HOP, RATE = SPEC.hop_length, SPEC.sample_rate
FRAMES = HOP // (NOISE_LENGTH // 2)  # of noise in a hop


def snr_db(wanted: Tensor, found: Tensor) -> float:
    return float(10 * torch.log10(wanted.square().sum() / (wanted - found).square().sum().clamp_min(1e-30)))


def sound(field: Tensor, source: ExcitationInput, memory: Memory | None = None) -> Tensor:
    with torch.no_grad():
        return tiny_waveform.network().sound(field, source, memory)


def test_the_preset_s_grid_reaches_about_a_thousand_samples_back() -> None:
    config = load_preset("waveform")
    assert 950 <= config.waveform.reach <= 1100
    assert train_config(config.to_dict()) == config


def test_a_grid_without_learned_rule_sounds_its_seed() -> None:
    model = tiny_waveform.WaveformNCA(tiny_waveform.CONFIG, 1).eval()
    hz, level = 500.0, 2.0
    field = torch.zeros(1, 9, tiny_waveform.CONFIG.conditions)
    field[..., 0], field[..., -1] = level, 1.0
    with torch.no_grad():
        audio = model.sound(field, tiny_codec.source([hz], 8))[0].numpy()
    amplitude = 10.0 ** ((level * SPEC.level_scale_db + SPEC.floor_db) / 20.0)
    wanted = amplitude * np.sin(2 * np.pi * hz * np.arange(len(audio)) / RATE)
    assert np.abs(audio - wanted).max() < 0.01 * amplitude


def test_no_sample_hears_what_comes_after_it_or_lies_beyond_the_reach() -> None:
    config, hops = tiny_waveform.CONFIG, 6
    source = tiny_codec.source([0.0], hops)
    field = tiny_waveform.frames(1, hops + 1)
    changed = source.noise.clone()
    changed[:, 2 * FRAMES] += 1.0  # heard from the third hop on, for NOISE_LENGTH samples
    difference = (sound(field, source) - sound(field, source._replace(noise=changed)))[0].abs()
    touched = torch.nonzero(difference > 1e-7)[:, 0]
    first, last = 2 * HOP, 2 * HOP + NOISE_LENGTH + config.reach
    assert first <= int(touched.min()) < first + 2 * config.samples
    assert 2 * HOP + NOISE_LENGTH < int(touched.max()) < last


@pytest.mark.parametrize("calls", [[1] * 11, [3, 1, 7], [11]])
def test_calls_of_any_length_give_the_samples_of_one(calls: list[int]) -> None:
    field, source = tiny_waveform.frames(2, 12), tiny_codec.source([220.0, 0.0], 11)
    whole = sound(field, source)
    assert float(whole.abs().amax(1).min()) > 1e-3
    past, at, parts = None, 0, []
    for hops in calls:
        memory = Memory(past)
        here, noise = slice(at, at + hops), slice(at * FRAMES, (at + hops) * FRAMES)
        given = ExcitationInput(source.start[:, here], source.turn[:, here], source.noise[:, noise])
        parts.append(sound(field[:, at : at + hops + 1], given, memory))
        past, at = memory.kept, at + hops
    assert snr_db(whole, torch.cat(parts, 1)) > 60


def test_what_is_dead_is_silent_whatever_its_levels_say() -> None:
    field = tiny_waveform.frames(1, 8)
    field[:, 4:, -1] = 0.0
    audio = sound(field, tiny_codec.source([220.0], 7))[0]
    assert float(audio[: 3 * HOP].abs().max()) > 1e-3
    assert float(audio[4 * HOP + NOISE_LENGTH :].abs().max()) < 1e-7


def test_the_rule_is_the_same_for_loud_and_quiet_notes() -> None:
    field, source = tiny_waveform.frames(1, 8), tiny_codec.source([220.0], 7)
    field[..., MAX_PARTIALS:-1] = 0.0
    quiet = field.clone()
    quiet[..., :MAX_PARTIALS] -= 0.5  # 20 dB
    model = tiny_waveform.network()
    with torch.no_grad():
        heard = [model.wave.excitation(x[..., :MAX_PARTIALS], x[..., MAX_PARTIALS:-5], x[..., -1:], source, Memory())
                 for x in (field, quiet)]  # fmt: skip
    relative = [partials.unflatten(1, (-1, HOP)) / loud.mean(2, keepdim=True) for partials, _, loud in heard]
    assert snr_db(*relative) > 40


def test_targets_of_partials_are_the_amplitudes_that_were_played() -> None:
    sounds = tiny_codec.sounds()
    note = next(i for i, one in enumerate(sounds.features) if one.instrument == "reed" and one.hold_s > 1.5)
    frame = 30
    linear = sounds.frames("linear", note)[None, frame : frame + 1].float()
    age_s = torch.full((1, 1), frame * SPEC.hop_s)
    level, audible = PartialTargets(sounds).of(np.array([note]), age_s, linear)
    amplitude = 0.3 * (sounds.features[note].velocity / 127) ** 2 / np.arange(1, 7)
    wanted = (20.0 * np.log10(amplitude) - SPEC.floor_db) / SPEC.level_scale_db
    np.testing.assert_allclose(level[0, 0, :6].numpy(), wanted, atol=0.02)
    assert audible[0, 0, :6].min() == 1.0
    assert audible[0, 0, -1] == 0.0


def test_a_cell_without_living_neighbours_stays_silent() -> None:
    model, sounds = tiny_waveform.network(), tiny_codec.sounds()
    planted = plant(model, NoteBatch.of(sounds, np.array([0])))
    grid = planted["grid"].clone()
    grid[:, :, ALPHA] = 0.0
    one = torch.zeros(1)
    with torch.no_grad():
        grown = model.step(grid, planted, one, one - 1.0, torch.ones(1, 1, 16), torch.zeros(1, 16))
        field = model.fields(grown, planted)["waveform"]
    assert float(grown.abs().max()) == 0.0
    assert float(field[..., -1]) == 0.0


def test_training_brings_levels_and_sound_closer(tmp_path: Path) -> None:
    losses: list[float] = []
    config = tiny_waveform.train_config(iterations=40, checkpoint_every=100, batch_size=6, learning_rate=1e-2)
    run = WaveformTrainer(config, tiny_codec.sounds())
    run.run(tmp_path, lambda progress: losses.append(progress.losses["total"]))
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])
    table = waveform_distances(run, tiny_codec.sounds(), np.array([0, 30]))["distance"]
    assert all(np.isfinite(value) and value > 0.0 for value in table.values())


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    sounds = tiny_codec.sounds()
    whole = WaveformTrainer(tiny_waveform.train_config(), sounds)
    whole.run(tmp_path / "whole", lambda _: None)
    first = WaveformTrainer(tiny_waveform.train_config(), sounds)
    for _ in range(2):
        first.iterate()
        first.iteration += 1
    again = WaveformTrainer(tiny_waveform.train_config(), sounds)
    again.resume(first.checkpoint())
    again.run(tmp_path / "again", lambda _: None)
    assert all(torch.equal(again.average[name], value) for name, value in whole.average.items())


def test_it_begins_with_the_weights_of_dual() -> None:
    run = WaveformTrainer(tiny_waveform.train_config(), tiny_codec.sounds())
    dual = tiny.growth_network("dual")
    fresh = run.start_from(dual.state_dict(), tiny.TIMBRES)
    assert {name.split(".")[0] for name in fresh} == {"to_tone", "noise_offset", "wave"}
    assert torch.equal(run.model.read_out.weight, dual.read_out.weight)


def test_too_few_channels_are_refused() -> None:
    with pytest.raises(UsageError, match=r"waveform.channels must be at least 5"):
        WaveformConfig(channels=4)
