"""What a preset's data section says reaches the source, and what is measured of recordings reaches the notes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

from tnca_synth.errors import UsageError
from tnca_synth.training.codec.notes import load_sounds
from tnca_synth.training.config.run import TrainConfig, load_preset, train_config
from tnca_synth.training.data.dataset import NoteSet, load_notes
from tnca_synth.training.run import without_missing_compiler

pytestmark = pytest.mark.slow


def preset(folder: Path, data: str) -> TrainConfig:
    path = folder / "mine.toml"
    path.write_text(f"[data]\n{data}\n")
    config = load_preset(str(path))
    assert train_config(json.loads(json.dumps(config.to_dict()))) == config
    return config


def note(key: int, decay_s: float = np.inf, hold_s: float = 1.0) -> np.ndarray:
    time = np.arange(int(1.4 * 8000)) / 8000
    hz = 440 * 2 ** ((key - 69) / 12)
    wave = 0.3 * sum(np.sin(2 * np.pi * hz * h * time) / h for h in (1, 2, 3))
    return wave * np.exp(-time / decay_s) * np.exp(-np.maximum(time - hold_s, 0) / 0.03) * np.minimum(1, time / 0.005)


def loaded(config: TrainConfig) -> tuple[NoteSet, str]:
    told: list[str] = []
    notes = load_notes(config.data, tiny.SPEC, Path("unused"), report=told.append)
    return notes, "\n".join(told)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "harp"
    path.mkdir()
    for name, key in (("C3", 60), ("D3", 62), ("E3", 64)):
        soundfile.write(path / f"{name}.wav", note(key, decay_s=0.4), 8000)
    return path


def test_the_octave_instrument_and_velocity_of_a_folder(folder: Path, tmp_path: Path) -> None:
    notes, told = loaded(preset(tmp_path, f'source = "folder"\npath = "{folder}"'))
    assert [one.pitch for one in notes.features] == [48, 50, 52]
    assert "warning: 3 of 3 notes sound 12 semitones above their names" in told
    keys = f'source = "folder"\npath = "{folder}"\nmiddle_c_octave = 3\ninstrument = "lyre"\nvelocity = 77'
    notes, told = loaded(preset(tmp_path, keys))
    assert [(one.instrument, one.pitch, one.velocity) for one in notes.features] == [
        ("lyre", 60, 77), ("lyre", 62, 77), ("lyre", 64, 77),
    ]  # fmt: skip
    assert "warning" not in told
    assert "nothing is held out of 3 notes" in told


@pytest.mark.parametrize("unpitched", ["true", '["harp"]', '["other"]', "false"])
def test_unpitched_instruments_of_a_folder(unpitched: str, folder: Path, tmp_path: Path) -> None:
    notes, _ = loaded(preset(tmp_path, f'source = "folder"\npath = "{folder}"\nunpitched = {unpitched}'))
    assert [one.pitched for one in notes.features] == [unpitched not in ("true", '["harp"]')] * 3


def test_what_decays_is_heard_in_the_recordings(folder: Path, tmp_path: Path) -> None:
    assert loaded(preset(tmp_path, f'source = "folder"\npath = "{folder}"'))[0].decaying == {"harp"}
    for name, key in (("C3", 60), ("D3", 62), ("E3", 64)):
        soundfile.write(folder / f"{name}.wav", note(key), 8000)
    assert loaded(preset(tmp_path, f'source = "folder"\npath = "{folder}"'))[0].decaying == frozenset()


def test_models_of_sound_learn_from_folders_as_well(folder: Path, tmp_path: Path) -> None:
    (folder / "oboe").mkdir()
    for name, key in (("C4", 60), ("D4", 62)):
        soundfile.write(folder / "oboe" / f"{name}.wav", note(key), 8000)
    config = preset(tmp_path, f'source = "folder"\npath = "{folder}"')
    notes = load_sounds(config.data, tiny.SPEC, Path("unused"), 1)
    for feature, frames, audio in zip(notes.features, notes.num_frames, notes.audio, strict=True):
        hz = np.abs(np.fft.rfft(audio, 1 << 16)).argmax() * 8000 / (1 << 16)
        sounds = feature.pitch + (12 if feature.instrument == "harp" else 0)
        assert 69 + 12 * np.log2(hz / 440) == pytest.approx(sounds, abs=0.5)
        assert len(audio) == frames * tiny.SPEC.hop_length


def test_families_instruments_and_limit_of_an_nsynth_set(tmp_path: Path) -> None:
    (tmp_path / "set" / "audio").mkdir(parents=True)
    names = {"a": ("reed_a", 60), "b": ("reed_a", 62), "c": ("reed_b", 64), "d": ("flute_c", 65)}
    table = {}
    for name, (instrument, key) in names.items():
        family = instrument.partition("_")[0]
        table[name] = {"pitch": key, "velocity": 64, "instrument_str": instrument, "instrument_family_str": family}
        soundfile.write(tmp_path / "set" / "audio" / f"{name}.wav", note(key), 8000)
    (tmp_path / "set" / "examples.json").write_text(json.dumps(table))

    def pitches(more: str) -> list[int]:
        config = preset(tmp_path, f'source = "nsynth"\npath = "{tmp_path / "set"}"\n{more}')
        return sorted(one.pitch for one in loaded(config)[0].features)

    assert pitches("") == [60, 62, 64, 65]
    assert pitches('families = ["reed"]') == [60, 62, 64]
    assert pitches('instruments = ["reed_b", "flute_c"]') == [64, 65]
    assert pitches('families = ["reed"]\nlimit = 2') == [60, 62]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ('source = "folder"\npath = "x"\nmiddle_c_octave = 9', "data.middle_c_octave must be in 2..6, got 9"),
        ('source = "folder"\npath = "x"\nvelocity = 0', "data.velocity must be in 1..127, got 0"),
        ('source = "folder"\npath = "x"\nvelocity = true', "velocity in data must be of type int, got True"),
        ('source = "folder"\npath = "x"\nunpitched = "drums"', "data.unpitched must be a list of names, got 'drums'"),
        (
            'source = "folder"\npath = "x"\nlimit = 3',
            "data.limit is for the nsynth source, but data.source is 'folder'",
        ),
        ('source = "nsynth"\npath = "x"\ndrums = true', "data.drums is for the folder source, but"),
        ("middle_c_octave = 3", "data.middle_c_octave is for the folder source, but data.source is 'soundfont'"),
    ],
)
def test_a_wrong_key_is_one_line(data: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        preset(tmp_path, data)
    assert told in str(caught.value)


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    config, told = tiny.config(compile=True), list[str]()
    assert without_missing_compiler(config, "cuda", told.append).compile
    monkeypatch.setattr("tnca_synth.training.run.shutil.which", lambda _: None)
    assert not without_missing_compiler(config, "cpu", told.append).compile
    assert len(told) == 1 and "no C++ compiler" in told[0]
