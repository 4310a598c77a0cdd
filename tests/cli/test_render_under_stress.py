"""Many renders at once do not disturb each other, and a full disk leaves one line and no file."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tnca_synth import render_file
from tnca_synth.midi.files.writer import encode_midi_file
from tnca_synth.midi.messages import note_off, note_on

pytestmark = pytest.mark.slow

SONG = encode_midi_file([(0, note_on(0, 60, 64)), (2400, note_off(0, 60))], 48_000)
LATE = b"\x00\x90\x3c\x40\x60\x80\x3c\x40" + b"\xff\xff\xff\x7f\xff\x2f\x00"
LATE_FILE = b"MThd\0\0\0\x06\0\0\0\x01\x01\xe0MTrk\0\0\0\xff" + LATE


def test_twenty_renders_at_once_sound_alike(tmp_path: Path) -> None:
    song = tmp_path / "song.mid"
    song.write_bytes(SONG)
    outs = [tmp_path / f"{index}.wav" for index in range(20)]
    with ThreadPoolExecutor(20) as pool:
        reports = list(pool.map(lambda out: render_file(song, out), outs))
    assert {report.notes for report in reports} == {1}
    assert len({out.read_bytes() for out in outs}) == 1
    assert len(os.listdir(tmp_path)) == 21


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the system refuses the same way."""
    script = """
import resource, signal, sys
from tnca_synth.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sys.exit(main(["render", "song.mid", "--workers", "1"]))
"""
    (tmp_path / "song.mid").write_bytes(SONG)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert (
        done.stderr == "tnca-synth: error: cannot write 'song.wav': the system could not store it; is the disk full?\n"
    )
    assert os.listdir(tmp_path) == ["song.mid"]


def test_a_song_whose_end_is_days_away_ends_when_it_has_sounded(tmp_path: Path) -> None:
    song = tmp_path / "late.mid"
    song.write_bytes(LATE_FILE)
    warnings: list[str] = []
    report = render_file(song, tmp_path / "late.wav", warn=warnings.append)
    assert report.notes == 1
    assert report.audio_seconds < 10
    assert (tmp_path / "late.wav").read_bytes()[:4] == b"RIFF"  # not RF64, which few players read
    assert any("the end of track is at 77.7 h" in text for text in warnings)
