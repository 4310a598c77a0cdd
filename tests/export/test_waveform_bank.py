"""The waveform model in a bank: equal to torch, through parity, manifest and `Synth`, in blocks of any size."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tiny
import tiny_codec
import tiny_waveform
import torch

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.instruments import BankInstrument
from tnca_synth.engine.bank.timbre_book import TimbreBook
from tnca_synth.engine.decoders.catalogue import Parts, make_decoder
from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.engine.models.interfaces import HopInputs
from tnca_synth.engine.modulation.growth import cull
from tnca_synth.engine.synth import Synth
from tnca_synth.engine.voices.voice import num_slots
from tnca_synth.errors import BankError
from tnca_synth.export import bank as bank_writer
from tnca_synth.export.codec import waveform
from tnca_synth.export.codec.waveform import export_grid, grid_parity
from tnca_synth.export.kinds import EXPORTERS, Exported
from tnca_synth.export.parity import PARITY_LIMIT, rollout_parity, write_checked_bank
from tnca_synth.midi.messages import note_off, note_on, program_change
from tnca_synth.training.registry import growth_model

pytestmark = pytest.mark.slow


@cache
def exported() -> Exported:
    return EXPORTERS["waveform"](tiny_waveform.checkpoint(), {})


def growth() -> OnnxGrowthModel:
    return OnnxGrowthModel(exported().models["seed"], exported().models["step"])


def test_a_ten_second_rollout_is_the_same_in_torch_and_onnx_runtime() -> None:
    assert growth().fields == ("mel", "waveform")
    assert rollout_parity(tiny_waveform.network(), growth(), tiny.RECORDED, 10.0, voices=5) <= PARITY_LIMIT


@pytest.mark.parametrize("name", ["perceive.weight", "read_out.bias", "to_tone.bias", "noise_offset"])
def test_parity_notices_a_weight_that_differs_a_little(name: str) -> None:
    model = _copy()
    with torch.no_grad():
        model.get_parameter(name).add_(0.01)
    assert rollout_parity(model, growth(), tiny.RECORDED, 1.0) > PARITY_LIMIT


def test_a_grid_that_differs_from_torch_is_not_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert grid_parity(tiny_waveform.network(), exported().decoders["direct"]) <= waveform.PARITY_LIMIT
    other = _copy()
    with torch.no_grad():
        other.wave.perceive.weight.add_(0.01)
    content = export_grid(other, {})
    monkeypatch.setattr(waveform, "export_grid", lambda model, facts: content)
    with pytest.raises(BankError, match="the exported grid differs from torch"):
        EXPORTERS["waveform"](tiny_waveform.checkpoint(), {})


def test_a_bank_holds_it_with_its_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_writer, "EXPORTERS", EXPORTERS | {"waveform": lambda *_: exported()})  # exporting is slow
    sizes, parity = write_checked_bank(tmp_path / "bank", [tiny_waveform.checkpoint()], {})
    assert {"waveform.seed.onnx", "waveform.step.onnx", "direct.onnx"} <= set(sizes)
    assert parity["waveform"] <= PARITY_LIMIT
    bank = Bank.load(tmp_path / "bank")
    model = bank.growth_model("waveform", "cpu")
    assert bank.decoder("direct", model, 4).consumes == ("waveform",)


@pytest.mark.parametrize("sizes", [[1] * 200 + [127] * 20, [64], [4096]])
def test_blocks_of_any_size_give_the_same_samples(sizes: list[int]) -> None:
    whole = render([3000])
    assert np.abs(whole).max() > 1e-4
    np.testing.assert_allclose(render(sizes), whole, rtol=0, atol=1e-6)


def render(blocks: list[int]) -> np.ndarray:
    model = growth()
    book = TimbreBook((BankInstrument("reed", 71),), model.timbres, model.motions)
    decoder = make_decoder("direct", Parts(exported().decoders, model, num_slots(8)))
    synth = Synth(model, decoder, book, sample_rate=tiny_codec.SPEC.sample_rate, max_voices=8)
    for data, frame in ((program_change(0, 71), 0), (note_on(0, 62, 90), 37), (note_off(0, 62), 1500)):
        synth.send(data, frame)
    audio, done = [], 0
    while done < 3000:
        size = min(blocks[len(audio) % len(blocks)], 3000 - done)
        audio.append(synth.render(size).copy())
        done += size
    return np.concatenate(audio)


def test_culled_cells_are_silent_in_the_bands_and_die_in_the_next_hop() -> None:
    model = growth()
    one = np.ones(1, np.float32)
    genome = model.plant(60 * one, one, np.zeros((1, model.timbre_size), np.float32), one, 0 * one)
    mask = np.ones((1, 1, tiny_waveform.CONFIG.cells), np.float32)
    grown = model.step(genome, HopInputs(0 * one, -one, mask, np.zeros((1, 16), np.float32)))
    grown.grid[..., 4] = 0.9
    grown.grid[:, 4:12, 4] = 0.2
    heard = grown.fields["waveform"].copy()
    culled = cull(grown, 0.5 * one, model.spec)
    assert not culled.fields["mel"][0, 0, 5:11].any()
    assert not culled.grid[0, 5:11].any()
    np.testing.assert_array_equal(culled.fields["waveform"], heard)


def _copy() -> tiny_waveform.WaveformNCA:
    checkpoint = tiny_waveform.checkpoint()
    weights = {name: value.clone() for name, value in checkpoint.weights.items()}
    model = growth_model(replace(checkpoint, weights=weights))
    assert isinstance(model, tiny_waveform.WaveformNCA)
    return model
