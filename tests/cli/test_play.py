"""`tnca-synth --midi-in` plays: what is asked for is understood, told in plain lines, and ended cleanly."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_session import STATUS, FakeSession

from tnca_synth.cli import commands, main, play
from tnca_synth.errors import DeviceError
from tnca_synth.live.protocol import LiveOptions
from tnca_synth.live.session import session as session_module

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FAKE = """
import sys
from contextlib import suppress
from fake_session import FakeSession
from tnca_synth.live.session import session
class Session(FakeSession):
    def close(self):
        if ("close", None) not in self.told:
            with suppress(OSError):  # of a terminal that has gone
                print("closed", file=sys.stderr, flush=True)
        super().close()
session.LiveSession = Session
from tnca_synth.cli import main
sys.exit(main(sys.argv[1:]))
"""


Played = tuple[subprocess.Popen[bytes], io.FileIO]
CONTROLLED = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
"""


@pytest.fixture(autouse=True)
def _no_settings_but_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[FakeSession]:
    """Collect the sessions that are made; each is played for three looks and then interrupted."""
    made: list[FakeSession] = []

    def make(options: LiveOptions) -> FakeSession:
        made.append(FakeSession(options))
        return made[-1]

    looks = iter(range(1000))

    def sleep(time_s: float) -> None:
        if next(looks) % 3 == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(session_module, "LiveSession", make)
    monkeypatch.setattr(play, "time", type("Clock", (), {"sleep": sleep, "monotonic": time.monotonic}))
    return made


def options_of(sessions: list[FakeSession], *arguments: str) -> LiveOptions:
    assert main([*arguments, "--quiet"]) == 0
    options = sessions[-1].options
    assert options is not None
    return options


def test_nothing_asked_for_is_the_defaults(sessions: list[FakeSession]) -> None:
    assert options_of(sessions, "--midi-in") == LiveOptions()
    assert options_of(sessions, "play") == LiveOptions()


def test_every_option_arrives(sessions: list[FakeSession], tmp_path: Path) -> None:
    asked = options_of(
        sessions, "--midi-in", "2", "--midi-in", "Nano", "--midi-in", "--audio-out", "Scarlett", "--host-api", "JACK",
        "--sample-rate", "48000", "--block-size", "64", "--instrument", "cello", "--lock-instrument", "40",
        "--representation", "mel",
        "--decoder", "vocoder", "--channel", "16", "--max-voices", "12", "--record", "take.wav", "--seed", "7",
        "--provider", "cpu", "--bank", "mine", "--growth-cc",
    )  # fmt: skip
    assert asked == LiveOptions(
        midi_in=("2", "Nano"), audio_out="Scarlett", host_api="JACK", sample_rate=48_000, block_size=64,
        instrument="cello", lock_instrument="40", representation="mel", decoder="vocoder", channel=16, max_voices=12,
        record=Path("take.wav"), seed=7, provider="cpu", bank_path=Path("mine"), growth_cc=True,
    )  # fmt: skip


def test_the_command_line_goes_before_the_settings(sessions: list[FakeSession], tmp_path: Path) -> None:
    settings = tmp_path / "tnca-synth.toml"
    settings.write_text('midi-in = "Nano"\ninstrument = "flute"\nblock-size = 64\n[cc]\n21 = "reverb"\n')
    expected = LiveOptions(midi_in=("Nano",), instrument="cello", block_size=64, cc_map={21: "reverb"})
    assert options_of(sessions, "--midi-in", "--instrument", "cello") == expected
    settings.rename(tmp_path / "other.toml")
    assert options_of(sessions, "--instrument", "cello").midi_in == ()
    assert options_of(sessions, "--instrument", "cello", "--settings", "other.toml") == expected
    Path("other.toml").write_text('[map]\n0 = "harp"\n40 = "cello"\n', encoding="utf-8")
    mapped = options_of(sessions, "--map", "0=x.tnca", "--map", "drums=kit.tnca", "--settings", "other.toml").mapping
    assert mapped == {"0": "x.tnca", "40": "cello", "drums": "kit.tnca"}, "the command line goes before the settings"


def test_growth_by_controllers_is_off_on_and_off_again(sessions: list[FakeSession], tmp_path: Path) -> None:
    assert not options_of(sessions, "play").growth_cc
    (tmp_path / "tnca-synth.toml").write_text("growth-cc = true\n")
    assert options_of(sessions, "play").growth_cc
    assert not options_of(sessions, "play", "--no-growth-cc").growth_cc


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--blok-size", "3"], "unrecognized arguments: --blok-size 3 (did you mean --block-size?)"),
        (["--midi-in", "1", "--qiet"], "unrecognized arguments: --qiet (did you mean --quiet?)"),
        (["--zzz"], "unrecognized arguments: --zzz (try: tnca-synth play --help)"),
        (["--block-size", "3"], "argument --block-size: expected a whole number in 16..8192, got '3'"),
        (["--block-size", "many"], "expected a whole number in 16..8192, got 'many'"),
        (["--channel", "0"], "argument --channel: expected a whole number in 1..16, got '0'"),
        (["--sample-rate", "1"], "argument --sample-rate: expected a whole number in 8000..192000, got '1'"),
        (["--max-voices", "0"], "argument --max-voices: expected a whole number in 1..1024, got '0'"),
        (["--seed", "-1"], "argument --seed: expected"),
        (["--decoder", "harmonc"], "unknown decoder 'harmonc': did you mean 'harmonic'?"),
        (["--representation", "duel"], "unknown representation 'duel': did you mean 'dual'?"),
        (["--provider", "gpu"], "unknown provider 'gpu': "),
        (["--record", "take.mp3"], "argument --record: expected a name that ends in .wav or .flac, got 'take.mp3'"),
        (["--record", "no/take.wav"], "argument --record: cannot write no/take.wav: its folder does not exist"),
        (["--instrument", ""], "argument --instrument: expected a text, got ''"),
        (["--instrument"], "argument --instrument: expected one argument"),
        (["--settings", "none.toml"], "cannot read the settings none.toml: No such file or directory"),
    ],
)
def test_a_wrong_value_is_one_line_and_status_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tnca-synth: error: ")
    assert told in captured.err
    assert captured.err.count("\n") == 1


def test_wrong_settings_are_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tnca-synth.toml").write_text('instrumnt = "cello"\n')
    assert main(["--midi-in"]) == 2
    assert capsys.readouterr().err == (
        "tnca-synth: error: tnca-synth.toml: unknown setting 'instrumnt': did you mean 'instrument'?\n"
    )


def test_a_bare_call_shows_the_two_ways_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert "tnca-synth --midi-in [PORT]" in text
    assert "tnca-synth COMMAND" in text


def test_plain_lines_tell_what_plays_and_how_it_went(
    sessions: list[FakeSession], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--midi-in"]) == 0  # stdout is no terminal here
    assert capsys.readouterr().out.splitlines() == [
        "playing cello (dual, harmonic) from Keystation 49 MK3 on JACK Audio Connection Kit: system, 48,000 Hz, "
        "blocks of 128, latency 7.4 ms",
        *STATUS.notices,
        "played for 0:00 min, 0 underruns, 0 xruns",
    ]
    assert [what for what, _ in sessions[0].told] == ["start", "close"]


def test_a_recording_is_told(
    sessions: list[FakeSession], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--record", "take.wav"]) == 0
    assert "recorded" not in capsys.readouterr().out
    monkeypatch.setattr(FakeSession, "close", lambda session: (tmp_path / "take.wav").touch())
    assert main(["--record", "take.wav"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "recorded in take.wav and take.mid"


def test_what_cannot_start_is_one_line_and_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = FakeSession()
    session.failure = DeviceError("there is no audio output")
    monkeypatch.setattr(session_module, "LiveSession", lambda options: session)
    assert main(["--midi-in"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "tnca-synth: error: there is no audio output\n")
    assert session.told[-1] == ("close", None)


@contextmanager
def playing(*arguments: str, **popen: Any) -> Iterator[subprocess.Popen[str]]:
    """Play a fake session in a process, and wait for its first line."""
    paths = os.pathsep.join([str(ROOT / "tests" / "support"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    process = subprocess.Popen(
        [sys.executable, "-c", FAKE, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": paths}, **popen,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("playing cello")
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["INT", "TERM", "HUP"]
)
def test_signals_end_it_cleanly(number: int, status: int) -> None:
    with playing("--midi-in") as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert err == "closed\n"
    assert out.splitlines()[-1].startswith("played for 0:0")


def test_it_plays_on_though_its_input_is_empty() -> None:
    with playing("--midi-in") as process, pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)


def test_a_reader_that_leaves_ends_it_cleanly() -> None:
    with playing("--midi-in") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 141
        assert process.stderr.read() == "closed\n"
        process.stdout = None


@pytest.fixture
def terminal() -> Iterator[Callable[..., Played]]:
    """Give a function that plays a fake session in a terminal of 80 by 24."""
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    made: list[Played] = []

    def play_in_terminal(*arguments: str, **environment: str) -> Played:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        paths = os.pathsep.join([str(ROOT / "tests" / "support"), os.environ.get("PYTHONPATH", "")])
        process = subprocess.Popen(
            [sys.executable, "-c", CONTROLLED + FAKE, *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONPATH": paths, **environment},
        )  # fmt: skip
        os.close(theirs)
        made.append((process, io.FileIO(ours, "r+")))
        return made[-1]

    yield play_in_terminal
    for process, ours in made:
        process.kill()
        process.wait()
        ours.close()


def read_until(terminal: io.FileIO, text: bytes) -> bytes:
    """Read what a terminal shows until a text comes."""
    seen = b""
    while text not in seen:
        more = terminal.read(65536)
        assert more
        seen += more
    return seen


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "Ctrl-C"])
def test_on_a_terminal_there_is_a_screen_that_keys_end(terminal: Callable[..., Played], key: bytes) -> None:
    process, screen = terminal("--midi-in")
    read_until(screen, b"Messages")
    screen.write(key)
    seen = read_until(screen, b"closed")
    assert b"\x1b[?1049l" in seen  # the terminal as it was
    assert b"played for 0:0" in seen
    assert process.wait(timeout=30) == 0


def test_a_terminal_that_is_closed_ends_the_screen_cleanly(
    terminal: Callable[..., Played],
) -> None:
    process, screen = terminal("--midi-in")
    read_until(screen, b"Messages")
    screen.close()
    assert process.wait(timeout=30) == 129


@pytest.mark.parametrize(
    ("arguments", "environment"), [(["--quiet"], {}), (["--midi-in"], {"TERM": "dumb"})], ids=["quiet", "dumb"]
)
def test_a_terminal_can_have_plain_lines_that_its_end_of_input_ends(
    terminal: Callable[..., Played], arguments: list[str], environment: dict[str, str]
) -> None:
    process, screen = terminal(*arguments, **environment)
    seen = read_until(screen, b"playing cello")
    assert b"\x1b[" not in seen
    screen.write(b"typed by chance\n")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    screen.write(b"\x04")
    read_until(screen, b"played for")
    assert process.wait(timeout=30) == 0


def test_play_is_not_offered_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "COMMANDS", tuple(one for one in commands.COMMANDS if one.name != "play"))
    assert main(["--midi-in"]) == 2
    assert "the following arguments are required: COMMAND" in capsys.readouterr().err
