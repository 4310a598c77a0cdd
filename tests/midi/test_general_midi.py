"""The General MIDI tables have the right size, and their landmarks stand where they should."""

import pytest

from tnca_synth.midi.spec.general_midi import (
    DRUM_NAMES,
    FAMILY_NAMES,
    PROGRAM_NAMES,
    drum_name,
    family_of,
    program_name,
)


def test_tables_are_complete_and_without_doubles() -> None:
    assert len(PROGRAM_NAMES) == len(set(PROGRAM_NAMES)) == 128
    assert len(FAMILY_NAMES) == 16
    assert set(range(35, 82)) <= set(DRUM_NAMES)
    assert len(set(DRUM_NAMES.values())) == len(DRUM_NAMES)


@pytest.mark.parametrize(
    ("program", "name", "family"),
    [
        (0, "Acoustic Grand Piano", "Piano"),
        (6, "Harpsichord", "Piano"),
        (16, "Drawbar Organ", "Organ"),
        (40, "Violin", "Strings"),
        (47, "Timpani", "Strings"),
        (48, "String Ensemble 1", "Ensemble"),
        (56, "Trumpet", "Brass"),
        (73, "Flute", "Pipe"),
        (80, "Lead 1 (square)", "Synth Lead"),
        (104, "Sitar", "Ethnic"),
        (114, "Steel Drums", "Percussive"),
        (127, "Gunshot", "Sound Effects"),
    ],
)
def test_programs_have_their_names_and_families(program: int, name: str, family: str) -> None:
    assert program_name(program) == name
    assert family_of(program) == family


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (35, "Acoustic Bass Drum"),
        (38, "Acoustic Snare"),
        (42, "Closed Hi-Hat"),
        (49, "Crash Cymbal 1"),
        (56, "Cowbell"),
        (69, "Cabasa"),
        (81, "Open Triangle"),
        (26, None),
        (88, None),
    ],
)
def test_drums_lie_on_their_keys(key: int, name: str | None) -> None:
    assert drum_name(key) == name


@pytest.mark.parametrize("program", [-1, 128])
def test_programs_out_of_range_are_refused(program: int) -> None:
    with pytest.raises(ValueError, match=f"program must be in 0..127, got {program}"):
        family_of(program)
