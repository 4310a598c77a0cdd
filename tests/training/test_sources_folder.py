"""A folder of notes: where pitch, instrument and velocity come from, and what is skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tnca_synth.errors import DatasetError
from tnca_synth.training.sources import FolderSource, RecordingSource, Skipped, SourceReport

pytestmark = pytest.mark.slow

RATE = 22050


def note(key=69.0, duration_s=0.5, rate=RATE):
    time = np.arange(int(duration_s * rate)) / rate
    hz = 440 * 2 ** ((key - 69) / 12)
    return 0.3 * sum(np.sin(2 * np.pi * hz * h * time) / h for h in (1, 2, 3)) * np.minimum(1, time / 0.005)


def write(path: Path, audio=None, rate=RATE, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, note() if audio is None else audio, rate, **options)
    return path


def read(source: RecordingSource):
    return [(r.instrument, r.pitch, r.velocity) for r in source]


def reasons(source: RecordingSource) -> dict[str, str]:
    return {item.path.name: item.reason for item in source.report.skipped}


def test_names_give_instrument_pitch_and_velocity(tmp_path):
    for name in ("violin_A4_v90.wav", "violin-60-101.FLAC", "Cello Bb2.wav"):
        write(tmp_path / name, format="FLAC" if "FLAC" in name else "WAV")
    source = FolderSource(tmp_path, RATE)
    assert read(source) == [("cello", 46, 100), ("violin", 60, 101), ("violin", 69, 90)]
    assert source.report == SourceReport(3)


def test_sub_folders_name_the_instrument(tmp_path):
    write(tmp_path / "strings" / "Violin 1" / "mic_A4.wav")
    write(tmp_path / "flute" / "C5.wav")
    write(tmp_path / "D4.wav")
    name = tmp_path.resolve().name.replace("_", "-").lower()
    assert read(FolderSource(tmp_path, RATE)) == [(name, 62, 100), ("flute", 72, 100), ("strings-violin-1", 69, 100)]
    assert {r.instrument for r in FolderSource(tmp_path, RATE, instrument="all")} == {"all"}


def test_a_pitch_that_is_not_named_is_detected(tmp_path):
    write(tmp_path / "oboe_01.wav", note(64.3))
    write(tmp_path / "oboe_02.wav", note(58))
    write(tmp_path / "oboe_03.wav", 0.2 * np.random.default_rng(0).normal(size=RATE).clip(-3, 3))
    source = FolderSource(tmp_path, RATE)
    assert read(source) == [("oboe", 64, 100), ("oboe", 58, 100)]
    assert reasons(source)["oboe_03.wav"].startswith("unpitched: periodicity")
    assert "notes.csv" in reasons(source)["oboe_03.wav"]


def test_unpitched_instruments_need_no_pitch(tmp_path):
    noise = 0.2 * np.random.default_rng(0).normal(size=RATE).clip(-3, 3)
    write(tmp_path / "drums" / "snare_01.wav", noise)
    write(tmp_path / "drums" / "kick_C2.wav", noise)
    recordings = list(FolderSource(tmp_path, RATE, unpitched=["drums"]))
    assert [(r.pitch, r.pitched) for r in recordings] == [(36, False), (60, False)]


def test_other_octave_names(tmp_path):
    write(tmp_path / "C3.wav")
    assert next(iter(FolderSource(tmp_path, RATE, middle_c_octave=3))).pitch == 60


def test_recordings_are_trimmed_mono_at_the_wanted_rate(tmp_path):
    audio = np.concatenate([np.zeros(24000), note(rate=48000), np.zeros(24000)])
    write(tmp_path / "A4.wav", np.stack([audio, audio], 1), 48000)
    (recording,) = FolderSource(tmp_path, RATE)
    assert recording.audio.dtype == np.float32
    assert recording.audio.ndim == 1
    assert np.abs(recording.audio[: int(0.006 * RATE)]).max() > 0.05
    assert np.abs(recording.audio[: int(0.001 * RATE)]).max() < 0.005
    assert recording.hold_s == pytest.approx(0.5, abs=0.03)


def test_bad_files_are_named_and_the_rest_goes_on(tmp_path):
    write(tmp_path / "a_A4.wav")
    write(tmp_path / "b_A4.wav", np.zeros(RATE))
    write(tmp_path / "c_A4.wav", np.clip(5 * note(), -1, 1))
    write(tmp_path / "d_A4.wav", note(duration_s=0.02))
    (tmp_path / "e_A4.wav").write_text("not a sound")
    (tmp_path / "f_A4.m4a").write_bytes(b"ID3")
    (tmp_path / "readme.txt").write_text("nothing to hear")
    (tmp_path / "._a_A4.wav").write_bytes(b"what another system leaves behind")
    write(tmp_path / "g_A4_C5.wav")
    (tmp_path / "broken.wav").symlink_to(tmp_path / "nowhere.wav")
    write(tmp_path / "z_A4.wav")
    source = FolderSource(tmp_path, RATE)
    assert [r[0] for r in read(source)] == ["a", "z"]
    kinds = {name: reason.split(":")[0] for name, reason in reasons(source).items()}
    assert kinds == {
        "b_A4.wav": "silent", "c_A4.wav": "clipped", "d_A4.wav": "too short", "e_A4.wav": "unreadable",
        "f_A4.m4a": "unsupported", "g_A4_C5.wav": "bad pitch", "broken.wav": "unreadable",
    }  # fmt: skip
    lines = source.report.summary().splitlines()
    assert lines[0].startswith("2 recordings, 7 skipped (2 unreadable, ")
    assert len(lines) == 8
    assert any("c_A4.wav: clipped: " in line for line in lines)


def test_a_second_iteration_begins_anew(tmp_path):
    write(tmp_path / "A4.wav")
    write(tmp_path / "B4.wav", np.zeros(RATE))
    source = FolderSource(tmp_path, RATE)
    assert read(source) == read(source)
    assert (source.report.recordings, len(source.report.skipped)) == (1, 1)


def test_a_long_list_of_reasons_is_cut_short():
    report = SourceReport(1, tuple(Skipped(Path(f"{i}.wav"), "silent: zero") for i in range(50)))
    lines = report.summary().splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  and 30 more: silent"


@pytest.mark.parametrize("names", [[], ["readme.txt"]])
def test_an_empty_folder_is_an_error(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("x")
    with pytest.raises(DatasetError, match="nothing to read in the folder"):
        list(FolderSource(tmp_path, RATE))


def test_a_folder_without_a_usable_note_is_one_clear_line(tmp_path):
    write(tmp_path / "A4.wav", np.zeros(RATE))
    write(tmp_path / "B4.wav", np.zeros(RATE))
    with pytest.raises(
        DatasetError, match=r"no usable recording in .*: 2 silent; the first: .*A4.wav: silent"
    ) as caught:
        list(FolderSource(tmp_path, RATE))
    assert "\n" not in str(caught.value)


def test_no_folder(tmp_path):
    with pytest.raises(DatasetError, match="there is no folder"):
        FolderSource(tmp_path / "nowhere", RATE)


def test_a_folder_that_holds_itself_is_read_once(tmp_path):
    write(tmp_path / "notes" / "A4.wav")
    (tmp_path / "notes" / "again").symlink_to(tmp_path)
    assert len(read(FolderSource(tmp_path, RATE))) == 1


def table(folder: Path, text: str, encoding="utf-8") -> None:
    (folder / "notes.csv").write_text(text, encoding=encoding)


def test_a_table_says_it_all(tmp_path):
    for name in ("a.wav", "sub/b_C7_A4.wav", "c.wav", "d_D4.wav"):
        write(tmp_path / name, note(67))
    table(
        tmp_path,
        "file,pitch,velocity,instrument,hold_s\n"
        "a.wav,Bb3,90,Grand Piano,0.25\n"
        "\n"
        "sub\\b_C7_A4.wav,61.0,,,9\n"
        "c.wav,,,,\n"
        '"d_D4.wav",F#2,1,flute,\n',
        "utf-8-sig",
    )
    recordings = list(FolderSource(tmp_path, RATE))
    assert [(r.instrument, r.pitch, r.velocity) for r in recordings] == [
        ("Grand Piano", 58, 90), ("sub", 61, 100), ("c", 67, 100), ("flute", 42, 1),
    ]  # fmt: skip
    assert recordings[0].hold_s == 0.25
    assert recordings[1].hold_s == pytest.approx(0.5, abs=0.01)


def test_semicolons_and_any_order_of_columns(tmp_path):
    write(tmp_path / "a.wav")
    table(tmp_path, "Velocity; Pitch ;file\n64;A3;a.wav\n")
    assert read(FolderSource(tmp_path, RATE)) == [("a", 57, 64)]


def test_errors_in_a_table_name_the_row(tmp_path):
    for name in "abcdefg":
        write(tmp_path / f"{name}.wav")
    table(
        tmp_path,
        "file,pitch,velocity,hold_s\n"
        "a.wav,A4,64,\n"
        "b.wav,H4,64,\n"
        "c.wav,A4,128,\n"
        "d.wav,A4,64,-1\n"
        "missing.wav,A4,64,\n"
        "a.wav,A4,64,\n"
        ",A4,,\n"
        "e.wav,A4,64,1,2\n"
        "f.wav,60.5\n",
    )
    source = FolderSource(tmp_path, RATE)
    assert len(read(source)) == 1
    found = [item.reason for item in source.report.skipped]
    assert found[0].startswith("bad row: notes.csv row 3: bad pitch: ")
    assert found[1].startswith("bad row: notes.csv row 4: bad velocity: ")
    assert found[2].startswith("bad row: notes.csv row 5: bad hold_s: ")
    assert found[3] == "unreadable: there is no such file, but notes.csv row 6 names it"
    assert found[4] == "bad row: notes.csv row 7: row 2 names the same file"
    assert found[5] == "bad row: notes.csv row 8: no file is named"
    assert found[6] == "bad row: notes.csv row 9: 5 cells under 4 columns"
    assert found[7].startswith("bad row: notes.csv row 10: bad pitch: ")
    assert found[8] == "unlisted: notes.csv does not name it"
    assert len(found) == 9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected the columns file,pitch"),
        ("file,velocity\n", "expected the columns file,pitch"),
        ("file,pitch,pitch\n", "each once"),
        ("file,pich\n", "unknown column 'pich', did you mean 'pitch'"),
        ("file,pitch,colour\n", "unknown column 'colour'"),
    ],
)
def test_a_table_that_makes_no_sense_ends_the_run(tmp_path, text, words):
    write(tmp_path / "A4.wav")
    table(tmp_path, text)
    with pytest.raises(DatasetError, match=words):
        list(FolderSource(tmp_path, RATE))


def test_a_table_that_is_not_text(tmp_path):
    (tmp_path / "notes.csv").write_bytes(b"file,pitch\n\xff\xfe\x00")
    with pytest.raises(DatasetError, match="not UTF-8"):
        list(FolderSource(tmp_path, RATE))


def test_a_table_in_a_sub_folder_rules_that_folder_alone(tmp_path):
    write(tmp_path / "A4.wav")
    write(tmp_path / "sub" / "x.wav")
    table(tmp_path / "sub", "file,pitch\nx.wav,C2\n")
    assert [r[1] for r in read(FolderSource(tmp_path, RATE))] == [69, 36]
