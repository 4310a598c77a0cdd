"""Sound files are read whole, odd ones with a warning, and damaged ones end in one clear line."""

import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tnca_synth.errors import MidiFileError
from tnca_synth.midi import parse_midi, read_midi_file
from tnca_synth.midi.files import song as midi_file
from tnca_synth.midi.messages import is_note_start

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"


def payloads(song: midi_file.Song) -> list[str]:
    return [message.data.hex(" ") for message in song.messages]


def test_a_plain_file_is_read_whole(build: Any, write: Callable[[bytes], Path]) -> None:
    named = b"\x00\xff\x03\x05Viola" + build.note
    song = read_midi_file(write(build.file(b"\x00\xff\x03\x04Song", named)))
    assert song.format == 1
    assert song.num_notes == 1
    assert song.track_names == ["Song", "Viola"]
    assert song.warnings == []
    assert [message.track for message in song.messages] == [1, 1]
    assert payloads(song) == ["90 3c 40", "80 3c 40"]


def test_track_names_may_be_utf8_or_latin1(build: Any) -> None:
    names = ["Flöte".encode(), "Flöte".encode("latin-1")]
    tracks = [b"\x00\xff\x03" + bytes([len(name)]) + name + build.note for name in names]
    assert build.song(*tracks).track_names == ["Flöte", "Flöte"]


def test_track_names_lose_the_padding_some_writers_add(build: Any) -> None:
    assert build.song(b"\x00\xff\x03\x04 a\0\0" + build.note).track_names == ["a"]


def test_format_0_with_one_track(build: Any) -> None:
    assert build.song(build.note, file_format=0).format == 0


def test_velocity_0_does_not_count_as_a_note(build: Any) -> None:
    assert build.song(b"\x00\x90\x3c\x40\x10\x90\x3c\x00").num_notes == 1


def test_running_status_is_resolved_also_across_meta_and_system_exclusive(build: Any) -> None:
    song = build.song(b"\x00\x90\x3c\x40\x00\x3e\x41\x00\xff\x01\x01x\x00\x40\x42\x00\xf0\x02\x7e\xf7\x00\x41\x43")
    assert payloads(song) == ["90 3c 40", "90 3e 41", "90 40 42", "f0 7e f7", "90 41 43"]


def test_system_exclusive_is_kept_whole_and_in_parts(build: Any) -> None:
    whole = b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7"
    parts = b"\x00\xf0\x02\x7e\x7f\x10\xf7\x03\x09\x01\xf7"
    assert payloads(build.song(whole + parts + build.note))[:2] == ["f0 7e 7f 09 01 f7"] * 2


def test_system_exclusive_without_its_end_is_closed_where_it_began(build: Any) -> None:
    song = build.song(b"\x00\xf0\x02\x7e\x7f" + b"\x83\x60\x90\x3c\x40")
    assert payloads(song)[0] == "f0 7e 7f f7"
    assert song.messages[0].time_s == 0.0


def test_escaped_messages_are_sent_and_other_escaped_bytes_are_not(build: Any) -> None:
    song = build.song(b"\x00\xf7\x03\x90\x40\x50\x00\xf7\x02\x12\x34" + build.note)
    assert payloads(song)[0] == "90 40 50"
    assert song.num_notes == 2
    assert "escaped" in song.warnings[0]


def test_riff_wrapped_files_are_read(build: Any) -> None:
    inner = build.file(build.note)
    info = b"LIST" + struct.pack("<L", 3) + b"abc\0"  # odd length, padded
    data = info + b"data" + struct.pack("<L", len(inner)) + inner
    wrapped = b"RIFF" + struct.pack("<L", len(data) + 4) + b"RMID" + data
    assert parse_midi(wrapped).num_notes == 1


def test_data_bytes_above_127_are_clipped_with_a_warning(build: Any) -> None:
    song = build.song(b"\x00\x90\x3c\xf0" + build.note)
    assert payloads(song)[0] == "90 3c 7f"
    assert song.warnings == ["track 1: clipped data byte above 127 (x 1)"]


def test_a_missing_end_of_track_is_forgiven(build: Any) -> None:
    song = parse_midi(build.header(1) + build.chunk(b"MTrk", build.note))
    assert song.num_notes == 1
    assert "end-of-track" in song.warnings[0]


def test_events_after_the_end_of_track_are_ignored(build: Any) -> None:
    song = build.song(build.note + build.end_of_track + b"\xde\xad")
    assert song.num_notes == 1
    assert "after the end-of-track" in song.warnings[0]


def test_unknown_chunks_between_tracks_are_skipped(build: Any) -> None:
    data = build.header(2) + build.track(build.note) + build.chunk(b"XFIH", b"\0" * 9) + build.track(build.note)
    song = parse_midi(data)
    assert song.num_notes == 2
    assert song.warnings == ["skipped 1 chunks that are no tracks"]


def test_fewer_tracks_than_promised_is_a_warning_at_a_chunk_boundary(build: Any) -> None:
    song = parse_midi(build.header(3) + build.track(build.note))
    assert song.warnings == ["the header promises 3 tracks, the file has 1"]


def test_bytes_after_the_last_track_are_ignored(build: Any) -> None:
    song = parse_midi(build.file(build.note) + b"\0\0\0")
    assert song.warnings == ["ignored 3 bytes after the last track"]


def test_a_longer_header_is_read_past(build: Any) -> None:
    header = build.chunk(b"MThd", struct.pack(">HHh", 1, 1, 480) + b"future")
    assert parse_midi(header + build.track(build.note)).num_notes == 1


def test_an_odd_key_signature_does_not_cost_the_file(build: Any) -> None:
    assert build.song(b"\x00\xff\x59\x02\x20\x09" + build.note).warnings == []


DAMAGE = {
    "empty": (lambda b: b"", "not a MIDI file"),
    "text": (lambda b: b"Hello, world", "not a MIDI file: it begins with 'Hell'"),
    "wave file": (lambda b: b"RIFF\x24\0\0\0WAVEfmt ", "RIFF of type 'WAVE'"),
    "riff without data": (lambda b: b"RIFF\x04\0\0\0RMID", "no MIDI file in a 'data' chunk"),
    "riff without a song": (lambda b: b"RIFF\x04\0\0\0RMIDdata\xff\xff\xff\x7f", "no MIDI file in a 'data' chunk"),
    "header far into the file": (lambda b: b"\n" * 5000 + b.file(b.note), "not a MIDI file"),
    "header cut off": (lambda b: b"MThd\0\0\0\x06\0\x01", "the header has 2 bytes"),
    "header too short": (lambda b: b.chunk(b"MThd", b"\0\1\0\1") + b.track(b.note), "the header has 4 bytes"),
    "header that lies": (lambda b: b"MThd\xff\xff\xff\xff" + b.header(1)[8:], "no track chunk"),
    "no track": (lambda b: b.header(1), "no track chunk"),
    "no events": (lambda b: b.header(1) + b"MTrk\0\0\0\xff", "0 messages but no notes, expected at least one; track 1"),
    "noise": (lambda b: b.file(b"\xff" * 50), "0 messages but no notes, expected at least one; track 1"),
    "no notes": (lambda b: b.file(b"\x00\xc0\x05"), "1 messages but no notes, expected at least one"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_one_clear_line_that_names_the_file(build: Any, write: Callable[[bytes], Path], kind: str) -> None:
    make, expected = DAMAGE[kind]
    path = write(make(build))
    with pytest.raises(MidiFileError) as caught:
        read_midi_file(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert expected in text
    assert "\n" not in text


def test_the_damaged_track_is_named(build: Any) -> None:
    song = build.song(build.note, b"\x00\xf5" + build.note)
    assert song.warnings == ["track 2: skipped undefined status byte 0xF5 (x 1)"]


def test_missing_files_and_folders_are_midi_file_errors(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError, match=r"none\.mid: cannot be read: No such file or directory"):
        read_midi_file(tmp_path / "none.mid")
    with pytest.raises(MidiFileError, match="cannot be read"):
        read_midi_file(tmp_path)
    with pytest.raises(MidiFileError, match="cannot be read"):
        read_midi_file("nul\0byte.mid")


def test_a_file_name_with_line_breaks_still_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(MidiFileError) as caught:
        read_midi_file(tmp_path / "two\nlines.mid")
    assert "\n" not in str(caught.value)


def test_files_above_the_size_limit_are_refused(
    build: Any, write: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(build.file(build.note))
    monkeypatch.setattr(midi_file, "MAX_FILE_BYTES", path.stat().st_size)
    assert read_midi_file(path).num_notes == 1
    monkeypatch.setattr(midi_file, "MAX_FILE_BYTES", path.stat().st_size - 1)
    with pytest.raises(MidiFileError, match="larger than"):
        read_midi_file(path)


def test_events_above_the_limit_are_refused_over_all_tracks(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midi_file, "MAX_EVENTS", 6)
    assert build.song(build.note, build.note).num_notes == 2  # 2 x (on, off, end)
    with pytest.raises(MidiFileError, match="track 3: more than 0 events"):
        build.song(build.note, build.note, build.note)


def test_a_flood_of_empty_chunks_is_refused(build: Any) -> None:
    with pytest.raises(MidiFileError, match="more than 65536 chunks"):
        parse_midi(build.header(1) + build.chunk(b"XXXX", b"") * 70_000)


@pytest.mark.parametrize("name", ["canon.mid", "prelude.mid", "tour.mid"])
def test_every_cut_of_an_example_plays_as_far_as_it_goes(name: str) -> None:
    data = (EXAMPLES / name).read_bytes()
    whole = parse_midi(data)
    everything = Counter(message for message in whole.messages if is_note_start(message.data))
    num_read = 0
    for length in range(0, len(data), 97):
        try:
            cut = parse_midi(data[:length])
        except MidiFileError:
            continue
        num_read += 1
        notes = Counter(message for message in cut.messages if is_note_start(message.data))
        assert notes <= everything
        assert cut.warnings
    assert num_read > len(data) // 97 * 0.8
