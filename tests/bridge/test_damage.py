"""Nonsense in shared memory and on the socket: neither side falls."""

import os
from collections.abc import Callable
from pathlib import Path

import bridge_client
import bridge_fuzz
import pytest
from bridge_client import Client, engine_of, play_until
from bridge_fuzz import RawClient, link_head

from tnca_synth.bridge.layout import EventKind, PacketKind

OpenClient = Callable[..., Client]


def test_the_engine_survives_random_events_and_packets(open_client: OpenClient, folder: Path) -> None:
    witness = open_client()
    engine = engine_of(folder)
    counts = bridge_fuzz.fuzz_engine(folder, 5_000, seed=3)
    assert counts["events"] >= 5_000 and counts["packets"] > 5
    assert engine_of(folder) == engine
    play_until(witness, 48_000, 256, is_loud=True)
    assert witness.status.restarts == 0


def test_the_client_survives_a_wild_engine(tmp_path: Path) -> None:
    library = bridge_client.load(bridge_client.build(tmp_path, "-fsanitize=undefined", "-fno-sanitize-recover"))
    with bridge_client.environment(tmp_path):
        counts = bridge_fuzz.fuzz_client(library, tmp_path, 6_000, seed=3)
    assert counts["blocks"] > 20 and counts["blocks_with_sound"] > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"magic": 1},
        {"protocol": 2},
        {"sample_rate": 0},
        {"sample_rate": 2**31},
        {"max_block": 0},
        {"max_block": 2**20},
        {"max_voices": 0},
        {"max_voices": 2**30},
        {"seed": 2**63},
        {"latency": 0},
        {"event_bytes": 1000},
        {"audio_frames": 0},
        {"audio_frames": 2**31},
        {"size": 2**63},
    ],
)
def test_a_link_with_a_wrong_number_ends_the_connection(folder: Path, changes: dict[str, int]) -> None:
    client = RawClient(folder)
    assert client.greet().kind == PacketKind.WELCOME
    client.attach(link_head(**changes), size=link_head().size)
    assert client.answer() == b""
    client.close()


def test_a_link_whose_size_could_change_is_refused(folder: Path) -> None:
    client = RawClient(folder)
    client.greet()
    client.attach(seals=0)
    assert client.answer() == b""
    client.close()


@pytest.mark.parametrize("kind", ["cut", "sequence", "time", "size"])
def test_a_damaged_event_ends_the_connection(folder: Path, kind: str) -> None:
    client = RawClient(folder)
    client.greet()
    client.attach()
    assert bridge_fuzz.Packet.from_buffer_copy(client.answer()).kind == PacketKind.ATTACHED
    good = client.event(500, EventKind.MIDI, b"\xc0\x01")
    if kind == "cut":
        data = good[:8]
    elif kind == "sequence":
        data = good + good
    elif kind == "time":
        data = good + client.event(499, EventKind.MIDI, b"\xc0\x01")
    else:
        data = bytes(bridge_fuzz.Event(500, 0, EventKind.MIDI, 60_000)) + bytes(8)
    client.write(data)
    client.shared.frames_known = 1000
    client.ring()
    answers = [client.answer(), client.answer()]
    assert answers[-1] == b"" and b"LinkDamage" in answers[0]
    client.close()


def test_only_greeted_clients_are_served(folder: Path) -> None:
    client = RawClient(folder)
    client.end.send(bridge_fuzz.packet(PacketKind.LIST))
    assert client.answer() == b""
    client.close()
    assert os.path.exists(folder)
