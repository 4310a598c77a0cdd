"""From nothing to the first sound: time, processor time and memory of a bank.

    python benchmarks/start.py [--bank BANK] ... [--turns 5] [--live] [--json]

Three commands are started and waited for, in turns: `tnca-synth render` of a song of one short note, the same of a song
that plays every program and every drum once, and Python with the third parties that both need, beside which the rest is
ours. Of each the median of all turns counts; memory is the largest resident size. With --live the instrument as a
player has it is started as well, which takes a JACK server: until it is playable, and its engine's process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from tnca_synth.live.benchmark.with_device import cpu_seconds, memory_mb
from tnca_synth.live.protocol import LiveOptions
from tnca_synth.live.session.session import LiveSession
from tnca_synth.midi.messages import note_off, note_on, program_change

KEY, VELOCITY, TICKS = 60, 100, 240
DRUM_CHANNEL, DRUMS = 9, range(27, 88)
THIRD_PARTIES = "import numpy, onnxruntime, soundfile"
MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")
Figures = dict[str, float]


def midi_file(notes: Sequence[tuple[int, int, int]]) -> bytes:
    """Return a MIDI file that plays (channel, program, key) one after the other, for a quarter of a second each."""
    track = b""
    for channel, program, key in notes:
        track += b"\0" + program_change(channel, program) + b"\0" + note_on(channel, key, VELOCITY)
        track += bytes((0x80 | TICKS >> 7, TICKS & 0x7F)) + note_off(channel, key)
    track += b"\0\xff\x2f\0"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(track)) + track


def run(command: Sequence[str]) -> Figures:
    """Run a command to its end; return seconds, processor seconds and MB, those of its children left out."""
    began = perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed ({status})")
    return {"s": perf_counter() - began, "cpu_s": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024}


def start_live(bank: str | None) -> Figures:
    """Start the live instrument; return seconds until it is playable, and what the engine's process took for it."""
    began = perf_counter()
    with LiveSession(LiveOptions(host_api="JACK", bank_path=None if bank is None else Path(bank))) as session:
        took_s = perf_counter() - began
        maps = Path(f"/proc/{session.process_id}/smaps").read_text()
        return {"s": took_s, "cpu_s": cpu_seconds(session), "mb": memory_mb(session) - jack_mb(maps)}


def jack_mb(maps: str) -> float:
    """Return the resident MB of the JACK server's memory, which it maps twice into each of its clients.

    Parameters
    ----------
    maps : what Linux says of the memory of a process, `/proc/PID/smaps`
    """
    inside, kilobytes = False, 0
    for line in maps.splitlines():
        if MAPPING.match(line):
            inside = "/dev/shm/jack" in line
        elif inside and line.startswith("Rss:"):
            kilobytes += int(line.split()[1])
    return kilobytes / 1024


def medians(turns: Sequence[Figures]) -> Figures:
    """Return the median of each figure."""
    return {name: round(median(turn[name] for turn in turns), 2) for name in turns[0]}


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", action="append", help="bank to open; may be repeated")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory() as name:
        one, every = Path(name, "one.mid"), Path(name, "every.mid")
        one.write_bytes(midi_file([(0, 0, KEY)]))
        drums = [(DRUM_CHANNEL, 0, key) for key in DRUMS]
        every.write_bytes(midi_file([(0, program, KEY) for program in range(128)] + drums))
        for turn in range(options.turns):
            table.setdefault("third parties alone", []).append(run([sys.executable, "-c", THIRD_PARTIES]))
            for bank in options.bank or [None]:
                chosen = [] if bank is None else ["--bank", bank]
                for label, song in (("one note", one), *([("every program", every)] if turn == 0 else [])):
                    command = ["tnca-synth", "render", str(song), "-o", str(Path(name, "out.wav")), *chosen]
                    table.setdefault(f"{bank or 'default'}: {label}", []).append(run(command))
                if options.live:
                    table.setdefault(f"{bank or 'default'}: live", []).append(start_live(bank))
    rows = {label: medians(turns) for label, turns in table.items()}
    if options.json:
        json.dump(rows, sys.stdout, indent=1)
        return
    print(f"{'':32s} {'s':>8s} {'cpu, s':>8s} {'MB':>8s}")
    for label, row in rows.items():
        print(f"{label:32s}", *(f"{row.get(name, float('nan')):8.2f}" for name in ("s", "cpu_s", "mb")))


if __name__ == "__main__":
    main()
