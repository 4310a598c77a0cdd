"""The multi-scale model in a bank: equal to torch, beside models of more instruments, blocks of any size."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.helper
import pytest
import tiny
import tiny_scales
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
from tnca_synth.errors import UsageError
from tnca_synth.export import bank as bank_writer
from tnca_synth.export.bank import write_bank
from tnca_synth.export.kinds import EXPORTERS, Exported
from tnca_synth.export.model_files import growth_facts, played_model
from tnca_synth.export.parity import PARITY_LIMIT, rollout_parity, write_checked_bank
from tnca_synth.midi.messages import note_off, note_on, program_change
from tnca_synth.training.loop.checkpoint import Checkpoint

pytestmark = pytest.mark.slow

TWICE = replace(tiny_scales.SCALES, steps_per_hop=2)


def checkpoint() -> Checkpoint:
    """Return one whose columns update twice in a hop."""
    return replace(tiny_scales.checkpoint(), config=tiny_scales.config(scales=TWICE).to_dict())


@cache
def files() -> dict[str, bytes]:
    return EXPORTERS["multi-scale"](checkpoint(), {}).models


def growth() -> OnnxGrowthModel:
    return OnnxGrowthModel(files()["seed"], files()["step"])


def test_a_ten_second_rollout_is_the_same_in_torch_and_onnx_runtime() -> None:
    assert rollout_parity(played_model(checkpoint()), growth(), tiny.RECORDED, 10.0, voices=5) <= PARITY_LIMIT


@pytest.mark.parametrize(
    "name", ["columns.0.perceive.weight", "columns.2.update.weight", "seed.columns.1.to_rates.bias"]
)
def test_parity_notices_a_weight_that_differs_a_little(name: str) -> None:
    model = played_model(checkpoint())
    with torch.no_grad():
        model.get_parameter(name).add_(0.01)
    assert rollout_parity(model, growth(), tiny.RECORDED, 1.0) > PARITY_LIMIT


def test_each_column_is_planted_apart_and_the_grid_comes_first() -> None:
    planted = [f"{name}{bands}" for name in ("cell", "rates") for bands in TWICE.bands]
    assert growth().genome_names == ("grid", *planted)


def tiny_mel(*_: object) -> Exported:
    """Return the mel model as the tiny bank has it; exporting takes long."""
    return Exported({}, "mel", {part: tiny.bank_files()[f"mel.{part}.onnx"] for part in ("seed", "step")})


def told_anew(checkpoint: Checkpoint, metrics: dict[str, Any]) -> Exported:
    """Return `files` with the metadata of a checkpoint of other timbres, which is all that differs."""
    step_facts, seed_facts = growth_facts(played_model(checkpoint), checkpoint, metrics)
    models = {}
    for part, facts in (("seed", seed_facts), ("step", step_facts)):
        model = onnx.load_from_string(files()[part])
        onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in facts.items()})
        models[part] = model.SerializeToString()
    return Exported({}, "multi-scale", models)


def test_a_bank_holds_it_beside_models_of_more_instruments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.bank_files(), files()  # made by the exporters that are about to be exchanged
    exporters = {"growth": tiny_mel, "multi-scale": told_anew}
    monkeypatch.setattr(bank_writer, "EXPORTERS", EXPORTERS | exporters)
    whole, scales = tiny.checkpoint(tiny.config("mel")), checkpoint()
    weights = {name: value.clone() for name, value in scales.weights.items()}
    weights["timbres.weight"] = weights["timbres.weight"][2:3]
    weights["keys.weight"] = weights["keys.weight"].unflatten(0, (len(tiny.TIMBRES), -1))[2]
    few = replace(scales, weights=weights, timbre_names=("reed",))
    sizes, parity = write_checked_bank(tmp_path / "bank", [whole, few], {})
    assert {"multi-scale.seed.onnx", "multi-scale.step.onnx"} <= set(sizes)
    assert parity["multi-scale"] <= PARITY_LIMIT
    bank = Bank.load(tmp_path / "bank")
    model = bank.growth_model("multi-scale", "cpu")
    assert model.fields == SCALE_FIELDS
    assert list(model.metadata["timbres"]) == ["reed"]
    assert bank.timbre_book(model).instrument_for(25, 0, False, 60).instrument.name == "reed"
    with pytest.raises(UsageError, match="name the model with all of them first"):
        write_bank(tmp_path / "other", [few, whole], {})


SCALE_FIELDS = TWICE.field_names


@pytest.mark.parametrize("sizes", [[1] * 200 + [127] * 20, [64], [4096]])
def test_blocks_of_any_size_give_the_same_samples(sizes: list[int]) -> None:
    def render(blocks: list[int]) -> np.ndarray:
        model = growth()
        book = TimbreBook((BankInstrument("reed", 71),), model.timbres, model.motions)
        decoder = make_decoder("fine-harmonic", Parts({}, model, num_slots(8)))
        synth = Synth(model, decoder, book, sample_rate=tiny.SPEC.sample_rate, max_voices=8)
        for data, frame in ((program_change(0, 71), 0), (note_on(0, 62, 90), 37), (note_off(0, 62), 1500)):
            synth.send(data, frame)
        audio, done = [], 0
        while done < 3000:
            size = min(blocks[len(audio) % len(blocks)], 3000 - done)
            audio.append(synth.render(size).copy())
            done += size
        return np.concatenate(audio)

    whole = render([3000])
    assert np.abs(whole).max() > 1e-4
    np.testing.assert_allclose(render(sizes), whole, rtol=0, atol=1e-6)


def test_a_raised_life_threshold_silences_each_scale_where_its_own_cells_die() -> None:
    model = growth()
    one = np.ones(1, np.float32)
    genome = model.plant(60 * one, one, np.zeros((1, model.timbre_size), np.float32), one, 0 * one)
    mask = np.ones((1, 2, TWICE.cells), np.float32)
    grown = model.step(genome, HopInputs(0 * one, -one, mask, np.zeros((1, tiny.SPEC.num_mels), np.float32)))
    grown.grid[..., 4] = 0.9
    grown.grid[:, 8:24, 4] = 0.2  # all of the middle scale
    kept = {name: values.copy() for name, values in grown.fields.items()}
    culled = cull(grown, 0.5 * one, model.spec)
    assert not culled.fields["mel"][0, 0, 2:-2].any()
    np.testing.assert_array_equal(culled.fields["mel32"][0, 0, 1:], kept["mel32"][0, 0, 1:])
