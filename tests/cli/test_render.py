"""`tnca-synth render`: a file, a report, and nothing half-written however it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_ensemble import fake_ensemble

from tnca_synth.cli import main
from tnca_synth.engine.open import OpenSynth
from tnca_synth.engine.render import file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SUPPORT = os.pathsep.join([str(ROOT / "tests" / "support"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
CANON = ROOT / "examples" / "canon.mid"
TOUR = ROOT / "examples" / "tour.mid"  # takes long enough to be interrupted in the midst of it
REPORTED = {
    "audio_seconds", "render_seconds", "rtf", "notes", "peak_voices", "peak_dbfs", "instruments", "substitutions",
    "silent_keys", "provider", "stems", "channels", "output", "warnings", "representation", "decoder", "sample_rate",
    "seed", "bit_depth", "gain_db", "loudness_lufs", "notes_left_out", "core", "why_provider",
}  # fmt: skip


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> OpenSynth:
    made = fake_ensemble()
    monkeypatch.setattr(file, "assemble_synth", lambda **options: made)
    return made


def test_it_reports_in_words(tmp_path: Path, fake: OpenSynth, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "canon.flac"
    assert main(["render", str(CANON), "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert re.match(re.escape(str(out)) + r": \d+\.\d s in \d+\.\d s \(.* times faster", captured.out)
    assert "instruments: Piano" in captured.out
    assert soundfile.info(out).samplerate == 1000


def test_json_is_one_object_on_stdout(tmp_path: Path, fake: OpenSynth, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_silence_is_null_in_json(tmp_path: Path, fake: OpenSynth, capsys: pytest.CaptureFixture[str]) -> None:
    fake.synth.fault = 0.0  # type: ignore[attr-defined]
    assert main(["render", str(CANON), "-o", str(tmp_path / "a.wav"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["peak_dbfs"] is None


def test_the_sound_lands_beside_the_song_by_default(
    tmp_path: Path, fake: OpenSynth, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "song.mid").write_bytes(CANON.read_bytes())
    assert main(["render", str(tmp_path / "song.mid")]) == 0
    assert sorted(os.listdir(tmp_path)) == ["song.mid", "song.wav"]


def test_all_options_reach_the_engine(tmp_path: Path, fake: OpenSynth, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}
    monkeypatch.setattr(file, "assemble_synth", lambda **options: seen.update(options) or fake)
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
        "instruments": (),
        "mapping": {},
        "kits_play_drums_alone": True,
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
    assert any(name.startswith("channel-01-") for name in os.listdir(tmp_path / "stems"))


@pytest.mark.parametrize(
    ("song", "out", "status", "told"),
    [
        ("none.mid", "a.wav", 1, "none.mid: cannot be read: No such file or directory"),
        ("text.mid", "a.wav", 1, "not a MIDI file"),
        ("cut.mid", "a.wav", 1, "the header has 2 bytes, expected at least 6"),
        ("good.mid", "a.mp3", 2, "its name must end in .wav or .flac"),
        ("good.mid", "no/a.wav", 1, "there is no folder"),
        ("good.mid", ".", 2, "must end in"),
        ("good.mid", "folder.wav", 1, "it is a folder"),
        ("good.mid", "pipe.wav", 1, "something that may not be overwritten has that name"),
        ("good.mid", "good.mid", 2, "must end in"),
        ("good.wav", "good.wav", 2, "is the MIDI file itself"),
        ("good.wav", "hard.wav", 2, "is the MIDI file itself"),
        ("good.wav", "Good.WAV", 2, "is the MIDI file itself"),
    ],
)
def test_bad_input_is_one_line_and_nothing_half_written(
    tmp_path: Path,
    fake: OpenSynth,
    song: str,
    out: str,
    status: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.mid").write_text("This is no MIDI file.")
    Path("cut.mid").write_bytes(CANON.read_bytes()[:10])
    for name in ("good.mid", "good.wav"):
        Path(name).write_bytes(CANON.read_bytes())
    Path("folder.wav").mkdir()
    os.link("good.wav", "hard.wav")
    os.mkfifo("pipe.wav")
    monkeypatch.setattr(file, "assemble_synth", None)  # nothing is rendered
    before = sorted(os.listdir())
    assert main(["render", song, "-o", out]) == status
    text = capsys.readouterr().err
    assert told in text
    assert text.count("\n") == 1
    assert sorted(os.listdir()) == before


SLOW_RENDER = """
import sys
from fake_ensemble import fake_ensemble
from tnca_synth.cli import main
from tnca_synth.engine.render import file as rendering
rendering.assemble_synth = lambda **options: fake_ensemble(slowness_s=0.2)
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


def test_two_interrupts_leave_nothing_either(tmp_path: Path) -> None:
    """The second comes while the half-written files are being removed."""
    script = SLOW_RENDER.replace(
        "sys.exit",
        "import time\nfrom tnca_synth.engine.output.audiofile import AudioWriter\ndiscard = AudioWriter.discard\n"
        "AudioWriter.discard = lambda self: (open(sys.argv[2], 'w').close(), time.sleep(0.3), discard(self))\nsys.exit",
    )
    (tmp_path / "song").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(CANON), str(tmp_path / "removing")],
        cwd=tmp_path / "song", env={**os.environ, "PYTHONPATH": SUPPORT}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        while not list(tmp_path.glob("song/stems/.*.part")) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        while not (tmp_path / "removing").exists() and process.poll() is None:
            time.sleep(0.02)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
            time.sleep(0.02)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors == "tnca-synth: error: interrupted\n"
    assert os.listdir(tmp_path / "song") == []


def test_an_interrupt_that_an_import_makes_another_error_of_is_an_interrupt(tmp_path: Path) -> None:
    """Compiled modules do so: numpy and ONNX Runtime among them."""
    (tmp_path / "soundfile.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    for _ in range(1000): pass\n"
        "except KeyboardInterrupt:\n    raise ImportError('multiarray failed to import') from None\n"
    )
    script = "import sys; from tnca_synth.cli import main; sys.exit(main())"
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script, "render", str(CANON), "-o", str(tmp_path / "a.wav")],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "tnca-synth: error: interrupted\n")
    assert os.listdir(tmp_path) == ["soundfile.py"] or sorted(os.listdir(tmp_path)) == ["__pycache__", "soundfile.py"]


FAKE_RENDER = SLOW_RENDER.replace("0.2", "0").replace(
    '"render", sys.argv[1], "-o", "a.wav", "--stems", "stems"', '"render", *sys.argv[1:]'
)


def through_pipes(tmp_path: Path, *arguments: str, song: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", FAKE_RENDER, *arguments], input=song, capture_output=True, timeout=60, check=False,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": SUPPORT},
    )  # fmt: skip


@pytest.mark.parametrize("extra", [[], ["--normalise", "-20"], ["--bit-depth", "16"], ["--stems", "stems"]])
def test_a_song_goes_in_and_a_sound_comes_out_through_pipes(tmp_path: Path, extra: list[str]) -> None:
    through = through_pipes(tmp_path, "-", "-o", "-", *extra, song=CANON.read_bytes())
    assert through.returncode == 0, through.stderr
    assert b"the sound: " in through.stderr
    extra = [one.replace("stems", "more") if one == "stems" else one for one in extra]
    assert through_pipes(tmp_path, str(CANON), "-o", "file.wav", *extra).returncode == 0
    (tmp_path / "piped.wav").write_bytes(through.stdout)
    piped, rate = soundfile.read(tmp_path / "piped.wav")
    assert rate == 1000
    assert np.abs(piped).max() > 0.01
    np.testing.assert_array_equal(piped, soundfile.read(tmp_path / "file.wav")[0])


def test_the_json_of_a_streamed_sound_is_on_stderr(tmp_path: Path) -> None:
    done = through_pipes(tmp_path, str(CANON), "-o", "-", "--json", "--seed", "5", "--gain", "-3")
    report = json.loads(done.stderr)
    assert set(report) == REPORTED
    assert (report["output"], report["seed"], report["gain_db"], report["sample_rate"]) == ("-", 5, -3.0, 1000)
    assert (report["representation"], report["decoder"], report["bit_depth"]) == ("dual", "harmonic", "24")
    assert done.stdout.startswith(b"RIFF")


def test_an_empty_standard_input_is_one_line(tmp_path: Path) -> None:
    done = through_pipes(tmp_path, "-", "-o", "a.wav")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"<stdin>" in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_reader_of_the_sound_that_leaves_is_no_error(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", FAKE_RENDER, str(CANON), "-o", "-"],
            stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False, env={**os.environ, "PYTHONPATH": SUPPORT},
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([str(CANON), "--gain", "nan"], "expected a number in -96..48, got 'nan'"),
        ([str(CANON), "--gain", "49"], "expected a number in -96..48, got '49'"),
        ([str(CANON), "--normalise", "3"], "expected a number in -70..0, got '3'"),
        ([str(CANON), "--gain", "1", "--normalise", "-16"], "--gain and --normalise exclude each other"),
        ([str(CANON), "--transpose", "500"], "expected a whole number in -127..127, got '500'"),
        ([str(CANON), "--transpose", "0.5"], "expected a whole number in -127..127, got '0.5'"),
        ([str(CANON), "--bit-depth", "8"], "invalid choice: '8'"),
        ([str(CANON), "--bit-depth", "32f", "-o", "a.flac"], "FLAC holds no floating point"),
        (["-"], "say -o OUT, or -o -"),
        ([str(CANON), "-o", ""], "must end in .wav or .flac"),
    ],
)
def test_a_wrong_call_is_one_line_and_renders_nothing(
    tmp_path: Path,
    arguments: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file, "assemble_synth", None)
    assert main(["render", *arguments]) == 2
    text = capsys.readouterr().err
    assert told in text
    assert text.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_sound_is_not_written_to_a_terminal(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", FAKE_RENDER, str(CANON), "-o", "-"],
        stdout=theirs, stderr=subprocess.PIPE, timeout=60, check=False, env={**os.environ, "PYTHONPATH": SUPPORT},
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert b"the standard output is a terminal" in done.stderr


def test_every_option_is_in_the_help_and_in_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--help"]) == 0
    told = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help", "--normalize"}
    page = (ROOT / "docs" / "rendering.md").read_text()
    documented = set(re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE))
    assert documented == told - {"--output"}
    assert "| `-o OUT` |" in page
