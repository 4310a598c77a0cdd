"""Folders of notes as a user has them: what they are taken for, what is doubted, what is left out and why."""

from __future__ import annotations

import io
import json
from pathlib import Path

import bad_folder
import numpy as np
import pytest
import soundfile
from rich.console import Console

from tnca_synth.errors import DatasetError, UsageError
from tnca_synth.training.material import Material, Wishes, understand
from tnca_synth.training.material.summary import describe, print_summary

pytestmark = pytest.mark.slow

RATE = bad_folder.RATE
note = bad_folder.note


def write(path: Path, audio: np.ndarray, rate: int = RATE, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, **options)
    return path


def notes(material: Material) -> list[tuple[int, int]]:
    return [(one.pitch, one.velocity) for one in material.recordings]


def printed(material: Material) -> str:
    stream = io.StringIO()
    print_summary(material, Console(width=100, file=stream))
    return stream.getvalue()


def test_every_bad_file_is_named_with_its_reason_and_the_rest_is_taken(tmp_path):
    bad, good = bad_folder.make(tmp_path / "box", 64)
    assert set(bad.values()) == {kind for kind, _ in bad_folder.FAULTS.values()}
    material = understand(tmp_path / "box")
    assert {one.place: one.kind for one in material.refused} == bad
    assert len(material.notes) == good
    assert material.offset is None and not material.is_kit
    text = printed(material)
    assert all(name in text for name in bad)


def test_long_notes_are_cut_when_they_are_many(tmp_path, monkeypatch):
    from tnca_synth.training.material import keeping

    monkeypatch.setattr(keeping, "MOST_S", 25.0)
    time = np.arange(20 * RATE) / RATE
    for key in (60, 64, 67):
        hz = 440 * 2 ** ((key - 69) / 12)
        write(tmp_path / f"organ_{key}.wav", (0.2 * np.sin(2 * np.pi * hz * time)).astype(np.float32))
    material = understand(tmp_path)
    assert len(material.notes) == 3
    assert sum(len(one.audio) for one in material.recordings) <= 25 * RATE
    assert all(one.hold_s <= len(one.audio) / RATE for one in material.recordings)
    assert [one.kind for one in material.findings] == ["long"] * 3
    assert not material.refused


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("A3v1", "A3v8", "A3v16", "C4v1", "C4v8", "C4v16"), {8: 2, 64: 2, 127: 2}),  # Salamander
        (("Horn_sus_A2_v1_1", "Horn_sus_A2_v2_1", "Horn_sus_A2_v3_1"), {42: 1, 85: 1, 127: 1}),  # VSCO 2
        (("Rhodes_C3_40", "Rhodes_C3_127", "Rhodes_E3_40", "Rhodes_E3_127"), {40: 2, 127: 2}),  # automatic samplers
        (("Piano.pp.A4", "Piano.ff.A4"), {33: 1, 112: 1}),
        (("A4_rr1", "A4_rr2", "A4_rr3"), {100: 3}),
    ],
)
def test_layers_and_repeats_of_names(tmp_path, names, expected):
    from tnca_synth.training.sources.naming.naming import parse_name

    for i, name in enumerate(names):
        write(tmp_path / f"{name}.wav", note(parse_name(name).pitch, seed=i))
    material = understand(tmp_path)
    assert material.velocities == expected
    assert not material.findings
    places = [(one.recording.pitch, one.recording.velocity, one.repeat) for one in material.notes]
    assert len(set(places)) == len(places)  # repeats are counted


@pytest.mark.parametrize("octaves", [1, -1, 2])
def test_names_an_octave_off_are_heard_and_mended_by_option(tmp_path, octaves):
    keys = (48, 52, 55, 60, 64, 67)
    for key in keys:
        write(tmp_path / f"Bell_{bad_folder.name_of(key)}.wav", note(key + 12 * octaves, seed=key))
    material = understand(tmp_path)
    assert material.pitches == keys  # nothing is changed without a word of the user
    assert material.offset is not None and material.offset.semitones == 12 * octaves
    where = "below" if octaves > 0 else "above"
    wanted = f"names are {abs(12 * octaves)} semitones {where} what sounds (6 of 6 notes): --transpose {12 * octaves}"
    assert wanted in material.offset.text
    assert "--trust-pitch" in printed(material).replace("\n", " ")
    sounds = tuple(key + 12 * octaves for key in keys)
    for wishes in (Wishes(transpose=12 * octaves), Wishes(trust_pitch=True)):
        mended = understand(tmp_path, wishes=wishes)
        assert (mended.pitches, mended.offset) == (sounds, None)


def test_one_wrong_name_among_right_ones_is_left_out_or_taken_as_it_sounds(tmp_path):
    for key in (48, 52, 55, 60, 64, 67):
        write(tmp_path / f"Bell_{bad_folder.name_of(key)}.wav", note(key + (5 if key == 60 else 0), seed=key))
    material = understand(tmp_path)
    (finding,) = material.findings
    assert finding.place == "Bell_C4.wav" and finding.is_refused
    assert finding.reason.startswith("wrong name: it says C4 but F4 sounds")
    assert material.pitches == (48, 52, 55, 64, 67)
    assert understand(tmp_path, wishes=Wishes(trust_pitch=True)).pitches == (48, 52, 55, 64, 65, 67)


def test_bells_whose_pitch_nobody_can_tell_keep_their_names(tmp_path):
    rng = np.random.default_rng(3)
    time = np.arange(RATE) / RATE
    for key in (60, 62, 64, 65, 67, 69):
        hz = 440 * 2 ** ((key - 69) / 12) * np.array([0.5, 1.0, 1.19, 1.53, 2.0, 2.74]) * rng.uniform(0.97, 1.03, 6)
        sound = sum(np.sin(2 * np.pi * one * time) for one in hz) * np.exp(-2 * time)
        write(tmp_path / f"bell_{bad_folder.name_of(key)}.wav", 0.1 * sound)
    material = understand(tmp_path)
    assert material.pitches == (60, 62, 64, 65, 67, 69)
    assert not material.refused


def test_a_note_out_of_tune_is_named_and_kept(tmp_path):
    for key in (48, 52, 55, 60, 64, 67):
        write(tmp_path / f"Bell_{bad_folder.name_of(key)}.wav", note(key + (0.43 if key == 60 else 0.02), seed=key))
    material = understand(tmp_path)
    (finding,) = material.findings
    assert (finding.kind, finding.place, finding.is_refused) == ("out of tune", "Bell_C4.wav", False)
    assert len(material.notes) == 6


def test_a_folder_named_by_drums_is_a_kit_with_keys_of_general_midi(tmp_path):
    rng = np.random.default_rng(0)
    names = ("Kick", "Snare", "HiHat Closed", "HiHat Open", "Crash", "Ride", "Low Tom", "Hand Clap")
    for name in names:
        burst = rng.standard_normal(RATE // 3) * np.exp(-np.arange(RATE // 3) / 2000)
        write(tmp_path / f"{name}.wav", 0.2 * burst)
    material = understand(tmp_path, wishes=Wishes(name="My Kit"))
    assert material.is_kit and not material.findings
    assert material.pitches == (36, 38, 39, 42, 45, 46, 49, 51)
    assert all(one.instrument == f"my-kit:{one.pitch}" and not one.pitched for one in material.recordings)
    assert "42 Closed Hi-Hat" in printed(material)
    table = "file,pitch\n" + "".join(f"{name}.wav,{50 + i}\n" for i, name in enumerate(names))
    (tmp_path / "notes.csv").write_text(table)
    listed = understand(tmp_path, wishes=Wishes(drums=True))
    assert listed.pitches == tuple(range(50, 58))  # a table has the last word


def test_unpitched_sounds_without_names_of_drums_can_be_made_a_kit(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("door", "glass", "chain", "cup"):
        write(tmp_path / f"{name}.wav", 0.2 * rng.standard_normal(RATE // 4) * np.exp(-np.arange(RATE // 4) / 900))
    with pytest.raises(DatasetError, match=r"4 refused; the first: .*unpitched.*--drums"):
        understand(tmp_path)
    material = understand(tmp_path, wishes=Wishes(drums=True))
    assert material.is_kit and len(material.pitches) == 4


def test_every_format_and_rate(tmp_path):
    for ending, rate in (
        ("wav", 96000),
        ("flac", 48000),
        ("aiff", 44100),
        ("ogg", 48000),
        ("mp3", 44100),
        ("au", 16000),
    ):
        time = np.arange(rate) / rate
        sound = sum(np.sin(2 * np.pi * 261.626 * h * time) / h for h in (1, 2, 3)) * np.exp(-2 * time)
        write(tmp_path / ending / f"x_C4.{ending}", 0.2 * sound, rate)
    material = understand(tmp_path, 44100)
    assert len(material.notes) == 6 and not material.findings
    assert all(abs(one.heard - 60) < 0.02 for one in material.notes)
    assert all(len(one.audio) > 0.5 * 44100 for one in material.recordings)


def test_loops_of_wav_and_aiff_files_are_followed(tmp_path):
    import struct

    tone = (0.3 * np.sin(2 * np.pi * np.arange(6000) / 100)).astype(np.float32)
    smpl = struct.pack("<9I", 0, 0, 0, 57, 0, 0, 0, 1, 0) + struct.pack("<6I", 0, 0, 2000, 3999, 0, 0)
    wav = write(tmp_path / "x_A3.wav", tone)
    content = bytearray(wav.read_bytes() + b"smpl" + struct.pack("<I", len(smpl)) + smpl)
    content[4:8] = struct.pack("<I", len(content) - 8)
    wav.write_bytes(content)
    mark = struct.pack(">H", 2) + struct.pack(">hIB", 1, 2000, 3) + b"beg" + struct.pack(">hIB", 2, 4000, 3) + b"end"
    inst = struct.pack(">bbbbbbhhhhhhh", 57, 0, 0, 127, 1, 127, 0, 1, 1, 2, 0, 0, 0)
    aiff = write(tmp_path / "y_A3.aiff", 0.5 * tone)
    chunks = b"".join(name + struct.pack(">I", len(body)) + body for name, body in ((b"MARK", mark), (b"INST", inst)))
    content = bytearray(aiff.read_bytes() + chunks)
    content[4:8] = struct.pack(">I", len(content) - 8)
    aiff.write_bytes(content)
    material = understand(tmp_path)
    for one in material.recordings:
        assert one.loop is not None and one.sustains
        assert one.loop.end_s - one.loop.begin_s == pytest.approx(2000 / RATE)
        assert 4.0 <= one.hold_s <= 4.2
    assert describe(material)["num_loops"] == 2
    assert "2 notes held through a loop" in printed(material)


def test_the_summary_of_an_nsynth_set_and_the_choice_of_an_instrument(tmp_path):
    (tmp_path / "audio").mkdir()
    table = {}
    for instrument in ("flute_acoustic_002", "bass_synthetic_033"):
        for key in (50, 55, 60):
            name = f"{instrument}-{key:03}-100"
            values = {"pitch": key, "velocity": 100, "instrument_str": instrument}
            table[name] = {**values, "instrument_family_str": instrument.split("_")[0]}
            write(tmp_path / "audio" / f"{name}.wav", note(key, 4.0, seed=key))
    (tmp_path / "examples.json").write_text(json.dumps(table))
    with pytest.raises(
        UsageError, match="2 instruments, name one with --preset: bass_synthetic_033, flute_acoustic_002"
    ):
        understand(tmp_path)
    material = understand(tmp_path, wishes=Wishes(preset="flute_acoustic_002"))
    assert (material.kind, material.name, material.pitches) == ("nsynth", "flute-acoustic-002", (50, 55, 60))
    facts = json.loads(json.dumps(describe(material)))
    assert facts["num_notes"] == 3 and facts["velocities"] == {"100": 3} and facts["findings"] == []


def test_what_is_nothing_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("x")
    for path, words in (
        ("gone", "there is no file or folder"),
        ("text.txt", "nothing to learn from"),
        ("empty", "nothing"),
    ):
        with pytest.raises(DatasetError, match=words) as caught:
            understand(tmp_path / path)
        assert "\n" not in str(caught.value)


def test_several_maps_in_a_folder_are_listed(tmp_path):
    for name in ("a.sfz", "b.sfz"):
        (tmp_path / name).write_text("<region> sample=x.wav")
    with pytest.raises(UsageError, match=r"holds 2 instruments, name one of the files: a\.sfz, b\.sfz"):
        understand(tmp_path)


def test_the_same_folder_gives_the_same_notes(tmp_path):
    bad_folder.make(tmp_path / "box", 20)
    first, second = (understand(tmp_path / "box") for _ in range(2))
    assert first.findings == second.findings
    for one, other in zip(first.recordings, second.recordings, strict=True):
        assert np.array_equal(one.audio, other.audio) and one.hold_s == other.hold_s
