"""Files are written whole or not at all, wherever that is done."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tnca_synth.whole_files import replacing, write_whole


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "bank.json"
    write_whole(path, b"before")

    def broken_off() -> None:
        with replacing(path) as part:
            part.write_bytes(b"half of wh")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with replacing(path) as part:
        part.write_bytes(b"whole")
        assert not path.exists() and part.parent == tmp_path and part.name.startswith(".")
    assert path.read_bytes() == b"whole" and list(tmp_path.iterdir()) == [path]


def test_a_writer_that_writes_nothing_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"before")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_bytes() == b"before"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.write_bytes(b"before")
    link.symlink_to(target)
    write_whole(link, b"after")
    assert link.is_symlink() and target.read_bytes() == b"after" and not target.is_symlink()


def test_permissions_stay_and_new_files_have_the_usual_ones(tmp_path: Path) -> None:
    path, usual = tmp_path / "settings.toml", tmp_path / "usual"
    path.write_bytes(b"before")
    path.chmod(0o640)
    write_whole(path, b"after")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    usual.touch()
    write_whole(tmp_path / "new", b"")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


@pytest.mark.parametrize("name", ["x" * 255, "x" * 250 + ".flac"])
def test_the_longest_names_are_possible(tmp_path: Path, name: str) -> None:
    write_whole(tmp_path / name, b"whole")
    assert os.listdir(tmp_path) == [name]


def test_a_folder_in_its_place_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "taken", b"whole")
    assert os.listdir(tmp_path) == ["taken"]
