"""The instrument as a client of a JACK server of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tnca_synth.live.benchmark.jack_probe import JackProbe, JackServer
from tnca_synth.midi.messages import note_on

pytestmark = pytest.mark.device
RATE, PERIOD = 48_000, 256


@pytest.fixture
def server() -> Iterator[JackServer]:
    with JackServer(RATE, PERIOD, f"bridge-{os.getpid()}") as one:
        yield one


def start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tnca_synth", "jack", "--no-connect", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def heard(probe: JackProbe, strike: bytes, seconds: float) -> tuple[np.ndarray, int]:
    """Send a note; return what came, (N,), and at which frame after the note it began."""
    with probe.capture() as blocks:
        sent = probe.send(strike, probe.frame + 20 * probe.block_size + 77)
        time.sleep(seconds)
    audio = np.concatenate([block for _, block in blocks])[:, 0]
    first = int(np.flatnonzero(np.abs(audio) > 1e-3)[0])
    return audio, blocks[0][0] + first - sent


def test_it_plays_with_the_latency_that_it_tells_and_follows_the_period(server: JackServer, folder: Path) -> None:
    program = start("--name", "grown", "--instrument", "violin")
    assert program.stdout is not None
    try:
        assert program.stdout.readline() == "running\n"
        with JackProbe("probe") as probe:
            probe.connect_midi("grown")
            probe.connect_audio("grown")
            onsets = []
            for period in (1024, 2048):  # of short ones a machine with other work is late now and then
                probe.set_period(period)
                time.sleep(1.0)
                audio, onset = heard(probe, note_on(0, 67, 110), 1.5)
                onsets.append(onset - bridge_client_latency(period) - period)  # it comes back a period later
                assert np.abs(audio).max() > 0.01
        assert all(abs(onset) <= 8 for onset in onsets), onsets  # what a note begins with is too quiet to count
    finally:
        program.send_signal(signal.SIGINT)
        assert program.wait(10) == 130
        program.communicate()


def bridge_client_latency(period: int) -> int:
    return max(period, 256) + RATE // 1000


def test_without_a_server_one_line_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nobody-is-here")
    program = start()
    _, errors = program.communicate(timeout=30)
    assert program.returncode == 1 and "no JACK server runs" in errors


def test_it_ends_with_the_server(server: JackServer, folder: Path) -> None:
    program = start()
    assert program.stdout is not None and program.stdout.readline() == "running\n"
    server.stop()
    _, errors = program.communicate(timeout=20)
    assert program.returncode == 1 and "the JACK server has ended" in errors
