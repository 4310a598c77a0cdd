"""Songs are found in folders, patterns, lists and archives; each counts once, and the largest come first."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from corpora import song_bytes, write_songs

from tnca_synth.corpus.songs import find_songs
from tnca_synth.errors import MidiFileError, UsageError


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_a_folder_is_searched_through(tmp_path: Path) -> None:
    folder = write_songs(tmp_path / "songs", 2)
    (folder / "deep").mkdir()
    (folder / "deep" / "B.MIDI").write_bytes(song_bytes(70))
    (folder / "readme.txt").write_text("no song")
    assert {Path(song.source).name for song in find_songs([folder])} == {"song 0.mid", "song 1.mid", "B.MIDI"}


def test_the_order_of_names_changes_nothing_and_a_song_counts_once(tmp_path: Path) -> None:
    folder = write_songs(tmp_path / "songs", 3)
    forth, back = [folder / "song 0.mid", folder], [folder, folder / "song 2.mid"]
    assert find_songs(forth) == find_songs(back)
    assert len(find_songs(forth)) == 3


def test_the_largest_song_comes_first(tmp_path: Path) -> None:
    (tmp_path / "small.mid").write_bytes(song_bytes())
    (tmp_path / "large.mid").write_bytes(song_bytes(channels=(0, 1, 2)))
    assert [Path(song.path).stem for song in find_songs([tmp_path])] == ["large", "small"]


def test_a_list_names_what_lies_beside_it(tmp_path: Path) -> None:
    write_songs(tmp_path / "songs", 3)
    (tmp_path / "train.txt").write_text("# a part\nsongs/song 0.mid\n\nsongs/song [12].mid\n")
    assert len(find_songs([tmp_path / "train.txt"])) == 3


def test_members_of_an_archive_are_read_alone(tmp_path: Path) -> None:
    songs = {"0001.mid": song_bytes(61), "deep/0002.mid": song_bytes(62)}
    shard = write_tar(tmp_path / "shard-0.tar", {**songs, "0001.json": b"{}"})
    found = {song.source: song for song in find_songs([str(tmp_path / "shard-*.tar")])}
    assert {name: found[f"{shard}/{name}"].read() for name in songs} == songs
    assert all(song.id.startswith(("0001-", "0002-")) for song in found.values())


def test_the_same_song_has_the_same_id_in_a_file_and_in_an_archive(tmp_path: Path) -> None:
    (tmp_path / "Été 1.mid").write_bytes(song_bytes())
    shard = write_tar(tmp_path / "a.tar", {"été 1.mid": song_bytes()})
    assert len(find_songs([tmp_path / "Été 1.mid", shard])) == 1


@pytest.mark.parametrize("name", ["nowhere", "*.mid", "sound.wav", "packed.tar", "loop.txt", "empty"])
def test_what_is_no_source_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "sound.wav").write_bytes(b"RIFF")
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop.txt").write_text("loop.txt\n")
    write_tar(tmp_path / "packed.tar", {"a.mid": song_bytes()}, "w:gz")
    with pytest.raises(UsageError) as caught:
        find_songs([tmp_path / name])
    assert "\n" not in str(caught.value)


def test_a_song_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    (song,) = find_songs([write_songs(tmp_path / "songs", 1)])
    Path(song.path).write_bytes(song_bytes(99))
    with pytest.raises(MidiFileError, match="changed"):
        song.read()
    os.remove(song.path)
    with pytest.raises(MidiFileError, match="No such file"):
        song.read()
