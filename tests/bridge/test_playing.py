"""What a plugin plays is what `render` and `Synth` play."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bridge_client import Client, bounce, play, play_until

from tnca_synth.bridge.parameters import INDEX
from tnca_synth.engine.open import assemble_synth, open_synth
from tnca_synth.engine.render.file import render
from tnca_synth.engine.render.song import Timeline
from tnca_synth.midi.files.song import read_midi_file
from tnca_synth.midi.messages import control_change, note_off, note_on, pitch_bend, program_change

EXAMPLES = Path(__file__).parents[2] / "examples"
OpenClient = Callable[..., Client]
Messages = list[tuple[int, bytes]]


def synth_plays(messages: Messages, num_frames: int, rate: int = 48_000) -> np.ndarray:
    """Return what a synth makes of messages."""
    synth = open_synth(sample_rate=rate)
    for frame, data in messages:
        synth.send(data, frame)
    return synth.render(num_frames)


def a_phrase() -> Messages:
    return [
        (0, program_change(0, 40)),
        (11, control_change(0, 7, 90)),
        (100, note_on(0, 60, 90)),
        (4000, note_on(0, 64, 100)),
        (7001, pitch_bend(0, 1000)),
        (9000, note_off(0, 60)),
        (9000, note_on(9, 38, 100)),
        (12000, note_off(0, 64)),
    ]


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_offline_it_equals_the_synth_in_blocks_of_any_size(open_client: OpenClient, rate: int) -> None:
    client = open_client(rate, 1024)
    got = bounce(client, a_phrase(), 24_000, random.Random(rate))
    assert np.array_equal(got, synth_plays(a_phrase(), 24_000, rate))
    assert np.abs(got).max() > 0.01 and client.status.late_blocks == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["canon.mid", "prelude.mid", "tour.mid"])
def test_a_bounced_song_equals_its_render(open_client: OpenClient, name: str) -> None:
    song = read_midi_file(EXAMPLES / name)
    expected = render(song, sample_rate=48_000)
    messages = [(frame, data) for frame, data, _ in Timeline(song, 48_000, 30.0).messages()]
    got = bounce(open_client(48_000, 1024), messages, len(expected), random.Random(1))
    assert np.array_equal(got, expected)


def test_a_restart_makes_the_next_bounce_equal_too(open_client: OpenClient) -> None:
    client = open_client(48_000, 1024)
    bounce(client, [(0, program_change(0, 73)), (5, note_on(0, 72, 100))], 5_000, random.Random(1))
    client.restart()
    got = bounce(client, a_phrase(), 24_000, random.Random(2))
    assert np.array_equal(got, synth_plays(a_phrase(), 24_000))


def test_live_a_note_begins_at_its_frame_after_the_latency(open_client: OpenClient) -> None:
    block, at = 4096, 2  # so long that a busy machine is in time: of a late block nothing is heard
    onsets = []
    for offset in (0, 100, 4095):
        client = open_client(48_000, block)
        note = [(offset, note_on(0, 69, 110))]
        audio = np.concatenate([play(client, 48_000, block, note if index == at else ())[0] for index in range(6)])
        expected = synth_plays([(at * block + offset, note[0][1])], 4 * block)
        heard = int(np.flatnonzero(np.abs(audio[:, 0]) > 1e-3)[0])
        onsets.append(heard - int(np.flatnonzero(np.abs(expected[:, 0]) > 1e-3)[0]) - client.latency())
        assert client.status.late_blocks == 0
        assert client.latency() == block + 48
    assert onsets == [0, 0, 0]


def test_a_silent_client_wakes_nobody_and_sounds_again(open_client: OpenClient) -> None:
    client = open_client()
    play_until(client, 48_000, 256, is_loud=True)
    client.release()
    for _ in range(1500):  # until the reverb has died away
        block, _ = play(client, 480_000, 256)
    assert not block.any()
    before = client.status.late_blocks
    for _ in range(3000):
        assert not client.process(256).any()  # as fast as it can: an engine that was asked would be late
    assert client.status.late_blocks == before
    assert len(play_until(client, 48_000, 256, is_loud=True)) < 40


def test_the_block_that_wakes_a_silent_engine_is_not_late_and_the_onset_is_whole(open_client: OpenClient) -> None:
    block, strike = 4096, [(0, note_on(9, 38, 127))]  # so long that a busy machine is in time; a drum begins at once
    client = open_client(max_block=block)
    for _ in range(3):
        assert not play(client, 48_000, block)[0].any()
    sound = np.concatenate([play(client, 48_000, block, messages)[0] for messages in (strike, (), ())])
    assert client.status.late_blocks == 0
    expected = synth_plays([(4 * block, strike[0][1])], 6 * block)[4 * block :]
    begin = client.latency()
    assert np.abs(sound[begin : begin + 4]).max() > 0.3 * np.abs(expected[:4]).max() > 0.0  # it is not faded in


PARAMETER_VALUES = {
    "growth_rate": 2.0,
    "fire_rate": 0.4,
    "life_threshold": 1.05,
    "level": -12.0,
    "tuning": 50.0,
    "reverb": 90.0,
    "chorus": 80.0,
}


@pytest.mark.parametrize("symbol", PARAMETER_VALUES)
def test_a_parameter_changes_the_sound_and_survives_resets(open_client: OpenClient, symbol: str) -> None:
    resets: Messages = [(0, control_change(0, 121, 0)), (0, bytes.fromhex("f07e7f0901f7"))]
    note = (10, note_on(0, 60, 100))
    plain = synth_plays([note], 9_000)
    client = open_client()
    client.set_parameter(INDEX[symbol], PARAMETER_VALUES[symbol])
    changed = bounce(client, [note], 9_000, random.Random(1))
    assert not np.array_equal(changed, plain)
    client.restart()
    assert np.array_equal(bounce(client, [*resets, note], 9_000, random.Random(1)), changed)


def test_level_and_tuning_have_their_units(open_client: OpenClient) -> None:
    note = (10, note_on(0, 60, 100))
    plain = synth_plays([note], 9_000)
    client = open_client()
    client.set_parameter(INDEX["level"], -6.0)
    quiet = bounce(client, [note], 9_000, random.Random(1))
    ratio_db = 20.0 * np.log10(np.linalg.norm(quiet) / np.linalg.norm(plain))
    assert ratio_db == pytest.approx(-6.0, abs=0.2)


def test_the_instrument_parameter_plays_it_whatever_programs_say(open_client: OpenClient) -> None:
    ensemble = assemble_synth(sample_rate=48_000, instrument="violin")
    ensemble.synth.send(note_on(0, 60, 100), 10)
    client = open_client()
    client.set_parameter(INDEX["instrument"], 41.0)
    got = bounce(client, [(0, program_change(0, 0)), (10, note_on(0, 60, 100))], 9_000, random.Random(1))
    assert np.array_equal(got, ensemble.synth.render(9_000))
    client.restart()
    client.set_parameter(INDEX["instrument"], 0.0)
    got = bounce(client, [(10, note_on(0, 60, 100))], 9_000, random.Random(1))
    assert np.array_equal(got, synth_plays([(10, note_on(0, 60, 100))], 9_000))


def test_the_representation_parameter_takes_the_path(open_client: OpenClient) -> None:
    ensemble = assemble_synth(sample_rate=48_000, representation="mel")
    ensemble.synth.send(note_on(0, 60, 100), 10)
    client = open_client()
    client.set_parameter(INDEX["representation"], 1.0)
    got = bounce(client, [(10, note_on(0, 60, 100))], 9_000, random.Random(1))
    assert np.corrcoef(got[:, 0], ensemble.synth.render(9_000)[:, 0])[0, 1] > 0.99


def test_morphing_goes_to_the_corner(open_client: OpenClient) -> None:
    client = open_client()
    client.set_parameter(INDEX["morph_right"], 74.0)  # flute
    client.set_parameter(INDEX["morph_x"], 1.0)
    got = bounce(client, [(10, note_on(0, 72, 100))], 20_000, random.Random(1))
    flute = synth_plays([(0, program_change(0, 73)), (10, note_on(0, 72, 100))], 20_000)
    piano = synth_plays([(10, note_on(0, 72, 100))], 20_000)

    def apart(one: np.ndarray) -> float:
        spectra = [np.log(np.abs(np.fft.rfft(audio[8_000:20_000, 0])) + 1e-2) for audio in (one, got)]
        return float(np.abs(spectra[0] - spectra[1]).mean())

    assert apart(flute) < apart(piano) / 2


def test_a_release_lifts_keys_and_pedals(open_client: OpenClient) -> None:
    client = open_client(max_block=1024)
    bounce(
        client,
        [(0, program_change(0, 19)), (0, control_change(0, 64, 127)), (9, note_on(0, 60, 100))],
        9_000,
        random.Random(1),
    )
    assert np.abs(bounce(client, [], 9_000, random.Random(1))).max() > 1e-3
    client.release()
    assert np.abs(bounce(client, [], 96_000, random.Random(1))[-4800:]).max() < 1e-3


def test_long_system_exclusive_messages_arrive_and_longer_ones_are_counted(open_client: OpenClient) -> None:
    client = open_client()
    client.process(
        256, [(0, b"\xf0" + bytes(8000) + b"\xf7"), (0, b"\xf0" + bytes(9000) + b"\xf7"), (0, b"")], offline=True
    )
    assert client.status.dropped == 2
    play_until(client, 48_000, 256, is_loud=True)


def test_blocks_of_no_frames_carry_their_messages(open_client: OpenClient) -> None:
    client = open_client()
    client.process(0, [(0, note_on(0, 60, 100))], offline=True)
    got = bounce(client, [], 5_000, random.Random(1))
    assert np.array_equal(got, synth_plays([(0, note_on(0, 60, 100))], 5_000))


def test_numbers_out_of_range_are_refused(open_client: OpenClient) -> None:
    client = open_client(is_active=False)
    for rate, block in ((7_999, 256), (192_001, 256), (48_000, 0), (48_000, 65_537)):
        assert client.activate(rate, block, 0) == -1
    client.set_parameter(INDEX["tuning"], float("nan"))
    client.set_parameter(99, 1.0)
    client.set_parameter(INDEX["level"], 5.0)
    assert client.parameter(INDEX["tuning"]) == 0.0 and client.parameter(INDEX["level"]) == 0.0


def test_extra_latency_is_told_and_kept(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TNCA_BRIDGE_EXTRA_FRAMES", "777")
    client = open_client()
    assert client.latency() == 256 + 48 + 777
    assert np.array_equal(bounce(client, a_phrase(), 9_000, random.Random(1), 256), synth_plays(a_phrase(), 9_000))
