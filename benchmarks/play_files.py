"""Play every MIDI file of some folders and say which cannot be: `python benchmarks/play_files.py FOLDER ...`.

Each folder is a line of the table. A file counts as played if its song is read and, with `--seconds`, if so much of it
renders to numbers. The exit status is 1 if a refusal is not one line, or anything but a refusal ends a file.
"""

import argparse
import math
import sys
import traceback
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import process_time
from typing import Final

import numpy as np

from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.render.song import render_song
from tnca_synth.errors import MidiFileError
from tnca_synth.midi import Song, read_midi_file
from tnca_synth.midi.messages import is_note_start

SUFFIXES: Final = (".mid", ".midi", ".kar", ".rmi", ".smf")


@dataclass
class Result:
    """What became of the files of a folder."""

    played: int = 0
    warned: int = 0
    silent: int = 0
    refused: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return the number of files."""
        return self.played + len(self.refused) + len(self.faults)


class _Meter:
    """Takes audio and keeps its largest value."""

    def __init__(self) -> None:
        self.peak = 0.0

    def write(self, block: np.ndarray) -> None:
        self.peak = max(self.peak, float(np.abs(block).max(initial=0.0)))


def beginning(song: Song, seconds: float) -> Song:
    """Return so much of a song from its first note on."""
    first_s = next(message.time_s for message in song.messages if is_note_start(message.data))
    messages = [message for message in song.messages if message.time_s < first_s + seconds]
    return replace(song, messages=messages, duration_s=min(song.duration_s, first_s + seconds))


def play(path: Path, seconds: float) -> Song:
    """Read a file and render its beginning.

    Raises
    ------
    MidiFileError
        If the file is refused.
    AssertionError
        If the sound is not made of numbers.
    """
    song = read_midi_file(path)
    if seconds > 0:
        meter = _Meter()
        with closing(assemble_synth(seed=0)) as ensemble:
            render_song(beginning(song, seconds), ensemble, meter, tail_limit_s=0.5)
        assert math.isfinite(meter.peak), f"peak {meter.peak}"
    return song


def play_folder(folder: Path, seconds: float) -> Result:
    """Play all MIDI files below a folder."""
    result = Result()
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()):
        try:
            song = play(path, seconds)
        except MidiFileError as error:
            where = result.refused if str(error).isprintable() else result.faults
            where.append(str(error))
            result.silent += "but no notes" in str(error)
        except Exception:
            result.faults.append(f"{path}: {traceback.format_exc(limit=-2)}")
        else:
            result.played += 1
            result.warned += bool(song.warnings)
    return result


def main() -> int:
    """Play the folders, print the table and return the exit status."""
    parser = argparse.ArgumentParser(description="Play every MIDI file of some folders.")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0, help="how much of each song to render (0: only read)")
    options = parser.parse_args()
    began = process_time()
    results = {folder: play_folder(folder, options.seconds) for folder in options.folders}
    titles = ("set", "files", "played", "of these with a warning", "refused", "of these without notes")
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
    for folder, result in results.items():
        counts = (result.count, result.played, result.warned, len(result.refused), result.silent)
        print(f"| {folder.name} | {' | '.join(map(str, counts))} |")
    for result in results.values():
        print(*result.refused, *result.faults, sep="\n", end="\n" if result.refused or result.faults else "")
    print(f"{process_time() - began:.0f} s of processor time")
    return 1 if any(result.faults for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
