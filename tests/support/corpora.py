"""Small songs, and corpora of them, for the tests beside this."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tnca_synth.midi.files.writer import encode_midi_file
from tnca_synth.midi.messages import note_off, note_on, program_change

RATE = 1000


def song_bytes(key: int = 60, seconds: float = 0.1, program: int = 0, channels: tuple[int, ...] = (0,)) -> bytes:
    """Return a MIDI file of one note on each of some channels."""
    messages = []
    for channel in channels:
        messages += [
            (0, program_change(channel, program)),
            (0, note_on(channel, key, 90)),
            (round(seconds * RATE), note_off(channel, key)),
        ]
    return encode_midi_file(messages, RATE)


def write_songs(folder: Path, number: int = 3, seconds: float = 0.1) -> Path:
    """Write songs of one note, and return their folder."""
    folder.mkdir()
    for index in range(number):
        (folder / f"song {index}.mid").write_bytes(song_bytes(50 + index, seconds))
    return folder


def tnca(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "tnca_synth", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def files_of(corpus: Path) -> dict[str, str]:
    """Return a hash of every file of a corpus."""
    paths = sorted(path for path in corpus.rglob("*") if path.is_file())
    return {str(path.relative_to(corpus)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def rows_of(corpus: Path) -> list[dict[str, Any]]:
    return pq.read_table(corpus / "manifest.parquet").to_pylist()


def facts_of(corpus: Path, row: dict[str, Any]) -> dict[str, Any]:
    return json.loads((corpus / row["folder"] / "song.json").read_bytes())


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, **more}
