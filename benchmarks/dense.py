"""Songs with far more notes than anyone hears: what a second of them costs, and whether memory stays flat.

python benchmarks/dense.py --notes 1000 --seconds 6 --json
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
from time import process_time

from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.render.song import render_song
from tnca_synth.midi import Song, TimedMessage
from tnca_synth.midi import messages as midi

PROGRAMS = (0, 40, 56, 73, 48, 11, 24)
NOTE_S = (0.09, 0.51)
MEMORY_EVERY_S = 5.0


class Nowhere:
    """Takes sound and forgets it."""

    def write(self, block: object) -> None:
        pass


def dense_song(num_notes: int, duration_s: float, seed: int = 1) -> Song:
    """Return a song of notes at random times on seven instruments and drums."""
    dice = random.Random(seed)
    channels = [*range(len(PROGRAMS)), 9]
    messages = [TimedMessage(0.0, 0, midi.program_change(*one)) for one in enumerate(PROGRAMS)]
    for _ in range(num_notes):
        start_s, channel, key = dice.uniform(0.0, duration_s), dice.choice(channels), dice.randrange(36, 90)
        messages.append(TimedMessage(start_s, 0, midi.note_on(channel, key, dice.randrange(30, 120))))
        messages.append(TimedMessage(start_s + dice.uniform(*NOTE_S), 0, midi.note_off(channel, key)))
    messages.sort(key=lambda message: message.time_s)
    return Song(messages, messages[-1].time_s, 1, num_notes, [""], [])


def memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    song = dense_song(arguments.notes, arguments.seconds)
    ensemble = assemble_synth()
    memory: list[float] = []
    done_s = 0.0

    def progress(now_s: float, _total_s: float) -> None:
        nonlocal done_s
        if now_s - done_s >= MEMORY_EVERY_S or not memory:
            done_s = now_s
            memory.append(round(memory_mb(), 1))

    before_s = process_time()
    report = render_song(song, ensemble, Nowhere(), progress=progress)
    cost_s = process_time() - before_s
    result = {
        "notes": arguments.notes,
        "notes_played": report.notes,
        "notes_left_out": report.notes_left_out,
        "song_seconds": arguments.seconds,
        "processor_seconds": round(cost_s, 2),
        "processor_seconds_per_second": round(cost_s / arguments.seconds, 3),
        "memory_mb": memory,
    }
    print(json.dumps(result, indent=2) if arguments.json else result)


if __name__ == "__main__":
    main()
