"""How a corpus renders: share of useful work, speed beside FluidSynth, workers and driver killed on a Ray cluster.

    python benchmarks/corpus.py make SONGS --number 40           # songs of drums and 8 parts, 2 to 3 minutes each
    python benchmarks/corpus.py speed SONGS [--soundfont FILE]   # render-corpus and fluidsynth in turns
    python benchmarks/corpus.py killed SONGS                     # Ray: a worker killed every 20 s, the driver once
    python benchmarks/corpus.py course SONGS                     # share of useful work, memory of workers
    python benchmarks/corpus.py course HOUR.mid --workers 1 --stems channel

`real_songs.py` makes songs of real ones. Options that are no own ones are those of `render-corpus`.

Processor time is measured, not the clock, so that what else the machine does matters little.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from tnca_synth.corpus.journal import MANIFEST
from tnca_synth.midi.files.writer import encode_midi_file
from tnca_synth.midi.messages import control_change, note_off, note_on, program_change

RATE = 960
SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
PROGRESSIONS = ([0, 7, 9, 5], [9, 5, 0, 7], [0, 9, 5, 7], [0, 5, 7, 7], [2, 7, 0, 9])
PROGRAMS = (
    (33, 34, 32, 38), (0, 1, 4, 5), (24, 25, 27, 28), (48, 49, 50, 52), (40, 41, 73, 71), (56, 61, 57, 65),
    (80, 81, 87, 75), (88, 89, 11, 46),
)  # fmt: skip
WATCH_S = 2.0
AS_FLUIDSYNTH = ("--format", "wav", "--bit-depth", "16")
Messages = list[tuple[int, bytes]]


def song(seed: int, minutes: float | None = None) -> bytes:
    """Return a song as a MIDI file: drums and bass, piano, guitar, strings, melody, brass, lead and arpeggio."""
    chance = random.Random(seed)
    beat = RATE * 60 // chance.randint(88, 138)
    bars = round((minutes or chance.uniform(2.0, 3.0)) * 60 * RATE / (4 * beat))
    density = chance.uniform(0.25, 0.75)  # 3 to 10 held notes on average, as in songs that people have written
    root, progression = chance.randint(0, 11), chance.choice(PROGRESSIONS)
    messages: Messages = []
    for channel, programs in enumerate(PROGRAMS):
        messages.append((0, program_change(channel, chance.choice(programs))))
        messages.append((0, control_change(channel, 7, chance.randint(70, 110))))
        messages.append((0, control_change(channel, 10, chance.randint(20, 107))))
    for bar in range(bars):
        begin, chord = 4 * beat * bar, root + progression[bar % 4]
        minor = progression[bar % 4] in (2, 9)
        triad = [chord, chord + (3 if minor else 4), chord + 7]
        playing = [part for part in range(8) if part == 0 or chance.random() < density]
        for part in playing:
            messages += PARTS[part](chance, part, begin, beat, triad)
        messages += drums(chance, begin, beat)
    return encode_midi_file(messages, RATE)


def struck(channel: int, begin: int, length: int, key: int, velocity: int) -> Messages:
    return [(begin, note_on(channel, key, velocity)), (begin + max(length, 1), note_off(channel, key))]


def bass(chance: random.Random, channel: int, begin: int, beat: int, triad: list[int]) -> Messages:
    keys = [28 + triad[chance.choice((0, 0, 2))] % 12 for _ in range(8)]
    return [
        one for i, key in enumerate(keys) for one in struck(channel, begin + i * beat // 2, beat * 4 // 10, key, 90)
    ]


def chords(chance: random.Random, channel: int, begin: int, beat: int, triad: list[int]) -> Messages:
    base = {1: 48, 2: 52, 3: 55}[channel]
    times = [0, 4 * beat] if channel == 3 else [0, beat, 2 * beat, 3 * beat, 4 * beat]
    made: Messages = []
    for start, stop in itertools.pairwise(times):
        for tone in triad:
            made += struck(channel, begin + start, (stop - start) * 9 // 10, base + tone % 12, chance.randint(55, 85))
    return made


def melody(chance: random.Random, channel: int, begin: int, beat: int, triad: list[int]) -> Messages:
    made: Messages = []
    at = 0
    while at < 4 * beat:
        length = beat * chance.choice((1, 1, 2, 3)) // 2
        if chance.random() < 0.75:
            key = 60 + chance.choice((0, 12)) + (chance.choice(triad) + chance.choice((0, 0, 2))) % 12
            made += struck(channel, begin + at, min(length, 4 * beat - at) * 9 // 10, key, chance.randint(65, 110))
        at += length
    return made


def arpeggio(chance: random.Random, channel: int, begin: int, beat: int, triad: list[int]) -> Messages:
    keys = [60 + triad[i % 3] % 12 + 12 * (i // 3 % 2) for i in range(8)]
    return [one for i, key in enumerate(keys) for one in struck(channel, begin + i * beat // 2, beat // 2, key, 70)]


def drums(chance: random.Random, begin: int, beat: int) -> Messages:
    made: Messages = []
    for eighth in range(8):
        at = begin + eighth * beat // 2
        made += struck(9, at, beat // 8, chance.choice((42, 42, 42, 46)), chance.randint(50, 90))
        if eighth % 4 == 0:
            made += struck(9, at, beat // 8, 36, 100)
        if eighth % 4 == 2:
            made += struck(9, at, beat // 8, 38, 95)
    return made


PARTS: dict[int, Callable[[random.Random, int, int, int, list[int]], Messages]] = {
    0: bass, 1: chords, 2: chords, 3: chords, 4: melody, 5: melody, 6: melody, 7: arpeggio,
}  # fmt: skip


def corpus_command(songs: Path, out: Path, *more: str) -> list[str]:
    """Return the command that renders songs, but for the options that are measured."""
    return [sys.executable, "-m", "tnca_synth", "render-corpus", str(songs), "-o", str(out), "--json", *more]


def processor_s(command: list[str]) -> tuple[float, str]:
    """Return the processor time of a command and all its children, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def measure_speed(songs: Path, workers: int, soundfont: Path, more: list[str]) -> dict[str, float]:
    """Render songs with both and compare."""
    with tempfile.TemporaryDirectory() as folder:
        spent_s, text = processor_s(
            corpus_command(songs, Path(folder, "ours"), "--workers", str(workers), *AS_FLUIDSYNTH, *more)
        )
        ours = json.loads(text)
        theirs_s = 0.0
        for path in sorted(songs.glob("*.mid")):
            out = Path(folder, "theirs.wav")
            command = ["fluidsynth", "-ni", "-g", "0.5", "-r", "44100", "-T", "wav", "-F", str(out)]
            theirs_s += processor_s([*command, str(soundfont), str(path)])[0]
    audio_s = 3600.0 * ours["audio_hours"]
    return {
        "songs": ours["done"],
        "audio_hours": ours["audio_hours"],
        "times_real_time_a_core": audio_s / spent_s,
        "fluidsynth_times_real_time_a_core": audio_s / theirs_s,
        "ratio": theirs_s / spent_s,
        "share_of_clock_rendering": ours["share_of_time_rendering"],
        "share_of_processor_time_rendering": ours["processor_s_rendering"] / spent_s,
    }


def measure_killed(songs: Path, kill_every_s: float, more: list[str]) -> dict[str, object]:
    """Render on a cluster whose workers are killed one by one, and its driver once; compare with one core's corpus."""
    with tempfile.TemporaryDirectory() as folder:
        out, alone = Path(folder, "ray"), Path(folder, "alone")
        driver, kills, elapsed_s = render_among_kills(
            corpus_command(songs, out, "--ray", "--workers", "3", *more),
            out,
            kill_every_s,
            len(list(songs.glob("*.mid"))) // 3,
        )
        spent_s, _ = processor_s(corpus_command(songs, alone, "--workers", "1", *more))
        same = subprocess.run(["diff", "-r", str(out), str(alone)], capture_output=True, text=True, check=False)
        manifest = pq.read_table(out / MANIFEST).to_pylist()
        return {
            "exit_status": driver,
            "songs": len(manifest),
            "songs_done": len({row["id"] for row in manifest if row["status"] == "done"}),
            "folders": len(list(out.glob("songs/*/*"))),
            "left_over": len(list(out.glob("songs/*/.*"))),
            "audio_s": sum(row["audio_seconds"] or 0.0 for row in manifest),
            "workers_killed": kills,
            "drivers_killed": 1,
            "elapsed_s": elapsed_s,
            "processor_s_on_one_core": spent_s,
            "equal_to_one_core": same.returncode == 0,
            "differences": same.stdout.splitlines()[:5],
        }


def render_among_kills(
    command: list[str], out: Path, kill_every_s: float, songs_of_first: int
) -> tuple[int, int, float]:
    """Run a command on a cluster, killing workers, and the driver after some songs.

    Returns its exit status, how many workers were killed, and how long it took.
    """
    chance = random.Random(0)
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    began = last = time.monotonic()
    is_first, kills = True, 0
    while driver.poll() is None:
        time.sleep(0.5)
        if is_first and len(list(out.glob("songs/*/*"))) >= songs_of_first:
            driver.kill()
            driver.wait()
            is_first = False
            driver = subprocess.Popen([*command, "--resume"], stdout=subprocess.DEVNULL)
        if time.monotonic() - last > kill_every_s and (workers := working()):
            os.kill(chance.choice(workers), signal.SIGKILL)
            kills, last = kills + 1, time.monotonic()
            print(
                f"{last - began:.0f} s: worker killed, {len(list(out.glob('songs/*/*')))} songs",
                file=sys.stderr,
                flush=True,
            )
    return driver.returncode, kills, time.monotonic() - began


def working() -> list[int]:
    """Return the processes of Ray that render a song now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::render_song_task"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def measure_course(songs: Path, workers: int, more: list[str]) -> dict[str, object]:
    """Render songs, watch the memory of the larger worker, and say what share of the time is rendering."""
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = corpus_command(songs, Path(folder, "out"), "--workers", str(workers), *more)
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        course: list[int] = []
        while driver.poll() is None:
            time.sleep(WATCH_S)
            course.append(max((resident_mb(pid) for pid in children(driver.pid)), default=0))
            if len(course) % 30 == 0:
                print(f"{len(course) * WATCH_S:.0f} s: {course[-1]} MB", file=sys.stderr, flush=True)
        report = json.loads(driver.communicate()[0])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "songs": report["done"],
        "audio_hours": report["audio_hours"],
        "elapsed_s": len(course) * WATCH_S,
        "processor_s": spent_s,
        "times_real_time_a_core": 3600.0 * report["audio_hours"] / spent_s,
        "share_of_clock_rendering": report["share_of_time_rendering"],
        "share_of_processor_time_rendering": report["processor_s_rendering"] / spent_s,
        "peak_mb_of_the_largest_worker": max(course),
        "its_course_mb": course[:: max(len(course) // 20, 1)],
    }


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def resident_mb(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() // 2**20
    except OSError:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "speed", "killed", "course"))
    parser.add_argument("songs", type=Path, help="a folder; for `course` a file, too")
    parser.add_argument("--number", type=int, default=200, help="of songs to make")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--soundfont", type=Path, default=SOUNDFONT)
    parser.add_argument("--kill-every", type=float, default=20.0, help="seconds; more where the machine is busy")
    parser.add_argument("--bank")
    parser.add_argument("--minutes", type=float, help="of each song that is made (default: 2 to 3)")
    parser.add_argument("--random-instruments", action="store_true")
    parser.add_argument("--humanise")
    parser.add_argument("--stems")
    arguments = parser.parse_args()
    if arguments.what == "make":
        arguments.songs.mkdir(parents=True, exist_ok=True)
        for seed in range(arguments.number):
            (arguments.songs / f"song-{seed:03}.mid").write_bytes(song(seed, arguments.minutes))
        return
    more = ["--random-instruments"] * arguments.random_instruments
    for name in ("bank", "humanise", "stems"):
        if value := getattr(arguments, name):
            more += [f"--{name}", value]
    found: dict[str, object]
    if arguments.what == "course":
        found = measure_course(arguments.songs, arguments.workers, more)
    elif arguments.what == "speed":
        found = {**measure_speed(arguments.songs, arguments.workers, arguments.soundfont, more)}
    else:
        found = measure_killed(arguments.songs, arguments.kill_every, more)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
