"""Processor time of `tnca-synth render --workers 1` and of FluidSynth for the same songs, in turns.

    python benchmarks/against_fluidsynth.py SONG.mid ... [--soundfont FONT] [--turns 2] [--json]

Of each side the turn with the least processor time counts. Both write 16-bit WAV at 44.1 kHz. A song of one
short note shows what the start of each costs: FluidSynth unpacks all samples of an sf3, the synth opens its models.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from tnca_synth.midi import read_midi_file

ONE_NOTE = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\x0c\0\x90\x3c\1\1\x80\x3c\0\0\xff\x2f\0"


def processor_s(command: list[str]) -> float:
    """Run a command; return the seconds of processor time that it and its children took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def least(song: Path, folder: Path, soundfont: str, turns: int) -> tuple[float, float]:
    """Return the processor seconds of FluidSynth and of the synth for a song, the better turn of each."""
    there = ["fluidsynth", "-ni", "-F", str(folder / "there.wav"), "-r", "44100", soundfont, str(song)]
    here = ["tnca-synth", "render", str(song), "-o", str(folder / "here.wav"), "--workers", "1"]
    taken = [(processor_s(there), processor_s(here)) for _ in range(turns)]
    return min(one for one, _ in taken), min(other for _, other in taken)


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", nargs="+", type=Path)
    parser.add_argument("--soundfont", default="/usr/share/sounds/sf3/FluidR3Mono_GM.sf3")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one_note = folder / "note.mid"
        one_note.write_bytes(ONE_NOTE)
        start = least(one_note, folder, options.soundfont, options.turns)
        for song in options.songs:
            there, here = least(song, folder, options.soundfont, options.turns)
            rows.append(
                {
                    "song": song.name, "length_s": round(read_midi_file(song).duration_s, 1),
                    "fluidsynth_s": round(there, 2), "synth_s": round(here, 2), "ratio": round(there / here, 2),
                    "ratio_without_start": round((there - start[0]) / (here - start[1]), 2),
                }
            )  # fmt: skip
            if not options.json:
                print(*rows[-1].values(), flush=True)
    if options.json:
        json.dump({"start_s": start, "songs": rows}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
