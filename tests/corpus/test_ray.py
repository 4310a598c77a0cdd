"""A Ray cluster renders what one process renders, also when its workers are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from corpora import files_of, tnca, write_songs

from tnca_synth.corpus.corpus import render_corpus
from tnca_synth.corpus.options import CorpusOptions

pytestmark = pytest.mark.slow


def rendering_below(driver: int) -> list[int]:
    """Return Ray's processes that render a song now and descend from a driver."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if not path.read_bytes().startswith(b"ray::render_song_task"):
                continue
            pid = parent = int(path.parent.name)
            while parent not in (driver, 0, 1):
                parent = int(Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[1])
            found += [pid] * (parent == driver)
        except OSError:
            continue
    return found


def test_a_cluster_whose_worker_is_killed_renders_every_song_once(tmp_path: Path) -> None:
    songs = write_songs(tmp_path / "songs", 3, 40.0)
    render_corpus([songs], tmp_path / "alone", CorpusOptions())
    command = [sys.executable, "-m", "tnca_synth", "render-corpus", str(songs), "-o", str(tmp_path / "ray")]
    driver = subprocess.Popen(
        [*command, "--ray", "--workers", "2", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 120
    while not (workers := rendering_below(driver.pid)) and driver.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(workers[0], signal.SIGKILL)
    out, said = driver.communicate(timeout=240)
    assert driver.returncode == 0, said
    assert {key: json.loads(out)[key] for key in ("songs", "done", "failed")} == {"songs": 3, "done": 3, "failed": 0}
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "alone")


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    songs = write_songs(tmp_path / "songs", 1)
    done = tnca("render-corpus", songs, "-o", tmp_path / "out", "--ray", "ray-nowhere")
    assert done.returncode == 2
    assert "no Ray cluster at 'ray-nowhere'" in done.stderr and done.stderr.count("\n") == 1
