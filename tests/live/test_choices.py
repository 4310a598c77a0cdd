"""What a player chooses while playing: instruments, locks, growth, recordings, ports and outputs, on a real server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile
from loudspeaker import Loudspeaker

from tnca_synth.engine.render.file import render_file
from tnca_synth.errors import UsageError
from tnca_synth.live.benchmark.jack_probe import JackServer
from tnca_synth.live.protocol import LiveStatus
from tnca_synth.live.session import session as session_module
from tnca_synth.live.session.session import LiveOptions, LiveSession
from tnca_synth.midi.files.song import read_midi_file
from tnca_synth.midi.messages import control_change, note_off, note_on, program_change
from tnca_synth.midi.spec.growth_controllers import GROWTH_RATE, growth_message

pytestmark = pytest.mark.device

PERIOD, RATE = 256, 48000
SERVER = f"tnca-choices-{os.getpid()}"
TRUMPET, VIOLIN, GUNSHOT = 56, 40, 127


@pytest.fixture(scope="module")
def server() -> Iterator[JackServer]:
    with JackServer(RATE, PERIOD, SERVER) as running:
        yield running


def wait_for(session: LiveSession, is_so: Callable[[LiveStatus], bool], timeout_s: float = 15.0) -> LiveStatus:
    deadline = time.monotonic() + timeout_s
    while not is_so(status := session.status()):
        assert time.monotonic() < deadline, status
        time.sleep(0.02)
    return status


def plays(session: LiveSession, instrument: str, channel: int = 0) -> None:
    """Play a note, and see what has played it."""
    session.send(note_on(channel, 60, 100))
    wait_for(session, lambda status: (channel + 1, instrument) in {part[:2] for part in status.parts})
    session.send(note_off(channel, 60))


def test_a_first_choice_gives_way_and_a_lock_does_not(server: JackServer) -> None:
    with LiveSession(LiveOptions(instrument="cello")) as session:
        assert session.status().instrument == "cello" and not session.status().is_locked
        assert session.status().parts == (), "nobody has heard the warm-up"
        plays(session, "cello")
        plays(session, "cello", channel=3)
        session.send(program_change(0, TRUMPET))
        wait_for(session, lambda status: status.instrument == "trumpet")
        plays(session, "trumpet")
        session.lock_instrument("trumpet")
        wait_for(session, lambda status: status.is_locked)
        session.send(program_change(0, VIOLIN))
        plays(session, "trumpet")
        plays(session, "trumpet", channel=3)
        session.follow_midi()
        wait_for(session, lambda status: status.instrument == "violin" and not status.is_locked)
        plays(session, "violin")
        session.select_instrument("flute")
        wait_for(session, lambda status: status.instrument == "flute" and status.is_first_choice)
        plays(session, "flute")
        plays(session, "flute", channel=3)
        with pytest.raises(UsageError, match="unknown instrument 'cella'"):
            session.select_instrument("cella")
        session.send(program_change(0, GUNSHOT))
        wait_for(session, lambda status: status.instrument == "gunshot")
        plays(session, "gunshot")
        session.lock_instrument(session.status().instrument)
        wait_for(session, lambda status: status.is_locked)


def test_a_lock_from_the_start_and_drums_as_a_first_choice(server: JackServer) -> None:
    with LiveSession(LiveOptions(lock_instrument="violin")) as session:
        session.send(program_change(0, TRUMPET))
        plays(session, "violin")
        assert session.status().instrument == "violin" and session.status().is_locked
        session.follow_midi()
        plays(session, "trumpet")
        drums = next(name for name in session.instruments if "kit" in name or "drum" in name)
        session.select_instrument(drums)
        plays(session, drums)
        session.send(control_change(0, 0, 0))
        session.send(program_change(0, TRUMPET))


def test_a_take_begun_while_playing_renders_as_it_was_played(
    server: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with LiveSession(LiveOptions()) as session:
        session.select_instrument("trumpet")
        session.send(growth_message(0, GROWTH_RATE, 90))
        plays(session, "trumpet")
        path = session.start_recording()
        wait_for(session, lambda status: status.recorded_s > 0.3)
        assert session.status().recording == str(path)
        with pytest.raises(UsageError, match="is being recorded already"):
            session.start_recording()
        with pytest.raises(UsageError, match="complete the recording"):
            session.select_output(session.outputs[0])
        session.send(note_on(0, 67, 100))
        time.sleep(0.3)
        session.stop_recording()
        wait_for(session, lambda status: f"recorded in {path}" in " ".join(status.notices))
        assert session.status().recording == ""
        assert path.parent == Path() and 0.5 < soundfile.info(path).duration < 5.0
        data = [message.data for message in read_midi_file(path.with_suffix(".mid")).messages]
        assert growth_message(0, GROWTH_RATE, 90) in data and program_change(0, TRUMPET) in data
        second = session.start_recording()
        assert second != path
        wait_for(session, lambda status: status.recording == str(second))
    assert second.is_file() and second.with_suffix(".mid").is_file(), "closing completes it"
    assert session.recordings == (path, second)
    assert "trumpet" in render_file(path.with_suffix(".mid"), tmp_path / "again.wav").instruments


def test_a_take_that_cannot_be_written_is_told_and_another_can_begin(server: JackServer, tmp_path: Path) -> None:
    (tmp_path / "taken.mid").mkdir()
    with LiveSession(LiveOptions()) as session:
        session.start_recording(tmp_path / "taken.wav")
        wait_for(session, lambda status: "taken.mid" in " ".join(status.notices))
        assert session.status().recording == ""
        session.start_recording(tmp_path / "free.wav")
        wait_for(session, lambda status: status.recording.endswith("free.wav"))
    assert (tmp_path / "free.wav").is_file()


def test_another_output_plays_the_same_instruments_and_one_that_has_gone_is_given_up(
    server: JackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loudspeaker("first", 2) as first, LiveSession(LiveOptions(audio_out="system")) as session:
        session.send(program_change(0, TRUMPET))
        plays(session, "trumpet")
        with pytest.raises(UsageError, match="unknown audio output 'tape'"):
            session.select_output("tape")
        monkeypatch.setattr(session_module, "OUTPUT_S", 60.0)
        session.select_output("first (JACK Audio Connection Kit)")
        wait_for(session, lambda status: status.audio_device.startswith("first"), 60.0)
        assert "first (JACK Audio Connection Kit) plays now" in " ".join(session.status().notices)
        plays(session, "trumpet")
        assert first.heard().max() > 0.01
    with Loudspeaker("gone", 2) as gone, LiveSession(LiveOptions(audio_out="system")) as session:
        gone.leave()
        monkeypatch.setattr(session_module, "OUTPUT_S", 3.0)
        session.select_output("gone (JACK Audio Connection Kit)")
        wait_for(session, lambda status: "gone cannot be opened" in " ".join(status.notices))
        wait_for(session, lambda status: "system (JACK Audio Connection Kit) is back" in " ".join(status.notices), 60.0)
        plays(session, "grand-piano")


def test_instruments_stay_when_the_server_comes_back(server: JackServer) -> None:
    with LiveSession(LiveOptions()) as session:
        session.select_instrument("trumpet")
        wait_for(session, lambda status: status.is_first_choice)
        session.send(program_change(2, VIOLIN))
        plays(session, "trumpet")
        plays(session, "violin", channel=2)
        server.stop()
        wait_for(session, lambda status: "waiting for it" in " ".join(status.notices))
        server.start()
        wait_for(session, lambda status: "is back" in " ".join(status.notices), 60.0)
        wait_for(session, lambda status: status.instrument == "trumpet")
        plays(session, "trumpet")
        plays(session, "violin", channel=2)
