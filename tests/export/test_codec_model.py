"""Codecs as files: what ONNX Runtime plays is what torch decodes; EnCodec's weights give what EnCodec gives."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
import tiny_codec
import torch
from transformers import EncodecConfig, EncodecModel

from tnca_synth.cli import main
from tnca_synth.engine.models.onnx_runtime import open_session, read_metadata
from tnca_synth.errors import BankError
from tnca_synth.export.codec.encodec import encoder_path, import_codec, named_as_here, read_encodec
from tnca_synth.export.codec.streaming import (
    PARITY_LIMIT,
    decoder_parity,
    encoder_parity,
    export_decoder,
    export_encoder,
)
from tnca_synth.training.codec.codec import ENCODEC_24KHZ, Codec
from tnca_synth.training.codec.layers import Memory

pytestmark = pytest.mark.slow

KINDS = [("source", 0), ("waveform", 0), ("waveform", 2)]


@pytest.mark.parametrize(("head", "lstm_layers"), KINDS)
def test_onnx_runtime_decodes_what_torch_decodes_in_calls_of_any_length(head: str, lstm_layers: int) -> None:
    codec = tiny_codec.codec(head, lstm_layers)
    assert decoder_parity(codec, export_decoder(codec, {})) <= PARITY_LIMIT


def test_the_encoder_of_waveforms_is_exported_as_well() -> None:
    codec = tiny_codec.codec("waveform", 2)
    assert encoder_parity(codec, export_encoder(codec, {})) <= PARITY_LIMIT


def test_parity_notices_a_weight_that_differs() -> None:
    content = export_decoder(tiny_codec.codec(), {})
    other = Codec(tiny_codec.CONFIG)
    other.load_state_dict(tiny_codec.codec().state_dict())
    with torch.no_grad():
        other.decoder.trunk.layers[0].conv.bias.add_(0.1)
    assert decoder_parity(other, content) > PARITY_LIMIT


def test_a_file_describes_itself() -> None:
    facts = read_metadata(open_session(export_decoder(tiny_codec.codec(), {"licence": "MIT"}), "cpu"))
    assert facts["kind"] == "codec"
    assert facts["dimension"] == tiny_codec.CONFIG.dimension
    assert facts["spec"] == tiny_codec.SPEC.to_dict()
    assert facts["licence"] == "MIT"


@cache
def reference() -> EncodecModel:
    """Return transformers' 24 kHz EnCodec with random weights."""
    torch.manual_seed(0)
    return EncodecModel(EncodecConfig()).eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encodec") / "encodec.pt"
    torch.save(reference().state_dict(), path)
    return path


def test_it_decodes_and_encodes_what_the_reference_does(checkpoint: Path) -> None:
    ours = read_encodec(checkpoint)
    latent, audio = torch.randn(2, 128, 20), 0.3 * torch.randn(2, 20 * 320)
    with torch.no_grad():
        wanted = reference().decoder(latent)[:, 0]
        assert float(wanted.abs().max()) > 0.01
        torch.testing.assert_close(ours.decode(latent), wanted, rtol=0, atol=1e-6)
        torch.testing.assert_close(ours.encode(audio), reference().encoder(audio[:, None]), rtol=0, atol=1e-6)


def test_as_a_stream_it_joins_the_reference_once_the_beginning_is_past(checkpoint: Path) -> None:
    """The reference reflects what comes first, before which a stream has silence."""
    ours, latent = read_encodec(checkpoint), torch.randn(1, 128, 60)
    past, hops = None, []
    with torch.no_grad():
        for hop in latent.split(1, 2):
            memory = Memory(past)
            hops.append(ours.decode(hop, memory=memory))
            past = memory.kept
        wanted = reference().decoder(latent)[0, 0]
    error = torch.cat(hops, 1)[0] - wanted
    settled = slice(20 * 320, None)
    assert 20 * torch.log10(wanted[settled].norm() / error[settled].norm()) > 60


def test_safetensors_are_read_as_well(checkpoint: Path, tmp_path: Path) -> None:
    reference().save_pretrained(tmp_path)
    one, other = read_encodec(checkpoint), read_encodec(tmp_path / "model.safetensors")
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_the_names_of_the_encodec_package_are_known() -> None:
    """`encodec_names.txt` lists what `EncodecModel.encodec_model_24khz().state_dict()` of encodec 0.1.1 holds."""
    lines = (Path(__file__).parent / "encodec_names.txt").read_text().splitlines()
    theirs = dict(line.split() for line in lines)
    plain = {name.replace("weight_v", "weight"): shape for name, shape in theirs.items() if "weight_g" not in name}
    named = named_as_here({name: torch.empty([int(n) for n in shape.split("x")]) for name, shape in plain.items()})
    ours = Codec(ENCODEC_24KHZ).state_dict()
    assert {name: value.shape for name, value in named.items()} == {name: value.shape for name, value in ours.items()}


def test_the_command_writes_decoder_and_encoder(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "imported" / "encodec.onnx"
    assert main(["codec", "import", str(checkpoint), "-o", str(target), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["parity"] <= PARITY_LIMIT
    assert printed["bytes"] == {str(path): path.stat().st_size for path in (target, encoder_path(target))}
    session = open_session(target.read_bytes(), "cpu")
    assert read_metadata(session)["spec"]["sample_rate"] == 24000


@pytest.mark.parametrize("name", ["broken.pt", "broken.safetensors", "none.pt"])
def test_what_is_no_checkpoint_is_one_clear_error(name: str, tmp_path: Path) -> None:
    if not name.startswith("none"):
        (tmp_path / name).write_bytes(b"\x10\0\0\0\0\0\0\0not a checkpoint")
    with pytest.raises(BankError, match=name) as caught:
        import_codec(tmp_path / name, tmp_path / "out.onnx")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out.onnx").exists()


def test_weights_of_another_model_are_told_by_name(tmp_path: Path) -> None:
    torch.save({"encoder.model.0.conv.conv.bias": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(BankError, match=r"encoder\.layers\.0\.conv"):
        read_encodec(tmp_path / "other.pt")
    with pytest.raises(BankError, match="neither an encoder nor a decoder"):
        named_as_here({"weight": torch.zeros(3)})
