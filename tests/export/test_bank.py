"""A bank describes itself, plays any number of voices, and is refused in one line when anything is wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tiny
import torch

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.manifest import MANIFEST
from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.engine.models.interfaces import HopInputs
from tnca_synth.engine.models.onnx_runtime import open_session, read_metadata
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.errors import BankError, UsageError
from tnca_synth.export import bank, kinds
from tnca_synth.export.bank import replace_files
from tnca_synth.export.onnx_model import HALF_FROM, OPSET, in_half_precision, to_onnx

pytestmark = pytest.mark.slow

CELLS = tiny.SPEC.num_mels
GROWTH_FILES = ("dual.seed.onnx", "dual.step.onnx", "mel.seed.onnx", "mel.step.onnx")


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def rehash(folder: Path, name: str) -> None:
    """Make the manifest agree with a file that was exchanged."""
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    change_manifest(folder, lambda manifest: manifest["files"][name].update(sha256=digest))


def assert_refused(open_it: Callable[[], object], told: str) -> None:
    with pytest.raises(BankError) as caught:
        open_it()
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bank_offers_what_was_trained(bank_folder: Path) -> None:
    bank = Bank.load(bank_folder)
    assert set(bank.representations) == {"mel", "dual"}
    assert [one.name for one in bank.instruments] == ["reed", "string", "kit"]
    assert [one.is_drums for one in bank.instruments] == [False, False, True]
    assert bank.instruments[0].tuning(62) == pytest.approx((-0.25, 1.5e-4))
    assert bank.growth_model("dual", "cpu").fields == ("mel", "linear")
    assert bank.growth_model("mel", "cpu").fields == ("mel",)


@pytest.mark.parametrize("name", [*GROWTH_FILES, "vocoder.onnx"])
def test_a_changed_file_is_refused(name: str, bank_folder: Path) -> None:
    content = bytearray((bank_folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bank_folder / name).write_bytes(content)
    assert_refused(lambda: Bank.load(bank_folder), f"{name} is damaged: its hash differs")


def test_a_missing_file_is_named(bank_folder: Path) -> None:
    (bank_folder / "mel.step.onnx").unlink()
    assert_refused(lambda: Bank.load(bank_folder), "mel.step.onnx is missing from the bank")


def test_a_missing_bank_is_named(tmp_path: Path) -> None:
    assert_refused(lambda: Bank.load(tmp_path / "nowhere"), "nowhere: bank.json cannot be read")


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b"[]", b"3", b'{"format": "tnca-synth bank 0"}'])
def test_a_manifest_that_is_none_is_refused(content: bytes, bank_folder: Path) -> None:
    (bank_folder / MANIFEST).write_bytes(content)
    assert_refused(lambda: Bank.load(bank_folder), "bank.json")


@pytest.mark.parametrize("key", ["files", "models", "instruments", "decoders"])
def test_a_manifest_that_lacks_a_part_is_refused(key: str, bank_folder: Path) -> None:
    change_manifest(bank_folder, lambda manifest: manifest.pop(key))
    assert_refused(lambda: Bank.load(bank_folder), "bank.json")


def test_an_instrument_that_lacks_a_part_is_refused(bank_folder: Path) -> None:
    change_manifest(bank_folder, lambda manifest: manifest["instruments"][0].pop("program"))
    assert_refused(lambda: Bank.load(bank_folder), "bank.json")


@pytest.mark.parametrize("name", ["../dual.step.onnx", "/etc/hostname"])
def test_a_manifest_reaches_no_file_outside_its_folder(name: str, bank_folder: Path) -> None:
    facts = {"sha256": hashlib.sha256(Path("/etc/hostname").read_bytes()).hexdigest(), "bytes": 1}
    change_manifest(bank_folder, lambda manifest: manifest["files"].update({name: facts}))
    assert_refused(lambda: Bank.load(bank_folder), "bank.json")


@pytest.mark.parametrize("content", [b"", b"not ONNX", bytes(500)])
def test_a_file_that_is_no_model_is_refused(content: bytes, bank_folder: Path) -> None:
    (bank_folder / "dual.step.onnx").write_bytes(content)
    rehash(bank_folder, "dual.step.onnx")
    bank = Bank.load(bank_folder)
    assert_refused(lambda: bank.growth_model("dual", "cpu"), "not a model that ONNX Runtime")


def foreign_model() -> bytes:
    """Return a valid ONNX model that has nothing to do with us."""
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph(
        [node], "g", [value("x", onnx.TensorProto.FLOAT, [1])], [value("y", onnx.TensorProto.FLOAT, [1])]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("name", ["dual.step.onnx", "dual.seed.onnx"])
def test_a_foreign_model_is_refused(name: str, bank_folder: Path) -> None:
    (bank_folder / name).write_bytes(foreign_model())
    rehash(bank_folder, name)
    bank = Bank.load(bank_folder)
    assert_refused(lambda: bank.growth_model("dual", "cpu"), "was not exported by tnca-synth")


def test_a_foreign_vocoder_is_refused(bank_folder: Path) -> None:
    (bank_folder / "vocoder.onnx").write_bytes(foreign_model())
    rehash(bank_folder, "vocoder.onnx")
    bank = Bank.load(bank_folder)
    growth = bank.growth_model("mel", "cpu")
    assert_refused(lambda: bank.decoder("vocoder", growth, 4), "was not exported by tnca-synth")


def test_what_a_bank_does_not_hold_is_a_usage_error(bank_folder: Path) -> None:
    change_manifest(bank_folder, lambda manifest: manifest["models"].pop("dual"))
    change_manifest(bank_folder, lambda manifest: manifest["decoders"].clear())
    bank = Bank.load(bank_folder)
    growth = bank.growth_model("mel", "cpu")
    with pytest.raises(UsageError, match="no representation 'dual', only mel"):
        bank.growth_model("dual", "cpu")
    with pytest.raises(UsageError, match="harmonic decoder needs the field 'linear'"):
        bank.decoder("harmonic", growth, 4)
    with pytest.raises(UsageError, match="no model of the vocoder decoder"):
        bank.decoder("vocoder", growth, 4)


@pytest.mark.parametrize("name", [*GROWTH_FILES, "vocoder.onnx"])
def test_every_model_describes_itself(name: str) -> None:
    content = tiny.bank_files()[name]
    facts = read_metadata(open_session(content, "cpu"))
    assert facts["opset"] == OPSET == onnx.load_from_string(content).opset_import[0].version
    assert AudioSpec.from_dict(facts["spec"]) == tiny.SPEC
    assert (facts["seed"], facts["iterations"]) == (5, 123)
    assert (facts["data"], facts["licence"]) == ("synthetic.sf2", "public domain")
    assert facts["metrics"] == ({"mel_db": 1.25} if name.startswith("dual") else {})
    assert facts["producer"].startswith("tnca-synth ")
    if name != "vocoder.onnx":
        assert facts["representation"] == name.split(".")[0]
    if name.endswith(".seed.onnx"):
        table = tiny.growth_network(facts["representation"]).timbres.weight.detach().numpy()
        assert tuple(facts["timbres"]) == tiny.TIMBRES
        np.testing.assert_array_equal(np.array(list(facts["timbres"].values()), np.float32), table)


def test_the_manifest_vouches_for_every_file(bank_folder: Path) -> None:
    manifest = json.loads((bank_folder / MANIFEST).read_text())
    assert manifest["licence"] == "public domain"
    assert set(manifest["files"]) == {*GROWTH_FILES, "dual.correction.npz", "vocoder.onnx", "motions.npz"}
    for name, facts in manifest["files"].items():
        content = (bank_folder / name).read_bytes()
        assert facts == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def grow_voices(growth: OnnxGrowthModel, which: slice, hops: int = 20) -> list[dict[str, np.ndarray]]:
    """Grow some of 17 different voices together; return the grid, the life and the fields of every hop."""
    rng = np.random.default_rng(0)
    columns = [rng.uniform(40, 80, 17), rng.uniform(0.1, 1, 17), rng.standard_normal((17, growth.timbre_size))]
    columns += [(np.arange(17) % 5 > 0).astype(float), rng.uniform(0, 3e-4, 17)]
    masks = (rng.random((hops, 17, growth.steps_per_hop, CELLS)) < 0.7).astype(np.float32)
    swells = (0.05 * rng.standard_normal((hops, 17, CELLS))).astype(np.float32)
    genome = growth.plant(*(column[which].astype(np.float32) for column in columns))
    count, grown = len(genome["grid"]), []
    for t in range(hops):
        age_s = np.full(count, t * growth.spec.hop_s, np.float32)
        since = np.where(age_s > 0.1, age_s - 0.1, -1).astype(np.float32)
        hop = growth.step(genome, HopInputs(age_s, since, masks[t, which], swells[t, which]))
        genome["grid"] = hop.grid
        grown.append({"grid": hop.grid, "alive": hop.alive, **hop.fields})
    return grown


@pytest.mark.parametrize("representation", ["mel", "dual"])
@pytest.mark.parametrize("voices", [1, 3, 17])
def test_any_number_of_voices_grows_together(representation: str, voices: int) -> None:
    last = grow_voices(tiny.growth_model(representation), slice(0, voices))[-1]
    shapes = {"grid": (CELLS, 8), "alive": (), "mel": (2, CELLS), "linear": (2, tiny.SPEC.num_bins)}
    for name, value in last.items():
        assert value.shape == (voices, *shapes[name])
        assert np.isfinite(value).all()
    assert ("linear" in last) == (representation == "dual")


@pytest.mark.parametrize("representation", ["mel", "dual"])
@pytest.mark.parametrize("voice", [0, 7, 16])
def test_a_voice_grows_alone_as_it_does_among_sixteen_others(representation: str, voice: int) -> None:
    growth = tiny.growth_model(representation)
    together, alone = grow_voices(growth, slice(0, 17)), grow_voices(growth, slice(voice, voice + 1))
    for many, one in zip(together, alone, strict=True):
        for name, value in one.items():
            np.testing.assert_allclose(value[0], many[name][voice], rtol=0, atol=1e-5)


def test_fields_stay_within_what_they_can_mean() -> None:
    for hop in grow_voices(tiny.growth_model("dual"), slice(0, 17)):
        for name in ("mel", "linear"):
            assert (hop[name][:, 0] >= 0.0).all()
            assert (hop[name][:, 1] >= 0.0).all() and (hop[name][:, 1] <= 1.0).all()


def test_a_dead_grid_is_told_to_be_dead() -> None:
    growth = tiny.growth_model("mel")
    one = np.ones(2, np.float32)
    genome = growth.plant(60 * one, one, np.zeros((2, growth.timbre_size), np.float32), one, 0 * one)
    genome["grid"][1] = 0.0
    grown = growth.step(
        genome, HopInputs(0 * one, -one, np.ones((2, 1, CELLS), np.float32), np.zeros((2, CELLS), np.float32))
    )
    assert grown.alive.tolist() == [True, False]
    assert not grown.fields["mel"][1].any()


def test_a_bank_needs_a_growth_model_and_one_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "growth_files", lambda checkpoint, _: (checkpoint.train_config.name, {}))
    monkeypatch.setattr(kinds, "vocoder_file", lambda checkpoint, _: b"")
    mel, dual, vocoder = tiny.checkpoints()
    stranger = replace(dual, timbre_names=("a", "b", "c", "d"))
    for checkpoints, told in (
        ([], "at least one growth model"),
        ([vocoder], "at least one growth model"),
        ([mel, vocoder, stranger], "has instruments that the mel model lacks"),
        ([mel, dual, mel], "two models of representation 'mel'"),
    ):
        with pytest.raises(UsageError, match=told):
            bank.write_bank(tmp_path / "bank", checkpoints, {})
    assert not (tmp_path / "bank").exists()


def test_replacing_a_bank_removes_what_is_stale_and_keeps_what_is_not_its(bank_folder: Path) -> None:
    (bank_folder / "__init__.py").write_text("")
    replace_files(bank_folder, {"one.onnx": b"1", MANIFEST: b"{}"})
    assert {path.name for path in bank_folder.iterdir()} == {"__init__.py", "one.onnx", MANIFEST}


def test_what_a_model_misses_comes_with_it(bank_folder: Path) -> None:
    missed = bank_folder / "dual.correction.npz"
    bank = Bank.load(bank_folder)
    assert bank.growth_model("dual", "cpu").motions.corrected_field == "linear"
    assert bank.growth_model("mel", "cpu").motions.corrected_field == ""
    missed.write_bytes(b"torn")
    rehash(bank_folder, missed.name)
    assert_refused(lambda: Bank.load(bank_folder).growth_model("dual", "cpu"), "per-key correction cannot be read")
    missed.unlink()
    assert_refused(lambda: Bank.load(bank_folder), "dual.correction.npz is missing")


def test_a_bank_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert_refused(lambda: replace_files(tmp_path / "file", {MANIFEST: b"{}"}), "cannot write the bank to")


def test_a_key_between_recorded_keys_lies_between_their_codes() -> None:
    model, growth = tiny.growth_network("mel"), tiny.growth_model("mel")
    row = tiny.TIMBRES.index("reed")
    codes = model.keys.weight.detach().numpy().reshape(len(tiny.TIMBRES), 128, -1)[row]
    timbre = model.timbres.weight.detach().numpy()[row]
    expected = {60: codes[60], 63: 0.5 * (codes[62] + codes[64]), 64: codes[64], 20: codes[60], 90: codes[66]}
    for key, code in expected.items():
        np.testing.assert_allclose(growth.timbres.vector("reed", key), np.concatenate([timbre, code]), atol=1e-6)


def test_what_half_precision_holds_exactly_is_stored_in_it() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8, HALF_FROM // 8), torch.nn.Linear(HALF_FROM // 8, 4))
    shapes = ({0: torch.export.Dim("rows", min=1, max=64)},)
    exact = to_onnx(network, (torch.zeros(2, 8),), ["x"], ["y"], {}, shapes)
    assert in_half_precision(exact) == exact  # random weights are not exact in half precision
    with torch.no_grad():
        network[0].weight.copy_(network[0].weight.half())
    rounded = to_onnx(network, (torch.zeros(2, 8),), ["x"], ["y"], {}, shapes)
    stored = in_half_precision(rounded)
    assert len(stored) < len(rounded) - HALF_FROM
    x = np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)
    one, other = (open_session(content, "cpu").run(None, {"x": x})[0] for content in (rounded, stored))
    np.testing.assert_array_equal(one, other)
