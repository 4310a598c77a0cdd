"""A song on several MIDI ports: no port is heard in another, and files, stems and reports tell them apart."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_ensemble import fake_ensemble

from tnca_synth import render_file
from tnca_synth.engine.render.song import render_song
from tnca_synth.engine.render.song_facts import PlayedChannel
from tnca_synth.errors import UsageError
from tnca_synth.midi import Song, TimedMessage, parse_midi
from tnca_synth.midi import messages as midi
from tnca_synth.midi.messages import control_change as cc

from .fakes import RATE, FakeGrowth, make_synth
from .listening import gs, level_db, part, pitch_of, xg


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "big") + body


def song_file(*tracks: bytes) -> bytes:
    """Return a file of tracks, 480 ticks a beat and 120 beats a minute."""
    header = chunk(b"MThd", b"\x00\x01" + len(tracks).to_bytes(2, "big") + b"\x01\xe0")
    return header + b"".join(chunk(b"MTrk", track + b"\x00\xff\x2f\x00") for track in tracks)


def port(number: int) -> bytes:
    return b"\x00\xff\x21\x01" + bytes((number,))


VIOLIN = b"\x00\xc0\x28\x00\x90\x45\x6e\x87\x40\x80\x45\x00"
QUIET_TRUMPET = b"\x00\xc0\x38\x00\xb0\x07\x1e\x83\x60\x90\x45\x3c\x83\x60\x80\x45\x00"
DRUM = b"\x00\x99\x26\x60\x83\x60\x89\x26\x00"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render a violin, alone and on the first of two ports, with stems."""
    folder = tmp_path_factory.mktemp("ports")
    (folder / "alone.mid").write_bytes(song_file(VIOLIN))
    (folder / "both.mid").write_bytes(song_file(port(0) + VIOLIN, port(1) + QUIET_TRUMPET + DRUM))
    render_file(folder / "alone.mid", folder / "alone.wav", sample_rate=RATE)
    report = render_file(folder / "both.mid", folder / "both.wav", sample_rate=RATE, stems_dir=folder / "stems")
    assert set(report.instruments) == {"violin", "trumpet", "standard-kit"}
    assert report.channels == (PlayedChannel(1, 1, 1, 1), PlayedChannel(17, 2, 1, 1), PlayedChannel(26, 2, 10, 1))
    assert [Path(stem).name for stem in report.stems] == [
        "channel-01-violin.wav",
        "channel-17-trumpet.wav",
        "channel-26-drums.wav",
    ]
    assert dataclasses.asdict(report)["channels"][1] == {"number": 17, "port": 2, "channel": 1, "notes": 1}
    return folder


def test_a_violin_is_as_loud_beside_a_quiet_trumpet_of_another_port(rendered: Path) -> None:
    alone, _ = soundfile.read(rendered / "alone.wav")
    violin, _ = soundfile.read(rendered / "stems" / "channel-01-violin.wav")
    trumpet, _ = soundfile.read(rendered / "stems" / "channel-17-trumpet.wav")
    assert level_db(part(violin, 0.2, 1.0)) == pytest.approx(level_db(part(alone, 0.2, 1.0)), abs=0.2)
    assert level_db(part(trumpet, 0.6, 0.9)) < level_db(part(violin, 0.6, 0.9)) - 10
    assert pitch_of(part(violin, 0.2, 1.0)) % 12 == pytest.approx(9, abs=0.2)


def test_one_port_by_any_number_gives_the_same_samples() -> None:
    def play(song: Song) -> np.ndarray:
        synth = make_synth(num_ports=song.num_ports)
        for message in song.messages:
            synth.send(message.data, round(message.time_s * RATE), message.port)
        return synth.render(RATE)

    plain, numbered = (play(parse_midi(song_file(head + VIOLIN))) for head in (b"", port(5)))
    np.testing.assert_array_equal(numbered, plain)


def test_messages_go_to_their_own_port_alone() -> None:
    synth = make_synth(FakeGrowth(release_factor=0.2), num_ports=2, stems=True, max_voices=16)
    for where, key in ((0, 60), (1, 72)):
        synth.send(midi.note_on(0, key, 100), 0, where)
    synth.send(cc(0, midi.VOLUME, 0), 0, 1)
    synth.send(midi.poly_pressure(0, 60, 127), 0, 1)
    synth.send(midi.system_exclusive(bytes.fromhex("7f7f04010000")), RATE // 4, 1)
    synth.send(cc(0, midi.ALL_SOUND_OFF, 0), RATE // 2, 0)
    stems = synth.render_stems(RATE).stems
    alone = make_synth(FakeGrowth(release_factor=0.2), stems=True, max_voices=16)
    alone.send(midi.note_on(0, 60, 100), 0)
    assert stems.shape == (32, RATE, 2)
    np.testing.assert_array_equal(stems[0, : RATE // 2], alone.render_stems(RATE // 2).stems[0])
    assert not stems[0, RATE * 6 // 10 :].any()
    assert not stems[16, RATE // 100 :].any()  # its volume glides there


@pytest.mark.parametrize("message", [gs("50 11 19", 0), xg("08 10 0b", 0)])
def test_parts_of_the_second_port_can_be_addressed_by_the_first(message: bytes) -> None:
    synth = make_synth(num_ports=2, stems=True)
    for where in (0, 1):
        synth.send(midi.note_on(0, 60, 100), 0, where)
    synth.send(message, RATE // 4)
    stems = synth.render_stems(RATE // 2).stems
    assert stems[0, RATE // 3 :].any() and not stems[16, RATE // 3 :].any()
    alone = make_synth()
    alone.send(midi.note_on(0, 60, 100), 0)
    alone.send(message, 0)
    assert np.abs(alone.render(RATE // 4)).max() > 0.01


def test_drums_of_every_port_are_on_its_channel_10() -> None:
    synth = make_synth(num_ports=3)
    assert [channel.index for channel in synth._sequencer._interpreter.channels if channel.is_drums] == [9, 25, 41]


def test_growth_of_a_further_port_from_python() -> None:
    synth = make_synth(num_ports=2)
    synth.masks_of(17, fire_rate=0.5)
    synth.render(10)
    rates = [channel.growth.fire_rate for channel in synth._sequencer._interpreter.channels]
    assert [index for index, rate in enumerate(rates) if rate < 1] == [17]


def test_notes_left_down_on_a_further_port_end_with_the_song() -> None:
    down = TimedMessage(0.0, 0, midi.note_on(0, 60, 100), 1)
    pedals = [TimedMessage(0.1, 0, cc(0, pedal, 127), 1) for pedal in (64, 66)]
    song = Song([down, *pedals], 0.2, 1, 1, [""], [], num_ports=2)
    ensemble = fake_ensemble(RATE)
    ensemble.synth = make_synth(FakeGrowth(release_factor=0.2), num_ports=2)

    class Tape:
        frames = 0

        def write(self, block: np.ndarray) -> None:
            self.frames += len(block)

    tape = Tape()
    render_song(song, ensemble, tape)
    assert tape.frames < 2 * RATE


def test_a_port_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r"MIDI port must be in 0\.\.0, got 1"):
        make_synth().send(midi.note_on(0, 60, 1), 0, 1)
    with pytest.raises(UsageError, match=r"num_ports must be in 1\.\.16, got 17"):
        make_synth(num_ports=17)
    song = Song([TimedMessage(0.0, 0, midi.note_on(0, 60, 1), 1)], 1.0, 1, 1, [""], [], num_ports=2)
    with pytest.raises(UsageError, match="the song has 2 MIDI ports, the synth 1"):
        render_song(song, fake_ensemble(RATE), object())  # type: ignore[arg-type]
