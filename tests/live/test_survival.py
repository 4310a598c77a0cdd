"""Live play survives what happens: terminals that close, signals, engines that die. Real processes, a real server."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tnca_synth.errors import TncaError
from tnca_synth.live.benchmark.jack_probe import JackServer
from tnca_synth.live.session.process import STOPPING
from tnca_synth.live.session.session import LiveOptions, LiveSession
from tnca_synth.midi.files.song import read_midi_file
from tnca_synth.midi.messages import ALL_SOUND_OFF, control_change, note_on

pytestmark = pytest.mark.device

PERIOD, RATE = 256, 48000
SERVER = f"tnca-survival-{os.getpid()}"
PLAY = [sys.executable, "-m", "tnca_synth", "play", "--block-size", str(PERIOD)]


@pytest.fixture(scope="module")
def server() -> Iterator[JackServer]:
    with JackServer(RATE, PERIOD, SERVER) as running:
        yield running


def wait_until(is_true: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def is_running(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children_of(process_id: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process_id and b"spawn_main" in (path.parent / "cmdline").read_bytes():
            found.append(int(path.parent.name))
    return found


def await_recorded(folder: Path, num_bytes: int = 60_000) -> None:
    """Wait until so much is on the disk, a fifth of a second of a WAV file."""
    wait_until(lambda: any(path.stat().st_size > num_bytes for path in folder.glob(".*.part")))


def assert_complete(folder: Path, name: str = "take.wav") -> float:
    """Assert that a recording is there, whole, and nothing else; return its length in seconds."""
    assert sorted(path.name for path in folder.iterdir()) == sorted([name, Path(name).stem + ".mid"])
    sound, rate = soundfile.read(folder / name)
    assert rate == RATE
    data = (folder / name).read_bytes()
    assert int.from_bytes(data[4:8], "little") == len(data) - 8, "the header tells the length"
    midi = (folder / name).with_suffix(".mid").read_bytes()
    assert midi[14:18] == b"MTrk" and int.from_bytes(midi[18:22], "big") == len(midi) - 22
    assert midi.endswith(b"\xff\x2f\x00")
    return len(sound) / rate


# A program that plays, in a pty's shell or group of its own: it tells when it is playing, and strikes a key.
PLAYER = """
import sys, time
from pathlib import Path
from tnca_synth.cli import play
from tnca_synth.live.session import session
from tnca_synth.midi.messages import note_on
class Session(session.LiveSession):
    def start(self, timeout_s=60.0):
        super().start(timeout_s)
        self.send(note_on(0, 60, 100))
        while not self.status().voices:
            time.sleep(0.01)
        Path(sys.argv.pop()).write_text(str(self.process_id))
if __name__ == "__main__":
    from tnca_synth.cli import main
    session.LiveSession, arguments = Session, sys.argv[1:-1]
    sys.exit(main(arguments))
"""


class Played:
    """A program that records, started as `start` wants it; its engine plays a note."""

    def __init__(self, folder: Path, start: Callable[[list[str]], int], *arguments: str) -> None:
        self.folder, self.take, self._sign = folder, folder / "takes", folder / "playing"
        self.take.mkdir()
        script = folder / "player.py"
        script.write_text(PLAYER)
        options = ["play", "--block-size", str(PERIOD), "--record", str(self.take / "take.wav"), *arguments]
        self.process_id = start([sys.executable, str(script), *options, str(self._sign)])
        wait_until(lambda: self._sign.is_file() and bool(self._sign.read_text()))
        self.engine = int(self._sign.read_text())
        await_recorded(self.take)

    def wait(self) -> None:
        wait_until(lambda: not is_running(self.engine))
        wait_until(lambda: not any(path.suffix in (".part", ".journal") for path in self.take.iterdir()))


@pytest.fixture
def terminal(server: JackServer) -> Iterator[Callable[[list[str]], int]]:
    """Give a function that runs a command from an interactive shell in a terminal; its `close` closes the window."""
    opened: list[tuple[int, int]] = []

    def start(command: list[str]) -> int:
        process_id, ours = pty.fork()
        if not process_id:
            os.environ.update(TERM="xterm-256color", PS1="", HISTFILE="")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        opened.append((process_id, ours))
        os.write(ours, shlex.join(command).encode() + b"\n")
        return process_id

    def close() -> None:
        process_id, ours = opened.pop()
        os.close(ours)
        os.waitpid(process_id, 0)

    start.close = close  # type: ignore[attr-defined]
    yield start
    while opened:
        os.kill(opened[-1][0], signal.SIGKILL)
        close()


@pytest.mark.parametrize("arguments", [["--quiet"], []], ids=["lines", "screen"])
def test_closing_the_terminal_keeps_the_recording(terminal, tmp_path: Path, arguments: list[str]) -> None:
    played = Played(tmp_path, terminal, *arguments)
    terminal.close()
    played.wait()
    assert assert_complete(played.take) > 0.2


@pytest.fixture
def group(server: JackServer) -> Iterator[Callable[[list[str]], int]]:
    """Give a function that runs a command in a process group of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(command: list[str]) -> int:
        null = subprocess.DEVNULL
        started.append(subprocess.Popen(command, start_new_session=True, stdin=null, stdout=null))
        return started[-1].pid

    def wait() -> int:
        return started[-1].wait(60)

    start.wait = wait  # type: ignore[attr-defined]
    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        ([signal.SIGTERM], 143),
        ([signal.SIGHUP], 129),
        ([signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTERM], 143),
    ],
    ids=["TERM", "HUP", "one after the other"],
)
def test_a_signal_to_all_processes_keeps_the_recording(group, tmp_path: Path, numbers: list[int], status: int) -> None:
    played = Played(tmp_path, group)
    os.killpg(played.process_id, numbers[0])
    for number in numbers[1:]:  # while the first is being obeyed, and while the take is being completed
        time.sleep(0.03)
        os.killpg(played.process_id, number)
    assert group.wait() == status
    played.wait()
    assert assert_complete(played.take) > 0.2


def test_two_interrupts_keep_the_recording(group, tmp_path: Path) -> None:
    played = Played(tmp_path, group)
    for _ in range(2):
        os.killpg(played.process_id, signal.SIGINT)
    assert group.wait() in (0, 130)
    played.wait()
    assert assert_complete(played.take) > 0.2


def test_a_player_that_is_killed_leaves_a_recording_and_no_engine(group, tmp_path: Path) -> None:
    played = Played(tmp_path, group)
    os.kill(played.process_id, signal.SIGKILL)
    played.wait()
    assert assert_complete(played.take) > 0.2


FORGETFUL = f"""
import sys, time
from pathlib import Path
from tnca_synth.live.session.session import LiveOptions, LiveSession
if __name__ == "__main__":
    session = LiveSession(LiveOptions(block_size={PERIOD}, record=Path(sys.argv[1])))
    session.start(60.0)
    time.sleep(0.3)
"""


def test_a_program_that_forgets_to_close_ends_and_keeps_the_recording(server: JackServer, tmp_path: Path) -> None:
    script, take = tmp_path / "forgetful.py", tmp_path / "takes"
    script.write_text(FORGETFUL)
    take.mkdir()
    subprocess.run([sys.executable, str(script), str(take / "take.wav")], check=True, timeout=120)
    assert assert_complete(take) > 0.1


def test_signals_end_no_engine_neither_while_it_starts_nor_while_it_plays(server: JackServer) -> None:
    """They reach all processes of a terminal; the player's decides what they mean."""
    session = LiveSession(LiveOptions(block_size=PERIOD))

    def signal_all() -> None:
        for number in STOPPING:
            assert session.process_id is not None
            os.kill(session.process_id, number)

    def from_its_first_moment() -> None:
        wait_until(lambda: session.process_id is not None)
        signal_all()

    sender = threading.Thread(target=from_its_first_moment)
    sender.start()
    session.start(60.0)
    sender.join()
    engine = session.process_id
    signal_all()
    session.send(note_on(0, 60, 100))
    wait_until(lambda: session.status().voices == 1)
    assert session.process_id == engine
    assert not [line for line in session.status().notices if "started again" in line]
    session.close()


def kill_engine(session: LiveSession) -> None:
    before = session.process_id
    assert before is not None
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: bool(session.status()) and session.process_id != before)
    wait_until(lambda: bool(session.status()) and session._is_ready)


def test_an_engine_that_is_killed_is_started_again_as_it_was(server: JackServer, tmp_path: Path) -> None:
    """Instrument, decoder, learned controls and the channels' state are those of before; the take is one."""
    path = tmp_path / "take.wav"
    with LiveSession(LiveOptions(block_size=PERIOD, record=path)) as session:
        session.select_instrument("church-organ")
        session.select_decoder("griffin-lim")
        session.learn("volume")
        session.send(control_change(0, 21, 0))  # becomes volume, and is 0
        session.send(control_change(1, 74, 90))
        session.send(note_on(1, 60, 100))
        wait_until(lambda: session.status().voices == 1 and session.status().learned == (21, "volume"))
        await_recorded(tmp_path, 150_000)
        wait_until(lambda: bool(session.status()) and len(session._messages) >= 2)
        kill_engine(session)
        status = session.status()
        assert (status.instrument, status.decoder, status.voices) == ("church-organ", "griffin-lim", 0)
        assert "ended by signal 9: it is started again; the recording will go on" in " ".join(status.notices)
        session.send(note_on(0, 64, 100))
        wait_until(lambda: session.status().voices == 1)
        time.sleep(0.2)
        assert session.status().peak_left_db == -120.0, "its volume is 0"
        session.send(control_change(0, 21, 127))
        wait_until(lambda: session.status().peak_left_db > -60.0)
    assert assert_complete(tmp_path) > 0.5
    messages = read_midi_file(tmp_path / "take.mid").messages
    starts = [message for message in messages if message.data[0] & 0xF0 == 0x90]
    assert [message.data[1] for message in starts] == [60, 64]
    cuts = [
        message.time_s for message in messages if message.data[0] & 0xF0 == 0xB0 and message.data[1] == ALL_SOUND_OFF
    ]
    assert len(set(cuts)) == 1 and starts[0].time_s < cuts[0] < starts[1].time_s
    sound, _ = soundfile.read(path)
    at = round(cuts[0] * RATE)
    assert np.abs(sound[at - RATE // 20 : at]).max() > 0.001
    assert np.abs(sound[-RATE // 20 :]).max() > 0.0


def test_an_engine_that_dies_again_and_again_is_one_line_and_the_recording_is_kept(
    server: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tnca_synth.live.session.session.RESTARTS", 1)
    session = LiveSession(LiveOptions(block_size=PERIOD, record=tmp_path / "take.wav"))
    session.start(60.0)
    await_recorded(tmp_path)
    kill_engine(session)
    assert session.process_id is not None
    os.kill(session.process_id, signal.SIGKILL)

    def says_so() -> bool:
        try:
            session.status()
        except TncaError as error:
            assert "\n" not in str(error)
            return "ended unexpectedly, by signal 9" in str(error)
        return False

    wait_until(says_so)
    session.close()
    session.close()
    assert assert_complete(tmp_path) > 0.2


def test_an_engine_that_dies_while_it_completes_a_recording_leaves_it_to_the_player(
    server: JackServer, tmp_path: Path
) -> None:
    session = LiveSession(LiveOptions(block_size=PERIOD, record=tmp_path / "take.flac"))
    session.start(60.0)
    session.send(note_on(0, 60, 100))
    await_recorded(tmp_path, 20_000)
    assert session.process_id is not None
    os.kill(session.process_id, signal.SIGSTOP)  # it will not get to it
    session._tell("close")
    os.kill(session.process_id, signal.SIGKILL)
    session.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["take.flac", "take.mid"]
    assert np.abs(soundfile.read(tmp_path / "take.flac")[0]).max() > 0.001
