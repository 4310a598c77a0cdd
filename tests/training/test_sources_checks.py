"""What is refused, with which reason, and what is only made to fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tnca_synth.errors import AudioFileError
from tnca_synth.training.sources.audio.checks import read_note
from tnca_synth.training.sources.audio.envelope import fades_while_held, find_hold_s, onset, trim

pytestmark = pytest.mark.slow

RATE = 22050


def tone(hz=440.0, duration_s=0.5, rate=RATE, amplitude=0.5):
    time = np.arange(int(duration_s * rate)) / rate
    return amplitude * np.sin(2 * np.pi * hz * time)


def write(path: Path, audio, rate=RATE, subtype="PCM_16") -> Path:
    soundfile.write(path, np.asarray(audio), rate, subtype=subtype)
    return path


def reason(path: Path) -> str:
    with pytest.raises(AudioFileError) as caught:
        read_note(path, RATE)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [("wav", "PCM_U8"), ("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "PCM_32"), ("wav", "FLOAT"), ("wav", "DOUBLE"),
     ("flac", "PCM_S8"), ("flac", "PCM_16"), ("flac", "PCM_24")],
)  # fmt: skip
def test_sample_formats_read_alike(tmp_path, suffix, subtype):
    audio = read_note(write(tmp_path / f"a.{suffix}", tone(), subtype=subtype), RATE)
    step = 1 / 64 if subtype in ("PCM_U8", "PCM_S8") else 1e-4
    assert audio.dtype == np.float32
    np.testing.assert_allclose(audio, tone(), atol=step)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000, 192000])
def test_any_sample_rate_becomes_the_spec_s(tmp_path, rate):
    audio = read_note(write(tmp_path / "a.wav", tone(rate=rate), rate), RATE)
    assert abs(len(audio) - RATE // 2) <= 1
    inner = slice(1000, -1000)
    np.testing.assert_allclose(audio[inner], tone()[: len(audio)][inner], atol=2e-3)


def test_audio_channels_are_mixed(tmp_path):
    left, right = tone(440), tone(660)
    audio = read_note(write(tmp_path / "a.wav", np.stack([left, right], 1)), RATE)
    np.testing.assert_allclose(audio, (left + right) / 2, atol=1e-4)


def test_a_silent_audio_channel_does_not_halve_the_level(tmp_path):
    stereo = np.stack([tone(), 0 * tone()], 1)
    np.testing.assert_allclose(read_note(write(tmp_path / "a.wav", stereo), RATE), tone(), atol=1e-4)


def test_opposed_audio_channels_do_not_cancel(tmp_path):
    opposed = np.stack([tone(), -tone()], 1)
    np.testing.assert_allclose(read_note(write(tmp_path / "a.wav", opposed), RATE), tone(), atol=1e-4)


def test_six_audio_channels(tmp_path):
    assert len(read_note(write(tmp_path / "a.wav", np.stack([tone()] * 6, 1)), RATE)) == RATE // 2


@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_silence_is_refused_even_with_an_offset(tmp_path, offset):
    assert reason(write(tmp_path / "a.wav", np.full(RATE, offset))).startswith("silent:")


def test_no_samples_at_all_are_silence(tmp_path):
    assert reason(write(tmp_path / "a.wav", np.zeros(0))).startswith("silent:")


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("rate", [22050, 48000, 192000])
def test_full_scale_alone_is_not_clipping(tmp_path, subtype, rate):
    for hz in (30, 440, 3000):
        read_note(write(tmp_path / "a.wav", tone(hz, rate=rate, amplitude=1.0), rate, subtype), RATE)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("hz", [65, 440])
def test_flat_tops_are_clipping(tmp_path, subtype, hz):
    assert reason(write(tmp_path / "a.wav", np.clip(tone(hz, amplitude=1.2), -1, 1), subtype=subtype)).startswith(
        "clipped:"
    )


def test_clipping_in_one_audio_channel_is_found(tmp_path):
    stereo = np.stack([tone(), np.clip(tone(amplitude=1.5), -1, 1)], 1)
    assert reason(write(tmp_path / "a.wav", stereo)).startswith("clipped:")


def test_floats_above_full_scale_are_not_clipped(tmp_path):
    assert np.abs(read_note(write(tmp_path / "a.wav", tone(amplitude=2.0), subtype="FLOAT"), RATE)).max() > 1.9


def test_floats_scaled_like_integers_are_refused(tmp_path):
    assert reason(write(tmp_path / "a.wav", tone(amplitude=20000), subtype="FLOAT")).startswith("damaged: the peak")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_samples_are_refused(tmp_path, value):
    audio = tone()
    audio[100] = value
    assert reason(write(tmp_path / "a.wav", audio, subtype="FLOAT")).startswith("damaged: 1 samples")


def test_too_short_and_too_long(tmp_path):
    assert reason(write(tmp_path / "a.wav", tone(duration_s=0.02))).startswith("too short: 20 ms")
    assert reason(write(tmp_path / "b.wav", tone(duration_s=61, rate=8000), 8000)).startswith("too long: over 60 s")


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9])
def test_a_truncated_file_is_refused(tmp_path, suffix, share):
    path = write(tmp_path / f"a.{suffix}", tone())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert reason(path).startswith("unreadable:")


def test_a_wav_written_to_a_pipe_is_read(tmp_path):
    path = write(tmp_path / "a.wav", tone())
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = b"\xff" * 4
    path.write_bytes(data)
    assert len(read_note(path, RATE)) == RATE // 2


def test_a_flac_of_unknown_or_false_length_is_refused(tmp_path):
    path = write(tmp_path / "a.flac", tone())
    data = bytearray(path.read_bytes())
    for num_samples, words in ((0, "does not say how long"), (RATE, "sooner than its header says")):
        data[22:26] = num_samples.to_bytes(4, "big")
        path.write_bytes(data)
        assert words in reason(path)


def test_what_is_no_sound_is_unreadable(tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("this is not a sound\n" * 50)
    folder = tmp_path / "folder.wav"
    folder.mkdir()
    for path in (text, folder, tmp_path / "missing.wav"):
        assert reason(path).startswith("unreadable:")


@pytest.mark.parametrize("rate", [1, 2_000_000])
def test_an_absurd_sample_rate_is_unreadable(tmp_path, rate):
    path = write(tmp_path / "a.wav", tone())
    data = bytearray(path.read_bytes())
    data[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(data)
    assert "sample rate" in reason(path)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_damaged_bytes_never_escape_as_another_error(tmp_path, suffix, seed):
    generator = np.random.default_rng(seed)
    path = write(tmp_path / f"a.{suffix}", tone(duration_s=0.2))
    data = bytearray(path.read_bytes())
    for _ in range(4):
        data[generator.integers(0, 64 if seed % 2 else len(data))] = generator.integers(0, 256)
    path.write_bytes(data)
    try:
        assert np.isfinite(read_note(path, RATE)).all()
    except AudioFileError as error:
        assert ":" in str(error)


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_the_onset_comes_to_sample_0(noise):
    generator = np.random.default_rng(0)
    audio = np.concatenate([np.zeros(5000), tone()]) + noise * generator.normal(size=5000 + RATE // 2)
    trimmed, cut = trim(audio.astype(np.float32), RATE)
    assert 5000 - 0.0021 * RATE <= cut <= 5000
    assert len(trimmed) == len(audio) - cut


def test_silence_after_the_note_is_cut_to_a_second():
    audio = np.concatenate([tone(), np.zeros(10 * RATE)]).astype(np.float32)
    trimmed, _ = trim(audio, RATE)
    assert 1.4 * RATE < len(trimmed) < 1.6 * RATE


def test_a_click_in_a_long_file_is_too_short():
    audio = np.zeros(RATE, np.float32)
    audio[5000:5100] = 0.5
    with pytest.raises(AudioFileError, match="too short"):
        trim(audio, RATE)


def released(hold_s, fall_db_per_s, sustain_db_per_s=0.0, duration_s=3.0):
    time = np.arange(int(duration_s * RATE)) / RATE
    db = sustain_db_per_s * np.minimum(time, hold_s) + fall_db_per_s * np.maximum(time - hold_s, 0)
    return (tone(220, duration_s) * 10 ** (db / 20)).astype(np.float32)


@pytest.mark.parametrize("hold_s", [0.2, 1.0, 2.0])
@pytest.mark.parametrize("fall", [-40, -100, -600])
@pytest.mark.parametrize("sustain", [0.0, -10.0])
def test_the_release_is_found(hold_s, fall, sustain):
    assert find_hold_s(released(hold_s, fall, sustain), RATE) == pytest.approx(hold_s, abs=0.04)


def test_a_note_that_is_never_released_is_held_to_its_end():
    assert find_hold_s(tone(duration_s=1.5).astype(np.float32), RATE) == pytest.approx(1.5, abs=0.02)
    ringing = find_hold_s(released(0.0, -25.0), RATE)
    assert ringing == pytest.approx(2.4, abs=0.1)


def test_a_struck_note_s_attack_is_no_release():
    assert find_hold_s(released(0.06, -50.0), RATE) > 1.0


@pytest.mark.parametrize("offset", [0.05, -0.2])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_constant_offset_is_taken_out(tmp_path, offset, channels):
    audio = np.concatenate([np.zeros(2000), tone(amplitude=0.3), np.zeros(RATE)]) + offset
    read = read_note(write(tmp_path / "a.wav", np.stack([audio] * channels, 1)), RATE)
    note, cut = trim(read, RATE)
    assert abs(note.mean()) < 0.005
    assert cut == pytest.approx(2000, abs=0.005 * RATE)
    assert find_hold_s(note, RATE) == pytest.approx(0.5, abs=0.03)


def test_an_offset_in_one_audio_channel_alone(tmp_path):
    audio = np.stack([tone(amplitude=0.3) + 0.3, tone(amplitude=0.3)], 1)
    np.testing.assert_allclose(read_note(write(tmp_path / "a.wav", audio), RATE), tone(amplitude=0.3), atol=1e-3)


def room(kind, count):
    """Return what a room sounds like while nobody plays, at an RMS of 1."""
    rng = np.random.default_rng(1)
    if kind == "hum":
        return np.sqrt(2) * np.sin(2 * np.pi * 50 * np.arange(count) / RATE)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    if kind == "pink":
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20))
    noise = np.fft.irfft(spectrum, count)
    return noise / noise.std()


@pytest.mark.parametrize("kind", ["white", "pink", "hum"])
@pytest.mark.parametrize("below_db", [30, 40, 46, 60])
@pytest.mark.parametrize("hz", [262, 1000])
def test_the_onset_is_found_in_the_noise_of_a_room(kind, below_db, hz):
    struck = tone(hz, 1.0, amplitude=0.3) * np.exp(-np.arange(RATE) / RATE / 0.5)
    audio = 0.2 * 10 ** (-below_db / 20) * room(kind, 3 * RATE)
    audio[RATE : 2 * RATE] += struck
    assert onset(audio.astype(np.float32), RATE) / RATE == pytest.approx(1.0, abs=0.03)


def test_the_beginning_of_a_low_note_and_of_a_slow_one_stay():
    for hz, attack_s in ((28, 0.02), (262, 0.4)):
        rising = tone(hz, 1.0) * np.minimum(1.0, np.arange(RATE) / RATE / attack_s)
        audio = np.concatenate([np.zeros(RATE), rising]) + 1e-4 * room("white", 2 * RATE)
        assert onset(audio.astype(np.float32), RATE) / RATE == pytest.approx(1.0, abs=0.03)


def unfinished(path, riff=0, data=0):
    """Give a WAV file the sizes that its recorder wrote first."""
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[4:8], content[at : at + 4] = riff.to_bytes(4, "little"), data.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("riff", [0, 36, 2**32 - 1])
def test_a_header_that_was_never_finished_hides_no_sound(tmp_path, subtype, riff):
    path = unfinished(write(tmp_path / "a.wav", tone(), subtype=subtype), riff)
    np.testing.assert_allclose(read_note(path, RATE), tone(), atol=1e-4)


def test_an_unfinished_header_with_nothing_behind_it_is_told(tmp_path):
    path = unfinished(write(tmp_path / "a.wav", tone()))
    path.write_bytes(path.read_bytes()[:44])
    assert reason(path) == "unreadable: its header is unfinished, and no sound is behind it"


def test_a_finished_file_without_sound_is_not_read_beyond_its_end(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(0))
    content = bytearray(path.read_bytes()) + b"LIST" + (400).to_bytes(4, "little") + b"INFO" * 100
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    path.write_bytes(content)
    assert reason(path).startswith("silent:")


@pytest.mark.parametrize(("decay_s", "fades"), [(0.1, True), (0.5, True), (1.5, True), (30.0, False), (np.inf, False)])
@pytest.mark.parametrize("hold_s", [0.6, 2.0])
def test_what_fades_while_it_is_held_is_heard(decay_s, fades, hold_s):
    time = np.arange(int(2.5 * RATE)) / RATE
    audio = tone(220, 2.5) * np.exp(-time / decay_s) * np.exp(-np.maximum(time - hold_s, 0.0) / 0.05)
    assert fades_while_held(audio.astype(np.float32), hold_s, RATE) is fades


@pytest.mark.parametrize(("fall_db_per_s", "fades"), [(1.6, True), (0.6, False)])
def test_a_low_string_that_rings_for_half_a_minute_fades(fall_db_per_s, fades):
    time = np.arange(14 * RATE) / RATE
    audio = tone(55, 14.0) * 10.0 ** (-fall_db_per_s * time / 20.0)
    assert fades_while_held(audio.astype(np.float32), 14.0, RATE) is fades


def test_a_tremolo_and_a_swell_do_not_fade():
    time = np.arange(2 * RATE) / RATE
    for level in (1 + 0.4 * np.sin(2 * np.pi * 5 * time), np.minimum(1.0, time)):
        assert not fades_while_held((0.5 * level * tone(220, 2.0)).astype(np.float32), 2.0, RATE)
