"""A few hundred damaged files: a song or a MidiFileError comes out, and the song can be performed.

The long run is `benchmarks/fuzz_midi.py`.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tnca_synth.errors import MidiFileError
from tnca_synth.midi import Interpreter, NoteStart, Song, parse_midi

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
TOUR = (EXAMPLES / "tour.mid").read_bytes()
CANON = (EXAMPLES / "canon.mid").read_bytes()[:1200]

edits = st.tuples(
    st.sampled_from(["replace", "insert", "delete", "cut"]),
    st.floats(0, 1, exclude_max=True),
    st.one_of(st.binary(max_size=8), st.sampled_from([b"MTrk", b"\xff\xff\xff\x7f", b"\xf0", b"\xff\x51\x03"])),
)


def damaged(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for kind, where, what in changes:
        position = int(where * len(data))
        if kind == "cut":
            data = data[:position]
        else:
            num_removed = 0 if kind == "insert" else len(what)
            data = data[:position] + (b"" if kind == "delete" else what) + data[position + num_removed :]
    return data


def song_or_error(data: bytes) -> Song | str:
    try:
        return parse_midi(data, "damaged.mid")
    except MidiFileError as error:
        return str(error)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(base=st.sampled_from([TOUR, CANON]), changes=st.lists(edits, min_size=1, max_size=6))
def test_damaged_files_give_a_song_or_an_error_of_ours(base: bytes, changes: list[tuple[str, float, bytes]]) -> None:
    song = song_or_error(damaged(base, changes))
    if isinstance(song, str):
        assert song.startswith("damaged.mid: ")
        assert song.isprintable()
        return
    times = [message.time_s for message in song.messages]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= song.duration_s <= 24 * 3600
    interpreter = Interpreter(song.num_ports)
    commands = [command for message in song.messages for command in interpreter.handle(message.data, message.port)]
    assert any(isinstance(command, NoteStart) for command in commands)
    interpreter.panic()
    assert interpreter.num_held_notes == 0


@pytest.mark.parametrize("data", [b"", b"M", b"MThd", b"\xff" * 100, b"\0" * 100, b"RIFF", b"MThd" + b"\0" * 4])
def test_scraps_are_errors_of_ours(data: bytes) -> None:
    with pytest.raises(MidiFileError):
        parse_midi(data)


def run_benchmark(monkeypatch: pytest.MonkeyPatch, *options: str) -> object:
    """Run the long fuzz as a script; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["fuzz_midi.py", *options])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / "benchmarks" / "fuzz_midi.py"), run_name="__main__")
    return caught.value.code


def test_the_long_fuzz_reports_its_figures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_benchmark(monkeypatch, "--count", "40", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert sum(report["outcomes"].values()) == report["count"] == 40
    assert report["failures"] == []


def test_the_long_fuzz_fails_on_any_other_exception(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def explode(_interpreter: Interpreter, _data: bytes, _port: int) -> Any:
        raise KeyError("planted")

    monkeypatch.setattr(Interpreter, "handle", explode)
    assert run_benchmark(monkeypatch, "--count", "40") == 1
    assert "planted" in capsys.readouterr().out
