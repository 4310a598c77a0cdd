"""Recordings: both files appear at the end, with whatever could be stored; what could not is said at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tnca_synth.errors import AudioFileError, TncaError, UsageError
from tnca_synth.live.protocol import Closed, EngineCommand, LiveOptions, Resumed
from tnca_synth.live.recording import recorder as recorder_module
from tnca_synth.live.recording.recorder import Recorder
from tnca_synth.live.recording.take import Journal, finish_left_behind, finish_take, free_name, messages_before
from tnca_synth.live.session.process import main
from tnca_synth.midi.files.song import read_midi_file
from tnca_synth.midi.files.writer import encode_midi_file, write_midi_file
from tnca_synth.midi.messages import ALL_SOUND_OFF, control_change, note_off, note_on, system_exclusive

pytestmark = pytest.mark.slow

RATE, BLOCK = 48000, 128
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (RATE, 2)).astype(np.float32)
NOISE = np.rint(NOISE * 2**23).astype(np.float32) / np.float32(2**23)


def blocks(count: int) -> Iterator[np.ndarray]:
    for index in range(count):
        start = index * BLOCK % (RATE - BLOCK)
        yield NOISE[start : start + BLOCK]


def sound_of(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32")[0]


def frames_of(path: Path) -> list[tuple[int, bytes]]:
    return [(round(message.time_s * RATE), message.data) for message in read_midi_file(path).messages]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_sound_and_midi_stand_side_by_side_and_agree_on_time(tmp_path):
    recorder = Recorder(tmp_path / "take.wav", RATE)
    parts = [np.full((BLOCK, 2), level, np.float32) for level in (0.1, 0.2, 0.3)]
    for block in parts:
        recorder.block(block)
    recorder.message(131, note_on(0, 60, 100))
    recorder.message(50000, note_off(0, 60))
    assert not (tmp_path / "take.wav").exists()
    recorder.close()
    recorder.close()
    sound, rate = soundfile.read(tmp_path / "take.wav", dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(sound, np.concatenate(parts), atol=1e-6)
    assert [frame for frame, _ in frames_of(tmp_path / "take.mid")] == [131, 50000]
    assert names_in(tmp_path) == ["take.mid", "take.wav"]


def test_what_plays_before_the_first_block_is_recorded_at_its_beginning(tmp_path):
    recorder = Recorder(tmp_path / "take.wav", RATE)
    recorder.message(-300, note_on(0, 60, 100))
    recorder.message(10, note_off(0, 60))
    recorder.close()
    assert frames_of(tmp_path / "take.mid") == [(0, note_on(0, 60, 100)), (10, note_off(0, 60))]


def test_what_cannot_be_written_is_said_before_anybody_plays(tmp_path, monkeypatch):
    with pytest.raises(TncaError, match="no folder"):
        Recorder(tmp_path / "nowhere" / "take.wav", RATE)
    with pytest.raises(UsageError, match="sound file"):
        Recorder(tmp_path / "take.mid", RATE)
    (tmp_path / "take.mid").mkdir()
    with pytest.raises(TncaError, match=r"take\.mid': something that may not be overwritten"):
        Recorder(tmp_path / "take.wav", RATE)
    monkeypatch.setattr(recorder_module, "RESERVE_BYTES", 2**62)
    with pytest.raises(TncaError, match="the disk is full"):
        Recorder(tmp_path / "other.wav", RATE)
    assert names_in(tmp_path) == ["take.mid"]


def test_an_older_recording_is_replaced(tmp_path):
    for level in (0.1, 0.2):
        recorder = Recorder(tmp_path / "take.wav", RATE)
        recorder.block(np.full((BLOCK, 2), level, np.float32))
        recorder.message(3, note_on(0, round(100 * level), 100))
        recorder.close()
    assert sound_of(tmp_path / "take.wav").max() == pytest.approx(0.2, abs=1e-6)
    assert frames_of(tmp_path / "take.mid") == [(3, note_on(0, 20, 100))]


def test_a_midi_file_that_cannot_be_written_costs_no_sound(tmp_path):
    recorder = Recorder(tmp_path / "take.wav", RATE)
    recorder.block(np.full((BLOCK, 2), 0.25, np.float32))
    recorder.message(3, note_on(0, 60, 100))
    (tmp_path / "take.mid").mkdir()
    with pytest.raises(AudioFileError, match=r"the MIDI is in '.*take-rescued\.mid'"):
        recorder.close()
    assert (sound_of(tmp_path / "take.wav") == 0.25).all()
    assert frames_of(tmp_path / "take-rescued.mid") == [(3, note_on(0, 60, 100))]


def test_discarding_leaves_nothing(tmp_path):
    recorder = Recorder(tmp_path / "take.wav", RATE)
    recorder.block(np.zeros((BLOCK, 2), np.float32))
    recorder.discard()
    assert names_in(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder on a disk of 4 MB; where that cannot be made, let the disk count as full after as much."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if not is_mounted:
        free = recorder_module.shutil.disk_usage(folder).free
        monkeypatch.setattr(recorder_module, "RESERVE_BYTES", free - 3 * 2**20)
    yield folder
    if is_mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", ["take.wav", "take.flac"])
def test_a_full_disk_is_said_at_once_and_what_fits_is_kept(small_disk: Path, name: str) -> None:
    notices: list[str] = []
    recorder = Recorder(small_disk / name, RATE, notices.append)
    recorder.message(7, note_on(0, 60, 100))
    for block in blocks(8000):  # 6 MB
        recorder.block(block)
    while not notices:
        recorder.block(NOISE[:BLOCK])
    assert "the disk is full; what was recorded is kept" in notices[0]
    for index in range(1000):
        recorder.message(100 + index, note_off(0, 60))
    with pytest.raises(AudioFileError, match="the disk is full"):
        recorder.close()
    assert len(notices) == 1
    sound = sound_of(small_disk / name)
    assert 200_000 < len(sound) < 1_000_000
    np.testing.assert_array_equal(sound[: 300 * BLOCK], np.concatenate(list(blocks(300))))
    assert frames_of(small_disk / "take.mid")[0] == (7, note_on(0, 60, 100))
    assert names_in(small_disk) == sorted([name, "take.mid"])


# In a process of its own, whose files may not grow beyond 300 kB: a write fails in the middle of a block.
LIMITED = """
import resource, sys
import numpy as np
from pathlib import Path
from tnca_synth.errors import TncaError
from tnca_synth.live.recording.recorder import Recorder
from tnca_synth.midi.messages import note_on
recorder = Recorder(Path(sys.argv[1]), 48000, print)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_001, 300_001))
recorder.message(5, note_on(0, 60, 100))
rng = np.random.default_rng(0)
for _ in range(1000):
    recorder.block(rng.uniform(-0.5, 0.5, (128, 2)).astype(np.float32))
try:
    recorder.close()
except TncaError as error:
    print("at the end:", error)
"""


@pytest.mark.parametrize("name", ["take.wav", "take.flac"])
def test_a_write_that_fails_keeps_what_came_before_it(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / name)], capture_output=True, text=True, check=True
    )
    said, ended = done.stdout.splitlines()
    assert "the recording ended after" in said and "what was recorded is kept" in said
    assert ended.startswith("at the end: the recording ended after")
    sound = sound_of(tmp_path / name)
    assert 40_000 < len(sound) <= 50_000
    rng = np.random.default_rng(0)
    played = np.concatenate([rng.uniform(-0.5, 0.5, (128, 2)).astype(np.float32) for _ in range(400)])
    np.testing.assert_allclose(sound, played[: len(sound)], atol=2**-23)
    assert frames_of(tmp_path / "take.mid") == [(5, note_on(0, 60, 100))]


def test_a_folder_that_is_removed_while_recording_is_said_at_once(tmp_path: Path) -> None:
    notices: list[str] = []
    folder = tmp_path / "takes"
    folder.mkdir()
    recorder = Recorder(folder / "take.wav", RATE, notices.append)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    for block in blocks(2000):
        recorder.block(block)
    with pytest.raises(TncaError, match="No such file"):
        recorder.close()
    assert "No such file or directory" in notices[0]


def test_a_name_is_free_where_neither_the_sound_nor_the_midi_is_there(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    assert free_name(path) == tmp_path / "take-rescued.wav"
    (tmp_path / "take-rescued.mid").touch()
    assert free_name(path) == tmp_path / "take-rescued-2.wav"
    (tmp_path / "take-rescued-2.wav").touch()
    assert free_name(path) == tmp_path / "take-rescued-3.wav"


def test_a_take_that_broke_off_has_what_was_to_play_before_its_end_and_ends_all_notes_there(tmp_path: Path) -> None:
    journal = Journal(tmp_path / ".take.journal", tmp_path / "take.wav", 48000)
    for frame in (0, 99, 100, 101):
        journal.append(frame, note_on(0, 60, 100))
    journal.close()
    facts, messages = messages_before(journal.path, 100)
    assert facts == {"target": "take.wav", "sample_rate": 48000}
    assert messages[:2] == [(0, note_on(0, 60, 100)), (99, note_on(0, 60, 100))]
    assert messages[2:] == [(100, control_change(channel, ALL_SOUND_OFF, 0)) for channel in range(16)]


# Records, tells so, and waits to be killed.
RECORDING = """
import sys, time
import numpy as np
from pathlib import Path
from tnca_synth.live.recording.recorder import Recorder
from tnca_synth.midi.messages import note_on
recorder = Recorder(Path(sys.argv[1]), 48000)
recorder.message(5, note_on(0, 60, 100))
recorder.message(10**9, note_on(0, 61, 100))
rng = np.random.default_rng(0)
for _ in range(400):
    recorder.block(rng.uniform(-0.5, 0.5, (128, 2)).astype(np.float32))
while not recorder._items.empty():
    time.sleep(0.001)
print(*recorder.parts, sep="\\n", flush=True)
time.sleep(60)
"""


@pytest.fixture
def killed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a process that has recorded 400 blocks and will be killed."""
    command = [sys.executable, "-c", RECORDING, str(tmp_path / request.param)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def parts_of(process: subprocess.Popen[str]) -> recorder_module.TakeParts:
    assert process.stdout is not None
    return recorder_module.TakeParts(*(Path(process.stdout.readline().strip()) for _ in range(2)))


def die(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def played_before(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.uniform(-0.5, 0.5, (128, 2)).astype(np.float32) for _ in range(400)])[:count]


KINDS = pytest.mark.parametrize("killed", ["take.wav", "take.flac"], indirect=True)


@KINDS
def test_what_a_killed_process_left_is_completed_and_a_living_one_is_left_alone(killed, tmp_path: Path) -> None:
    parts_of(killed)
    assert finish_left_behind(tmp_path) == []
    die(killed)
    (tmp_path / ".other.journal").write_bytes(b"no journal")
    (tmp_path / ".other.part").write_bytes(b"no sound")
    (path,) = finish_left_behind(tmp_path)
    assert path.name in ("take-rescued.wav", "take-rescued.flac")
    sound = sound_of(path)
    assert 45_000 < len(sound) <= 51_200
    np.testing.assert_allclose(sound, played_before(len(sound)), atol=2**-23)
    messages = frames_of(path.with_suffix(".mid"))
    assert messages[0] == (5, note_on(0, 60, 100))
    assert {data[1] for _, data in messages[1:]} == {ALL_SOUND_OFF}, "and nothing that was not heard any more"
    assert {frame for frame, _ in messages[1:]} == {len(sound)}
    assert names_in(tmp_path) == sorted([".other.journal", ".other.part", path.name, "take-rescued.mid"])
    assert finish_left_behind(tmp_path) == []


@KINDS
def test_a_take_goes_on_where_a_killed_process_left_it(killed, tmp_path: Path) -> None:
    parts = parts_of(killed)
    die(killed)
    notices: list[str] = []
    path = tmp_path / f"take{Path(killed.args[-1]).suffix}"
    recorder = Recorder(path, RATE, notices.append, [parts])
    recorder.message(20, note_on(0, 64, 100))
    for block in blocks(10):
        recorder.block(block)
    recorder.close()
    sound = sound_of(path)
    before = len(sound) - 10 * BLOCK
    assert 45_000 < before <= 51_200
    np.testing.assert_allclose(sound[:before], played_before(before), atol=2**-23)
    np.testing.assert_array_equal(sound[before:], np.concatenate(list(blocks(10))))
    messages = frames_of(tmp_path / "take.mid")
    assert messages[0] == (5, note_on(0, 60, 100))
    assert messages[-1] == (before + 20, note_on(0, 64, 100))
    assert not notices
    assert names_in(tmp_path) == sorted([path.name, "take.mid"])


@pytest.mark.parametrize("killed", ["take.wav"], indirect=True)
def test_a_take_that_cannot_go_on_keeps_what_it_had(killed, tmp_path: Path, monkeypatch) -> None:
    parts = parts_of(killed)
    die(killed)

    def full(self: object, block: object) -> None:
        raise AudioFileError("the disk is full")

    monkeypatch.setattr(recorder_module.AudioWriter, "write", full)
    notices: list[str] = []
    recorder = Recorder(tmp_path / "take.wav", RATE, notices.append, [parts])
    recorder.block(NOISE[:BLOCK])
    with pytest.raises(AudioFileError, match="the disk is full"):
        recorder.close()
    assert "the disk is full" in notices[0]
    sound = sound_of(tmp_path / "take.wav")
    np.testing.assert_allclose(sound, played_before(len(sound)), atol=2**-23)
    assert len(sound) == 51_200
    assert names_in(tmp_path) == ["take.mid", "take.wav"]


@pytest.mark.parametrize("killed", ["take.wav"], indirect=True)
def test_another_sample_rate_begins_another_take(killed, tmp_path: Path) -> None:
    parts = parts_of(killed)
    die(killed)
    notices: list[str] = []
    recorder = Recorder(tmp_path / "take.wav", 44100, notices.append, [parts])
    recorder.block(NOISE[:BLOCK])
    recorder.close()
    assert "another sample rate" in notices[0]
    assert len(sound_of(tmp_path / "take-rescued.wav")) == 51_200
    assert soundfile.info(tmp_path / "take.wav").samplerate == 44100
    assert names_in(tmp_path) == ["take-rescued.mid", "take-rescued.wav", "take.mid", "take.wav"]


def test_a_take_can_be_left_and_gone_on_with_twice(tmp_path: Path) -> None:
    path, left = tmp_path / "take.wav", []
    for index in range(3):
        recorder = Recorder(path, RATE, continues=left)
        recorder.message(index, note_on(0, 60 + index, 100))
        recorder.block(NOISE[index * BLOCK : (index + 1) * BLOCK])
        if index < 2:
            left.append(recorder.suspend())
    recorder.close()
    np.testing.assert_array_equal(sound_of(path), NOISE[: 3 * BLOCK])
    starts = [(frame, data) for frame, data in frames_of(tmp_path / "take.mid") if data[0] == 0x90]
    assert starts == [(index * BLOCK + index, note_on(0, 60 + index, 100)) for index in range(3)]
    assert names_in(tmp_path) == ["take.mid", "take.wav"]


@pytest.mark.parametrize("gone", [True, False], ids=["player gone", "told to close"])
def test_a_take_is_completed_though_its_output_never_comes_back(tmp_path: Path, gone: bool) -> None:
    """By the engine's process, which waits for the output, where the player is gone; else by the player."""
    recorder = Recorder(tmp_path / "take.wav", RATE)
    recorder.block(NOISE[:BLOCK])
    left = recorder.suspend()
    assert left is not None
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    options = LiveOptions(record=tmp_path / "take.wav", host_api="no such system")
    process = context.Process(target=main, args=(theirs, options, Resumed(takes=(left,))))
    process.start()
    theirs.close()
    if gone:
        ours.close()
    else:
        ours.send(EngineCommand("close"))
        assert ours.recv() == Closed()
    process.join(60.0)
    assert process.exitcode == 0
    if not gone:
        assert left.exist
        finish_take([left], tmp_path / "take.wav")
    np.testing.assert_array_equal(sound_of(tmp_path / "take.wav"), NOISE[:BLOCK])
    assert names_in(tmp_path) == ["take.mid", "take.wav"]


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000, 192000])
def test_midi_times_are_exact_to_the_frame(tmp_path, rate):
    frames = [0, 1, 127, 128, 65536, 1_000_003]
    write_midi_file(tmp_path / "a.mid", [(frame, note_on(0, 60, 1)) for frame in reversed(frames)], rate)
    times = [message.time_s for message in read_midi_file(tmp_path / "a.mid").messages]
    assert [round(time * rate) for time in times] == frames


def test_files_hold_sysex_and_leave_out_what_has_no_place_in_them():
    reset = system_exclusive(b"\x7e\x7f\x09\x01")
    data = encode_midi_file([(0, reset), (1, b"\xfe"), (2, b"\x90"), (3, note_on(0, 60, 1))], RATE)
    assert b"\xf0\x05" + reset[1:] in data
    assert b"\xfe" not in data


def test_what_was_left_behind_is_looked_for_in_regular_files_only(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".take-1.journal")
    (tmp_path / ".take-1.part").touch()
    assert finish_left_behind(tmp_path) == []
