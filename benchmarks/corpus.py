"""How a corpus renders: share of useful work, speed beside FluidSynth, workers and driver killed on a Ray cluster.

    python benchmarks/corpus.py speed SONGS [--soundfont FILE]   # render-corpus and fluidsynth in turns
    python benchmarks/corpus.py killed SONGS                     # Ray: a worker killed every 20 s, the driver once
    python benchmarks/corpus.py course SONGS                     # share of useful work, memory of workers
    python benchmarks/corpus.py course HOUR.mid --workers 1 --stems channel

`made_songs.py` makes songs, `real_songs.py` makes them of real ones.
Options that are no own ones are those of `render-corpus`.

Processor time is measured, not the clock, so that what else the machine does matters little.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from tnca_synth.corpus.journal import MANIFEST

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
WATCH_S = 2.0
AS_FLUIDSYNTH = ("--format", "wav", "--bit-depth", "16")


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
    parser.add_argument("what", choices=("speed", "killed", "course"))
    parser.add_argument("songs", type=Path, help="a folder; for `course` a file, too")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--soundfont", type=Path, default=SOUNDFONT)
    parser.add_argument("--kill-every", type=float, default=20.0, help="seconds; more where the machine is busy")
    parser.add_argument("--bank")
    parser.add_argument("--random-instruments", action="store_true")
    parser.add_argument("--humanise")
    parser.add_argument("--stems")
    arguments = parser.parse_args()
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
