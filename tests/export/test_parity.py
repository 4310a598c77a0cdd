"""ONNX Runtime grows what torch grows, over ten seconds, each from its own grids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch

from tnca_synth.errors import BankError
from tnca_synth.export import parity
from tnca_synth.export.bank import write_bank
from tnca_synth.export.parity import (
    PARITY_LIMIT,
    Hop,
    difference,
    grow_in_torch,
    rollout_parity,
    rollout_score,
    vocoder_parity,
    write_checked_bank,
)
from tnca_synth.training.loop.rollout import NoteBatch, grow, swells

pytestmark = pytest.mark.slow

SECONDS = 10.0
REPRESENTATIONS = ("mel", "dual")


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_a_ten_second_rollout_is_the_same_in_torch_and_onnx_runtime(representation: str) -> None:
    model, growth = tiny.growth_network(representation), tiny.growth_model(representation)
    assert rollout_parity(model, growth, tiny.RECORDED, SECONDS, voices=5) <= PARITY_LIMIT


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_parity_notices_a_weight_that_differs_a_little(representation: str) -> None:
    for name in (
        "update.weight",
        "envelopes.weight",
        "clocks.bias",
        "seed.to_rates.weight",
        "timbres.weight",
        "keys.weight",
        "swells.weight",
    ):
        model = tiny.growth_network(representation)
        with torch.no_grad():
            model.get_parameter(name).add_(0.01)
        assert rollout_parity(model, tiny.growth_model(representation), tiny.RECORDED, 1.0) > PARITY_LIMIT, name


def test_parity_notices_a_readout_that_differs() -> None:
    model = tiny.growth_network("dual")
    with torch.no_grad():
        model.read_out.weight.add_(0.003)
    assert rollout_parity(model, tiny.growth_model("dual"), tiny.RECORDED, 0.2) > PARITY_LIMIT


def score(seconds: float = 2.0, voices: int = 4) -> list[Hop]:
    return list(rollout_score(tiny.growth_network("dual").config, tiny.RECORDED, seconds, voices))


def test_the_rollout_holds_releases_bends_and_fires_at_random() -> None:
    hops = score()
    assert len(hops) == round(2.0 / tiny.SPEC.hop_s)
    released = torch.stack([hop.released_s for hop in hops])
    assert (released[0] == -1).all()
    assert (released[-1] > 0).all()
    assert len({int((released[:, voice] < 0).sum()) for voice in range(4)}) == 4  # one after the other
    planted = [hop.notes for hop in hops if hop.notes is not None]
    assert len(planted) == 2
    assert float((planted[1].pitch - planted[0].pitch).min()) > 1.0
    for name in ("pitch", "velocity", "timbre", "pitched"):
        assert len(getattr(planted[0], name).unique()) > 1
    fired = torch.stack([hop.fire_mask for hop in hops]).mean((0, 2, 3))
    assert fired[0] == pytest.approx(0.5, abs=0.05)
    assert fired[-1] == 1.0


def test_the_notes_of_a_rollout_are_alive_and_moving() -> None:
    fields = [one["mel"] for one in grow_in_torch(tiny.growth_network("dual"), score())]
    levels = np.stack(fields)[:, :, 0]
    assert (levels.max((0, 2)) > 0.1).all()
    assert np.abs(np.diff(levels[20:], axis=0)).max() > 0.01


def test_the_torch_side_of_a_rollout_is_what_training_grows() -> None:
    model, hops = tiny.growth_network("dual"), score()[:20]  # before the bend
    notes = hops[0].notes
    assert isinstance(notes, NoteBatch)
    motions, times = tiny.notes().motions, torch.arange(20) * tiny.SPEC.hop_s
    swell = swells(motions, notes, times.expand(len(notes.pitch), -1))
    hops = [replace(hop, swell=swell[:, t]) for t, hop in enumerate(hops)]
    grown = grow(model, notes, 20, motions, torch.stack([hop.fire_mask for hop in hops]))
    for t, fields in enumerate(grow_in_torch(model, hops)):
        assert np.array_equal(fields["mel"][:, 0], grown["mel"][:, t, 0].clamp_min(0).numpy())
        assert np.array_equal(fields["linear"][:, 1], grown["linear"][:, t, 1].clamp(0, 1).numpy())


def test_what_is_not_finite_is_no_parity() -> None:
    one, broken = np.ones(3, np.float32), np.array([1.0, np.nan, 1.0], np.float32)
    assert difference(one, one + np.float32(0.5)) == 0.5
    assert difference(one, broken) == difference(broken, broken) == np.inf


def test_the_vocoder_is_the_same_in_torch_and_onnx_runtime() -> None:
    vocoder, exported = tiny.vocoder_network(tiny.config().vocoder), tiny.bank_files()["vocoder.onnx"]
    assert vocoder_parity(vocoder, exported) <= PARITY_LIMIT
    with torch.no_grad():
        vocoder.bins[0].weight.add_(0.003)
    assert vocoder_parity(vocoder, exported) > PARITY_LIMIT


@pytest.fixture
def quick_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `write_checked_bank` use the files that are exported already, and roll out for a second."""

    def copied(folder: Path, checkpoints: Any, metrics: Any) -> dict[str, int]:
        tiny.write_tiny_bank(folder)
        return {name: len(data) for name, data in tiny.bank_files().items() if name.endswith(".onnx")}

    monkeypatch.setattr(parity, "write_bank", copied)
    monkeypatch.setattr(parity.rollout_parity, "__defaults__", (1.0, 4))


@pytest.mark.usefixtures("quick_export")
def test_a_checked_bank_tells_every_parity(tmp_path: Path) -> None:
    sizes, figures = write_checked_bank(tmp_path / "bank", list(tiny.checkpoints()), {})
    assert set(figures) == {"mel", "dual", "vocoder"}
    assert all(0.0 < figure <= PARITY_LIMIT for figure in figures.values())
    assert {path.name for path in (tmp_path / "bank").iterdir()} == {*sizes, "bank.json"}


@pytest.mark.usefixtures("quick_export")
def test_a_model_that_differs_from_torch_is_not_exported(bank_folder: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in bank_folder.iterdir()}
    other = tiny.checkpoint(tiny.config("dual"))
    other.weights["update.weight"].mul_(1.5)
    with pytest.raises(BankError, match=r"dual model differs from torch by \S+, more than 0\.0001") as caught:
        write_checked_bank(bank_folder, [other], {})
    assert "\n" not in str(caught.value)
    assert {path.name: path.stat().st_mtime_ns for path in bank_folder.iterdir()} == before


def test_checked_and_unchecked_banks_are_written_alike() -> None:
    assert parity.write_bank is write_bank
