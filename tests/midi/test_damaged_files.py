"""Files that other players play are played, with a warning, whatever chunks claim and however damaged an event."""

import struct
from collections.abc import Callable
from typing import Any

import pytest

from tnca_synth.midi import parse_midi
from tnca_synth.midi.messages import is_note_start

pytestmark = pytest.mark.slow

END = b"\x00\xff\x2f\x00"
SECOND = b"\x00\x91\x43\x40\x83\x60\x81\x43\x40"
TWO = (b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x40", SECOND)


def sized(kind: bytes, size: int, body: bytes) -> bytes:
    """Return a chunk that claims a size."""
    return kind + struct.pack(">L", size & 0xFFFFFFFF) + body


def two_tracks(b: Any, first: int = 0, second: int = 0) -> bytes:
    """Return two tracks of a note each whose chunks claim so many bytes too many."""
    bodies = [events + END for events in TWO]
    chunks = (sized(b"MTrk", len(body) + more, body) for body, more in zip(bodies, (first, second), strict=True))
    return b.header(2) + b"".join(chunks)


def riff(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    body = kind + b"data" + struct.pack("<L", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<L", len(body)) + body


BOTH = ["90 3c 40 @ 0.0", "91 43 40 @ 0.0"]

CHUNKS: dict[str, tuple[Callable[[Any], bytes], str]] = {
    "first track claims 8 bytes too many": (
        lambda b: two_tracks(b, 8),
        "track 1: its chunk claims 21 bytes, the track has 13",
    ),
    "first track claims 1 byte too many": (lambda b: two_tracks(b, 1), "track 1: its chunk claims 14 bytes"),
    "first track claims all that follows": (lambda b: two_tracks(b, 21), "track 1: its chunk claims 34 bytes"),
    "first track claims too little": (lambda b: two_tracks(b, -5), "track 1: its chunk claims 8 bytes"),
    "first track claims nothing": (lambda b: two_tracks(b, -13), "track 1: its chunk claims 0 bytes"),
    "last track claims nothing": (lambda b: two_tracks(b, 0, -13), "track 2: its chunk claims 0 bytes"),
    "last track claims too little": (lambda b: two_tracks(b, 0, -1), "track 2: its chunk claims 12 bytes"),
    "last track claims 4 GiB": (lambda b: two_tracks(b, 0, -14), "track 2: its chunk claims 4294967295 bytes"),
    "both tracks claim 4 GiB": (lambda b: two_tracks(b, -14, -14), "track 1: its chunk claims 4294967295 bytes"),
    "both tracks claim nothing": (lambda b: two_tracks(b, -13, -13), "track 1: its chunk claims 0 bytes"),
    "last byte missing": (lambda b: two_tracks(b)[:-1], "track 2: the track ends inside a meta event"),
    "last event missing": (lambda b: two_tracks(b)[:-4], "track 2: no end-of-track event"),
    "cut off in a note off": (lambda b: two_tracks(b)[:-5], "track 2: the track ends inside a message"),
    "cut off in a delta time": (lambda b: two_tracks(b)[:-8], "track 2: the track ends inside a delta time"),
    "line feed at the end": (lambda b: two_tracks(b) + b"\n", "ignored 1 bytes after the last track"),
    "padding at the end": (lambda b: two_tracks(b) + bytes(100), "ignored 100 bytes after the last track"),
    "half a chunk header at the end": (lambda b: two_tracks(b) + b"MTrk\0", "ignored 5 bytes after the last track"),
    "junk between tracks": (
        lambda b: b.header(2) + b.track(TWO[0]) + b"\r\n\0junk" + b.track(SECOND),
        "skipped 7 bytes before track 2",
    ),
    "padding between tracks": (lambda b: b.header(2) + b.track(TWO[0]) + b"\0" + b.track(SECOND), "skipped 1 bytes"),
    "junk behind the header": (lambda b: b.header(2) + b"\0\0" + b.track(TWO[0]) + b.track(SECOND), "skipped 2 bytes"),
    "an unknown chunk that lies": (
        lambda b: b.header(2) + b.track(TWO[0]) + sized(b"XFIH", 10**6, b"abc") + b.track(SECOND),
        "skipped 11 bytes before track 2",
    ),
    "header promises more, then junk": (
        lambda b: b.header(9) + b.track(TWO[0]) + b.track(SECOND) + b"\x1a" * 30,
        "the header promises 9 tracks, the file has 2",
    ),
    "header promises fewer": (
        lambda b: b.header(1) + b.track(TWO[0]) + b.track(SECOND),
        "the header promises 1 tracks",
    ),
    "blank line before the header": (lambda b: b"\r\n" + two_tracks(b), "ignored 2 bytes before the header"),
    "byte order mark before the header": (
        lambda b: b"\xef\xbb\xbf" + two_tracks(b),
        "ignored 3 bytes before the header",
    ),
    "MacBinary header": (
        lambda b: b"\0\x08song.mid" + bytes(118) + two_tracks(b),
        "ignored 128 bytes before the header",
    ),
    "header claims nothing": (lambda b: sized(b"MThd", 0, two_tracks(b)[8:]), "the header claims 0 bytes"),
    "header claims the first track": (lambda b: sized(b"MThd", 14, two_tracks(b)[8:]), "the header claims 14 bytes"),
    "header claims 4 GiB": (lambda b: sized(b"MThd", -1, two_tracks(b)[8:]), "the header claims 4294967295 bytes"),
    "format 7": (lambda b: b.file(*TWO, file_format=7), "format 7, expected 0, 1 or 2; played as 1"),
    "format 0 with two tracks": (lambda b: b.file(*TWO, file_format=0), ""),
    "two headers": (lambda b: b.header(2) + two_tracks(b), "skipped 1 chunks"),
    "a second file behind": (lambda b: two_tracks(b) + two_tracks(b), "ignored another MIDI file at byte 56"),
    "RIFF": (lambda b: riff(b"RMID", two_tracks(b)), ""),
    "RIFF that claims nothing": (lambda b: riff(b"RMID", two_tracks(b), 0), ""),
    "RIFF that claims 4 GiB": (lambda b: riff(b"RMID", two_tracks(b), 2**32 - 1), ""),
    "RIFF that is cut off": (
        lambda b: riff(b"RMID", two_tracks(b))[:-1],
        "track 2: the track ends inside a meta event",
    ),
    "RIFF with a chunk that lies": (
        lambda b: riff(b"RMIDLIST\xff\xff\0\0abcd", two_tracks(b)),
        "the lengths in the RIFF file are wrong",
    ),
}


@pytest.mark.parametrize("kind", CHUNKS)
def test_a_song_is_played_whatever_its_chunks_claim(build: Any, kind: str) -> None:
    make, expected = CHUNKS[kind]
    song = parse_midi(make(build))
    notes = [f"{message.data.hex(' ')} @ {message.time_s}" for message in song.messages if is_note_start(message.data)]
    assert notes == BOTH
    assert any(expected in warning for warning in song.warnings) if expected else True


NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x40"
LATER = b"\x00\x90\x3e\x40\x83\x60\x80\x3e\x40\x00\x90\x40\x40\x83\x60\x80\x40\x40"

EVENTS = {
    "undefined status byte": (NOTE + b"\x00\xf4" + LATER, "skipped undefined status byte 0xF4"),
    "undefined status byte with data": (NOTE + b"\x00\xf5\x05" + LATER, "skipped undefined status byte 0xF5"),
    "undefined real-time byte": (NOTE + b"\x00\xf9" + LATER, "skipped undefined status byte 0xF9"),
    "undefined status bytes after text": (
        NOTE + b"\x00\xff\x01\x01x\x00\xf4\x00\xf5\x00\xff\x01\x01x\x00\xfd" + LATER,
        "skipped undefined status byte 0xFD",
    ),
    "one data byte without status": (b"\x00\x05" + NOTE + LATER, "skipped data without a status byte"),
    "data bytes without status": (b"\x00\x05\x40\x41" + NOTE + LATER, "skipped data without a status byte"),
    "one byte too many": (NOTE + b"\x00\xb0\x07\x64\x22" + LATER, "skipped a byte that belongs to no event"),
    "meta event that claims 256 MiB": (
        NOTE + b"\x00\xff\x01\xff\xff\xff\x7f" + LATER,
        "the track ends inside a meta event",
    ),
    "SysEx that claims 256 MiB": (NOTE + b"\x00\xf0\xff\xff\xff\x7f" + LATER, "the track ends inside a SysEx event"),
    "text that claims too little": (NOTE + b"\x00\xff\x01\x02cafe" + LATER, "(x 1)"),
    "tempo of two bytes": (b"\x00\xff\x51\x02\x07\xa1" + NOTE + LATER, "ignored tempo"),
    "tempo of no microseconds": (b"\x00\xff\x51\x03\x00\x00\x00" + NOTE + LATER, "ignored tempo"),
    "tempo of four bytes": (b"\x00\xff\x51\x04\x07\xa1\x20\x00" + NOTE + LATER, ""),
    "key signature of 32 sharps": (b"\x00\xff\x59\x02\x20\x09" + NOTE + LATER, ""),
    "key signature of no bytes": (b"\x00\xff\x59\x00" + NOTE + LATER, ""),
    "time signature of 0/256": (b"\x00\xff\x58\x04\x00\xff\x00\x00" + NOTE + LATER, ""),
    "SMPTE offset of 255 h": (b"\x00\xff\x54\x05\xff\xff\xff\xff\xff" + NOTE + LATER, ""),
    "meta event of an unknown kind": (b"\x00\xff\x60\x02\xff\xff" + NOTE + LATER, ""),
    "delta time of 5 bytes": (b"\x80\x80\x80\x80\x00\x90" + NOTE[2:] + LATER, "a number of more than 4 bytes"),
    "delta time of 9 bytes": (
        b"\xff\xff\xff\xff\x80\x80\x80\x80\x00\x90" + NOTE[2:] + LATER,
        "a number of more than 4 bytes",
    ),
    "length of 5 bytes": (
        b"\x00\xff\x01\x80\x80\x80\x80\x01x" + NOTE + LATER,
        "a number of more than 4 bytes in a meta",
    ),
    "SysEx in two packets": (b"\x00\xf0\x02\x7e\x7f\x00\xf7\x03\x09\x01\xf7" + NOTE + LATER, ""),
    "SysEx without its end": (b"\x00\xf0\x02\x7e\x7f" + NOTE + LATER, ""),
    "empty SysEx": (b"\x00\xf0\x00" + NOTE + LATER, ""),
    "empty escape": (b"\x00\xf7\x00" + NOTE + LATER, "ignored escaped bytes"),
    "clock and active sensing": (b"\x00\xf8\x00\xfe" + NOTE + LATER, ""),
    "song position cut off by the next event": (b"\x00\xf2\x10" + NOTE + LATER, "(x 1)"),
}


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize("is_cut", [False, True])
def test_one_bad_event_costs_that_event_alone(build: Any, kind: str, is_cut: bool) -> None:
    events, expected = EVENTS[kind]
    data = build.file(events)
    song = parse_midi(data[:-4] if is_cut else data)
    notes = [(message.data[1], message.time_s) for message in song.messages if message.data[0] == 0x90]
    assert notes == [(60, 0.0), (62, 0.5), (64, 1.0)]
    offs = [(message.data[1], message.time_s) for message in song.messages if message.data[0] == 0x80]
    assert offs == [(60, 0.5), (62, 1.0), (64, 1.5)]
    assert any(expected in warning for warning in song.warnings) if expected else song.warnings == [] or is_cut


def test_an_end_of_track_with_a_body_ends_the_track(build: Any) -> None:
    song = parse_midi(build.header(1) + build.chunk(b"MTrk", NOTE + b"\x00\xff\x2f\x02ab"))
    assert song.num_notes == 1
    assert song.warnings == []


def test_the_low_28_bits_of_an_overlong_delta_time_count(build: Any) -> None:
    minus_one_as_written_by_some = b"\x81\xff\xff\xff\xff\xff\xff\x83\x60"
    song = build.song(b"\x00\x90\x3c\x40" + b"\x81\x80\x80\x80\x80\x80\x80\x83\x60\x90\x3e\x40")
    assert [message.time_s for message in song.messages] == [0.0, 0.5]
    late = build.song(b"\x00\x90\x3c\x40" + minus_one_as_written_by_some + b"\x90\x3e\x40")
    assert late.num_notes == 1  # 0x0FFFC1E0 ticks are later than a day


def test_running_status_goes_on_after_a_bad_event(build: Any) -> None:
    song = build.song(b"\x00\x90\x3c\x40\x83\x60\xf4\x00\x3e\x40\x83\x60\x40\x40\x00\x3c\x00\x00\x3e\x00\x00\x40\x00")
    assert [(m.data[1], m.time_s) for m in song.messages if m.data[2]] == [(60, 0.0), (62, 0.5), (64, 1.0)]


def test_velocities_above_127_throughout_are_clipped_and_nothing_is_lost(build: Any) -> None:
    loud = b"".join(b"\x00\x90" + bytes([key, 0x80 + key]) + b"\x60\x80" + bytes([key, 0xC0]) for key in range(40, 90))
    song = build.song(loud)
    assert song.num_notes == 50
    assert len(song.messages) == 100
    assert song.warnings == ["track 1: clipped data byte above 127 (x 100)"]


def test_a_track_of_noise_does_not_cost_the_others(build: Any) -> None:
    song = build.song(NOTE, b"\xf4\xf5" * 2000, LATER)
    assert [m.data[1] for m in song.messages if m.data[0] == 0x90] == [60, 62, 64]
    assert any(warning.startswith("track 2: ") for warning in song.warnings)


def test_no_file_brings_more_than_a_page_of_warnings(build: Any) -> None:
    song = build.song(*[b"\x00\xf4" + NOTE] * 300)
    assert song.num_notes == 300
    assert len(song.warnings) == 21
    assert song.warnings[-1] == "and 280 more warnings"


NAMES = {
    "utf-8": ("Flöte 1 \u2013 笛".encode(), "Flöte 1 \u2013 笛"),
    "utf-8 with a mark": ("Flöte".encode("utf-8-sig"), "Flöte"),
    "latin-1": ("Flöte".encode("latin-1"), "Flöte"),
    "windows-1252": ("Don\u2019t \u2013 “go”".encode("cp1252"), "Don\u2019t \u2013 “go”"),
    "shift-jis": ("ピアノ".encode("cp932"), "ピアノ"),
    "shift-jis kanji": ("主旋律".encode("cp932"), "主旋律"),
    "control characters": (b"a\x00\x1b[31m\nb", "a  [31m b"),
    "no text at all": (b"\x81\x8d\xff", "\ufffd\ufffdÿ"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_track_names_in_any_encoding_are_one_line_of_text(build: Any, kind: str) -> None:
    raw, expected = NAMES[kind]
    assert build.song(b"\x00\xff\x03" + bytes([len(raw)]) + raw + NOTE).track_names == [expected]
