"""What a host does with a plugin beside playing it: states, bypass, transport, blocks, parameters, activation."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from clap_client import ClapHost
from reference import engine_sound

from tnca_synth.bridge.parameters import PARAMETERS

RATE = 48_000
BLOCK = 512
NOTE_ON, NOTE_OFF = b"\x90\x45\x64", b"\x80\x45\x40"
VIOLIN = b"\xc0\x28"
RUNNING, MISSING = 2, 5
pytestmark = pytest.mark.device


def level(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(sound.astype(float) ** 2)))


def start(clap: ClapHost, block: int = BLOCK, rate: int = RATE) -> int:
    clap.offline()
    return clap.activate(rate, block)


def blocks(clap: ClapHost, count: int, length: int = BLOCK) -> np.ndarray:
    return np.concatenate([clap.process(length) for _ in range(count)], axis=1)


@pytest.mark.parametrize(("block", "frames"), [(16, 256), (256, 256), (1000, 1000)])
def test_the_latency_is_one_block_and_the_look_ahead(clap: ClapHost, block: int, frames: int) -> None:
    assert clap.activate(RATE, block) == frames + RATE // 1000
    clap.process(block)
    assert clap.output("Latency") == pytest.approx(1000 * (frames + RATE / 1000) / RATE, rel=1e-5)


def test_live_notes_sound_the_reported_latency_later_whatever_their_phase(clap: ClapHost) -> None:
    block = 4096  # so long that a busy machine is in time
    latency = clap.activate(RATE, block)
    deadline = time.monotonic() + 20
    while clap.output("Engine") != RUNNING and time.monotonic() < deadline:
        clap.process(block)
        time.sleep(0.05)
    late = clap.value("Late blocks")  # the engine may have come in the middle of one
    clap.midi(0, b"\xc0\x00")  # a piano begins at once
    onsets = []
    for phase in (0, 1000, 4095):
        time.sleep(0.12)
        clap.midi(phase, NOTE_ON)
        sound = [clap.process(block)]
        for _ in range(4):
            time.sleep(0.12)
            sound.append(clap.process(block))
        onsets.append(int(np.argmax(np.abs(np.concatenate(sound, axis=1)).max(axis=0) > 0)) - phase)
        clap.midi(0, b"\xb0\x78\x00")  # all sound off, and the reverb rings out
        for _ in range(40):
            time.sleep(0.1)
            if not clap.process(block).any():
                break
    assert clap.value("Late blocks") == late
    # The resampler begins to swing a few samples before the onset, more or fewer with its own phase.
    assert all(latency - 8 <= onset <= latency for onset in onsets), (latency, onsets)


def test_the_audio_thread_allocates_and_locks_nothing(clap: ClapHost) -> None:
    """While notes, controllers, long messages and parameters come, and while the engine starts."""
    clap.activate(RATE, 128)
    for _ in range(30):
        for number in range(40):
            clap.midi(number, bytes((0x90 | number % 16, 30 + number, 100)))
            clap.midi(number, bytes((0xB0, 7, number)))
            clap.set("Level", -number, number)
        clap.midi(50, bytes.fromhex("f07f7f04010040f7"))
        *_, allocations, locks = clap.time(20, 128)
        assert (allocations, locks) == (0, 0)


def test_a_silent_block_is_told_as_silent(clap: ClapHost) -> None:
    start(clap)
    blocks(clap, 2)
    assert clap.constant_mask == 3
    clap.midi(0, NOTE_ON)
    blocks(clap, 20)
    assert clap.constant_mask == 0


def test_outputs_tell_engine_and_voices(clap: ClapHost) -> None:
    start(clap)
    clap.midi(0, NOTE_ON)
    clap.midi(0, b"\x90\x48\x64")
    blocks(clap, 30)
    assert (clap.output("Engine"), clap.output("Voices")) == (RUNNING, 2)
    assert clap.text("Engine", RUNNING) == "running"
    clap.deactivate()
    assert clap.value("Engine") == 0


def test_a_state_brings_every_parameter_back(
    clap: ClapHost, clap_host: Path, bundles: dict[str, Path], host_environment: dict[str, str]
) -> None:
    wanted = {one.name: round(one.high) if one.is_whole else (one.low + 3 * one.high) / 4 for one in PARAMETERS}
    wanted["Instrument"] = 41
    for name, value in wanted.items():
        clap.set(name, value)
    clap.set("Bypass", 1)
    clap.flush()
    state = clap.save()
    other = ClapHost(clap_host, bundles["clap"], host_environment)
    assert other.load(state)
    assert {name: other.value(name) for name in wanted} == pytest.approx(wanted, rel=1e-6)
    assert other.value("Bypass") == 1
    assert other.save() == state
    assert other.close() == (0, "")


def test_states_of_other_versions(clap: ClapHost) -> None:
    state = clap.save().decode()
    assert clap.load((state + "parameter of_later 3\n").encode())  # a newer one has more
    shorter = "\n".join(line for line in state.splitlines() if "reverb" not in line) + "\n"
    clap.set("Chorus", 50)
    clap.flush()
    assert clap.load(shorter.encode())  # an older one has less
    assert clap.value("Reverb") == pytest.approx(PARAMETERS[14].default)
    assert clap.value("Chorus") == 0


@pytest.mark.parametrize("state", [b"", b"x", b"\xff" * 100, b"bypass 0\nnonsense", b"bypass 1\n" + b"a" * 200_000])
def test_what_is_no_state_is_refused_and_changes_nothing(clap: ClapHost, state: bytes) -> None:
    clap.set("Level", -6)
    clap.flush()
    assert not clap.load(state)
    assert clap.value("Level") == -6 and clap.value("Bypass") == 0


def test_bypass_is_silence_and_ends(clap: ClapHost) -> None:
    start(clap)
    clap.midi(0, NOTE_ON)
    assert level(blocks(clap, 20)) > 0.001
    clap.set("Bypass", 1)
    clap.midi(0, b"\x90\x48\x64")
    assert not blocks(clap, 4).any()
    clap.set("Bypass", 0)
    blocks(clap, 200)  # the note that bypass released has died away
    assert clap.output("Voices") == 0
    clap.midi(0, NOTE_ON)
    assert level(blocks(clap, 20)) > 0.001


@pytest.mark.parametrize("stops", [False, True])
def test_where_the_transport_jumps_or_stops_no_note_stays(clap: ClapHost, stops: bool) -> None:
    start(clap)
    clap.transport(True, 10.0)
    clap.midi(0, VIOLIN)
    clap.midi(0, NOTE_ON)
    blocks(clap, 60)
    held = clap.process(BLOCK)
    clap.transport(not stops, 10.0 if stops else 2.0)
    blocks(clap, 200)
    assert level(clap.process(BLOCK)) < 0.01 * level(held)
    assert clap.output("Voices") == 0


def test_a_rolling_transport_lets_notes_be(clap: ClapHost) -> None:
    start(clap)
    clap.transport(True, 1 / 3)
    clap.midi(0, VIOLIN)
    clap.midi(0, NOTE_ON)
    blocks(clap, 300)
    assert clap.output("Voices") == 1


def test_a_reset_is_as_a_fresh_activation(clap: ClapHost) -> None:
    start(clap)
    events = [(0, VIOLIN), (10, NOTE_ON), (9000, NOTE_OFF)]
    first = clap.play(events, 40 * BLOCK, [BLOCK])
    clap.midi(0, b"\xb0\x07\x10")
    blocks(clap, 3)
    clap.reset()
    blocks(clap, 4)  # what was on its way
    clap.reset()
    again = clap.play(events, 40 * BLOCK, [BLOCK])
    np.testing.assert_array_equal(first[:, 560:], again[:, 560:])
    clap.deactivate()
    start(clap)
    np.testing.assert_array_equal(first, clap.play(events, 40 * BLOCK, [BLOCK]))


def test_a_pause_ends_notes_and_keeps_channels(clap: ClapHost) -> None:
    start(clap)
    clap.midi(0, VIOLIN)
    clap.midi(0, NOTE_ON)
    blocks(clap, 20)
    clap.deactivate()
    latency = start(clap)
    assert not blocks(clap, 4).any()
    clap.midi(0, NOTE_ON)
    sound = blocks(clap, 20)
    violin = engine_sound([(0, VIOLIN), (4 * BLOCK, NOTE_ON)], 24 * BLOCK)[:, 4 * BLOCK :]
    np.testing.assert_array_equal(sound[:, latency:], violin[:, :-latency])


def test_blocks_of_no_frames_set_parameters(clap: ClapHost) -> None:
    start(clap)
    clap.set("Level", -12)
    clap.process(0)
    assert clap.value("Level") == -12


def test_a_block_longer_than_announced_is_played(clap: ClapHost) -> None:
    latency = start(clap, block=300)
    events = [(0, VIOLIN), (700, NOTE_ON)]
    sound = clap.play(events, 9000, [1000])
    np.testing.assert_array_equal(sound[:, latency:], engine_sound(events, 9000)[:, :-latency])


def test_parameters_change_within_a_block(clap: ClapHost) -> None:
    start(clap)

    def fade(lengths: list[tuple[int, int | None]]) -> np.ndarray:
        clap.reset()
        blocks(clap, 2)  # what was on its way
        clap.reset()
        clap.set("Level", 0)
        clap.midi(0, VIOLIN)
        clap.midi(0, NOTE_ON)
        sound = [blocks(clap, 30)]
        for length, at in lengths:
            if at is not None:
                clap.set("Level", -40, at)
            sound.append(clap.process(length))
        return np.concatenate([*sound, blocks(clap, 4)], axis=1)

    within = fade([(512, 256)])
    between = fade([(256, None), (256, 0)])
    np.testing.assert_array_equal(within, between)
    assert not np.array_equal(within, fade([(512, 0)]))


def test_every_parameter_has_a_text_and_the_text_a_value(clap: ClapHost) -> None:
    for index, row in enumerate(clap.parameters):
        low, high, initial, name = float(row[2]), float(row[3]), float(row[4]), row[5]
        assert low < high and low <= initial <= high
        assert clap.value(name) == initial or index > len(PARAMETERS)  # outputs tell what is
        if index < len(PARAMETERS):
            for value in (low, initial, 41 if name == "Instrument" else high):
                text = clap.text(name, value)
                assert text
                assert clap.number(name, text) == pytest.approx(value, abs=0.06, rel=0.01)
    assert clap.text("Instrument", 41).lower() == "violin" and clap.number("Instrument", "Violin") == 41


def test_another_rate_after_activation(clap: ClapHost) -> None:
    start(clap)
    blocks(clap, 3)
    clap.deactivate()
    latency = start(clap, block=441, rate=44_100)
    events = [(0, VIOLIN), (100, NOTE_ON)]
    sound = clap.play(events, 8820, [441])
    np.testing.assert_array_equal(sound[:, latency:], engine_sound(events, 8820, 44_100)[:, :-latency])


def test_without_an_engine_there_is_silence_and_a_state_that_says_why(
    clap_host: Path, bundles: dict[str, Path], host_environment: dict[str, str], tmp_path: Path
) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environment = {**host_environment, "XDG_RUNTIME_DIR": str(runtime), "TNCA_SYNTH_ENGINE": "/nowhere/engine"}
    host = ClapHost(clap_host, bundles["clap"], environment)
    host.activate(RATE, BLOCK)
    host.midi(0, NOTE_ON)
    slowest = 0.0
    for _ in range(60):
        began = time.thread_time()
        assert not host.process(BLOCK).any()
        slowest = max(slowest, time.thread_time() - began)
        time.sleep(0.02)
    assert host.output("Engine") == MISSING
    assert host.text("Engine", MISSING) == "missing"
    assert host.close() == (0, "")
