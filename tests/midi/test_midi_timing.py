"""Ticks become the right seconds: tempo maps, SMPTE time, formats 0, 1 and 2; mido as a second opinion."""

import io
from typing import Any

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tnca_synth.errors import MidiFileError
from tnca_synth.midi import Song, parse_midi

TEMPO_1_S = b"\xff\x51\x03\x0f\x42\x40"  # a second per quarter note


def times(song: Song) -> list[float]:
    return [message.time_s for message in song.messages]


def test_default_tempo_is_120_beats_per_minute(build: Any) -> None:
    assert times(build.song(build.note)) == [0.0, 0.5]


def test_tempo_changes_in_mid_note(build: Any) -> None:
    song = build.song(b"\x81\x70" + TEMPO_1_S, build.note)  # at tick 240 of 480
    assert times(song) == [0.0, 0.75]


def test_tempo_on_any_track_rules_all_tracks(build: Any) -> None:
    assert times(build.song(build.note, build.note + b"\x00" + TEMPO_1_S)) == [0.0, 0.0, 0.5, 0.5]
    assert times(build.song(build.note, b"\x00" + TEMPO_1_S)) == [0.0, 1.0]


@pytest.mark.parametrize("earlier", [b"\x00\x00\x01", b"\x7f\xff\xff"], ids=["fast", "slow"])
def test_last_of_several_tempos_at_one_tick_holds(build: Any, earlier: bytes) -> None:
    song = build.song(b"\x00\xff\x51\x03" + earlier + b"\x00" + TEMPO_1_S + build.note)
    assert times(song) == [0.0, 1.0]


@pytest.mark.parametrize("payload", [b"\x03\x00\x00\x00", b"\x01\x07", b"\x00"])
def test_tempos_of_nothing_are_passed_over_with_a_warning(build: Any, payload: bytes) -> None:
    song = build.song(b"\x00\xff\x51" + payload + build.note)
    assert times(song) == [0.0, 0.5]
    assert "tempo" in song.warnings[0]


@pytest.mark.parametrize(
    ("fps", "ticks_per_frame", "expected_s"),
    [(24, 80, 0.25), (25, 40, 0.48), (29, 80, 480 * 1001 / (30000 * 80)), (30, 16, 1.0)],
)
def test_smpte_division_counts_film_frames_and_ignores_tempo(
    build: Any, fps: int, ticks_per_frame: int, expected_s: float
) -> None:
    song = build.song(b"\x00" + TEMPO_1_S + build.note, division=-fps * 256 + ticks_per_frame)
    assert times(song) == pytest.approx([0.0, expected_s], abs=1e-12)


@pytest.mark.parametrize(("fps", "ticks_per_frame"), [(26, 40), (1, 255), (60, 8), (128, 1)])
def test_frame_rates_that_smpte_does_not_know_are_taken_literally(build: Any, fps: int, ticks_per_frame: int) -> None:
    song = build.song(build.note, division=-fps * 256 + ticks_per_frame)
    assert times(song) == pytest.approx([0.0, 480 / (fps * ticks_per_frame)], abs=1e-12)
    assert "SMPTE" in song.warnings[0]


@pytest.mark.parametrize("division", [0, -24 * 256, -128 * 256])
def test_impossible_divisions_are_errors(build: Any, division: int) -> None:
    with pytest.raises(MidiFileError, match="division"):
        build.song(build.note, division=division)


def test_patterns_of_format_2_play_one_after_another_each_at_its_own_tempo(build: Any) -> None:
    slow = b"\x00" + TEMPO_1_S + build.note
    song = build.song(slow, build.note, file_format=2)
    assert times(song) == [0.0, 1.0, 1.0, 1.5]
    assert [message.track for message in song.messages] == [0, 0, 1, 1]
    assert song.duration_s == 1.5


def test_duration_reaches_to_the_last_end_of_track(build: Any) -> None:
    data = build.header(1) + build.chunk(b"MTrk", build.note + b"\x83\x60\xff\x2f\x00")
    assert parse_midi(data).duration_s == 1.0


def test_order_at_equal_times_is_by_track_then_as_in_the_file(build: Any) -> None:
    first = b"\x00\xc0\x05\x00\x90\x3c\x40\x00\xb0\x07\x10"
    second = b"\x00\xb1\x07\x20\x00\x91\x3c\x40"
    statuses = [message.data[0] for message in build.song(first, second).messages]
    assert statuses == [0xC0, 0x90, 0xB0, 0xB1, 0x91]


LONGEST = b"\xff\xff\xff\x7f"  # 77.7 h at 480 ticks per quarter note and 120 beats per minute
LATE_END = LONGEST + b"\xff\x2f\x00"


def test_a_far_end_of_track_does_not_count(build: Any) -> None:
    data = build.header(1) + build.chunk(b"MTrk", build.note + LATE_END)
    song = parse_midi(data)
    assert times(song) == [0.0, 0.5]
    assert song.duration_s < 70
    assert song.warnings == ["the end of track is at 77.7 h; the song ends with its last message"]


@pytest.mark.parametrize("late", [b"\xb0\x7b\x00", b"\xb0\x40\x00", b"\xf0\x02\x7e\xf7", b"\xc0\x05", b"\xff\x01\x01x"])
@pytest.mark.parametrize("delta", [LONGEST, b"\xff\xff\x7f"])  # 77.7 h, 36 minutes
def test_what_comes_long_after_the_last_note_is_left_out(build: Any, delta: bytes, late: bytes) -> None:
    song = build.song(build.note + delta + late)
    assert times(song) == [0.0, 0.5]
    assert [text for text in song.warnings if "long after the last note" in text or "end of track" in text] or (
        late[0] == 0xFF and delta != LONGEST
    )


def test_a_fade_that_outlasts_the_last_note_is_kept(build: Any) -> None:
    fade = b"".join(b"\xf8\x00\xb0\x0b" + bytes([value]) for value in range(100, 0, -10))  # 16 s apart
    song = build.song(build.note + fade)
    assert len(song.messages) == 12
    assert song.warnings == []


def test_a_note_held_for_hours_is_music(build: Any) -> None:
    song = build.song(b"\x00\x90\x3c\x40" + b"\xff\xff\x7f\x80\x3c\x40")
    assert times(song) == pytest.approx([0.0, 2184.53], abs=0.01)
    assert song.warnings == []


def test_notes_later_than_a_day_are_left_out_with_a_warning(build: Any) -> None:
    song = build.song(build.note + LONGEST + b"\x90\x3c\x40")
    assert times(song) == [0.0, 0.5]
    assert "later than 24 h" in song.warnings[1]
    with pytest.raises(MidiFileError, match=r"0 messages but no notes, expected at least one; .* later than 24 h"):
        build.song(LONGEST + b"\x90\x3c\x40")


def test_patterns_end_after_a_day_together(build: Any) -> None:
    ten_hours = b"\x00\x90\x3c\x40" + b"\xff\xff\xff\x7f\x80\x3c\x40"
    song = build.song(ten_hours, ten_hours, ten_hours, division=480 * 8, file_format=2)
    assert song.num_notes == 3
    assert len(song.messages) == 5
    assert song.duration_s <= 24 * 3600


def test_unknown_meta_events_keep_their_delta_times(build: Any) -> None:
    """A program name (FF 08) holds the time that passes before it; mido 1.3.3 loses it."""
    song = build.song(b"\x83\x60\xff\x08\x01x" + build.note)
    assert times(song) == [0.5, 1.0]


mido_messages = st.one_of(
    st.builds(
        mido.Message,
        st.sampled_from(["note_on", "note_off"]),
        channel=st.integers(0, 15),
        note=st.integers(0, 127),
        velocity=st.integers(1, 127),
    ),
    st.builds(mido.Message, st.just("pitchwheel"), channel=st.integers(0, 15), pitch=st.integers(-8192, 8191)),
    st.builds(mido.Message, st.just("program_change"), program=st.integers(0, 127)),
    st.builds(mido.Message, st.just("sysex"), data=st.lists(st.integers(0, 127), max_size=300)),
    st.builds(mido.MetaMessage, st.just("set_tempo"), tempo=st.integers(1, 0xFFFFFF)),
    st.builds(mido.MetaMessage, st.just("text"), text=st.text("abc", max_size=200)),
)
tracks = st.lists(st.tuples(mido_messages, st.integers(0, 100_000)), max_size=20)


@settings(max_examples=150, deadline=None)
@given(song_tracks=st.lists(tracks, min_size=1, max_size=4), ticks_per_beat=st.integers(1, 32767))
def test_what_mido_writes_is_read_as_mido_plays_it(song_tracks: list[Any], ticks_per_beat: int) -> None:
    file = mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat)
    # mido changes tempo only after all events of a tick that were sorted before it; so does no time pass.
    for index, events in enumerate(song_tracks):
        sentinel = [mido.Message("note_on", note=index, velocity=1)]
        timed = [message.copy(time=delta) for message, delta in events]
        file.tracks.append(mido.MidiTrack(sentinel + timed))
    written = io.BytesIO()
    file.save(file=written)
    song = parse_midi(written.getvalue())
    now, expected = 0.0, []
    for message in file:
        now += message.time
        if not message.is_meta:
            expected.append((now, bytes(message.bytes())))
    # What comes long after the last note is left out.
    kept = expected[: len(song.messages)]
    assert [data for _, data in kept] == [message.data for message in song.messages]
    assert [time for time, _ in kept] == pytest.approx(times(song), rel=1e-9, abs=1e-9)
    is_whole = len(kept) == len(expected)
    assert is_whole or expected[len(kept)][0] > min(kept[-1][0] + 60, 24 * 3600)
    assert song.duration_s == pytest.approx(now, rel=1e-9) or now > 24 * 3600
    assert (song.warnings == []) == (is_whole and now <= 24 * 3600)
