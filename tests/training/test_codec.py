"""The codec: causal layers that go on where a call ended, a source that sounds what it is told, and training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_codec
import torch

from tnca_synth.engine.decoders.parts.excitation import NOISE_LENGTH, partial_turns
from tnca_synth.engine.spectra.pitch import MAX_PARTIALS, partial_hz
from tnca_synth.errors import UsageError
from tnca_synth.training.codec.codec import Codec
from tnca_synth.training.codec.layers import CausalConv, CausalUpsampling, Memory, Recurrence, Residual
from tnca_synth.training.codec.source import ExcitationInput, SourceHead
from tnca_synth.training.codec.trainer import CodecTrainer, codec_of, spectral_losses
from tnca_synth.training.config.run import load_preset, train_config
from tnca_synth.training.config.sound_models import CodecConfig
from tnca_synth.training.loop.checkpoint import load_checkpoint
from tnca_synth.training.measure.distance import stft_distance

pytestmark = pytest.mark.slow

HOP = tiny_codec.SPEC.hop_length
LAYERS = (
    CausalConv(3, 5, 7),
    CausalConv(3, 4, 3, dilation=2),
    CausalConv(3, 4, 8, stride=4),
    CausalUpsampling(3, 2, 4),
    Residual(3, 3, 2, 1),
    Recurrence(3, 2),
)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_a_layer_goes_on_where_a_call_ended(layer: torch.nn.Module) -> None:
    x = torch.randn(2, 3, 48)
    with torch.no_grad():
        whole = layer(x, Memory())
        past, parts = None, []
        for part in x.split([4, 24, 20], 2):
            memory = Memory(past)
            parts.append(layer(part, memory))
            past = memory.kept
    torch.testing.assert_close(torch.cat(parts, 2), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_a_layer_never_hears_the_future(layer: torch.nn.Module) -> None:
    x = torch.randn(1, 3, 48)
    later = x.clone()
    later[:, :, 24:] += 1.0
    with torch.no_grad():
        before, after = layer(x, Memory()), layer(later, Memory())
    half = before.shape[2] // 2
    torch.testing.assert_close(after[:, :, :half], before[:, :, :half], rtol=0, atol=0)
    assert not torch.allclose(after[:, :, half:], before[:, :, half:])


def test_a_reflection_needs_no_more_sound_than_there_is() -> None:
    x = torch.arange(1.0, 4.0)[None, None]
    assert Memory(pad_mode="reflect").before(x, 2)[0, 0].tolist() == [3, 2, 1, 2, 3]
    assert Memory(pad_mode="reflect").before(x[:, :, :1], 2)[0, 0].tolist() == [0, 0, 1]


def test_partials_sound_as_sines_whose_amplitudes_glide() -> None:
    points, hops, f0_hz, stretch = 4, 10, 220.0, 2e-4
    head = SourceHead(tiny_codec.SPEC, 8, points, 8)
    rate = tiny_codec.SPEC.sample_rate
    step = np.full((1, hops), f0_hz / rate)
    start, turn = partial_turns(step * np.arange(hops) * HOP, step, np.array([stretch]))
    noise = torch.zeros(1, hops * HOP // (NOISE_LENGTH // 2), 2, NOISE_LENGTH // 2 + 1)
    level = torch.randn(1, MAX_PARTIALS, hops * points) - 5.0
    source = ExcitationInput(torch.from_numpy(start), torch.from_numpy(turn), noise)
    sound = head.sound(level, torch.zeros(1, 8, hops * points), source, Memory())[0].numpy()
    hz = partial_hz(f0_hz, stretch, MAX_PARTIALS)
    time, ends = np.arange(hops * HOP), np.arange(hops * points + 1) * HOP // points
    heard = np.flatnonzero(hz < 0.49 * rate)
    glides = [np.interp(time, ends, np.append(0.0, np.exp(level[0, h].numpy()))) for h in heard]
    wanted = sum(glide * np.sin(2 * np.pi * hz[h] * time / rate) for glide, h in zip(glides, heard, strict=True))
    np.testing.assert_allclose(sound, wanted, rtol=0, atol=1e-5)


def test_fewer_partials_than_all_may_be_asked_for() -> None:
    codec = tiny_codec.codec()
    latent, source = tiny_codec.latents(voices=1, hops=6), tiny_codec.source([900.0], 6)  # 4 partials below Nyquist
    few = ExcitationInput(source.start[:, :, :5], source.turn[:, :, :5], source.noise)
    with torch.no_grad():
        torch.testing.assert_close(codec.decode(latent, few), codec.decode(latent, source), rtol=0, atol=1e-7)


def test_noise_has_the_deviation_that_it_is_told() -> None:
    hops, deviation = 200, 0.1
    head = SourceHead(tiny_codec.SPEC, 8, 4, 8)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, hops * HOP // (NOISE_LENGTH // 2), 2, NOISE_LENGTH // 2 + 1, generator=generator)
    silent = torch.zeros(1, hops, 1)
    levels = torch.full((1, MAX_PARTIALS, hops * 4), -20.0), torch.full((1, 8, hops * 4), float(np.log(deviation)))
    sound = head.sound(*levels, ExcitationInput(silent, silent, noise), Memory())
    assert float(sound[:, HOP:].std()) == pytest.approx(deviation, rel=0.05)


def test_latents_are_bounded_and_sound_comes_back_as_long_as_it_was() -> None:
    codec = tiny_codec.codec()
    audio = 0.1 * torch.randn(2, 9 * HOP)
    source = tiny_codec.source([220.0, 0.0], 9)
    with torch.no_grad():
        latent = codec.encode(audio, source.turn)
        assert latent.shape == (2, tiny_codec.CONFIG.dimension, 9)
        assert float(latent.abs().max()) < 1.0
        assert codec.decode(latent, source).shape == audio.shape


@pytest.mark.parametrize("front", ["spectrum", "waveform"])
def test_the_encoder_hears_as_far_ahead_as_it_says(front: str) -> None:
    codec = Codec(replace(tiny_codec.CONFIG, front=front, ahead=HOP // 2)).eval()
    audio = 0.1 * torch.randn(1, 12 * HOP)
    later = audio.clone()
    later[:, 6 * HOP + HOP // 2 :] += 0.1  # what hop 5 may hear ends here
    turn = tiny_codec.source([220.0], 12).turn
    with torch.no_grad():
        before, after = codec.encode(audio, turn), codec.encode(later, turn)
    torch.testing.assert_close(after[:, :, :6], before[:, :, :6], rtol=0, atol=1e-6)
    assert not torch.allclose(after[:, :, 6], before[:, :, 6])


def test_training_losses_are_those_by_which_paths_are_judged() -> None:
    one, other = (0.3 * torch.randn(1, 8192, generator=torch.Generator().manual_seed(n)) for n in (0, 1))
    other = other * one.norm() / other.norm()
    log_part, convergence = spectral_losses(one, other)
    distance = stft_distance(one[0].numpy(), other[0].numpy())
    assert float(log_part + convergence) == pytest.approx(distance, rel=0.02)
    assert float(sum(spectral_losses(other, other))) < 1e-6


def trainer(**changes: object) -> CodecTrainer:
    return CodecTrainer(tiny_codec.train_config(**changes), tiny_codec.sounds())


def test_training_brings_the_sound_closer(tmp_path: Path) -> None:
    losses: list[float] = []
    run = trainer(iterations=80, checkpoint_every=100, batch_size=8, learning_rate=1e-2)
    run.run(tmp_path, lambda progress: losses.append(progress.losses["total"]))
    assert np.mean(losses[-10:]) < 0.75 * np.mean(losses[:10])


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = trainer()
    whole.run(tmp_path, lambda _: None)
    wanted = load_checkpoint(tmp_path / "checkpoint.pt").weights
    first = trainer()
    for _ in range(2):
        first.iterate()
        first.iteration += 1
    again = trainer()
    again.resume(first.checkpoint())
    again.run(tmp_path / "again", lambda _: None)
    found = load_checkpoint(tmp_path / "again" / "checkpoint.pt")
    assert all(torch.equal(found.weights[name], value) for name, value in wanted.items())
    assert codec_of(found).config == tiny_codec.CONFIG


def test_presets_and_what_checkpoints_tell_rebuild_the_configuration() -> None:
    config = load_preset("codec")
    assert config.kind == "codec"
    assert train_config(config.to_dict()) == config


def test_ratios_must_multiply_to_the_hop() -> None:
    with pytest.raises(UsageError, match=r"multiply to the hop of 256"):
        CodecConfig(ratios=(4, 4))
