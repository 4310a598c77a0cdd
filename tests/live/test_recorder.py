"""Recordings: both files complete, or neither."""

import numpy as np
import pytest
import soundfile

from tnca_synth.errors import MidiFileError, TncaError, UsageError
from tnca_synth.live.recorder import Recorder
from tnca_synth.midi.file import read_midi_file
from tnca_synth.midi.messages import note_off, note_on, system_exclusive
from tnca_synth.midi.writer import encode_midi_file, write_midi_file


def test_sound_and_midi_stand_side_by_side_and_agree_on_time(tmp_path):
    recorder = Recorder(tmp_path / "take.wav", 48000)
    blocks = [np.full((128, 2), level, np.float32) for level in (0.1, 0.2, 0.3)]
    for block in blocks:
        recorder.block(block)
    recorder.message(131, note_on(0, 60, 100))
    recorder.message(50000, note_off(0, 60))
    assert not (tmp_path / "take.wav").exists()
    recorder.close()
    recorder.close()
    sound, rate = soundfile.read(tmp_path / "take.wav", dtype="float32")
    assert rate == 48000
    np.testing.assert_allclose(sound, np.concatenate(blocks), atol=1e-6)
    song = read_midi_file(tmp_path / "take.mid")
    assert [round(message.time_s * 48000) for message in song.messages] == [131, 50000]


def test_what_cannot_be_written_is_said_at_once(tmp_path):
    with pytest.raises(TncaError, match="no folder"):
        Recorder(tmp_path / "nowhere" / "take.wav", 48000)
    with pytest.raises(UsageError, match="sound file"):
        Recorder(tmp_path / "take.mid", 48000)


def test_a_failure_leaves_neither_file(tmp_path):
    recorder = Recorder(tmp_path / "take.wav", 48000)
    recorder.block(np.zeros((128, 2), np.float32))
    (tmp_path / "take.mid").mkdir()  # so that the MIDI cannot be written
    with pytest.raises(MidiFileError):
        recorder.close()
    assert [one.name for one in tmp_path.iterdir()] == ["take.mid"]


def test_discarding_leaves_nothing(tmp_path):
    recorder = Recorder(tmp_path / "take.wav", 48000)
    recorder.block(np.zeros((128, 2), np.float32))
    recorder.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000, 192000])
def test_midi_times_are_exact_to_the_frame(tmp_path, rate):
    frames = [0, 1, 127, 128, 65536, 1_000_003]
    write_midi_file(tmp_path / "a.mid", [(frame, note_on(0, 60, 1)) for frame in reversed(frames)], rate)
    times = [message.time_s for message in read_midi_file(tmp_path / "a.mid").messages]
    assert [round(time * rate) for time in times] == frames


def test_files_hold_sysex_and_leave_out_what_has_no_place_in_them():
    reset = system_exclusive(b"\x7e\x7f\x09\x01")
    data = encode_midi_file([(0, reset), (1, b"\xfe"), (2, b"\x90"), (3, note_on(0, 60, 1))], 48000)
    assert b"\xf0\x05" + reset[1:] in data
    assert b"\xfe" not in data
