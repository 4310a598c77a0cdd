"""A corpus is what its documentation says, and nothing that happens on the way loses or doubles a song."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import soundfile
from corpora import facts_of, files_of, rows_of, song_bytes, tnca, write_songs

from tnca_synth.cli.render_corpus import _bank
from tnca_synth.corpus.corpus import render_corpus
from tnca_synth.corpus.journal import Journal
from tnca_synth.corpus.options import CorpusOptions
from tnca_synth.errors import BankError, UsageError

pytestmark = pytest.mark.slow

LONG_S = 12.0
"""A song of so many seconds takes long enough to be interrupted."""


def test_a_corpus_holds_sound_stems_notes_manifest_and_index(tmp_path: Path) -> None:
    (tmp_path / "duo.mid").write_bytes(song_bytes(62, 0.2, program=40, channels=(0, 1, 3)))
    out = tmp_path / "out"
    options = CorpusOptions(seed=3, stems="channel", humanise_velocity=5.0, sample_rate=22_050)
    state = render_corpus([tmp_path / "duo.mid"], out, options)
    assert (state.done, state.failed) == (1, 0)
    (row,) = rows_of(out)
    folder = out / row["folder"]
    assert sorted(files_of(folder)) == ["mix.flac", "song.json", "source.mid"] + [
        f"stems/channel-0{channel}-violin.flac" for channel in (1, 2, 4)
    ]
    assert (folder / "source.mid").read_bytes() == (tmp_path / "duo.mid").read_bytes()
    sound = soundfile.info(folder / "mix.flac")
    assert (sound.samplerate, sound.duration) == (22_050, pytest.approx(row["audio_seconds"]))
    played = facts_of(out, row)["played"]
    assert [(note["pitch"], note["instrument"], note["channel"]) for note in played] == [
        (62, "violin", channel) for channel in (1, 2, 4)
    ]
    assert len({note["velocity"] for note in played} - {90}) > 1
    assert played[0]["offset_s"] == pytest.approx(0.2)
    assert [stem["channels"] for stem in row["stems"]] == [[1], [2], [4]]
    assert (row["status"], row["notes"], json.loads(row["options"])["seed"]) == ("done", 3, 3)


def test_the_index_names_every_file_with_its_checksum(tmp_path: Path) -> None:
    songs = write_songs(tmp_path / "songs", 2)
    for stems in (None, "part"):
        out = tmp_path / str(stems)
        render_corpus([songs], out, CorpusOptions(stems=stems))
        index = json.loads((out / "index.json").read_bytes())
        records = [*index["tracks"].values(), *index.get("multitracks", {}).values()]
        named = [value for one in records for key, value in one.items() if key != "tracks"]
        named += index["metadata"].values()
        for path, md5 in named:
            assert hashlib.md5((out / path).read_bytes()).hexdigest() == md5
        assert {path for path, _ in named} == set(files_of(out)) - {"index.json"}
        assert all(set(song["tracks"]) <= set(index["tracks"]) for song in index.get("multitracks", {}).values())


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    songs = write_songs(tmp_path / "songs", 4)
    options = CorpusOptions(seed=1, random_instruments=True, random_growth=0.5, humanise_ms=10.0)
    for workers in (1, 3):
        render_corpus([songs], tmp_path / str(workers), options, workers=workers)
    assert files_of(tmp_path / "1") == files_of(tmp_path / "3")
    seeds = [row["seed"] for row in rows_of(tmp_path / "1")]
    assert len(set(seeds)) == 4


def test_a_song_that_fails_stops_nothing_and_is_tried_again(tmp_path: Path) -> None:
    songs = write_songs(tmp_path / "songs", 2)
    (songs / "bad.mid").write_bytes(b"no song")
    (songs / "missing.mid").symlink_to(tmp_path / "later.mid")
    (tmp_path / "later.mid").write_bytes(song_bytes(80))
    done = tnca("render-corpus", songs, "-o", tmp_path / "out", "--workers", 1, "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["songs"], report["done"], report["failed"]) == (4, 3, 1)
    assert "not a MIDI file" in report["failures"][0]["reason"]
    assert done.stderr.count("\n") == 1 and "bad.mid failed" in done.stderr
    assert [row["status"] for row in rows_of(tmp_path / "out")].count("failed") == 1
    again = tnca("render-corpus", songs, "-o", tmp_path / "out", "--workers", 1, "--json", "--resume")
    assert {key: json.loads(again.stdout)[key] for key in ("found", "done", "failed")} == {
        "found": 3, "done": 0, "failed": 1,
    }  # fmt: skip


def test_songs_can_be_added_and_are_rendered_alone(tmp_path: Path) -> None:
    songs = write_songs(tmp_path / "songs", 2)
    render_corpus([songs], tmp_path / "out", CorpusOptions())
    (songs / "more.mid").write_bytes(song_bytes(90))
    state = render_corpus([songs], tmp_path / "out", CorpusOptions(), resume=True)
    assert (state.found, state.done) == (2, 1)
    render_corpus([songs], tmp_path / "fresh", CorpusOptions())
    assert files_of(tmp_path / "out") == files_of(tmp_path / "fresh")


def test_wrong_calls_write_nothing(tmp_path: Path) -> None:
    songs = write_songs(tmp_path / "songs", 1)
    before = files_of(tmp_path)
    with pytest.raises(UsageError, match="something else"):
        render_corpus([songs], songs, CorpusOptions())
    with pytest.raises(UsageError, match="unknown instrument"):
        render_corpus([songs], tmp_path / "out", CorpusOptions(instrument="kazoo"))
    with pytest.raises(BankError):
        render_corpus([songs], tmp_path / "out", CorpusOptions(bank=str(tmp_path)))
    assert files_of(tmp_path) == before


def test_a_shipped_bank_is_named_and_any_other_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _bank(None) is None
    assert _bank(Path("low-rate")) == "low-rate"
    assert _bank(Path("mine")) == str(tmp_path.resolve() / "mine")


def test_an_unfinished_corpus_is_resumed_only_if_asked_and_alike(tmp_path: Path) -> None:
    songs = write_songs(tmp_path / "songs", 1)
    render_corpus([songs], tmp_path / "out", CorpusOptions())
    with pytest.raises(UsageError, match="--resume"):
        render_corpus([songs], tmp_path / "out", CorpusOptions())
    with pytest.raises(UsageError, match="begun with seed 0, not 1"):
        render_corpus([songs], tmp_path / "out", CorpusOptions(seed=1), resume=True)
    with Journal(tmp_path / "out"), pytest.raises(UsageError, match="another run"):
        render_corpus([songs], tmp_path / "out", CorpusOptions(), resume=True)


def test_a_journal_that_breaks_off_loses_its_last_line_alone(tmp_path: Path) -> None:
    row: dict[str, Any] = {"id": "a", "status": "done"}
    with Journal(tmp_path) as journal:
        journal.append(row)
        journal.append({**row, "id": "b", "status": "failed"})
        journal.append({**row, "id": "b"})
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"id": "c", "sta')
    with Journal(tmp_path) as journal:
        assert (list(journal.places), journal.failed) == (["a", "b"], set())
        journal.append({**row, "id": "d"})
        assert [one["id"] for one in journal.rows()] == ["a", "b", "d"]


def start(songs: Path, out: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tnca_synth", "render-corpus", str(songs), "-o", str(out), "--workers", "1"]
    return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(what: Any, limit_s: float = 60.0) -> Any:
    end = time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def worker_of(driver: subprocess.Popen[str]) -> list[int]:
    """Return the processes that a driver has begun, but for the one that multiprocessing keeps for itself."""
    children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def begun(out: Path) -> list[Path]:
    """Return the folders of songs that are being rendered, once there is sound in them."""
    return [part for part in out.glob("songs/*/.*.part") if any(one.stat().st_size for one in part.glob(".mix*"))]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("corpus")
    songs = write_songs(folder / "songs", 3, LONG_S)
    render_corpus([songs], folder / "out", CorpusOptions(), workers=2)
    return songs, files_of(folder / "out")


Undisturbed = tuple[Path, dict[str, str]]


def test_a_killed_driver_loses_nothing_and_leaves_no_process(tmp_path: Path, undisturbed: Undisturbed) -> None:
    songs, expected = undisturbed
    out = tmp_path / "out"
    driver = start(songs, out)
    wait_for(lambda: list(out.glob("songs/*/song*")) and begun(out))
    (worker,) = worker_of(driver)
    driver.kill()
    driver.communicate()
    wait_for(lambda: not Path(f"/proc/{worker}").exists() or "Z (zombie)" in Path(f"/proc/{worker}/status").read_text())
    resumed = tnca("render-corpus", songs, "-o", out, "--resume", "--json", "--workers", 1)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["songs"] == 3
    assert files_of(out) == expected


def test_a_killed_worker_is_replaced(tmp_path: Path, undisturbed: Undisturbed) -> None:
    songs, expected = undisturbed
    out = tmp_path / "out"
    driver = start(songs, out)
    wait_for(lambda: begun(out))
    os.kill(worker_of(driver)[0], signal.SIGKILL)
    assert (driver.communicate()[1], driver.returncode) == ("", 0)
    assert files_of(out) == expected


def test_an_interrupt_ends_it_cleanly(tmp_path: Path, undisturbed: Undisturbed) -> None:
    songs, expected = undisturbed
    out = tmp_path / "out"
    driver = start(songs, out)
    wait_for(lambda: begun(out))
    (worker,) = worker_of(driver)
    driver.send_signal(signal.SIGINT)
    assert driver.communicate()[1] == "tnca-synth: error: interrupted\n"
    assert driver.returncode == 130
    assert not Path(f"/proc/{worker}").exists()
    assert not list(out.glob("songs/*/.*"))
    assert tnca("render-corpus", songs, "-o", out, "--resume").returncode == 0
    assert files_of(out) == expected


def test_a_full_disk_stops_it_in_one_line_and_it_goes_on_later(tmp_path: Path, undisturbed: Undisturbed) -> None:
    """A limit on the size of files stands in for a full disk: the system refuses the same way."""
    songs, expected = undisturbed
    out = tmp_path / "out"
    script = """
import resource, signal, sys
from tnca_synth.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
if __name__ == "__main__":
    sys.exit(main(["render-corpus", sys.argv[1], "-o", sys.argv[2], "--workers", "1"]))
"""
    (tmp_path / "limited.py").write_text(script)
    command = [sys.executable, str(tmp_path / "limited.py"), str(songs), str(out)]
    full = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert full.returncode == 1
    assert full.stderr.startswith("tnca-synth: error: the disk is full") and full.stderr.count("\n") == 1
    assert not list(out.glob("songs/*/*"))
    assert tnca("render-corpus", songs, "-o", out, "--resume").returncode == 0
    assert files_of(out) == expected
