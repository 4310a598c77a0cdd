"""Instrument files that change while they are played: a better one takes over, a bad one is told and left alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from own_files import made_bytes, made_instrument, shipped_instrument

from tnca_synth.engine.instrument_files import instrument_bytes, write_instrument
from tnca_synth.errors import BankError, UsageError
from tnca_synth.live.protocol import EngineCommand, Known, LiveOptions
from tnca_synth.live.session import watch
from tnca_synth.live.session.session import LiveSession
from tnca_synth.live.session.watch import InstrumentWatch
from tnca_synth.live.settings import read_settings
from tnca_synth.midi.messages import program_change

from .test_instrument_choice import Stage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that lets the time pass after which files are looked at again."""
    now = [0.0]
    monkeypatch.setattr(watch, "monotonic", lambda: now[0])

    def passes() -> None:
        now[0] += watch.LOOK_EVERY_S

    return passes


def watched(path: Path) -> InstrumentWatch:
    one = InstrumentWatch()
    one.follow({"kalimba": path})
    return one


def renamed(name: str) -> bytes:
    return instrument_bytes(made_instrument().renamed(name))


def test_a_file_that_changed_is_given_once_it_rests(tmp_path: Path, clock: Callable[[], None]) -> None:
    path = tmp_path / "kalimba.tnca"
    path.write_bytes(made_bytes())
    one = watched(path)
    clock()
    assert list(one.look()) == []
    path.write_bytes(renamed("better"))
    assert list(one.look()) == [], "it is not time yet"
    clock()
    assert list(one.look()) == [], "it may be half written"
    clock()
    assert list(one.look()) == [("kalimba", renamed("better"), "")]
    clock()
    assert list(one.look()) == []


def test_a_torn_file_is_told_once_and_the_next_good_one_counts(tmp_path: Path, clock: Callable[[], None]) -> None:
    path = tmp_path / "kalimba.tnca"
    path.write_bytes(made_bytes())
    one = watched(path)
    path.write_bytes(made_bytes()[:-100])
    clock(), list(one.look()), clock()
    ((name, content, fault),) = one.look()
    assert (name, content) == ("kalimba", b"") and "no zip archive" in fault and "\n" not in fault
    clock()
    assert list(one.look()) == []
    path.unlink()
    clock(), clock()
    assert list(one.look()) == [], "a file that is gone changes nothing"
    path.write_bytes(renamed("good"))
    clock(), list(one.look()), clock()
    assert [changed.fault for changed in one.look()] == [""]


def test_a_file_that_keeps_its_size_and_is_put_in_its_place_counts(tmp_path: Path, clock: Callable[[], None]) -> None:
    path = tmp_path / "kalimba.tnca"
    write_instrument(path, made_instrument())
    one = watched(path)
    before = path.stat()
    write_instrument(path, made_instrument().renamed("kalimbo"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    clock(), list(one.look()), clock()
    assert len(list(one.look())) == 1


def test_what_is_followed_anew_is_known_as_it_was(tmp_path: Path, clock: Callable[[], None]) -> None:
    path = tmp_path / "kalimba.tnca"
    path.write_bytes(made_bytes())
    one = watched(path)
    path.write_bytes(renamed("better"))
    one.follow({"kalimba": path, "other": tmp_path / "other.tnca"})
    clock(), list(one.look()), clock()
    assert [changed.name for changed in one.look()] == ["kalimba"]


def told_by(session: LiveSession) -> list[tuple[str, object]]:
    told: list[tuple[str, object]] = []
    session._tell = lambda name, value=None: told.append((name, value))  # type: ignore[method-assign,assignment]
    return told


def test_a_session_tells_its_engine_of_files_that_changed(tmp_path: Path, clock: Callable[[], None]) -> None:
    path = tmp_path / "kalimba.tnca"
    path.write_bytes(made_bytes())
    session = LiveSession(LiveOptions())
    told = told_by(session)
    session._is_ready = True
    session._hear(Known({"kalimba": None, "cello": 42}, {"kalimba": path}))
    assert session.instruments == ("kalimba", "cello")
    path.write_bytes(renamed("better"))
    for _ in range(3):
        clock(), session.status()
    assert told == [("reload", ("kalimba", renamed("better")))]
    path.write_bytes(b"no instrument")
    for _ in range(3):
        clock(), session.status()
    assert len(told) == 1
    (notice,) = session.status().notices
    assert notice.startswith("the new file of kalimba is not played: ")


def test_a_session_takes_paths_and_refuses_what_is_no_instrument(tmp_path: Path) -> None:
    path = tmp_path / "kalimba.tnca"
    path.write_bytes(made_bytes())
    session = LiveSession(LiveOptions())
    told = told_by(session)
    session.select_instrument(path)
    session.lock_instrument(str(path))
    assert told == [("instrument", str(path)), ("lock", str(path))]
    path.write_bytes(b"")
    with pytest.raises(BankError, match="no zip archive"):
        session.select_instrument(path)
    with pytest.raises(UsageError, match="unknown instrument"):
        session.select_instrument("kalimba")


# -- the engine's side, on the shipped bank


def violin(folder: Path) -> Path:
    write_instrument(folder / "fiddle.tnca", shipped_instrument("violin").renamed("my fiddle"))
    return folder / "fiddle.tnca"


def test_a_file_is_what_one_begins_with_and_what_a_program_plays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = violin(tmp_path)
    stage = Stage(monkeypatch, instrument=str(path), mapping={"73": str(path), "56": "cello"})
    assert stage.engine.status().instrument == "my fiddle"
    assert stage.play() == ("my fiddle", "my fiddle")
    assert stage.play(program_change(0, 40), program_change(1, 56)) == ("violin", "cello")
    assert stage.play(program_change(0, 73)) == ("my fiddle", "cello")
    assert stage.engine.status().instrument == "my fiddle"
    assert stage.engine._playable().files == {"my fiddle": path}
    assert stage.engine._playable().programs["my fiddle"] is None


def test_a_file_is_chosen_on_the_screen_and_its_newer_one_heard(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = violin(tmp_path)
    stage = Stage(monkeypatch)
    stage.tell("instrument", str(path))
    assert stage.play() == ("my fiddle", "my fiddle")
    before = stage.engine._ensemble.book.changes
    stage.engine._obey(EngineCommand("reload", ("my fiddle", instrument_bytes(shipped_instrument("vibraphone")))))
    assert not stage.engine._player._tasks, "the thread that makes the sound has nothing to do with it"
    assert stage.engine.status().notices[-1] == "my fiddle plays from its new file"
    assert stage.engine._ensemble.book.changes == before + 1
    assert stage.play() == ("my fiddle", "my fiddle"), "its name is what the player chose"


def test_a_newer_file_that_does_not_fit_is_a_notice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Stage(monkeypatch, instrument=str(violin(tmp_path)))
    for content, words in ((made_bytes(), "another foundation"), (b"", "no zip archive")):
        stage.tell("reload", ("my fiddle", content))
        assert words in stage.engine.status().notices[-1]
    stage.tell("instrument", str(tmp_path / "missing.tnca"))
    assert "cannot read the instrument" in stage.engine.status().notices[-1]
    assert stage.play() == ("my fiddle", "my fiddle")


# -- settings


def test_settings_map_places_and_name_files_from_their_own_folder(tmp_path: Path) -> None:
    path = tmp_path / "tnca-synth.toml"
    path.write_text(
        'instrument = "fiddle.tnca"\n[map]\n0 = "kalimba.tnca"\n"8:1" = 40\n"drums:0" = "mykit"\n', encoding="utf-8"
    )
    settings = read_settings(path)
    assert settings.instrument == str(tmp_path / "fiddle.tnca")
    assert settings.map == {"0": str(tmp_path / "kalimba.tnca"), "8:1": "40", "drums:0": "mykit"}


@pytest.mark.parametrize("line", ['200 = "x"', '"drums:x" = "x"', "0 = true", '0 = ""'])
def test_settings_that_map_nothing_are_refused(line: str, tmp_path: Path) -> None:
    path = tmp_path / "tnca-synth.toml"
    path.write_text(f"[map]\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"\[map\]"):
        read_settings(path)
    path.write_text("map = 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"expected a table \[map\]"):
        read_settings(path)
