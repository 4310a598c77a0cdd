"""A model that was exported can be trained further: rebuilt in torch, it grows what the bank grows."""

from __future__ import annotations

from importlib.resources import files

import pytest
import tiny

from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.errors import BankError
from tnca_synth.export.parity import PARITY_LIMIT, rollout_parity
from tnca_synth.training.spectral.exported import read_exported

SHIPPED = files("tnca_synth.instruments.low_rate")


def shipped(name: str) -> bytes:
    return SHIPPED.joinpath(name).read_bytes()


def test_the_shipped_model_grows_alike_when_it_is_rebuilt() -> None:
    seed, step = shipped("dual.seed.onnx"), shipped("dual.step.onnx")
    rebuilt = read_exported(seed, step)
    recorded = [(name, rebuilt.recorded_keys[name]) for name in rebuilt.timbre_names if ":" not in name]
    rows = [rebuilt.timbre_names.index(name) for name, _ in recorded]
    assert rows == sorted(rows) and len(recorded) == 20
    everything = [(name, rebuilt.recorded_keys[name]) for name in rebuilt.timbre_names]
    worst = rollout_parity(rebuilt.model, OnnxGrowthModel(seed, step), everything, seconds=1.0)
    assert worst < PARITY_LIMIT


def test_another_representation_is_refused() -> None:
    with pytest.raises(BankError, match="dual"):
        read_exported(shipped("mel.seed.onnx"), shipped("mel.step.onnx"))


def test_a_model_of_another_size_is_rebuilt_whatever_the_exporter_folds() -> None:
    models = tiny.bank().models_of("dual")
    rebuilt = read_exported(models["seed"], models["step"]).model.state_dict()
    trained = tiny.growth_network("dual").state_dict()
    for name in ("seed.to_readout.weight", "seed.to_readout.bias", "seed.to_grid.bias", "update.weight"):
        assert (rebuilt[name] - trained[name]).abs().max() < 1e-3
