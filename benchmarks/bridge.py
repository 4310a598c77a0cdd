"""Measure the bridge: what plugins play through, without any host.

    python benchmarks/bridge.py bounce [SONG ...]          offline, against `render`: identical samples
    python benchmarks/bridge.py host [--frames 128]        what the audio thread spends and calls
    python benchmarks/bridge.py silent                     processor time of 32 silent instances
    python benchmarks/bridge.py voices [--seconds 300]     8 instances of 8 voices at period 256
    python benchmarks/bridge.py faults [--times 1000]      the engine killed or stopped at random phases
    python benchmarks/bridge.py fuzz [--messages 1000000]  random events, links and packets, to either side

Each prints one line of JSON. All use a socket of their own, so that an engine which plays is left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

import bridge_client  # noqa: E402
import bridge_fuzz  # noqa: E402

from tnca_synth import read_midi_file, render  # noqa: E402
from tnca_synth.engine.render.song import Timeline  # noqa: E402
from tnca_synth.live.audio.realtime import promote_thread  # noqa: E402

RATE = 48_000
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SONGS = ("canon.mid", "prelude.mid", "tour.mid")
PERIOD = 256
HOST_PRIORITY = 20


def bounce(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Bounce songs in blocks of random sizes, and compare with `render`."""
    library = bridge_client.load(bridge_client.build(folder))
    results: dict[str, object] = {}
    for song in arguments.songs or [HERE.parent / "examples" / name for name in SONGS]:
        read = read_midi_file(song)
        expected = render(read, sample_rate=RATE)
        messages = [(frame, data) for frame, data, _ in Timeline(read, RATE, 30.0).messages()]
        client = bridge_client.Client(library)
        client.activate(RATE, 1024, 20_000)
        got = bridge_client.bounce(client, messages, len(expected), random.Random(1), 1024)
        client.close()
        results[Path(song).name] = {"frames": len(expected), "identical": bool(np.array_equal(got, expected))}
    return results


def host(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Let a host in C play 8 voices."""
    return run_host(folder, 1, 8, arguments.frames, arguments.seconds)


def voices(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Let a host in C play 8 voices in each of 8 instances."""
    return run_host(folder, 8, 8, PERIOD, arguments.seconds, "watched", *(("chords",) if arguments.chords else ()))


def silent(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Measure the processor time of silent instances, in the engine and in the host."""
    return run_host(folder, 32, 0, 128, arguments.seconds)


def faults(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Kill and stop the engine while it plays; measure the longest block and the time to sound."""
    library = bridge_client.load(bridge_client.build(folder))
    chance = random.Random(1)
    client = bridge_client.Client(library)
    client.activate(RATE, PERIOD, 20_000)
    promote_thread(HOST_PRIORITY)  # as audio threads are; else the longest block tells of the scheduler
    bridge_client.play_until(client, RATE, PERIOD, is_loud=True)
    before, keeper, waits_before = held(folder), keeper_of(folder), client.waits
    blocks_s: list[float] = []
    silent_s: list[float] = []
    for _ in range(arguments.times):
        victim = bridge_client.engine_of(folder)
        number = chance.choice((signal.SIGKILL, signal.SIGSTOP))
        waits, silence = bridge_client.lose(client, RATE, PERIOD, chance.random() * 0.2, victim, number)
        blocks_s += waits
        silent_s.append(silence)
    status = client.status
    time.sleep(1.0)  # the worker frees what was retired
    after = held(folder)
    report = {
        "times": arguments.times,
        "restarts": status.restarts,
        "waits_on_audio_thread": client.waits - waits_before,
        "same_keeper": keeper == keeper_of(folder),
        "block_p50_ms": 1e3 * float(np.median(blocks_s)),
        "block_p99_ms": 1e3 * float(np.percentile(blocks_s, 99)),
        "block_max_ms": 1e3 * max(blocks_s),
        "silence_p50_s": float(np.median(silent_s)),
        "silence_p99_s": float(np.percentile(silent_s, 99)),
        "silence_max_s": max(silent_s),
        "silences_over_1_s": sum(one > 1.0 for one in silent_s),
        "held_before": before,
        "held_after": after,
    }
    client.close()
    while bridge_client.engines(folder):
        time.sleep(0.1)
    return {**report, "files_left": sorted(path.name for path in (folder / "tnca-synth").iterdir())}


def keeper_of(folder: Path) -> set[int]:
    """Return the process that keeps those that play."""
    return set(bridge_client.engines(folder)) - set(bridge_client.players_of(folder))


def held(folder: Path) -> dict[str, int]:
    """Return what host and engine hold: descriptors, shared memories, kilobytes."""
    found = {}
    for name, pids in (("host", [os.getpid()]), ("engine", bridge_client.engines(folder))):
        places = [Path(f"/proc/{pid}") for pid in pids]
        found[f"{name}_descriptors"] = sum(len(list((place / "fd").iterdir())) for place in places)
        found[f"{name}_memories"] = sum((place / "maps").read_text().count("/memfd:") for place in places)
        status = [(place / "status").read_text() for place in places]
        found[f"{name}_kb"] = sum(int(one.partition("VmRSS:")[2].split()[0]) for one in status)
    return found


def fuzz(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Write random events into links and random packets onto sockets, at both sides."""
    library = bridge_client.load(bridge_client.build(folder, "-fsanitize=undefined", "-fno-sanitize-recover"))
    return bridge_fuzz.fuzz(library, folder, arguments.messages, 1)


def run_host(folder: Path, instances: int, voices: int, frames: int, seconds: int, *more: str) -> dict[str, object]:
    """Compile and run the host; add what the engine's process spent."""
    program = bridge_client.build_host(folder)
    words = [str(program), *map(str, (instances, voices, frames, seconds)), *more]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    spent: list[tuple[float, float, float]] = []
    while process.poll() is None:
        time.sleep(0.5)
        engine_s = sum(map(processor_time_s, bridge_client.engines(folder)))
        spent.append((time.monotonic(), engine_s, processor_time_s(process.pid)))
    report = json.loads(process.communicate()[0])
    last = [one for one in spent[:-2] if one[0] > spent[-2][0] - 0.6 * seconds]  # all clients are there by then
    span_s = last[-1][0] - last[0][0]
    report["engine_core_share"] = round((last[-1][1] - last[0][1]) / span_s, 4)
    report["host_core_share"] = round((last[-1][2] - last[0][2]) / span_s, 4)
    return report


def processor_time_s(pid: int) -> float:
    """Return the processor time that a process has used; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("bounce", "host", "silent", "voices", "faults", "fuzz"))
    parser.add_argument("songs", nargs="*", type=Path)
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--players", type=int, default=2, help="processes that play")
    parser.add_argument("--chords", action="store_true", help="strike all notes at once")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tnca-bridge-"))
    try:
        with bridge_client.environment(folder, players=arguments.players):
            print(json.dumps(globals()[arguments.what](arguments, folder)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
