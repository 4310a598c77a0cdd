"""The direct decoder streams: any number of hops in a call, any slots, the samples that torch grows at once."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import tiny
import tiny_codec
import tiny_waveform
import torch

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.parts.excitation import Excitation
from tnca_synth.engine.decoders.waveform import WaveformGridDecoder
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.engine.spectra.pitch import MAX_PARTIALS
from tnca_synth.engine.spectra.tone import coloured
from tnca_synth.errors import BankError
from tnca_synth.export.codec.waveform import export_grid
from tnca_synth.training.codec.source import ExcitationInput

from .decoding import chunks, decode, loudest_hz, steady

pytestmark = pytest.mark.slow

FRAMES = 26
HOP, RATE = tiny_codec.SPEC.hop_length, tiny_codec.SPEC.sample_rate


@cache
def model() -> bytes:
    return export_grid(tiny_waveform.network(), {})


def make() -> WaveformGridDecoder:
    return WaveformGridDecoder(model(), 8)


def fields(voices: int = 2, frames: int = FRAMES) -> Fields:
    return {"waveform": tiny_waveform.frames(voices, frames)[:, :, None].numpy()}


def snr_db(wanted: FloatArray, found: FloatArray) -> float:
    return float(10 * np.log10((wanted**2).sum() / max(((wanted - found) ** 2).sum(), 1e-30)))


@pytest.mark.parametrize("calls", chunks(FRAMES - 1))
def test_any_number_of_hops_in_a_call_gives_the_same_samples(calls: list[int]) -> None:
    controls = steady([220.0, 0.0], FRAMES)
    whole = decode(make(), fields(), controls)
    assert whole.shape == (2, (FRAMES - 1) * HOP)
    assert (np.abs(whole).max(1) > 1e-4).all()
    assert snr_db(whole, decode(make(), fields(), controls, calls)) > 60


def test_it_sounds_what_torch_grows_at_once() -> None:
    controls, frames = steady([220.0, 0.0], FRAMES, stretch=1e-4), fields()
    told = Excitation(RATE, HOP, 2)
    told.begin(np.arange(2), np.array([7, 8], np.uint64))
    source = told.advance(np.arange(2), controls.f0_hz[:, 1:], controls.inharmonicity)
    with torch.no_grad():
        given = ExcitationInput(*(torch.from_numpy(one) for one in source.values()))
        wanted = tiny_waveform.network().sound(torch.from_numpy(frames["waveform"][:, :, 0]), given).numpy()
    assert snr_db(wanted, decode(make(), frames, controls, [5, 1, 3])) > 60


def test_voices_do_not_hear_each_other() -> None:
    controls = steady([220.0, 330.0], FRAMES)
    both = decode(make(), fields(), controls, slots=[5, 2], seeds=[3, 4])
    second = {"waveform": fields()["waveform"][1:]}
    alone = decode(make(), second, steady([330.0], FRAMES), slots=[0], seeds=[4])
    np.testing.assert_allclose(alone[0], both[1], rtol=0, atol=1e-6)


def test_a_slot_used_again_remembers_nothing() -> None:
    decoder, controls = make(), steady([220.0, 0.0], FRAMES)
    first = decode(decoder, fields(), controls)
    np.testing.assert_array_equal(decode(decoder, fields(), controls), first)


@pytest.mark.parametrize("f0_hz", [400.0, 500.0])
def test_partials_follow_the_pitch_while_the_conditions_stay(f0_hz: float) -> None:
    field = np.zeros((1, 90, 1, tiny_waveform.CONFIG.conditions), np.float32)
    field[..., 0], field[..., -1] = 2.0, 1.0
    audio = decode(make(), {"waveform": field}, steady([f0_hz], 90))[0, HOP * 20 :]
    number = loudest_hz(audio, RATE) / f0_hz
    assert abs(number - round(number)) < 0.01


def test_noise_depends_on_the_seed_alone() -> None:
    controls = steady([0.0], FRAMES)
    one, same, other = (decode(make(), fields(1), controls, seeds=[seed]) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_colour_changes_levels_and_leaves_tones_and_life_alone() -> None:
    given, f0_hz = fields(1), np.full((1, FRAMES), 220.0)
    tilt = np.zeros((3, 1, FRAMES))
    tilt[0] = -6.0
    found = coloured(given, make().levels, tiny_codec.SPEC, f0_hz, tilt)["waveform"] - given["waveform"]
    partials, rest = found[..., :MAX_PARTIALS], found[..., MAX_PARTIALS:]
    np.testing.assert_allclose(partials[..., 3], -2 * 6.0 / tiny_codec.SPEC.level_scale_db, atol=1e-5)
    bands = tiny_waveform.CONFIG.noise_bands
    assert rest[..., bands - 1].mean() < -0.1
    assert not rest[..., bands:].any()


def test_a_foreign_model_is_told_from_a_grid() -> None:
    with pytest.raises(BankError, match="direct decoder's metadata is wrong"):
        WaveformGridDecoder(tiny.bank_files()["vocoder.onnx"], 2)
