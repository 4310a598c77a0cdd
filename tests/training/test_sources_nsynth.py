"""The NSynth layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tnca_synth.errors import DatasetError
from tnca_synth.training.sources import NSynthSource

pytestmark = pytest.mark.slow

RATE = 22050


def fields(instrument="bass_synthetic_033", pitch=50, velocity=100, **more):
    family = instrument.split("_")[0]
    return {"pitch": pitch, "velocity": velocity, "instrument_str": instrument, "instrument_family_str": family,
            "sample_rate": 16000, **more}  # fmt: skip


def build(folder: Path, notes: dict, silent: tuple[str, ...] = (), late_s: float = 0.0) -> Path:
    (folder / "audio").mkdir(parents=True)
    (folder / "examples.json").write_text(json.dumps(notes))
    time = np.arange(4 * 16000) / 16000
    for name, values in notes.items():
        pitch = values.get("pitch")
        hz = 440 * 2 ** (((pitch if isinstance(pitch, int) else 60) - 69) / 12)
        audio = 0.5 * np.sin(2 * np.pi * hz * time) * (time >= late_s)
        soundfile.write(folder / "audio" / f"{name}.wav", 0 * audio if name in silent else audio, 16000)
    return folder


def test_notes_become_recordings(tmp_path):
    build(tmp_path, {"b": fields("flute_acoustic_002", 72, 127), "a": fields()})
    source = NSynthSource(tmp_path, RATE)
    first, second = source
    assert (first.instrument, first.pitch, first.velocity) == ("bass_synthetic_033", 50, 100)
    assert (second.instrument, second.pitch, second.velocity) == ("flute_acoustic_002", 72, 127)
    assert first.hold_s == pytest.approx(3.0, abs=0.01)
    assert abs(len(first.audio) - 4 * RATE) < 0.01 * RATE
    assert first.audio.dtype == np.float32
    assert source.report.recordings == 2


def test_a_late_onset_shortens_the_hold(tmp_path):
    build(tmp_path, {"a": fields()}, late_s=0.2)
    (recording,) = NSynthSource(tmp_path, RATE)
    assert recording.hold_s == pytest.approx(2.8, abs=0.01)


def test_filters_and_limit(tmp_path):
    notes = {f"n{i}": fields(name, 48 + i) for i, name in enumerate(["bass_a_1", "flute_b_2", "flute_c_3", "reed_d_4"])}
    build(tmp_path, notes)

    def names(**options):
        return [r.instrument for r in NSynthSource(tmp_path, RATE, **options)]

    assert names(families=["flute"]) == ["flute_b_2", "flute_c_3"]
    assert names(instruments=["reed_d_4", "bass_a_1"]) == ["bass_a_1", "reed_d_4"]
    assert names(families=["flute"], limit=1) == ["flute_b_2"]
    with pytest.raises(DatasetError, match=r"no note in .* matches oboe; its families are bass, flute, reed"):
        names(families=["oboe"])
    with pytest.raises(DatasetError, match="limit must be at least 1"):
        names(limit=0)


def test_bad_notes_are_skipped_by_name(tmp_path):
    build(
        tmp_path,
        {"a": fields(), "b": fields(), "c": fields(), "d": fields(pitch="C4"), "e": fields(velocity=0),
         "f": fields(pitch=True), "g": {"instrument_str": None, "pitch": 60, "velocity": 64}},
        silent=("b",),
    )  # fmt: skip
    (tmp_path / "audio" / "c.wav").unlink()
    source = NSynthSource(tmp_path, RATE)
    assert len(list(source)) == 1
    found = {item.path.stem: item.reason for item in source.report.skipped}
    assert found["b"].startswith("silent:")
    assert found["c"] == "unreadable: there is no such file"
    assert found["d"] == "bad entry: examples.json: pitch must be in 0..127, got 'C4'"
    assert found["e"] == "bad entry: examples.json: velocity must be in 1..127, got 0"
    assert found["f"].startswith("bad entry: examples.json: pitch")
    assert found["g"].startswith("bad entry: examples.json: instrument_str")


def test_the_limit_counts_usable_notes_only(tmp_path):
    build(tmp_path, {name: fields() for name in "abcd"}, silent=("a", "b"))
    source = NSynthSource(tmp_path, RATE, limit=1)
    assert len(list(source)) == 1
    assert len(source.report.skipped) == 2


def test_nothing_usable(tmp_path):
    build(tmp_path, {"a": fields()})
    (tmp_path / "audio" / "a.wav").unlink()
    with pytest.raises(DatasetError, match=r"no usable recording in the NSynth folder .*: 1 unreadable; the first"):
        list(NSynthSource(tmp_path, RATE))


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "not valid JSON"), ("[1]", "is not NSynth's"), ('{"a": 1}', "is not NSynth's"), ("{}", "lists no notes")],
)
def test_a_bad_index(tmp_path, text, words):
    (tmp_path / "examples.json").write_text(text)
    with pytest.raises(DatasetError, match=words):
        NSynthSource(tmp_path, RATE)


def test_no_index(tmp_path):
    with pytest.raises(DatasetError, match="expected the NSynth layout"):
        NSynthSource(tmp_path, RATE)


@pytest.mark.parametrize("name", ["../outside", "..\\outside", "/etc/passwd", "sub/inside", "C:outside", ".."])
def test_a_name_that_leads_out_of_the_folder_is_never_read(tmp_path, name):
    build(tmp_path / "set", {"a": fields()})
    time = np.arange(RATE) / RATE
    for path in (tmp_path / "set" / "outside.wav", tmp_path / "set" / "audio" / "sub" / "inside.wav"):
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * time), RATE)
    table = tmp_path / "set" / "examples.json"
    table.write_text(json.dumps(json.loads(table.read_text()) | {name: fields(pitch=69)}))
    source = NSynthSource(tmp_path / "set", RATE)
    assert [one.pitch for one in source] == [50]
    (skipped,) = source.report.skipped
    assert "leads out of the folder" in skipped.reason and repr(name) in skipped.reason
