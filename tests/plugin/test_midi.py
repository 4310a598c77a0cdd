"""Every kind of MIDI message does in each format what it does in the engine itself."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from clap_client import ClapHost
from midi_table import SCENE_S, SCENES, SYSTEM_SCENES, Scene, timeline
from reference import engine_sound

RATE = 48_000
pytestmark = pytest.mark.device


def length_of(scenes: list[Scene]) -> int:
    return round(len(scenes) * SCENE_S * RATE)


@cache
def expected(with_system: bool) -> np.ndarray:
    scenes = SCENES + SYSTEM_SCENES if with_system else SCENES
    return engine_sound(timeline(scenes, RATE), length_of(scenes), RATE)


def assert_scenes(sound: np.ndarray, latency: int, scenes: list[Scene], wanted: np.ndarray) -> None:
    """Assert that each scene sounds and is the same, and name those that are not."""
    span = round(SCENE_S * RATE)
    heard = np.pad(sound[:, latency:], ((0, 0), (0, latency)))
    wanted = wanted[:, : heard.shape[1] - latency]
    wrong = []
    for number, (name, _) in enumerate(scenes):
        part = slice(number * span, min((number + 1) * span, wanted.shape[1]))
        assert np.abs(wanted[:, part]).max() > 0.001, name
        if not np.array_equal(heard[:, part], wanted[:, part]):
            wrong.append(name)
    assert not wrong


def test_clap(clap: ClapHost) -> None:
    scenes = SCENES + SYSTEM_SCENES
    clap.offline()
    latency = clap.activate(RATE, 512)
    sound = clap.play(timeline(scenes, RATE), length_of(scenes), [512])
    assert_scenes(sound, latency, scenes, expected(True))


@pytest.mark.parametrize("form", ["vst3", "lv2"])
def test_minihost(play, form: str) -> None:
    """It passes messages of up to three bytes."""
    told = play("minihost", form, timeline(SCENES, RATE), length_of(SCENES))
    assert_scenes(told["audio"], int(told["latency"]), SCENES, expected(False))


def test_pedalboard_passes_system_exclusive_messages_in_vst3(play) -> None:
    """It moves other controllers to the beginning of a block, so there are none."""
    events = [(0, b"\xc0\x28"), (1, b"\x90\x3c\x64"), (20_000, bytes.fromhex("f07f7f04010020f7"))]
    told = play("pedalboard", "vst3", events, RATE)
    latency = int(told["latency"])
    np.testing.assert_array_equal(told["audio"][:, latency:], engine_sound(events, RATE)[:, :-latency])
    assert not np.array_equal(engine_sound(events, RATE), engine_sound(events[:2], RATE))


def test_messages_of_one_frame_come_in_a_useful_order(play) -> None:
    """VST3 keeps no order between parameters and notes, so what a note needs comes before it."""
    data = [
        "90 3c 64",
        "c0 28",
        "b0 65 00",
        "b0 64 00",
        "b0 06 0c",
        "b0 65 00",
        "b0 64 01",
        "b0 06 60",
        "e0 00 60",
        "b0 07 50",
    ]
    together = [(100, bytes.fromhex(one)) for one in data]
    in_order = [(100, bytes.fromhex(one)) for one in (*data[1:], data[0])]
    told = play("minihost", "vst3", together, RATE)
    wanted = engine_sound(in_order, RATE)
    np.testing.assert_array_equal(told["audio"][:, int(told["latency"]) :], wanted[:, : -int(told["latency"])])


def test_notes_of_clap_itself(clap: ClapHost) -> None:
    clap.offline()
    latency = clap.activate(RATE, 512)
    clap.midi(0, bytes.fromhex("c028"))
    clap.note(5, "on", 0, 69, 100 / 127)
    first = clap.process(512)
    rest = [clap.process(512) for _ in range(40)]
    clap.note(0, "off", 0, 69, 64 / 127)
    rest += [clap.process(512) for _ in range(40)]
    sound = np.concatenate([first, *rest], axis=1)
    wanted = engine_sound([(0, b"\xc0\x28"), (5, b"\x90\x45\x64"), (41 * 512, b"\x80\x45\x40")], sound.shape[1])
    np.testing.assert_array_equal(sound[:, latency:], wanted[:, :-latency])


def test_choking_all_keys_of_a_channel_silences_it(clap: ClapHost) -> None:
    clap.offline()
    clap.activate(RATE, 512)
    clap.midi(0, bytes.fromhex("b05b00"))  # no reverb
    clap.note(0, "on", 0, 60, 0.8)
    assert np.abs(np.concatenate([clap.process(512) for _ in range(20)], axis=1)).max() > 0.001
    clap.note(0, "choke", -1, -1, 0)
    sound = np.concatenate([clap.process(512) for _ in range(20)], axis=1)
    assert np.abs(sound[:, -4096:]).max() == 0
