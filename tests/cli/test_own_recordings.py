"""`evaluate` and `compare` with a bank and recordings of one's own, and a folder of drums from the command line."""

from __future__ import annotations

import json
import re
import struct
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

from tnca_synth.cli import main
from tnca_synth.engine.bank.bank import MANIFEST, Bank
from tnca_synth.training.comparison.speed import Speed
from tnca_synth.training.validation.anchors import ANCHORS

pytestmark = pytest.mark.slow

TINY = f"""
iterations = 2
batch_size = 4
pool_size = 6
window_frames = 8
{tiny.MODEL}
spec = {{ sample_rate = 8000, n_fft = 256, hop_length = 64, num_mels = 16 }}
"""


def preset_of(folder: Path, more: str = "") -> Path:
    path = folder.parent / "mine.toml"
    path.write_text(f'{TINY}\n[data]\nsource = "folder"\npath = "{folder}"\n{more}')
    return path


@pytest.fixture
def reed(tmp_path: Path) -> Path:
    """Return a preset with recordings of an instrument of the tiny bank."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for key in (60, 62, 63, 64, 65):
        soundfile.write(folder / f"reed_m{key}.wav", tiny.recording(tiny.REED, key, 60, 0.8).audio, 8000)
    return preset_of(folder)


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Return a bank of one model of mel bands, without a vocoder, as a first training leaves it."""
    path = tiny.write_tiny_bank(tmp_path / "bank")
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["models"] = {"mel": manifest["models"]["mel"]}
    manifest["decoders"] = {}
    (path / MANIFEST).write_text(json.dumps(manifest))
    return path


def test_a_bank_of_one_model_renders_without_being_told_how(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = b"\x00\x90\x3c\x64\x83\x60\x80\x3c\x00\x00\xff\x2f\x00"
    song = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(events)) + events
    (tmp_path / "song.mid").write_bytes(song)
    out = tmp_path / "song.wav"
    assert main(["render", str(tmp_path / "song.mid"), "--bank", str(bank), "-o", str(out), "--workers", "1"]) == 0
    assert np.abs(soundfile.read(out)[0]).max() > 1e-4
    assert main(["render", str(tmp_path / "song.mid"), "--bank", str(bank), "--decoder", "vocoder"]) == 2
    assert "has no model of the vocoder decoder" in capsys.readouterr().err


def test_evaluate_judges_what_the_bank_plays_and_asks_for_no_vocoder(
    reed: Path, bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--bank", str(bank), "--preset", str(reed), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["summary"]) == {"sampler", *ANCHORS, "mel+griffin-lim"}
    assert {(one["instrument"], one["pitch"]) for one in report["notes"]} == {("reed", 63)}
    means = {path: table["reed"]["zimtohrli"] for path, table in report["summary"].items()}
    assert 0.0 < means["Opus 48 kb/s"] < means["Opus 12 kb/s"] < means["mel+griffin-lim"]
    assert means["low-pass 10.5 kHz"] == pytest.approx(0.0, abs=1e-5)  # recorded at 8 kHz
    sampled = report["summary"]["sampler"]["reed"]
    assert sampled["distance"] < 0.5  # transposed from the next key


def test_compare_plays_ones_own_notes_and_its_page_is_heard(
    reed: Path, bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tnca_synth.training.comparison.run.measure_speed", lambda *_: Speed(0.01, 50.0))
    out = tmp_path / "out"
    assert main(["compare", "--bank", str(bank), "--preset", str(reed), "-o", str(out)]) == 0
    assert "keys never recorded" in capsys.readouterr().out
    page = (out / "comparison.html").read_text()
    heard = re.findall(r'<figcaption>(.*?)</figcaption><audio controls [^>]*src="data:audio/ogg;base64,([^"]+)"', page)
    assert [name for name, _ in heard] == ["recording", "sampler", "mel+griffin-lim"]
    recorded, rate = soundfile.read(BytesIO(b64decode(heard[0][1])))
    assert len(recorded) / rate == pytest.approx(1.0, abs=0.05)
    assert np.abs(recorded).max() == pytest.approx(0.7, abs=0.1)


def test_a_page_of_sounds_has_a_bound() -> None:
    from tnca_synth.training.comparison.page.sounds import Sounds
    from tnca_synth.training.comparison.run import RECORDING, Example

    tone = np.sin(np.arange(22050) * 0.1).astype(np.float32)
    example = Example("reed", 60, {RECORDING: tone, **{f"path {i}": tone for i in range(9)}})
    text = Sounds(30_000).players(example)
    assert 1 <= text.count("<audio") < 10
    assert "Further sounds are left out" in text
    assert len(text) < 40_000


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_a_bank_without_any_of_the_instruments_is_one_line_and_no_table(
    command: str, bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--bank", str(bank), "--preset", "multi-scale"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "the bank plays kit, reed, string, but the preset has recordings of grand-piano, " in captured.err
    assert "--preset FILE.toml" in captured.err


def test_notes_that_training_heard_are_called_so(
    reed: Path, bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes" / "reed_m63.wav").unlink()
    assert main(["evaluate", "--bank", str(bank), "--preset", str(reed), "--json"]) == 0
    captured = capsys.readouterr()
    assert "nothing is held out of reed: these are notes that training heard" in captured.err
    assert {one["pitch"] for one in json.loads(captured.out)["notes"]} == {60, 62, 64, 65}


def test_a_folder_of_drums_becomes_a_kit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "hits"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("kick", "snare", "hihat closed"):
        hit = 0.3 * rng.normal(size=4000).clip(-3, 3) * np.exp(-np.arange(4000) / 600)
        soundfile.write(folder / f"{name}.wav", hit, 8000)
    preset = tmp_path / "tiny.toml"
    preset.write_text(TINY)
    run = tmp_path / "run"
    status = main(["train", str(preset), "--recordings", str(folder), "--drums", "-o", str(run), "--threads", "1"])
    assert status == 0
    assert "nothing is held out of 3 notes" in " ".join(capsys.readouterr().err.split())
    assert main(["export", str(run / "checkpoint.pt"), "-o", str(tmp_path / "kit")]) == 0
    (kit,) = Bank.load(tmp_path / "kit").instruments
    assert (kit.name, kit.is_drums, kit.pitched, kit.low, kit.high) == ("hits", True, False, 36, 42)
    book = Bank.load(tmp_path / "kit")
    choice = book.timbre_book(book.growth_model("mel", "cpu")).instrument_for(0, 0, True, 38)
    assert not choice.pitched
