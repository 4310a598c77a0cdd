"""How libraries name their notes: the pattern is learned from all names of a folder."""

from __future__ import annotations

from pathlib import Path, PurePath

import numpy as np
import pytest
import soundfile

from tnca_synth.training.sources import FolderSource
from tnca_synth.training.sources.naming.naming import read_names

RATE = 22050


def read(*names: str, middle_c_octave: int = 4) -> list[tuple[str, int | None, int | None]]:
    found = read_names([PurePath(f"{name}.wav") for name in names], middle_c_octave)
    assert not any(parts.problem for parts in found.values())
    return [(parts.prefix, parts.pitch, parts.velocity) for parts in found.values()]


def test_notes_glued_to_layers_are_one_instrument_of_sixteen_velocities() -> None:
    found = read(*(f"{note}v{layer}" for note in ("A3", "C4", "D#4") for layer in range(1, 17)))
    assert {prefix for prefix, _, _ in found} == {""}
    assert [pitch for _, pitch, _ in found[::16]] == [57, 60, 63]
    assert [velocity for _, _, velocity in found[:16]] == [round(127 * n / 16) for n in range(1, 17)]


def test_layers_are_spread_over_all_velocities_and_repeats_are_kept() -> None:
    names = [f"MOHorn_sus_{note}_v{layer}_{n}" for note in ("A#1", "C3") for layer in (1, 2, 3) for n in (1, 2)]
    found = read(*names)
    assert found[::2] == found[1::2]
    assert found[::2] == [("MOHorn_sus", key, velocity) for key in (34, 48) for velocity in (42, 85, 127)]


def test_trailing_numbers_that_vary_for_a_key_are_velocities() -> None:
    names = ("Rhodes_C3_127", "Rhodes_C3_40", "Rhodes_E3_127", "Rhodes_E3_40")
    assert read(*names) == [("Rhodes", 48, 127), ("Rhodes", 48, 40), ("Rhodes", 52, 127), ("Rhodes", 52, 40)]


REPEATS = [("C4_rr1", "C4_rr2"), ("C4_1", "C4_2"), ("C4 take 1", "C4 take 2"), ("C4RR1", "C4RR2"), ("rr1_C4", "rr2_C4")]


@pytest.mark.parametrize("repeats", REPEATS)
def test_repeats_are_neither_velocities_nor_instruments(repeats: tuple[str, str]) -> None:
    assert read(*repeats) == [("", 60, None)] * 2


def test_a_running_number_behind_the_key_is_no_velocity() -> None:
    assert read("Piano_C4_037", "Piano_C4_038", "Piano_D4_039") == [
        ("Piano", 60, None), ("Piano", 60, None), ("Piano", 62, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        (("f32_C4", "f32_E4"), "f32"),
        (("D50_C4", "D50_E4"), "D50"),
        (("Hammond_B3_C4", "Hammond_B3_E4"), "Hammond_B3"),
        (("Yamaha C7 C4 v64", "Yamaha C7 E4 v64"), "Yamaha C7"),
    ],
)
def test_names_of_instruments_that_look_like_notes(names: tuple[str, str], prefix: str) -> None:
    assert [(one[0], one[1]) for one in read(*names)] == [(prefix, 60), (prefix, 64)]
    assert read(names[0])[0][:2] == (prefix, 60)  # one file alone: the key stands last


def test_a_key_that_varies_counts_though_a_note_stands_behind_it() -> None:
    assert [one[1] for one in read("C4_B3Organ_A1", "E4_B3Organ_A1", "G4_B3Organ_A1")] == [60, 64, 67]


@pytest.mark.parametrize(
    "name", ["Db4", "C#4", "Cs4", "Csharp4", "C-sharp-4", "C_sharp_4", "Dflat4", "D flat 4", "C♯4", "D♭4", "db4"]
)
def test_sharps_and_flats_however_they_are_written(name: str) -> None:
    assert read(f"piano_{name}")[0][1] == 61


@pytest.mark.parametrize("name", ["m61", "note61", "midi_61", "key61", "MIDI 061", "n061"])
def test_marked_numbers_are_keys(name: str) -> None:
    assert read(name) == [("", 61, None)]


def test_the_key_stands_first_or_last_or_glued_to_a_word() -> None:
    assert read("C4_flute", "D4_flute", "C4_oboe") == [("flute", 60, None), ("flute", 62, None), ("oboe", 60, None)]
    assert read("PianoC4", "PianoBb3") == [("Piano", 60, None), ("Piano", 58, None)]


def test_dynamics_are_velocities_where_they_vary() -> None:
    assert read("Piano.pp.A4", "Piano.ff.A4") == [("Piano", 69, 33), ("Piano", 69, 112)]
    assert read("Piano.ff.A4", "Piano.ff.B4") == [("Piano.ff", 69, None), ("Piano.ff", 71, None)]
    found = read("violin_A4_025_forte_normal", "violin_A4_1_piano_normal", "violin_A4_1_mezzo-piano_normal")
    assert found == [("violin", 69, 96), ("violin", 69, 49), ("violin", 69, 64)]


def test_sub_folders_may_be_layers_and_keys() -> None:
    assert read("Piano/v1/C4", "Piano/v2/C4", "Piano/rr2/C4") == [
        ("Piano", 60, 64),
        ("Piano", 60, 127),
        ("Piano", 60, None),
    ]
    assert read("Piano/C4/v100", "Piano/E4/v30") == [("Piano", 60, 100), ("Piano", 64, 30)]


def test_a_folder_that_holds_everything_names_nothing() -> None:
    assert read("Samples/A3v1", "Samples/A3v2") == [("", 57, 64), ("", 57, 127)]
    assert read("Grand/Samples/A3") == [("Grand", 57, None)]


def test_numbers_that_count_files_are_no_instruments() -> None:
    assert {one[0] for one in read("01_A3", "02_B3", "03_C4")} == {""}
    assert {one[0] for one in read("Sample01_A3", "Sample02_B3", "Sample03_C4")} == {"Sample"}
    assert {one[0] for one in read("Violin 1_A4", "Violin 2_A4", "Violin 2_B4")} == {"Violin 1", "Violin 2"}


def note(key: float, duration_s: float = 0.5) -> np.ndarray:
    time = np.arange(int(duration_s * RATE)) / RATE
    hz = 440 * 2 ** ((key - 69) / 12)
    return 0.3 * sum(np.sin(2 * np.pi * hz * h * time) / h for h in (1, 2, 3)) * np.minimum(1, time / 0.005)


def write(folder: Path, notes: dict[str, float]) -> Path:
    for name, key in notes.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{name}.wav", note(key), RATE)
    return folder


def test_numbers_alone_are_keys_where_the_notes_sound_so(tmp_path: Path) -> None:
    keys = write(tmp_path / "keys", {"060": 60, "064": 64, "067": 67})
    assert [one.pitch for one in FolderSource(keys, RATE)] == [60, 64, 67]
    counted = write(tmp_path / "counted", {"oboe_21": 60, "oboe_22": 64, "oboe_23": 67})
    assert [one.pitch for one in FolderSource(counted, RATE)] == [60, 64, 67]


def test_a_library_that_is_an_octave_off_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "bells", {"Bell_C3": 60, "Bell_E3": 64, "Bell_G3": 67})
    source = FolderSource(folder, RATE)
    assert [one.pitch for one in source] == [48, 52, 55]
    assert "3 of 3 notes sound 12 semitones above their names" in source.report.summary()
    assert "set middle_c_octave = 3 in [data]" in source.report.summary()
    mended = FolderSource(folder, RATE, middle_c_octave=3)
    assert [one.pitch for one in mended] == [60, 64, 67]
    assert not mended.report.remarks


def test_any_other_transposition_is_told_as_well(tmp_path: Path) -> None:
    source = FolderSource(write(tmp_path / "clarinet", {"C4": 58, "D4": 60, "E4": 62}), RATE)
    assert len(list(source)) == 3
    assert "3 of 3 notes sound 2 semitones below their names" in source.report.summary()
    right = FolderSource(write(tmp_path / "flute", {"C4": 60, "D4": 62, "E4": 52}), RATE)
    assert len(list(right)) == 3  # one wrong note is no transposition
    assert not right.report.remarks


def test_a_folder_of_drums_is_one_kit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("Kick_01", "Snare_v1", "Snare_v2", "hihat open", "Thing", "Weird_C5"):
        hit = 0.3 * rng.normal(size=8000).clip(-3, 3) * np.exp(-np.arange(8000) / 1500)
        soundfile.write(tmp_path / f"{name}.wav", hit, RATE)
    found = [
        (one.instrument, one.pitch, one.velocity, one.pitched)
        for one in FolderSource(tmp_path, RATE, drums=True, instrument="kit")
    ]
    assert found == [
        ("kit:36", 36, 100, False), ("kit:38", 38, 64, False), ("kit:38", 38, 127, False), ("kit:35", 35, 100, False),
        ("kit:72", 72, 100, False), ("kit:46", 46, 100, False),
    ]  # fmt: skip


def test_drums_in_sub_folders_keep_their_own_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("Loud/snare", "Loud/kick", "Toms/01", "Toms/02"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        hit = 0.3 * rng.normal(size=8000).clip(-3, 3) * np.exp(-np.arange(8000) / 1500)
        soundfile.write(tmp_path / f"{name}.wav", hit, RATE)
    assert [one.pitch for one in FolderSource(tmp_path, RATE, drums=True)] == [36, 38, 47, 47]
