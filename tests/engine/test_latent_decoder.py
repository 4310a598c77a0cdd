"""The latent decoder streams: any number of hops in a call, any slots, the offline decoding's samples."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import tiny_codec
import torch

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.codec import CodecDecoder
from tnca_synth.engine.decoders.parts.excitation import Excitation
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.errors import BankError
from tnca_synth.export.codec.streaming import export_decoder
from tnca_synth.training.codec.source import ExcitationInput

from .decoding import chunks, decode, loudest_hz, steady

pytestmark = pytest.mark.slow

FRAMES = 26
HOP, RATE = tiny_codec.SPEC.hop_length, tiny_codec.SPEC.sample_rate
HEADS = ("source", "waveform")


@cache
def model(head: str) -> bytes:
    return export_decoder(tiny_codec.codec(head), {})


def make(head: str = "source") -> CodecDecoder:
    return CodecDecoder(model(head), 8)


def fields(voices: int = 2, frames: int = FRAMES) -> Fields:
    return {"latent": tiny_codec.latents(voices, frames).transpose(1, 2)[:, :, None].numpy()}


def snr_db(wanted: FloatArray, found: FloatArray) -> float:
    return float(10 * np.log10((wanted**2).sum() / max(((wanted - found) ** 2).sum(), 1e-30)))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("calls", chunks(FRAMES - 1))
def test_any_number_of_hops_in_a_call_gives_the_same_samples(head: str, calls: list[int]) -> None:
    controls = steady([220.0, 0.0], FRAMES)
    whole = decode(make(head), fields(), controls)
    assert whole.shape == (2, (FRAMES - 1) * HOP)
    assert (np.abs(whole).max(1) > 1e-4).all()
    assert snr_db(whole, decode(make(head), fields(), controls, calls)) > 60


def test_it_sounds_what_the_codec_decodes_offline() -> None:
    controls, frames = steady([220.0, 0.0], FRAMES, stretch=1e-4), fields()
    told = Excitation(RATE, HOP, 2)
    told.begin(np.arange(2), np.array([7, 8], np.uint64))
    source = told.advance(np.arange(2), controls.f0_hz[:, 1:], controls.inharmonicity)
    latent = torch.from_numpy(frames["latent"][:, :-1, 0]).transpose(1, 2)
    with torch.no_grad():
        given = ExcitationInput(*(torch.from_numpy(one) for one in source.values()))
        wanted = tiny_codec.codec().decode(latent, given).numpy()
    assert snr_db(wanted, decode(make(), frames, controls, [5, 1, 3])) > 60


def test_voices_do_not_hear_each_other() -> None:
    controls = steady([220.0, 330.0], FRAMES)
    both = decode(make(), fields(), controls, slots=[5, 2], seeds=[3, 4])
    second = {"latent": fields()["latent"][1:]}
    alone = decode(make(), second, steady([330.0], FRAMES), slots=[0], seeds=[4])
    np.testing.assert_allclose(alone[0], both[1], rtol=0, atol=1e-6)


def test_a_slot_used_again_remembers_nothing() -> None:
    decoder, controls = make(), steady([220.0, 0.0], FRAMES)
    first = decode(decoder, fields(), controls)
    np.testing.assert_array_equal(decode(decoder, fields(), controls), first)


def test_partials_follow_the_pitch_while_the_latents_stay() -> None:
    frames = {"latent": np.zeros((1, 90, 1, tiny_codec.CONFIG.dimension), np.float32)}
    codec_like = make()
    low = decode(codec_like, frames, steady([400.0], 90))[0, HOP * 20 :]
    high = decode(codec_like, frames, steady([500.0], 90))[0, HOP * 20 :]
    ratio = loudest_hz(high, RATE) / loudest_hz(low, RATE)
    partials = [round(loudest_hz(one, RATE) / f0, 3) for one, f0 in ((low, 400.0), (high, 500.0))]
    assert all(abs(number - round(number)) < 0.01 for number in partials), ratio


def test_noise_depends_on_the_seed_alone() -> None:
    controls = steady([0.0], FRAMES)
    one, same, other = (decode(make(), fields(1), controls, seeds=[seed]) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_a_foreign_model_is_told_from_a_codec() -> None:
    import tiny

    with pytest.raises(BankError, match="latent decoder's metadata is wrong"):
        CodecDecoder(tiny.bank_files()["vocoder.onnx"], 2)
