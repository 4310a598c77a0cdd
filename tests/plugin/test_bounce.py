"""A bounce equals `tnca-synth render` of the same events, sample for sample, in every host and format."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import mido
import numpy as np
import pytest
from clap_client import ClapHost
from reference import engine_sound, song_events

from tnca_synth import render

EXAMPLES = Path(__file__).parents[2] / "examples"
SONGS = ("prelude", "canon", "tour")
RATE = 48_000
BEGINNING = 12 * RATE
pytestmark = pytest.mark.device


@cache
def rendered(song: str, rate: int = RATE) -> np.ndarray:
    """What `render` makes of an example, float32 (2, frames)."""
    return render(EXAMPLES / f"{song}.mid", sample_rate=rate).T


def assert_same(sound: np.ndarray, latency: int, expected: np.ndarray) -> None:
    """Assert that a bounce, brought forward by the latency that the host was told, is the same as a render."""
    heard = sound[:, latency:]
    length = min(heard.shape[1], expected.shape[1])
    assert length > RATE and np.abs(expected[:, :length]).max() > 0.01
    np.testing.assert_array_equal(heard[:, :length], expected[:, :length])


HOSTS = [("minihost", "vst3"), ("minihost", "lv2")]


@pytest.mark.parametrize(("host", "form"), HOSTS)
@pytest.mark.parametrize("song", ["tour"])
def test_the_beginning_of_a_song_is_the_same(play, host: str, form: str, song: str) -> None:
    told = play(host, form, song_events(EXAMPLES / f"{song}.mid", RATE), BEGINNING)
    assert_same(told["audio"], int(told["latency"]), rendered(song))


def test_the_beginning_of_a_song_is_the_same_in_clap(clap: ClapHost) -> None:
    clap.offline()
    latency = clap.activate(RATE, 512)
    sound = clap.play(song_events(EXAMPLES / "tour.mid", RATE), BEGINNING, [512])
    assert_same(sound, latency, rendered("tour"))


@pytest.mark.slow
@pytest.mark.parametrize(("host", "form"), HOSTS)
@pytest.mark.parametrize("song", SONGS)
def test_a_whole_song_is_the_same(play, host: str, form: str, song: str) -> None:
    expected = rendered(song)
    num_frames = expected.shape[1] + 1024
    told = play(host, form, song_events(EXAMPLES / f"{song}.mid", RATE), num_frames)
    assert_same(told["audio"], int(told["latency"]), expected)


@pytest.mark.slow
@pytest.mark.parametrize("song", SONGS)
def test_a_whole_song_is_the_same_in_clap(clap: ClapHost, song: str) -> None:
    expected = rendered(song)
    clap.offline()
    latency = clap.activate(RATE, 512)
    sound = clap.play(song_events(EXAMPLES / f"{song}.mid", RATE), expected.shape[1] + 1024, [512])
    assert_same(sound, latency, expected)


@pytest.mark.parametrize("form", ["vst3", "lv2"])
def test_block_lengths_change_nothing(play, form: str) -> None:
    blocks = [1, 511, 64, 512, 333, 2]
    told = play("minihost", form, song_events(EXAMPLES / "prelude.mid", RATE), 4 * RATE, blocks=blocks)
    assert_same(told["audio"], int(told["latency"]), rendered("prelude"))


@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_other_sample_rates(play, rate: int) -> None:
    told = play("minihost", "vst3", song_events(EXAMPLES / "prelude.mid", rate), 4 * rate, rate=rate, block=1000)
    assert_same(told["audio"], int(told["latency"]), rendered("prelude", rate))


def test_a_second_bounce_is_as_the_first(play) -> None:
    told = play("minihost", "vst3", song_events(EXAMPLES / "prelude.mid", RATE), 4 * RATE, repeat=True)
    assert_same(told["audio"], int(told["latency"]), rendered("prelude"))


def test_pedalboard(play) -> None:
    """It moves controllers to the beginning of a block and drops those that repeat a value, so these are left out."""
    song = song_events(EXAMPLES / "tour.mid", RATE)
    events = [one for one in song if not one[0] or one[1][0] & 0xE0 == 0x80 or one[1][0] & 0xF0 == 0xC0]
    events = [one for one in events if one[1][0] & 0xF0 != 0xB0 or one[1][1] not in (6, 38, 100, 101)]
    told = play("pedalboard", "vst3", events, 4 * RATE)
    assert_same(told["audio"], int(told["latency"]), engine_sound(events, 4 * RATE))


def test_dawdreamer(play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not say that it is offline, and so the variable does."""
    file = tmp_path / "notes.mid"
    midi = mido.MidiFile(type=0, ticks_per_beat=480)
    track = mido.MidiTrack()
    track += [mido.Message("program_change", program=40), mido.Message("control_change", control=7, value=90)]
    track += [mido.Message("note_on", note=69, velocity=100, time=480), mido.Message("note_off", note=69, time=960)]
    midi.tracks.append(track)
    midi.save(file)
    monkeypatch.setitem(play.environment, "TNCA_BRIDGE_OFFLINE", "1")
    told = play("dawdreamer", "vst3", [], 2 * RATE, file=str(file))
    assert_same(told["audio"], int(told["latency"]), render(file, sample_rate=RATE).T)
