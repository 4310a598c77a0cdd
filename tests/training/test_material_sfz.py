"""SFZ files: which notes they hold, and what of them a key alone does not play."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tnca_synth.errors import DatasetError
from tnca_synth.training.material import Wishes, understand
from tnca_synth.training.material.sfz.regions import LeftOut, read_regions
from tnca_synth.training.material.sfz.text import read_sections
from tnca_synth.training.sources.audio.pitch import detect_pitch

RATE = 22050


def tone(key: float, seconds: float = 0.6, level: float = 0.3, rate: int = RATE) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    hz = 440 * 2 ** ((key - 69) / 12)
    sound = sum(np.sin(2 * np.pi * hz * h * time) / h for h in (1, 2, 3))
    return (level * sound * np.minimum(1, time / 0.003)).astype(np.float32)


def write(path: Path, audio: np.ndarray, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate)


def sfz(folder: Path, text: str, name: str = "lib.sfz") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def notes(material) -> list[tuple[int, int]]:
    return [(one.pitch, one.velocity) for one in material.recordings]


def test_inheritance_defines_includes_and_layers(tmp_path):
    for name, key in (("soft a3", 57), ("loud a3", 57), ("soft c4", 60), ("loud c4", 60.3)):
        write(tmp_path / "Samples" / f"{name}.wav", tone(key, level=0.1 if "soft" in name else 0.3))
    sfz(tmp_path, '// layers\n#define $MID 63\n<group> hivel=$MID #include "soft.txt"\n', "map.txt")
    sfz(tmp_path, "<region> key=a3 sample=soft a3.wav\n<region> key=60 sample=soft c4.wav // a comment\n", "soft.txt")
    path = sfz(
        tmp_path,
        "<control>\ndefault_path=samples\\\n/* a block\n<region> sample=nothing.wav */\n"
        '<global> loop_mode=no_loop\n#include "map.txt"\n<group> lovel=64 hivel=127\n'
        "<region> key=57 sample=loud a3.wav\n<region> lokey=58 hikey=62 pitch_keycenter=c4 tune=-30\n"
        "sample=loud c4.wav\n",
    )
    material = understand(path)
    assert (material.kind, material.name, material.findings, material.offset) == ("sfz", "lib", (), None)
    assert notes(material) == [(57, 32), (57, 96), (60, 32), (60, 96)]
    assert material.zone_ends == (57, 60, 62)
    assert all(abs(note.heard - note.recording.pitch) < 0.02 for note in material.notes)  # the tuning is carried out


def test_what_a_key_alone_does_not_play_is_left_out_with_a_word(tmp_path):
    write(tmp_path / "a.wav", tone(60))
    regions = (
        "trigger=release", "sample=*sine", "sample=gone.wav", "locc64=64", "sw_last=c1 sw_default=c0", "end=-1",
        "lokey=80 hikey=70", "key=h9", "on_locc1=3",
    )  # fmt: skip
    text = "<group> sample=a.wav pitch_keycenter=60\n" + "".join(f"<region> {one}\n" for one in regions)
    material = understand(sfz(tmp_path, text + "<region> key=60\n"))
    assert notes(material) == [(60, 100)]
    reasons = [one.reason for one in material.findings]
    assert [one.split(":")[0] for one in reasons] == [
        "release", "generated", "controller", "key switch", "disabled", "bad region", "bad region", "controller",
        "unreadable",
    ]  # fmt: skip
    assert all(one.is_refused for one in material.findings)


def test_offset_end_gain_and_transposition(tmp_path):
    audio = np.concatenate([tone(72, 0.4, 0.05), np.zeros(2205), tone(60, 0.6, 0.1), np.zeros(4000), tone(72, 0.4)])
    write(tmp_path / "long.wav", audio)
    begin = int(0.4 * RATE) + 2205
    path = sfz(
        tmp_path,
        f"<region> sample=long.wav offset={begin - 500} end={begin + int(0.6 * RATE)}"
        " pitch_keycenter=50 lokey=50 hikey=50 transpose=-10 volume=6.0206\n",
    )
    (note,) = understand(path).notes
    assert note.recording.pitch == 50
    assert note.heard == pytest.approx(50, abs=0.05)
    plain = tone(60, 0.6, 0.1)
    assert np.abs(note.recording.audio).max() == pytest.approx(2 * np.abs(plain).max(), rel=0.05)


def test_a_loop_is_followed_for_seconds_at_its_pitch_and_level(tmp_path):
    rate = 44100
    period = 100  # 441 Hz
    audio = tone(69.0393, 0.4, rate=rate)
    audio = np.tile(np.sin(2 * np.pi * np.arange(period) / period), 200).astype(np.float32) * 0.3
    write(tmp_path / "a.wav", audio, rate)
    path = sfz(
        tmp_path,
        f"<region> sample=a.wav key=69 loop_mode=loop_continuous\n"
        f"loop_start={100 * period} loop_end={150 * period - 1}\n",
    )
    (note,) = understand(path).notes
    held = note.recording
    assert held.loop is not None and held.sustains and held.hold_s >= 4.0
    body = held.audio[RATE // 10 : int(4.0 * RATE)]
    levels = np.sqrt(np.mean(body[: len(body) // 450 * 450].reshape(-1, 450) ** 2, axis=1))
    assert np.ptp(20 * np.log10(levels)) < 0.1
    steps = np.abs(np.diff(body))
    assert steps.max() < 1.05 * 0.3 * 2 * np.pi * 441 / RATE  # no clicks where it joins
    assert detect_pitch(body, RATE).cents == pytest.approx(3.9, abs=1)


def test_marks_of_a_sample_give_root_and_loop(tmp_path):
    audio = np.tile(np.sin(2 * np.pi * np.arange(100) / 100), 60).astype(np.float32) * 0.3
    write(tmp_path / "a.wav", audio)
    smpl = struct.pack("<9I", 0, 0, 45351, 57, 0, 0, 0, 1, 0) + struct.pack("<6I", 0, 0, 2000, 3999, 0, 0)
    content = bytearray((tmp_path / "a.wav").read_bytes() + b"smpl" + struct.pack("<I", len(smpl)) + smpl)
    content[4:8] = struct.pack("<I", len(content) - 8)
    (tmp_path / "a.wav").write_bytes(content)
    (note,) = understand(sfz(tmp_path, "<region> sample=a.wav pitch_keycenter=sample\n")).notes
    assert note.recording.pitch == 57
    assert note.recording.loop is not None and note.recording.hold_s >= 4.0
    (note,) = understand(sfz(tmp_path, "<region> sample=a.wav key=57 loop_mode=no_loop\n")).notes
    assert note.recording.loop is None and note.recording.hold_s < 0.4


def test_drums_are_a_kit(tmp_path):
    for seed, name in enumerate(("Kick", "Snare", "HiHat Closed")):
        write(tmp_path / f"{name}.wav", tone(40, 0.3) * np.random.default_rng(seed).uniform(-1, 1, int(0.3 * RATE)))
    path = sfz(
        tmp_path,
        "<region> key=36 sample=Kick.wav\n<region> key=38 sample=Snare.wav\n<region> key=42 sample=HiHat Closed.wav\n",
    )
    material = understand(path)
    assert material.is_kit
    assert [(one.instrument, one.pitch, one.pitched) for one in material.recordings] == [
        ("lib:36", 36, False), ("lib:38", 38, False), ("lib:42", 42, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no <region>"),
        ("<group> key=60\n", "holds no <region>"),
        ('#include "lib.sfz"\n', "without end"),
        ('#include "gone.sfz"\n', "cannot read"),
        ("\0\0\0", "no text"),
    ],
)
def test_what_is_no_sfz_is_one_line(tmp_path, text, words):
    with pytest.raises(DatasetError, match=words) as caught:
        understand(sfz(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_map_an_octave_off_is_heard_and_mended(tmp_path):
    for key in (48, 55, 60, 64, 67):
        write(tmp_path / f"s{key}.wav", tone(key))
    text = "".join(f"<region> key={key + 12} sample=s{key}.wav\n" for key in (48, 55, 60, 64, 67))
    path = sfz(tmp_path, text)
    material = understand(path)
    assert material.offset is not None and material.offset.semitones == -12
    assert "names are 12 semitones above what sounds (5 of 5 notes): --transpose -12" in material.offset.text
    for wishes in (Wishes(transpose=-12), Wishes(trust_pitch=True)):
        mended = understand(path, wishes=wishes)
        assert mended.offset is None
        assert mended.pitches == (48, 55, 60, 64, 67)


WORDS = st.sampled_from((
    "<region>", "<group>", "<global>", "<master>", "<control>", "<curve>", "sample=a b.wav", "key=", "key=60",
    "lokey=-1", "hikey=200", "lovel=x", "tune=nan", "volume=1e999", "offset=-5", "end=3", "loop_start=9",
    "loop_end=2", "//", "/*", "*/", "#define $A 6", "key=$A0", "$A", '#include "', "=", "<", "\n", " ",
    "locc1=5", "default_path=x/", "octave_offset=q", "pitch_keycenter=sample", "loop_mode=loop_continuous",
    "transpose=1000000", "\u00e9",
))  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, max_size=30))
def test_any_text_gives_regions_or_one_line(tmp_path_factory, words):
    path = tmp_path_factory.getbasetemp() / "any.sfz"
    path.write_text("<region> " + " ".join(words))
    try:
        found = read_regions(read_sections(path))
    except DatasetError as error:
        assert "\n" not in str(error)
        return
    for one in found:
        assert isinstance(one, LeftOut) or (0 <= one.low <= one.high <= 127 and abs(one.tune) <= 96 and one.offset >= 0)
