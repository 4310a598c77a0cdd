"""Pitches and velocities in names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tnca_synth.errors import AudioFileError
from tnca_synth.training.sources.naming.names import instrument_name, parse_pitch, parse_velocity
from tnca_synth.training.sources.naming.naming import NameParts, parse_name


@pytest.mark.parametrize(
    ("text", "key"),
    [("A4", 69), ("a4", 69), ("C4", 60), ("C-1", 0), ("G9", 127), ("F#2", 42), ("Bb3", 58), ("bb3", 58), ("b3", 59),
     ("Db4", 61), ("C♯4", 61), ("E♭4", 63), ("Cb4", 59), ("B#3", 60), ("F##2", 43), ("Bbb3", 57), ("As4", 70),
     ("Fs3", 54), ("60", 60), ("60.0", 60), (" 0 ", 0), ("127", 127)],
)  # fmt: skip
def test_note_names_and_numbers(text, key):
    assert parse_pitch(text) == key


@pytest.mark.parametrize("text", ["", "H4", "A", "A4b", "128", "-1", "60.5", "C-2", "G#9", "nan", "A 4", "Es4"])
def test_what_is_no_pitch(text):
    with pytest.raises(AudioFileError, match="bad pitch"):
        parse_pitch(text)


def test_the_octave_of_middle_c():
    assert parse_pitch("C3", middle_c_octave=3) == 60
    assert parse_pitch("C-2", middle_c_octave=3) == 0
    assert parse_pitch("60", middle_c_octave=3) == 60


@pytest.mark.parametrize("text", ["0", "128", "loud", "-3", "90.5"])
def test_what_is_no_velocity(text):
    with pytest.raises(AudioFileError, match="bad velocity"):
        parse_velocity(text)


@pytest.mark.parametrize(
    ("stem", "parts"),
    [
        ("violin_A4_v90", NameParts("violin", 69, 90)),
        ("violin-60-100", NameParts("violin", 60, 100)),
        ("violin 60 v100", NameParts("violin", 60, 100)),
        ("Bb3", NameParts("", 58)),
        ("F#2", NameParts("", 42)),
        ("C-1", NameParts("", 0)),
        ("cello_C-1", NameParts("cello", 0)),
        ("French Horn (Bb3) vel64", NameParts("French Horn", 58, 64)),
        ("Piano.ff.A4", NameParts("Piano.ff", 69)),
        ("violin_As4_025_forte_normal", NameParts("violin", 70)),
        ("bass_electronic_018-022-100", NameParts("bass_electronic_018", 22, 100)),
        ("60-100", NameParts("", 60, 100)),
        ("v90_A4", NameParts("", 69, 90)),
        ("A4_A4", NameParts("", 69)),
        ("violin_A4_1", NameParts("violin", 69)),
        ("violin_01", NameParts("violin")),
        ("violin take3", NameParts("violin")),
        ("violin_60", NameParts("violin")),
        ("violin-2019-11", NameParts("violin-2019")),
        ("cabin4", NameParts("cabin")),
        ("60", NameParts("")),
    ],
)
def test_file_names(stem, parts):
    assert parse_name(stem) == replace(parts, words=parts.prefix)


@pytest.mark.parametrize(("stem", "words"), [("violin_G#9", "128"), ("violin_A4_v200", "velocity")])
def test_names_that_contradict_themselves(stem, words):
    with pytest.raises(AudioFileError, match=words):
        parse_name(stem)


def test_instrument_names_are_alike_however_they_are_spelt():
    assert instrument_name(" French Horn_1 ") == "french-horn-1" == instrument_name("french-horn-1")
