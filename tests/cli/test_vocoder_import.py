"""`tnca-synth vocoder import`: a checkpoint becomes a file and a bank's decoder; every mistake is one line."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import originals
import pytest
import tiny
import torch
import yaml

from tnca_synth.cli import main
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.manifest import MANIFEST
from tnca_synth.engine.decoders.imported.decoder import ImportedDecoder
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.spectra.spec import AudioSpec

pytestmark = pytest.mark.slow


@pytest.fixture
def vocos(tmp_path: Path) -> Path:
    return originals.save_vocos(tmp_path / "vocos", originals.FITTING_VOCOS)


def test_a_checkpoint_becomes_a_file(vocos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "made.onnx"
    assert main(["vocoder", "import", str(vocos), "-o", str(out), "--lookahead", "5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["architecture"] == "Vocos"
    assert report["files"] == [str(out)]
    assert report["bytes"] == out.stat().st_size
    assert report["parity"] <= 1e-4
    assert (report["lookahead"], report["full_lookahead"]) == (5, 12)
    assert 0.0 < report["cap_snr_db"] < 90.0
    assert ImportedDecoder(out.read_bytes(), AudioSpec(), "linear").lookahead == 5
    assert {path.name for path in tmp_path.iterdir()} == {"vocos", "made.onnx"}

    assert main(["vocoder", "import", str(vocos), "-o", str(out)]) == 0
    text = capsys.readouterr().out
    assert "Vocos: 80 bands up to 11025 Hz, 22050 Hz, hop 256" in text
    assert "it sees 12 hops (0.14 s) ahead\n" in text


def test_a_bank_takes_it_and_plays_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bank = tiny.write_tiny_bank(tmp_path / "bank")
    before = {path.name for path in bank.iterdir()}
    checkpoint = originals.save_bigvgan(tmp_path / "bigvgan", originals.TINY_BANK_BIGVGAN)
    assert main(["vocoder", "import", str(checkpoint), "--bank", str(bank), "--json"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert {path.name for path in bank.iterdir()} == before | {Path(file).name}
    for representation in ("mel", "dual"):
        ensemble = assemble_synth(bank_path=bank, representation=representation, decoder="imported", max_voices=4)
        assert "imported" in ensemble.decoders
        whole = ensemble.synth
        whole.send(bytes([0x90, 60, 100]), 0)
        audio = whole.render(8000)
        assert np.isfinite(audio).all()
        assert np.abs(audio).max() > 1e-4

    assert main(["vocoder", "import", str(checkpoint), "--bank", str(bank), "--lookahead", "3", "--json"]) == 0
    (other,) = json.loads(capsys.readouterr().out)["files"]
    assert other != file
    assert {path.name for path in bank.iterdir()} == before | {Path(other).name}
    manifest = json.loads((bank / MANIFEST).read_text())
    assert manifest["decoders"]["imported"] == Path(other).name
    Bank.load(bank)


def test_a_bank_that_does_not_fit_stays_as_it_was(
    vocos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank = tiny.write_tiny_bank(tmp_path / "bank")
    before = {path.name: path.read_bytes() for path in bank.iterdir()}
    assert main(["vocoder", "import", str(vocos), "--bank", str(bank), "-o", str(tmp_path / "a.onnx")]) == 2
    error = capsys.readouterr().err
    assert "it wants 22050 Hz, not 8000; a hop of 256, not 64; an FFT of 1024, not 256" in error
    assert error.count("\n") == 1
    assert {path.name: path.read_bytes() for path in bank.iterdir()} == before
    assert not (tmp_path / "a.onnx").exists()


def changed_config(folder: Path, change: Any) -> None:
    path = folder / "config.yaml"
    values = yaml.safe_load(path.read_text())
    change(values)
    path.write_text(yaml.safe_dump(values))


class Evil:
    """What no checkpoint may do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this code was run",))


def torn(folder: Path) -> None:
    path = folder / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:1000])


def resave(folder: Path, change: Any) -> None:
    path = folder / "pytorch_model.bin"
    weights = torch.load(path, weights_only=True)
    torch.save(change(weights), path)


MISTAKES = {
    "no checkpoint": (lambda f: (f / "pytorch_model.bin").unlink(), "no such file"),
    "no config": (lambda f: (f / "config.yaml").unlink(), "no config.json or config.yaml lies beside"),
    "torn": (torn, "is not a torch checkpoint"),
    "not a checkpoint": (lambda f: (f / "pytorch_model.bin").write_bytes(b"MThd"), "is not a torch checkpoint"),
    "code": (lambda f: (f / "pytorch_model.bin").write_bytes(pickle.dumps(Evil())), "code in checkpoints is not run"),
    "no weights": (lambda f: resave(f, lambda w: {"step": 3}), "holds no weights by name"),
    "other layout": (
        lambda f: (f / "config.yaml").write_text("resblock: '1'\nmodel: hifigan\n"),
        "is neither BigVGAN's",
    ),
    "not yaml": (lambda f: (f / "config.yaml").write_text("a: [1"), "is neither JSON nor YAML"),
    "no object": (lambda f: (f / "config.yaml").write_text("- 1"), "holds no configuration"),
    "incomplete": (
        lambda f: changed_config(f, lambda c: c["backbone"]["init_args"].pop("dim")),
        "the configuration is incomplete or wrong: KeyError('dim')",
    ),
    "contradiction": (
        lambda f: changed_config(f, lambda c: c["head"]["init_args"].update(hop_length=128)),
        "contradicts itself",
    ),
    "codes": (
        lambda f: changed_config(f, lambda c: c["feature_extractor"].update(class_path="a.EncodecFeatures")),
        "Vocos with the feature_extractor EncodecFeatures cannot be imported",
    ),
    "other shape": (
        lambda f: changed_config(f, lambda c: c["backbone"]["init_args"].update(intermediate_dim=50)),
        "is (48, 24) in the checkpoint, but (50, 24) by its configuration",
    ),
    "more layers": (
        lambda f: changed_config(f, lambda c: c["backbone"]["init_args"].update(num_layers=3)),
        "the checkpoint lacks 'backbone.convnext.2.gamma'",
    ),
    "fewer layers": (
        lambda f: changed_config(f, lambda c: c["backbone"]["init_args"].update(num_layers=1)),
        "the checkpoint holds 'backbone.convnext.1.",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake: str, vocos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, told = MISTAKES[mistake]
    change(vocos.parent)
    out = tmp_path / "made.onnx"
    assert main(["vocoder", "import", str(vocos), "-o", str(out)]) in (1, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "nowhere to write to: give -o FILE.onnx, or --bank BANK_DIR, or both"),
        (["-o", "a.onnx", "--lookahead", "0"], "expected a whole number of at least 1, got '0'"),
    ],
)
def test_a_wrong_call_is_status_2(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vocoder", "import", "weights.pt", *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_no_folder_to_write_to_is_one_line(vocos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vocoder", "import", str(vocos), "-o", str(tmp_path / "absent" / "a.onnx")]) == 1
    assert "No such file or directory" in capsys.readouterr().err
    assert main(["vocoder", "import", str(vocos), "--bank", str(tmp_path)]) == 1
    assert "no bank at" in capsys.readouterr().err


def test_help_needs_nothing_heavy() -> None:
    script = """
import sys
from tnca_synth.cli import main
main(["vocoder", "import", "--help"])
print([name for name in ("torch", "numpy", "onnxruntime", "rich", "yaml") if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == "[]\n"
    assert "--lookahead" in done.stdout
