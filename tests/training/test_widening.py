"""A larger model begins where a smaller one is: at full band, with more timbres, and from weights in half precision."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

from tnca_synth.engine.keys.motions import STILL
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.errors import BankError
from tnca_synth.training.config.instruments import InstrumentConfig
from tnca_synth.training.config.models import NCAConfig
from tnca_synth.training.loop.half_weights import load_half, save_half
from tnca_synth.training.loop.rollout import NoteBatch, plant
from tnca_synth.training.spectral.nca import TNCA
from tnca_synth.training.spectral.trainer import Trainer
from tnca_synth.training.spectral.widening import Start, begun, read_start

FULL = AudioSpec(44100, 2048, 512, 96)
HOPS = 12


def grown(model: TNCA, timbre: int, key: int) -> Tensor:
    """Return the linear field (1, 2, N) of a note after some hops."""
    one = torch.ones(1)
    row, keys = torch.tensor([timbre]), torch.tensor([key])
    still = torch.tensor(STILL, dtype=torch.float64)[None]
    batch = NoteBatch(float(key) * one, 0.7 * one, one, 0 * one, 9 * one, row, keys, keys, 0 * one, still)
    with torch.no_grad():
        planted = plant(model, batch)
        grid, cells = planted["grid"], model.config.cells
        for hop in range(HOPS):
            age = hop * model.config.spec.hop_s * one
            grid = model.step(grid, planted, age, -one, torch.ones(1, 1, cells), torch.zeros(1, cells))
        return model.linear(grid, planted)


@pytest.fixture(scope="module")
def shipped() -> Start:
    start = read_start(Path(str(files("tnca_synth.instruments.low_rate"))))
    assert start is not None
    return start


def smaller(start: Start) -> TNCA:
    model = TNCA(NCAConfig(hidden=64, readout_hidden=16, seed_hidden=384), len(start.timbre_names)).eval()
    model.load_state_dict(dict(start.weights))
    return model


def test_the_full_band_begins_as_the_shipped_model_sounds(shipped: Start) -> None:
    instruments = (InstrumentConfig("trumpet", 56), InstrumentConfig("trombone", 57), InstrumentConfig("cello", 42))
    names = ("cello", "trombone", "trumpet")
    larger = TNCA(NCAConfig(hidden=64, readout_hidden=16, seed_hidden=400, spec=FULL), 3).eval()
    larger.load_state_dict(begun(shipped, larger, names, instruments, seed=0))
    before = smaller(shipped)
    for row, name in ((0, "cello"), (1, "trumpet"), (2, "trumpet")):
        wanted = grown(before, shipped.timbre_names.index(name), 60)[0, 0]
        found = grown(larger, row, 60)[0, 0]
        assert len(found) == 1025
        loud = wanted[:480] > 1.0
        assert loud.sum() > 20
        assert float((found[:480] - wanted[:480])[loud].abs().mean()) * 40.0 < 1.0  # dB


def test_some_bins_are_read_as_all_are() -> None:
    model = tiny.growth_network()
    with torch.no_grad():
        torch.nn.init.normal_(model.read_out.weight)
    every = grown(model, 2, 62)
    chosen = torch.tensor([3, 17, 40, 100])
    model.read_at(chosen)
    assert torch.allclose(grown(model, 2, 62), every[:, :, chosen], atol=1e-6)
    assert not torch.allclose(every[:, :, chosen], every[:, :, chosen + 1], atol=1e-3)


def test_weights_in_half_precision_are_what_training_starts_from(tmp_path: Path) -> None:
    trainer = Trainer(tiny.config(), tiny.notes())
    trainer.iterate()
    path = tmp_path / "weights.npz"
    save_half(path, trainer.checkpoint())
    start = read_start(path)
    assert start is not None
    other = Trainer(replace(tiny.config(), seed=9), tiny.notes())
    names = other.notes.timbre_names
    other.start_from(begun(start, other.model, names, tiny.INSTRUMENTS, 0), names)
    worst = {name: float((value - trainer.average[name]).abs().max()) for name, value in other.average.items()}
    recorded = [i * 128 + key for i, name in enumerate(names) for key in start.recorded_keys[name]]
    assert max(error for name, error in worst.items() if name != "keys.weight") < 1e-3
    codes = trainer.average["keys.weight"][recorded]
    assert float(codes.abs().max()) > 0.0
    assert torch.allclose(other.average["keys.weight"][recorded], codes, atol=1e-3)


def test_other_files_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, facts=np.array("{}"))
    with pytest.raises(BankError, match="holds no weights"):
        load_half(path)
    with pytest.raises(BankError, match="no weights at"):
        load_half(tmp_path / "none.npz")
    assert read_start(tmp_path / "checkpoint.pt") is None
