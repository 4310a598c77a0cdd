"""What plays live: an instrument to begin with, one that is locked, and the way back to what MIDI says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tnca_synth.cli import main
from tnca_synth.engine.open import assemble_synth
from tnca_synth.errors import UsageError
from tnca_synth.live.options import BY_KEY
from tnca_synth.live.protocol import EngineCommand, LiveOptions
from tnca_synth.live.session import server as engine_module
from tnca_synth.live.session.server import EngineServer
from tnca_synth.live.session.session import LiveSession
from tnca_synth.live.settings import read_settings
from tnca_synth.midi.files.song import read_midi_file
from tnca_synth.midi.messages import note_on, program_change
from tnca_synth.midi.ports.backends import Arrival

RATE = 22_050


class Stage:
    """The engine of a live session without a device, driven by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: object) -> None:
        output = SimpleNamespace(
            block_size=256, sample_rate=RATE, in_step_with_midi=True, device="none", underruns=0, xruns=0,
            latency_s=0.0, frames_ahead=0, frames_written=0, close=lambda: None, write=lambda block: None,
        )  # fmt: skip
        device = SimpleNamespace(sample_rate=RATE, name="none", host_api="none")
        inputs = SimpleNamespace(start=lambda: None, close=lambda: None, open_names=(), present_names=())

        def plain(chosen: LiveOptions, rate: int):  # type: ignore[no-untyped-def]
            ensemble = assemble_synth(
                instrument=chosen.lock_instrument or chosen.instrument, is_locked=chosen.lock_instrument is not None,
                sample_rate=rate, max_voices=16, grows_together=True, mapping=chosen.mapping, loads_aside=True,
            )  # fmt: skip
            ensemble.catalogue = None  # the default path is enough
            return ensemble

        for name, stand_in in {
            "find_output": lambda *_: device, "list_outputs": list, "open_output": lambda *_: output,
            "default_block_size": lambda _: 256,
            "MidiInputs": lambda *_: inputs, "promote_thread": lambda _: False, "_open_ensemble": plain,
        }.items():  # fmt: skip
            monkeypatch.setattr(engine_module, name, stand_in)
        monkeypatch.setattr(EngineServer, "_warm_up", self._warm_up)
        self.engine = EngineServer(LiveOptions(**options))  # type: ignore[arg-type]

    @staticmethod
    def _warm_up(engine: EngineServer) -> float:
        """As the real one, less of it: notes on the first channel."""
        engine._synth.send(note_on(0, 60, 64))
        engine._synth.render(300)
        engine._synth.panic()
        engine._synth.render(3000)
        return 1e-3

    def tell(self, name: str, value: object = None) -> None:
        self.engine._obey(EngineCommand(name, value))
        while self.engine._player._tasks:
            self.engine._player._tasks.popleft()()

    def play(self, *messages: bytes) -> tuple[str, str]:
        """Let messages and a note on channels 1 and 2 arrive; return what plays there."""
        for data in (*messages, note_on(0, 60, 80), note_on(1, 60, 80)):
            self.engine._inbox.append(Arrival(0.0, "port", data))
        self.engine._player._feed.take(self.engine._player._governor.limit)
        self.engine._synth.render(1000)
        self.engine._look()
        playing = {part.channel: part.instrument for part in self.engine.status().parts}
        return playing[1], playing[2]


def test_live_an_instrument_is_what_one_begins_with(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, instrument="cello")
    assert (stage.engine.status().instrument, stage.engine.status().is_locked) == ("cello", False)
    assert stage.play() == ("cello", "cello")
    assert stage.play(program_change(0, 73)) == ("flute", "cello")


def test_a_choice_on_the_screen_gives_way_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    assert stage.engine.status().instrument == "grand-piano", "program 1, as at power-up"
    assert stage.play(program_change(0, 73)) == ("flute", "grand-piano")
    stage.tell("instrument", "violin")
    assert stage.engine.status().instrument == "violin"
    assert stage.play() == ("violin", "violin")
    assert stage.play(program_change(1, 56)) == ("violin", "trumpet")


def test_a_lock_is_another_thing_that_shows_and_has_a_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, instrument="violin", lock_instrument="cello")
    assert stage.engine.status().is_locked
    assert stage.play(program_change(0, 73)) == ("cello", "cello")
    stage.tell("lock", None)
    assert not stage.engine.status().is_locked
    assert stage.play() == ("flute", "grand-piano")
    stage.tell("lock", "trumpet")
    assert stage.play(program_change(0, 0)) == ("trumpet", "trumpet")
    assert stage.engine.status().instrument == "trumpet"
    stage.tell("instrument", "violin")  # a choice takes the lock off
    assert not stage.engine.status().is_locked
    assert stage.play(program_change(0, 71)) == ("clarinet", "violin")


def test_the_recorded_midi_plays_what_was_heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage = Stage(monkeypatch, lock_instrument="cello", record=tmp_path / "take.wav")
    stage.play(program_change(0, 73))
    stage.tell("lock", None)
    stage.play(program_change(1, 56))
    stage.engine.close()
    programs = [
        (one.data[0] & 0x0F, one.data[1])
        for one in read_midi_file(tmp_path / "take.mid").messages
        if one.data[0] & 0xF0 == 0xC0 and one.data[0] & 0x0F < 2
    ]
    assert programs == [(0, 42), (1, 42), (0, 73), (1, 0), (1, 56)]


@pytest.mark.parametrize("key", ["instrument", "lock-instrument"])
def test_names_and_programs_are_taken_from_the_command_line_and_the_settings(key: str, tmp_path: Path) -> None:
    check = BY_KEY[key].check
    assert [check("cello"), check("40"), check(40)] == ["cello", "40", "40"]
    for wrong in (128, -1, "", True, 1.5):
        with pytest.raises(UsageError):
            check(wrong)
    path = tmp_path / "tnca-synth.toml"
    path.write_text(f"{key} = 40\n", encoding="utf-8")
    assert getattr(read_settings(path), BY_KEY[key].field) in (40, "40")


def test_help_tells_the_two_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "next program change" in text and "--lock-instrument" in text


def test_a_session_tells_its_engine_names_alone() -> None:
    session = LiveSession(LiveOptions())
    session._programs = {"grand-piano": 0, "cello": 42, "standard-kit": None}
    told: list[tuple[str, object]] = []
    session._tell = lambda name, value=None: told.append((name, value))  # type: ignore[method-assign,assignment]
    session.select_instrument(43)
    session.lock_instrument("CELLO")
    session.follow_midi()
    assert told == [("instrument", "cello"), ("lock", "cello"), ("lock", None)]
    with pytest.raises(UsageError, match="unknown instrument"):
        session.lock_instrument("celo")
