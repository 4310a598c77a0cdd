"""A sound file under its final name is complete; whatever goes wrong leaves nothing behind and one clear line."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tnca_synth.engine.output import audiofile
from tnca_synth.engine.output.audiofile import AudioWriter
from tnca_synth.errors import AudioFileError, UsageError


def noise(num_frames: int = 1000, num_channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.9, 0.9, (num_frames, num_channels)).astype(np.float32)


def read(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def one_line(error: pytest.ExceptionInfo[AudioFileError] | pytest.ExceptionInfo[UsageError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(("name", "kind"), [("a.wav", "WAV"), ("a.flac", "FLAC"), ("a.WAV", "WAV")])
def test_blocks_come_back_as_one_24_bit_file(tmp_path: Path, name: str, kind: str) -> None:
    audio = noise()
    with AudioWriter(tmp_path / name, 48000) as writer:
        for block in np.split(audio, [1, 128, 700]):
            writer.write(block)
    info = soundfile.info(tmp_path / name)
    assert (info.format, info.subtype, info.samplerate, info.frames) == (kind, "PCM_24", 48000, 1000)
    np.testing.assert_allclose(read(tmp_path / name), audio, atol=2**-23)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_samples_are_rounded_to_24_bits_and_not_cut_off(tmp_path: Path, name: str) -> None:
    steps = np.array([0.0, 0.4, 0.6, 1.4, 1.6, -0.4, -0.6, -1.4, -1.6, 100.75, -100.75, 1e6 + 0.5])
    rounded = [0, 0, 1, 1, 2, 0, -1, -1, -2, 101, -101, 1_000_000]  # halves go to the even neighbour
    with AudioWriter(tmp_path / name, 48000, num_channels=1) as writer:
        writer.write((steps / 2**23).astype(np.float32)[:, None])
        writer.write(np.array([[1.0], [-1.0], [1.5], [-1.5], [1.0 - 2**-24]], np.float32))
    stored = soundfile.read(tmp_path / name, dtype="int32")[0]
    assert not (stored & 0xFF).any(), "24 bits"
    assert (stored >> 8).tolist() == [*rounded, 2**23 - 1, -(2**23), 2**23 - 1, -(2**23), 2**23 - 1]


def test_the_error_of_rounding_is_half_a_step_and_has_no_mean(tmp_path: Path) -> None:
    audio = np.random.default_rng(0).uniform(-1e-3, 1e-3, (20_000, 2)).astype(np.float32)
    with AudioWriter(tmp_path / "a.wav", 48000) as writer:
        writer.write(audio)
    error = (soundfile.read(tmp_path / "a.wav", dtype="float64")[0] - audio) * 2**23
    assert np.abs(error).max() <= 0.5 + 1e-9
    assert abs(error.mean()) < 0.01


def test_wav_and_flac_hold_the_same_samples(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac"):
        with AudioWriter(tmp_path / name, 44100) as writer:
            writer.write(noise())
    np.testing.assert_array_equal(read(tmp_path / "a.wav"), read(tmp_path / "a.flac"))


def test_what_is_beyond_full_scale_is_clipped_not_wrapped_and_counted_in_the_peak(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", 44100, num_channels=1) as writer:
        writer.write(np.array([[1.5], [-2.0], [0.25]], np.float32))
    np.testing.assert_allclose(read(tmp_path / "a.wav")[:, 0], [1, -1, 0.25], atol=2**-23)
    assert writer.peak == 2.0
    assert writer.num_frames == 3


def test_the_name_appears_only_at_the_end_and_an_older_file_stays_until_then(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("older")
    with AudioWriter(path, 44100) as writer:
        writer.write(noise())
        assert path.read_text() == "older"
    assert len(read(path)) == 1000
    assert os.listdir(tmp_path) == ["a.wav"]


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_nothing_new(tmp_path: Path, kind: type[BaseException]) -> None:
    path = tmp_path / "a.flac"
    path.write_text("older")

    def interrupted() -> None:
        with AudioWriter(path, 44100) as writer:
            writer.write(noise())
            raise kind

    with pytest.raises(kind):
        interrupted()
    assert os.listdir(tmp_path) == ["a.flac"]
    assert path.read_text() == "older"


def test_no_blocks_make_an_empty_file(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", 44100):
        pass
    assert soundfile.info(tmp_path / "a.wav").frames == 0


def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with AudioWriter(tmp_path / "a.wav", 44100) as writer:
            writer.write(noise())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.wav").stat().st_mode) == 0o644


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "real" / "a.wav")
    with AudioWriter(tmp_path / "link.wav", 44100) as writer:
        writer.write(noise())
    assert (tmp_path / "link.wav").is_symlink()
    assert len(read(tmp_path / "real" / "a.wav")) == 1000


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("song.mp3", ".wav"),
        ("song.wave", "'song.wav'"),
        ("song.flax", "'song.flac'"),
        ("song", "'song."),
        (".wav", "'.wav"),
    ],
)
def test_an_unknown_suffix_names_the_nearest(tmp_path: Path, name: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=r"must end in \.wav or \.flac") as error:
        AudioWriter(tmp_path / name, 44100)
    assert nearest in one_line(error)
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="there is no folder") as error:
        AudioWriter(tmp_path / "no" / "a.wav", 44100)
    assert str(tmp_path / "no") in one_line(error)


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(AudioFileError, match="it is a folder"):
        AudioWriter(tmp_path / "a.wav", 44100)


def test_a_pipe_is_not_overwritten(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AudioFileError, match="may not be overwritten"):
        AudioWriter(tmp_path / "a.wav", 44100)


def test_the_system_says_why_a_file_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioFileError, match="Permission denied") as error:
        AudioWriter(tmp_path / "a.wav", 44100)
    assert "a.wav" in one_line(error)


def test_an_impossible_sample_rate_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="cannot write"):
        AudioWriter(tmp_path / "a.flac", 10_000_000)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    """A limit on the size of files stands in for a full disk: the system refuses the same way."""
    script = f"""
import resource, signal, numpy as np
from tnca_synth.engine.output.audiofile import AudioWriter
from tnca_synth.errors import AudioFileError, UsageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with AudioWriter("a.{suffix}", 44100) as writer:
        for seed in range(100):
            writer.write(np.random.default_rng(seed).uniform(-1, 1, (1000, 2)).astype(np.float32))
except AudioFileError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"cannot write 'a.{suffix}': the system could not store it; is the disk full?\n", done.stderr
    assert os.listdir(tmp_path) == []


def test_frames_lost_on_the_way_are_noticed_at_the_end(tmp_path: Path) -> None:
    writer = AudioWriter(tmp_path / "a.wav", 44100)
    writer.write(noise())
    writer.num_frames += 1
    with pytest.raises(AudioFileError, match="only 1000 of 1001 frames"):
        writer.close()
    assert os.listdir(tmp_path) == []


def test_a_wav_file_that_could_pass_4_gib_becomes_rf64(tmp_path: Path) -> None:
    five_hours = 5 * 3600 * 44100
    with AudioWriter(tmp_path / "a.wav", 44100, max_frames=five_hours) as writer:
        writer.write(noise())
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    assert len(read(tmp_path / "a.wav")) == 1000


def test_a_wav_file_stops_at_4_gib_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiofile, "MAX_WAV_BYTES", 6 * 1500)
    writer = AudioWriter(tmp_path / "a.wav", 44100)
    writer.write(noise())
    with pytest.raises(AudioFileError, match=r"at most 4 GiB; use \.flac"):
        writer.write(noise())
    writer.discard()


@pytest.mark.parametrize(("name", "kind"), [("a.wav", "WAV"), ("a.flac", "FLAC")])
def test_16_bits_are_dithered_the_same_for_any_blocks(tmp_path: Path, name: str, kind: str) -> None:
    audio = 0.5 * noise(5000)
    for blocks, seed, path in (([], 3, "whole"), ([1, 128, 700], 3, "cut"), ([], 4, "other")):
        (tmp_path / path).mkdir()
        with AudioWriter(tmp_path / path / name, 44100, bit_depth="16", seed=seed) as writer:
            for block in np.split(audio, blocks):
                writer.write(block)
    whole, cut, other = (read(tmp_path / path / name) for path in ("whole", "cut", "other"))
    assert soundfile.info(tmp_path / "whole" / name).subtype == "PCM_16"
    np.testing.assert_array_equal(whole, cut)
    assert (whole != other).any()
    error = (whole - audio) * 2**15
    assert np.abs(error).max() <= 1.5
    assert error.std() == pytest.approx(0.5, abs=0.02)  # triangular dither: 3 times the power of rounding, 1/12
    assert error.mean() == pytest.approx(0.0, abs=0.02)


def test_dither_keeps_a_tone_below_the_last_bit(tmp_path: Path) -> None:
    tone = (0.4 * 2.0**-15 * np.sin(0.1 * np.arange(40_000))).astype(np.float32)
    with AudioWriter(tmp_path / "a.wav", 44100, num_channels=1, bit_depth="16") as writer:
        writer.write(tone[:, None])
    heard = read(tmp_path / "a.wav")[:, 0] * 2**15
    assert 2 * (heard * np.sin(0.1 * np.arange(40_000))).mean() == pytest.approx(0.4, abs=0.05)


def test_floating_point_keeps_every_bit_and_what_is_beyond_full_scale(tmp_path: Path) -> None:
    audio = 3.0 * noise()
    with AudioWriter(tmp_path / "a.wav", 44100, bit_depth="32f") as writer:
        writer.write(audio)
    assert soundfile.info(tmp_path / "a.wav").subtype == "FLOAT"
    np.testing.assert_array_equal(read(tmp_path / "a.wav"), audio)


def test_flac_holds_no_floating_point(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FLAC holds no floating point"):
        AudioWriter(tmp_path / "a.flac", 44100, bit_depth="32f")
    assert os.listdir(tmp_path) == []


def test_an_unknown_bit_depth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown bit depth '8': expected one of 16, 24, 32f"):
        AudioWriter(tmp_path / "a.wav", 44100, bit_depth="8")
