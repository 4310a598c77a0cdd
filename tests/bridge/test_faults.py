"""Engines and hosts that are missing, strange, killed or stopped."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bridge_client
import numpy as np
import pytest
from bridge_client import Client, bounce, engine_of, engines, lose, play, play_until, players_of

from tnca_synth.bridge.parameters import INDEX
from tnca_synth.midi.messages import control_change, note_on, program_change

OpenClient = Callable[..., Client]
RATE, BLOCK = 48_000, 256


@pytest.fixture
def own_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder without an engine; one that was started there ends with the test."""
    with bridge_client.environment(tmp_path, players=2):
        yield tmp_path
    for process in engines(tmp_path):
        os.kill(process, signal.SIGKILL)


def wait_for(condition: Callable[[], bool], limit_s: float) -> float:
    """Return how long it took until something was so, in seconds."""
    began_s = time.monotonic()
    while not condition():
        assert time.monotonic() - began_s < limit_s
        time.sleep(0.02)
    return time.monotonic() - began_s


@pytest.mark.parametrize("rounds", [1, pytest.param(9, marks=pytest.mark.slow)])
def test_an_engine_killed_or_stopped_is_replaced_within_a_second(
    open_client: OpenClient, folder: Path, rounds: int
) -> None:
    chance = random.Random(1)
    client = open_client()
    silent_s, blocks_s = [], []
    for number in [signal.SIGKILL, signal.SIGSTOP] * rounds:
        waits, silence = lose(client, RATE, BLOCK, 0.1 * chance.random(), engine_of(folder), number)
        silent_s.append(silence)
        blocks_s += waits
    assert client.status.restarts == 2 * rounds
    assert np.median(silent_s) < 1.0
    assert client.waits == 0 and np.median(blocks_s) < 0.25 * BLOCK / RATE  # single ones are the scheduler's


def test_what_was_set_is_set_again_after_a_loss(open_client: OpenClient, folder: Path) -> None:
    client = open_client()
    client.set_parameter(INDEX["growth_rate"], 1.5)
    setting = [
        (0, control_change(0, 0, 0)),
        (0, program_change(0, 73)),
        (0, control_change(0, 7, 80)),
        (0, control_change(0, 101, 0)),
        (0, control_change(0, 100, 2)),
        (0, control_change(0, 6, 66)),  # two semitones higher
        (0, bytes((0xE0, 0, 80))),
        (0, bytes.fromhex("f07f7f04010050f7")),
    ]
    note = [(1000, note_on(0, 60, 100))]
    before = bounce(client, [*setting, *note], 9_000, random.Random(1))
    os.kill(engine_of(folder), signal.SIGKILL)
    wait_for(lambda: client.status.restarts == 1 and client.status.name == "running", 10.0)
    assert np.array_equal(bounce(client, note, 9_000, random.Random(1)), before)


def test_an_offline_host_waits_for_the_next_engine(open_client: OpenClient, folder: Path) -> None:
    client = open_client()
    client.process(BLOCK, [(0, program_change(0, 19)), (0, note_on(0, 60, 100))], offline=True)
    os.kill(engine_of(folder), signal.SIGKILL)
    blocks = [client.process(BLOCK, [(0, note_on(0, 60, 100))], offline=True) for _ in range(60)]
    assert np.abs(blocks[-1]).max() > 1e-3


def test_without_an_engine_there_is_silence_and_a_reason(library, tmp_path: Path) -> None:
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho 'the bank is damaged' >&2\nexit 1\n")
    script.chmod(0o700)
    for engine, words in (("/nowhere/tnca-synth", "is tnca-synth installed?"), (str(script), "the bank is damaged")):
        with bridge_client.environment(tmp_path, engine):
            client = Client(library)
            client.activate(RATE, BLOCK, 5_000)
            began_s = time.perf_counter()
            assert not client.process(BLOCK, [(0, note_on(0, 60, 100))], offline=True).any()
            assert time.perf_counter() - began_s < 0.5
            assert client.status.name == "missing" and words in client.status.text.decode()
            client.close()


def test_an_engine_of_another_version_is_named(library, own_folder: Path) -> None:
    script = f"""
import os, socket, sys
from tnca_synth.bridge.layout import *
folder = {str(own_folder)!r} + "/" + FOLDER
os.mkdir(folder, 0o700)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(folder + "/" + SOCKET); listener.listen()
print("ready", flush=True)
end, _ = listener.accept()
end.recv(1000)
hello = bytes(Hello(99, os.getpid(), b"9.9.9"))
end.send(bytes(Packet(MAGIC, 99, PacketKind.REFUSED, len(hello), 0)) + hello)
end.recv(1000)
"""
    engine = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert engine.stdout is not None and engine.stdout.readline() == b"ready\n"
    client = Client(library)
    client.activate(RATE, BLOCK, 5_000)
    assert client.status.name == "other version"
    assert "9.9.9" in client.status.text.decode() and "version 99" in client.status.text.decode()
    client.close()
    engine.communicate(timeout=10)


@pytest.mark.slow
def test_one_engine_serves_all_hosts_and_leaves_after_the_last(library, own_folder: Path) -> None:
    """And its processes share the clients out."""
    host = subprocess.Popen([sys.executable, "-c", HOST], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert host.stdout is not None and host.stdout.readline() == b"running\n"
    clients = [Client(library) for _ in range(3)]
    for client in clients:
        client.activate(RATE, BLOCK, 30_000)
        play_until(client, RATE, BLOCK, is_loud=True)
    players = players_of(own_folder)
    assert sorted(map(links_of, players)) == [2, 2]
    host.kill()
    host.communicate()
    wait_for(lambda: sorted(map(links_of, players)) == [1, 2], 5.0)
    fourth = Client(library)
    fourth.activate(RATE, BLOCK, 30_000)
    assert sorted(map(links_of, players)) == [2, 2]
    for client in (*clients, fourth):
        play_until(client, RATE, BLOCK, is_loud=True)
        client.close()
    assert wait_for(lambda: not engines(own_folder), 10.0) < 5.0
    assert sorted(os.listdir(own_folder / "tnca-synth")) == ["bridge.lock", "engine.log"]


def test_a_process_that_dies_takes_no_other_client_along(library, own_folder: Path) -> None:
    clients = [Client(library) for _ in range(2)]
    for client in clients:
        client.activate(RATE, BLOCK, 30_000)
    victim, survivor = players_of(own_folder)
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: sorted(client.status.restarts for client in clients) == [0, 1], 5.0)
    wait_for(lambda: all(client.status.name == "running" for client in clients), 5.0)
    assert links_of(survivor) == 1 and len(players_of(own_folder)) == 2
    for client in clients:
        play_until(client, RATE, BLOCK, is_loud=True)
        client.close()


def test_what_plays_goes_on_when_the_keeper_dies_and_others_find_a_new_one(library, own_folder: Path) -> None:
    first, second = Client(library), Client(library)
    first.activate(RATE, BLOCK, 30_000)
    (player,) = players_of(own_folder)
    (keeper,) = set(engines(own_folder)) - {player}
    os.kill(keeper, signal.SIGKILL)
    play_until(first, RATE, BLOCK, is_loud=True)
    second.activate(RATE, BLOCK, 30_000)
    play_until(second, RATE, BLOCK, is_loud=True)
    assert first.status.restarts == 0 and links_of(player) == 1
    first.close()
    wait_for(lambda: player not in engines(own_folder), 5.0)
    play_until(second, RATE, BLOCK, is_loud=True)
    second.close()


HOST = f"""
import sys
sys.path.insert(0, {str(Path(bridge_client.__file__).parent)!r})
from pathlib import Path
import bridge_client, tempfile
client = bridge_client.Client(bridge_client.load(bridge_client.build(Path(tempfile.mkdtemp()))))
client.activate(48000, 256, 30000)
bridge_client.play_until(client, 48000, 256, is_loud=True)
print("running", flush=True)
sys.stdin.read()
"""


def links_of(process: int) -> int:
    """Return how many links a process has mapped."""
    return Path(f"/proc/{process}/maps").read_text().count("/memfd:tnca-synth link")


def test_nothing_is_left_of_links(open_client: OpenClient, folder: Path) -> None:
    client = open_client()
    sides = engine_of(folder), os.getpid()
    linked = [links_of(side) for side in sides]
    held = []
    for _ in range(6):
        client.activate(RATE, BLOCK, 10_000)
        play(client, RATE, BLOCK)
        client.deactivate()
        wait_for(lambda: all(links_of(side) < before for side, before in zip(sides, linked, strict=True)), 5.0)
        held.append([len(os.listdir(f"/proc/{side}/fd")) for side in sides])
    assert held[1:] == held[1:2] * 5


def test_a_folder_that_others_can_enter_is_refused(library, own_folder: Path) -> None:
    (own_folder / "tnca-synth").mkdir(mode=0o755)
    (own_folder / "tnca-synth").chmod(0o755)
    client = Client(library)
    client.activate(RATE, BLOCK, 5_000)
    assert client.status.name == "failed" and "nobody else" in client.status.text.decode()
    client.close()
    words = [sys.executable, "-m", "tnca_synth", "bridge-engine"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "nobody else" in done.stderr


def test_socket_and_folder_are_for_the_user_alone(open_client: OpenClient, folder: Path) -> None:
    open_client()
    place = folder / "tnca-synth"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (place, *place.iterdir())}
    assert modes == {"tnca-synth": 0o700, "bridge.socket": 0o600, "bridge.lock": 0o600, "engine.log": 0o600}


def test_a_second_engine_leaves_the_first_alone(open_client: OpenClient, folder: Path) -> None:
    client = open_client()
    words = [sys.executable, "-m", "tnca_synth", "bridge-engine"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "runs already" in done.stderr
    play_until(client, RATE, BLOCK, is_loud=True)
