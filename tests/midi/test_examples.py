"""The bundled songs are what `examples.compose` writes, and between them exercise General MIDI."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tnca_synth.midi import Interpreter, NoteStart, Song, read_midi_file
from tnca_synth.midi.spec.general_midi import FAMILY_NAMES, family_of

ROOT = Path(__file__).parents[2]
NAMES = ("canon.mid", "prelude.mid", "tour.mid")


@pytest.fixture(scope="module")
def regenerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    subprocess.run([sys.executable, "-m", "examples.compose", folder], cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_bundled_songs_are_regenerated_byte_for_byte(regenerated: Path, name: str) -> None:
    assert (regenerated / name).read_bytes() == (ROOT / "examples" / name).read_bytes()


def starts(song: Song) -> Iterator[tuple[Interpreter, NoteStart]]:
    interpreter = Interpreter()
    for message in song.messages:
        for command in interpreter.handle(message.data):
            if isinstance(command, NoteStart):
                yield interpreter, command
    assert interpreter.num_held_notes == 0, "every note must end"


@pytest.mark.parametrize("name", NAMES)
def test_songs_are_clean_multi_track_files_of_about_a_minute(name: str) -> None:
    song = read_midi_file(ROOT / "examples" / name)
    assert song.format == 1
    assert song.warnings == []
    assert len(song.track_names) >= 4
    assert all(song.track_names)
    assert 45 <= song.duration_s <= 75
    assert len(list(starts(song))) == song.num_notes


def test_the_tour_visits_every_family_and_the_drums() -> None:
    song = read_midi_file(ROOT / "examples" / "tour.mid")
    families, has_drums, pitch_offsets = set(), False, set()
    for interpreter, start in starts(song):
        channel = interpreter.channels[start.channel]
        has_drums |= channel.is_drums
        if not channel.is_drums:
            families.add(family_of(channel.program))
        pitch_offsets.add(channel.pitch_offset)
    assert families == set(FAMILY_NAMES)
    assert has_drums
    assert min(pitch_offsets) == pytest.approx(-3), "the trombone must bend with its range of 12"


@pytest.mark.parametrize("name", NAMES)
def test_songs_hold_a_handful_of_notes_on_average(name: str) -> None:
    song = read_midi_file(ROOT / "examples" / name)
    interpreter = Interpreter()
    note_seconds, last_s = 0.0, 0.0
    for message in song.messages:
        note_seconds += interpreter.num_held_notes * (message.time_s - last_s)
        last_s = message.time_s
        interpreter.handle(message.data)
    assert 5 <= note_seconds / song.duration_s <= 8


def test_the_canon_is_a_canon() -> None:
    """Violins 2 and 3 play what violin 1 played, eight beats each later."""
    keys: dict[int, list[int]] = {}
    for _, start in starts(read_midi_file(ROOT / "examples" / "canon.mid")):
        keys.setdefault(start.channel, []).append(start.key)
    leader, second, third = (keys[channel][:-1] for channel in range(3))  # without the close
    assert leader[: len(second)] == second
    assert leader[: len(third)] == third
    assert leader[:8] == [78, 76, 74, 73, 71, 69, 71, 73]
    assert keys[3][:8] == [50, 45, 47, 42, 43, 38, 43, 45]
