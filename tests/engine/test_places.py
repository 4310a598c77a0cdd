"""No file of a rendering meets another: that is a wrong call before anything is rendered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tnca_synth.engine.output.places import plan_places
from tnca_synth.engine.render.stem_names import safe_name, stem_names
from tnca_synth.errors import AudioFileError, UsageError
from tnca_synth.midi import Song, TimedMessage
from tnca_synth.midi.messages import note_on, program_change

NAMES = {0: "channel-01-violin", 9: "channel-10-drums"}


def plan(tmp_path: Path, mix: str = "mix.wav", stems: str | None = "stems", source: str = "song.mid"):  # type: ignore[no-untyped-def]
    (tmp_path / source).touch()
    return plan_places(tmp_path / mix, None if stems is None else tmp_path / stems, NAMES, tmp_path / source, "24")


def test_stems_lie_in_their_folder_with_the_suffix_of_the_mix(tmp_path: Path) -> None:
    places = plan(tmp_path, "mix.flac")
    assert places.stems[9] == tmp_path / "stems" / "channel-10-drums.flac"
    assert os.listdir(tmp_path) == ["song.mid"]


@pytest.mark.parametrize("mix", ["channel-01-violin.wav", "Channel-01-VIOLIN.wav", "sub/../channel-10-drums.wav"])
def test_the_mix_among_its_stems_is_refused(tmp_path: Path, mix: str) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(UsageError, match=r"the stem .* would overwrite the output"):
        plan(tmp_path, mix, stems=".")


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_stem_that_is_the_song_is_refused(tmp_path: Path, link) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "song.mid").write_bytes(b"notes")
    (tmp_path / "stems").mkdir()
    link(tmp_path / "song.mid", tmp_path / "stems" / "channel-10-drums.wav")
    with pytest.raises(UsageError, match=r"the stem .* would overwrite the MIDI file"):
        plan(tmp_path)
    assert (tmp_path / "song.mid").read_bytes() == b"notes"


def test_a_stem_that_links_to_the_mix_to_come_is_refused(tmp_path: Path) -> None:
    (tmp_path / "stems").mkdir()
    os.symlink(tmp_path / "mix.wav", tmp_path / "stems" / "channel-01-violin.wav")
    with pytest.raises(UsageError, match="would overwrite the output"):
        plan(tmp_path)


def test_stems_that_are_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "stems").mkdir()
    os.symlink("channel-01-violin.wav", tmp_path / "stems" / "channel-10-drums.wav")
    with pytest.raises(UsageError, match="are one file; remove the link"):
        plan(tmp_path)


def test_the_folder_of_the_stems_may_link_to_that_of_the_mix(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real", tmp_path / "stems")
    assert len(plan(tmp_path, "real/mix.wav").stems) == 2
    with pytest.raises(UsageError, match="would overwrite the output"):
        plan(tmp_path, "real/channel-01-violin.wav")


@pytest.mark.parametrize("in_the_way", ["folder", "fifo"])
def test_what_may_not_be_overwritten_is_seen_before(tmp_path: Path, in_the_way: str) -> None:
    (tmp_path / "stems").mkdir()
    place = tmp_path / "stems" / "channel-10-drums.wav"
    place.mkdir() if in_the_way == "folder" else os.mkfifo(place)
    with pytest.raises(AudioFileError, match="channel-10-drums"):
        plan(tmp_path)


def test_a_folder_without_permission_is_seen_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # root may write anywhere
    with pytest.raises(AudioFileError, match="nothing may be written into the folder"):
        plan(tmp_path, stems=None)


def played(*notes: tuple[int, int], names: list[str], programs: dict[int, int] | None = None) -> Song:
    """A song with notes of (track, channel)."""
    messages = [TimedMessage(0.0, 0, program_change(channel, one)) for channel, one in (programs or {}).items()]
    messages += [TimedMessage(0.1, track, note_on(channel, 60, 100)) for track, channel in notes]
    return Song(messages, 1.0, 1, len(notes), names, [])


def test_stems_are_named_by_track_or_else_by_instrument() -> None:
    song = played((0, 0), (1, 1), (1, 2), (2, 9), (3, 4), (4, 4), names=["1st Violin", "Keys", "", "a", "b"],
                  programs={0: 40, 1: 0, 2: 6, 4: 73})  # fmt: skip
    assert stem_names(song) == {
        0: "channel-01-1st-violin",
        1: "channel-02-acoustic-grand-piano",
        2: "channel-03-harpsichord",
        4: "channel-05-flute",
        9: "channel-10-drums",
    }


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("Flöte (Solo)", "flote-solo"),
        ("CON", "con"),
        ("a" * 300, "a" * 40),
        ("琴", ""),
        ("x\0y\n", "x-y"),
    ],
)
def test_names_are_safe_on_every_file_system(text: str, safe: str) -> None:
    assert safe_name(text) == safe


def test_a_name_without_a_safe_letter_gives_way_to_the_instrument() -> None:
    assert stem_names(played((0, 0), names=["琴"], programs={0: 107})) == {0: "channel-01-koto"}
