"""`tnca-synth render`: a file, a report, and nothing half-written however it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from fake_ensemble import fake_ensemble

from tnca_synth.cli import main
from tnca_synth.engine import offline
from tnca_synth.engine.ensemble import Ensemble

ROOT = Path(__file__).parents[2]
SUPPORT = os.pathsep.join([str(ROOT / "tests" / "support"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
CANON = ROOT / "examples" / "canon.mid"
TOUR = ROOT / "examples" / "tour.mid"  # takes long enough to be interrupted in the midst of it
REPORTED = {
    "audio_seconds", "render_seconds", "rtf", "notes", "peak_voices", "peak_dbfs", "instruments", "substitutions",
    "silent_keys", "provider", "stems", "channels", "output", "warnings",
}  # fmt: skip


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Ensemble:
    made = fake_ensemble()
    monkeypatch.setattr(offline, "open_ensemble", lambda **options: made)
    return made


def test_it_reports_in_words(tmp_path: Path, fake: Ensemble, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "canon.flac"
    assert main(["render", str(CANON), "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert re.match(re.escape(str(out)) + r": \d+\.\d s in \d+\.\d s \(.* times faster", captured.out)
    assert "instruments: Piano" in captured.out
    assert soundfile.info(out).samplerate == 1000


def test_json_is_one_object_on_stdout(tmp_path: Path, fake: Ensemble, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "canon.wav"
    assert main(["render", str(CANON), "-o", str(out), "--json", "--provider", "cuda"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert set(report) == REPORTED
    assert report["channels"][0] == {"number": 1, "port": 1, "channel": 1, "notes": report["channels"][0]["notes"]}
    assert sum(channel["notes"] for channel in report["channels"]) > 100
    assert report["output"] == str(out)
    assert report["provider"] == "cpu"
    assert report["warnings"] == ["CUDA was asked for, but ONNX Runtime cannot use it here; running on the CPU"]
    assert captured.err == f"tnca-synth: warning: {report['warnings'][0]}\n"


def test_silence_is_null_in_json(tmp_path: Path, fake: Ensemble, capsys: pytest.CaptureFixture[str]) -> None:
    fake.synth.fault = 0.0  # type: ignore[attr-defined]
    assert main(["render", str(CANON), "-o", str(tmp_path / "a.wav"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["peak_dbfs"] is None


def test_the_sound_lands_beside_the_song_by_default(
    tmp_path: Path, fake: Ensemble, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "song.mid").write_bytes(CANON.read_bytes())
    assert main(["render", str(tmp_path / "song.mid")]) == 0
    assert sorted(os.listdir(tmp_path)) == ["song.mid", "song.wav"]


def test_all_options_reach_the_engine(tmp_path: Path, fake: Ensemble, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}
    monkeypatch.setattr(offline, "open_ensemble", lambda **options: seen.update(options) or fake)
    wishes = "--instrument Piano --representation mel --decoder griffin-lim --sample-rate 8000 --seed 7 --provider cpu "
    wishes += "--workers 3 --growth-cc"
    arguments = [
        *wishes.split(),
        "--stems",
        str(tmp_path / "stems"),
        "--bank",
        "my.bank",
        "-o",
        str(tmp_path / "a.wav"),
    ]
    assert main(["render", str(CANON), *arguments]) == 0
    assert seen == {
        "instrument": "Piano",
        "representation": "mel",
        "decoder": "griffin-lim",
        "sample_rate": 8000,
        "seed": 7,
        "provider": "cpu",
        "stems": True,
        "bank_path": Path("my.bank"),
        "workers": 3,
        "num_ports": 1,
        "growth_controllers": True,
    }
    assert "channel-01.wav" in os.listdir(tmp_path / "stems")


@pytest.mark.parametrize(
    ("song", "out", "told"),
    [
        ("none.mid", "a.wav", "none.mid: cannot be read: No such file or directory"),
        ("text.mid", "a.wav", "not a MIDI file"),
        ("cut.mid", "a.wav", "truncated"),
        ("good.mid", "a.mp3", "its name must end in .wav or .flac"),
        ("good.mid", "no/a.wav", "there is no folder"),
        ("good.mid", ".", "must end in"),
    ],
)
def test_bad_input_is_one_line_and_nothing_half_written(
    tmp_path: Path,
    fake: Ensemble,
    song: str,
    out: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.mid").write_text("This is no MIDI file.")
    Path("cut.mid").write_bytes(CANON.read_bytes()[:300])
    Path("good.mid").write_bytes(CANON.read_bytes())
    before = sorted(os.listdir())
    assert main(["render", song, "-o", out]) == 1
    text = capsys.readouterr().err
    assert told in text
    assert text.count("\n") == 1
    assert sorted(os.listdir()) == before


SLOW_RENDER = """
import sys
from fake_ensemble import fake_ensemble
from tnca_synth.cli import main
from tnca_synth.engine import offline
offline.open_ensemble = lambda **options: fake_ensemble(slowness_s=0.2)
sys.exit(main(["render", sys.argv[1], "-o", "a.wav", "--stems", "stems"]))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_render_leaves_nothing(tmp_path: Path, number: int, status: int) -> None:
    environment = {**os.environ, "PYTHONPATH": SUPPORT}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_RENDER, str(CANON)],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not list(tmp_path.glob("stems/.*.part")) and process.poll() is None:
            time.sleep(0.02)
        assert list(tmp_path.glob(".*.part"))
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == status
    assert "Traceback" not in errors
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("wait_s", [0.0, 1.0])
def test_ctrl_c_ends_helpers_too_and_quietly(tmp_path: Path, wait_s: float) -> None:
    script = "import sys; from tnca_synth.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "render", str(TOUR), "-o", "a.wav", "--workers", "2"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while not list(tmp_path.glob(".*.part")) and process.poll() is None:
        time.sleep(0.01)
    time.sleep(wait_s)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all of them get it
    _, errors = process.communicate(timeout=60)  # until the last of them has closed its end
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert os.listdir(tmp_path) == []


def test_a_terminal_sees_progress_on_stderr_only(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": SUPPORT, "TERM": "xterm", "COLUMNS": "80"}
    ours, theirs = os.openpty()
    script = SLOW_RENDER.replace("0.2", "0.01")
    done = subprocess.run(
        [sys.executable, "-c", script, str(CANON)],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=True,
    )  # fmt: skip
    os.close(theirs)
    drawn = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "rendering" in drawn
    assert "%" in drawn
    assert "rendering" not in done.stdout.decode()
