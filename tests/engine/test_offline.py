"""Songs become files block by block: on time, complete, ended, and never half-written."""

import dataclasses
import math
import os
import re
import tracemalloc
from collections import deque
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fake_ensemble import LEVEL, FakeBank, fake_ensemble

from tnca_synth import render_file
from tnca_synth.engine import open
from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.chooser import InstrumentSelection, find_instrument
from tnca_synth.engine.names import closest
from tnca_synth.engine.open import OpenSynth
from tnca_synth.engine.render import file
from tnca_synth.engine.render.song import BLOCK_FRAMES, render_song
from tnca_synth.engine.render.song_facts import changes_path
from tnca_synth.errors import AudioFileError, MidiFileError, ModelError, UsageError
from tnca_synth.midi import Song, TimedMessage
from tnca_synth.midi.messages import control_change, note_off, note_on
from tnca_synth.midi.spec.growth_controllers import growth_message, growth_switch

from .fakes import FakeGrowth, make_synth

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = 1000


class Tape:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.blocks: list[np.ndarray] = []

    def write(self, block: np.ndarray) -> None:
        self.blocks.append(block)

    @property
    def audio(self) -> np.ndarray:
        return np.concatenate(self.blocks)


class Counter:
    """Counts the frames that are written to it, and forgets them."""

    num_frames = 0

    def write(self, block: np.ndarray) -> None:
        self.num_frames += len(block)


def song(*messages: tuple[float, bytes], duration_s: float | None = None) -> Song:
    timed = [TimedMessage(time_s, 0, data) for time_s, data in sorted(messages, key=itemgetter(0))]
    num_notes = sum(data[0] & 0xF0 == 0x90 for _, data in messages)
    return Song(timed, timed[-1].time_s if duration_s is None else duration_s, 1, num_notes, [""], [])


def note(start_s: float, end_s: float, channel: int = 0) -> list[tuple[float, bytes]]:
    return [(start_s, note_on(channel, 60, 100)), (end_s, note_off(channel, 60))]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> OpenSynth:
    """Let `render_file` play on a fake."""
    made = fake_ensemble(RATE)
    monkeypatch.setattr(file, "assemble_synth", lambda **options: made)
    return made


def test_a_note_sounds_from_its_frame_to_the_end_of_its_release() -> None:
    tape = Tape()
    render_song(song(*note(5.125, 6.5)), fake_ensemble(RATE), tape)
    sounding = np.flatnonzero(tape.audio[:, 0])
    assert (sounding[0], sounding[-1] + 1) == (5125, 6550)
    assert len(tape.audio) - 6550 <= 2 * BLOCK_FRAMES


def test_a_note_at_zero_without_an_end_sounds_and_ends() -> None:
    tape = Tape()
    render_song(song((0.0, note_on(0, 60, 100)), duration_s=2.0), fake_ensemble(RATE), tape)
    assert np.flatnonzero(tape.audio[:, 0])[-1] + 1 == 2050


def test_every_message_reaches_the_synth_in_order_and_ahead_of_its_time() -> None:
    played = song(*(event for second in range(60) for event in note(second, second + 0.5)))
    made = fake_ensemble(RATE)
    render_song(played, made, Counter())
    assert made.synth.sent[:120] == [(round(m.time_s * RATE), m.data) for m in played.messages]


def test_what_is_said_to_be_known_has_been_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Helpers grow by the events of the foresight: one that came later would be late."""
    played = song(*(event for index in range(600) for event in note(0.1 * index, 0.1 * index + 0.05)))
    made = fake_ensemble(RATE)
    known: list[tuple[int, int]] = []
    render_block = type(made.synth).render

    def render(self: Any, num_frames: int, foresight: int = 0) -> np.ndarray:
        known.append((self.frame + num_frames + foresight + self.latency_frames, len(self.sent)))
        return render_block(self, num_frames, foresight)

    monkeypatch.setattr(type(made.synth), "render", render)
    render_song(played, made, Counter())
    frames = [frame for frame, _ in made.synth.sent]
    for horizon, num_sent in known:
        assert num_sent == sum(frame < horizon for frame in frames)
    assert known[0][1] < len(frames)


def test_silence_after_the_last_message_is_not_rendered() -> None:
    tape = Counter()
    render_song(song(*note(0, 1), duration_s=80_000.0), fake_ensemble(RATE), tape)
    assert tape.num_frames < 10 * RATE


def test_controllers_long_after_the_last_note_are_not_waited_for() -> None:
    tape = Counter()
    render_song(song(*note(0, 1), (80_000.0, control_change(0, 7, 100))), fake_ensemble(RATE), tape)
    assert tape.num_frames < 10 * RATE


def test_a_stuck_note_is_released_after_the_tail_limit() -> None:
    tape = Tape()
    stuck = song((0.0, note_on(0, 60, 100)), duration_s=80_000.0)
    render_song(stuck, fake_ensemble(RATE), tape, tail_limit_s=10.0)
    assert np.flatnonzero(tape.audio[:, 0])[-1] + 1 == 10_050


def test_a_sound_that_never_dies_is_cut_after_the_tail_limit() -> None:
    tape = Tape()
    endless = fake_ensemble(RATE, release_frames=1e12)
    render_song(song(*note(0, 1)), endless, tape, tail_limit_s=10.0)
    assert np.flatnonzero(tape.audio[:, 0])[-1] + 1 == 11_000


def test_a_synth_that_is_never_silent_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fake_ensemble(RATE)
    monkeypatch.setattr(type(made.synth), "silent", False)
    tape = Counter()
    render_song(song(*note(0, 1)), made, tape, tail_limit_s=10.0)
    assert tape.num_frames < 12_000 + 2 * BLOCK_FRAMES


def test_the_report_tells_what_was_played() -> None:
    tape = Counter()
    report = render_song(song(*note(0, 2), *note(1, 3, channel=9)), fake_ensemble(RATE), tape)
    assert report.audio_seconds == tape.num_frames / RATE
    assert report.rtf == pytest.approx(report.render_seconds / report.audio_seconds)
    assert (report.notes, report.peak_voices) == (2, 2)
    assert report.peak_dbfs == pytest.approx(20 * math.log10(2 * LEVEL))
    assert report.instruments == ("Piano", "Standard Kit")
    assert report.provider == "cpu"
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.notes = 3  # type: ignore[misc]


def test_a_silent_song_peaks_at_minus_infinity() -> None:
    report = render_song(song((0.0, bytes((0xC0, 5)))), fake_ensemble(RATE), Counter())
    assert report.peak_dbfs == -math.inf


def test_progress_rises_to_the_whole() -> None:
    seen: list[tuple[float, float]] = []
    render_song(
        song(*note(0, 20)), fake_ensemble(RATE), Counter(), progress=lambda done, total: seen.append((done, total))
    )
    assert [total for _, total in seen] == [20.0] * len(seen)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (20.0, 20.0)


def test_a_long_song_needs_no_more_memory_than_a_short_one() -> None:
    def peak_bytes(num_notes: int) -> int:
        played = song(*(event for second in range(num_notes) for event in note(second, second + 0.5)))
        made = fake_ensemble(RATE)
        made.synth.sent = deque(maxlen=1)  # type: ignore[assignment]
        tracemalloc.start()
        try:
            render_song(played, made, Counter())
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak_bytes(600) < 1.2 * peak_bytes(60)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_samples_that_are_no_numbers_leave_no_file(tmp_path: Path, fake: OpenSynth, value: float) -> None:
    fake.synth.fault = value  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match="not numbers"):
        render_file(EXAMPLES / "tour.mid", tmp_path / "tour.wav")
    assert os.listdir(tmp_path) == []


def test_a_file_is_rendered_as_the_five_lines_of_the_readme_say(tmp_path: Path, fake: OpenSynth) -> None:
    report = render_file(EXAMPLES / "tour.mid", tmp_path / "tour.flac")
    audio, sample_rate = soundfile.read(tmp_path / "tour.flac")
    assert sample_rate == RATE
    assert len(audio) == round(report.audio_seconds * RATE)
    assert os.listdir(tmp_path) == ["tour.flac"]


def test_stems_add_up_to_the_mix(tmp_path: Path, fake: OpenSynth) -> None:
    report = render_file(EXAMPLES / "tour.mid", tmp_path / "tour.wav", stems_dir=tmp_path / "deep" / "stems")
    mix, _ = soundfile.read(tmp_path / "tour.wav")
    parts = [soundfile.read(path)[0] for path in report.stems]
    assert sorted(os.listdir(tmp_path / "deep" / "stems")) == [Path(path).name for path in report.stems]
    assert "channel-10-drums.wav" in os.listdir(tmp_path / "deep" / "stems")
    np.testing.assert_allclose(np.clip(np.sum(parts, axis=0), -1, 1), mix, atol=1e-5)


def test_a_stem_that_clips_is_told(tmp_path: Path, fake: OpenSynth) -> None:
    fake.synth.fault = 2.0  # type: ignore[attr-defined]
    warnings: list[str] = []
    render_file(EXAMPLES / "canon.mid", tmp_path / "a.wav", stems_dir=tmp_path / "stems", warn=warnings.append)
    assert any(re.search(r"channel-01-\S+\.wav is 6.0 dB over full scale", text) for text in warnings)


def test_a_failed_render_leaves_no_stems(tmp_path: Path, fake: OpenSynth) -> None:
    fake.synth.fault = math.nan  # type: ignore[attr-defined]
    with pytest.raises(ModelError):
        render_file(EXAMPLES / "canon.mid", tmp_path / "a.wav", stems_dir=tmp_path / "stems")
    assert os.listdir(tmp_path) == []


def test_a_stems_folder_that_is_a_file_is_one_clear_error(tmp_path: Path, fake: OpenSynth) -> None:
    (tmp_path / "stems").write_text("in the way")
    with pytest.raises(AudioFileError, match="cannot make the folder"):
        render_file(EXAMPLES / "canon.mid", tmp_path / "a.wav", stems_dir=tmp_path / "stems")
    assert os.listdir(tmp_path) == ["stems"]


def test_the_midi_file_itself_is_not_overwritten(tmp_path: Path, fake: OpenSynth) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes((EXAMPLES / "canon.mid").read_bytes())
    with pytest.raises(UsageError, match="is the MIDI file itself"):
        render_file(path, path)
    assert path.read_bytes() == (EXAMPLES / "canon.mid").read_bytes()


def test_a_damaged_midi_file_leaves_nothing(tmp_path: Path, fake: OpenSynth) -> None:
    (tmp_path / "song.mid").write_bytes((EXAMPLES / "canon.mid").read_bytes()[:10])
    with pytest.raises(MidiFileError):
        render_file(tmp_path / "song.mid", tmp_path / "song.wav")
    assert os.listdir(tmp_path) == ["song.mid"]


@pytest.mark.parametrize(("provider", "is_warned"), [("cuda", True), ("auto", False), ("cpu", False)])
def test_cuda_asked_for_and_missing_is_told_once(
    tmp_path: Path, fake: OpenSynth, provider: str, is_warned: bool
) -> None:
    warnings: list[str] = []
    render_file(EXAMPLES / "canon.mid", tmp_path / "a.wav", provider=provider, warn=warnings.append)
    assert sum("CUDA" in text for text in warnings) == is_warned


def test_substitutions_are_told(tmp_path: Path, fake: OpenSynth) -> None:
    fake.synth.substitutions = ("Viola: Violin",)  # type: ignore[misc]
    warnings: list[str] = []
    render_file(EXAMPLES / "canon.mid", tmp_path / "a.wav", warn=warnings.append)
    assert [text for text in warnings if text.endswith("played by the nearest: Viola: Violin")]


def test_silent_drums_are_told_and_reported(tmp_path: Path, fake: OpenSynth) -> None:
    fake.synth.silent_keys = ("drum key 27 (High Q) of kit",)  # type: ignore[misc]
    warnings: list[str] = []
    report = render_file(EXAMPLES / "canon.mid", tmp_path / "a.wav", warn=warnings.append)
    assert warnings == ["not in the bank, silent: drum key 27 (High Q) of kit"]
    assert report.silent_keys == ("drum key 27 (High Q) of kit",)


def test_one_instrument_plays_all_but_the_drums() -> None:
    selection = InstrumentSelection(FakeBank(), find_instrument(FakeBank.instruments, "violin"))
    for program, is_drums in ((0, False), (99, False), (0, True)):
        selection.instrument_for(program, 0, is_drums, 60)
    assert selection.instruments == ("Violin", "Standard Kit")


@pytest.mark.parametrize(
    ("name", "nearest"), [("Voilin", "'Violin'"), ("pian", "'Piano'"), ("kit", "'Standard Kit'"), ("x", "one of Piano")]
)
def test_an_unknown_instrument_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UsageError, match="unknown instrument") as error:
        find_instrument(FakeBank.instruments, name)
    assert nearest in str(error.value)


def test_names_are_found_in_any_case() -> None:
    assert closest(" DUAL ", ("mel", "dual"), "representation") == "dual"


@pytest.mark.parametrize(
    "options", [{"sample_rate": 100}, {"decoder": "grifin-lim"}, {"representation": "dul"}, {"provider": "tpu"}]
)
def test_wrong_wishes_are_refused_before_a_bank_is_loaded(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open, "Bank", None)
    with pytest.raises(UsageError):
        open.assemble_synth(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("controller", "expected"), [(26, True), (27, True), (25, False), (7, False)])
def test_a_song_that_moves_sounding_notes_to_another_path_is_told(controller: int, expected: bool) -> None:
    moved = song((0.0, note_on(0, 60, 100)), (0.5, control_change(3, controller, 15)), (1.0, note_off(0, 60)))
    assert not changes_path(moved)
    assert changes_path(moved, growth_controllers=True) is expected
    asked_for = song((0.0, growth_switch(True)), *((one.time_s, one.data) for one in moved.messages))
    assert changes_path(asked_for) is expected
    if controller != 7:
        assert changes_path(song((0.0, growth_message(0, controller, 15)))) is expected
    assert not changes_path(song((0.0, note_on(0, 26, 27)), (1.0, note_off(0, 26))))


def real_song(*messages: tuple[float, bytes], duration_s: float) -> FloatArray:
    """Play a song through a synth of fakes that knows MIDI, and return all of it."""
    synth = make_synth(FakeGrowth(release_factor=0.5))
    tape = Tape()
    made = OpenSynth(synth, InstrumentSelection(FakeBank()), "cpu")
    render_song(song(*messages, duration_s=duration_s), made, tape, tail_limit_s=5.0)
    return tape.audio


@pytest.mark.parametrize("pedal", [64, 66])
def test_a_pedal_left_down_is_lifted_where_the_song_ends(pedal: int) -> None:
    audio = real_song(
        (0.0, note_on(0, 60, 100)), (0.1, control_change(0, pedal, 127)), (0.2, note_off(0, 60)), duration_s=1.0
    )
    sounding = np.flatnonzero(np.abs(audio).max(axis=1) > 1e-4)
    assert 1.0 < sounding[-1] / 22_050 < 1.3


def test_what_a_pedal_held_before_the_end_sounds_until_it_is_lifted() -> None:
    audio = real_song(
        (0.0, note_on(0, 60, 100)), (0.1, control_change(0, 66, 127)), (0.2, note_off(0, 60)),
        (0.5, control_change(0, 66, 0)), duration_s=1.0,
    )  # fmt: skip
    assert 0.5 < np.flatnonzero(np.abs(audio).max(axis=1) > 1e-4)[-1] / 22_050 < 0.8
