"""File names that are not UTF-8 and consoles that cannot show them are no reason to fail."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tnca_synth.engine.output.audiofile import AudioWriter
from tnca_synth.midi.files.writer import encode_midi_file
from tnca_synth.midi.messages import note_off, note_on

SONG = encode_midi_file([(0, note_on(0, 60, 64)), (2400, note_off(0, 60))], 48_000)
NAMES = {
    "latin-1": "Flöte.mid".encode("latin-1"),
    "shift-jis": "ピアノ.mid".encode("cp932"),
    "utf-8": "笛 Flöte.mid".encode(),
}

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX systems alone"),
    pytest.mark.slow,
]


def render(folder: Path, name: bytes, encoding: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    path = os.path.join(os.fsencode(folder), name)
    with open(path, "wb") as file:
        file.write(SONG)
    return subprocess.run(
        [sys.executable, "-m", "tnca_synth", "render", path, "--workers", "1", *options],
        env={**os.environ, "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": encoding, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("kind", "encoding"), [("latin-1", "utf-8"), ("shift-jis", "ascii"), ("utf-8", "cp1252")])
def test_a_song_of_any_name_is_rendered_on_any_console(tmp_path: Path, kind: str, encoding: str) -> None:
    name = NAMES[kind]
    done = render(tmp_path, name, encoding)
    assert done.stderr == b""
    assert done.returncode == 0
    assert sorted(os.listdir(os.fsencode(tmp_path))) == sorted([name, name.replace(b".mid", b".wav")])
    assert b".wav: 2." in done.stdout
    assert done.stdout.isascii() or encoding != "ascii"


def test_an_error_about_a_name_that_cannot_be_shown_is_one_line(tmp_path: Path) -> None:
    done = render(tmp_path, NAMES["latin-1"], "ascii", "--bank", os.fsdecode(NAMES["latin-1"]))
    assert done.returncode == 1
    assert done.stderr.startswith(b"tnca-synth: error: ")
    assert done.stderr.count(b"\n") == 1
    assert b"bug" not in done.stderr


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_sound_files_take_names_in_any_encoding(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / os.fsdecode(b"Kl\xe4nge")
    folder.mkdir()
    path = folder / (os.fsdecode(b"Fl\xf6te") + suffix)
    with AudioWriter(path, 8000) as writer:
        writer.write(np.full((100, 2), 0.5, dtype=np.float32))
    with path.open("rb") as file:
        assert len(soundfile.read(file)[0]) == 100
