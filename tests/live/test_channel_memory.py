"""What is remembered of the messages so far leads another synth to the same channels."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.live.producer.channel_memory import MOST_EXCLUSIVE, MOST_STEPS, ChannelMemory
from tnca_synth.midi.messages import (
    ALL_SOUND_OFF,
    RESET_CONTROLLERS,
    control_change,
    note_on,
    pitch_bend,
    program_change,
    system_exclusive,
)
from tnca_synth.midi.state.interpreter import Interpreter

GM_ON, XG_ON = (system_exclusive(data) for data in (b"\x7e\x7f\x09\x01", b"\x43\x10\x4c\x00\x00\x7e\x00"))


def remembered(*messages: bytes) -> tuple[bytes, ...]:
    memory = ChannelMemory()
    for data in messages:
        memory.follow(data)
    return memory.messages()


def state(*messages: bytes) -> list[object]:
    interpreter = Interpreter()
    for data in messages:
        interpreter.handle(data)
    tunings = [interpreter.key_tuning(index, key) for index in range(16) for key in (0, 60, 61, 127)]
    kept = [number for number in range(128) if number not in (6, 38)]  # data entry is known by the parameters
    channels = [
        (
            [one.controllers[number] for number in kept],
            one.program,
            one.bank,
            one.is_drums,
            one.is_mono,
            interpreter.expression(one.index),
        )
        for one in interpreter.channels
    ]
    return [channels, tunings, interpreter.system.gain]


def selected(channel: int, number: int, *data: tuple[int, int]) -> list[bytes]:
    """Return messages that set a registered parameter."""
    select = [control_change(channel, 101, 0), control_change(channel, 100, number)]
    return select + [control_change(channel, controller, value) for controller, value in data]


CASES = {
    "controllers": [
        control_change(0, 7, 30), control_change(0, 74, 90), control_change(3, 91, 0), control_change(0, 7, 31),
    ],
    "programs in banks": [
        control_change(0, 0, 121), control_change(0, 32, 2), program_change(0, 40), control_change(0, 32, 5),
    ],
    "drums elsewhere": [control_change(4, 0, 120), program_change(4, 0)],
    "bend range and tuning": [*selected(0, 0, (6, 12), (38, 50)), *selected(0, 1, (6, 70)), *selected(1, 2, (6, 60))],
    "steps": [*selected(0, 0, (6, 4)), *[control_change(0, 96, 0)] * 3, *selected(2, 2, (97, 0))],
    "mpe": [*selected(0, 6, (6, 5)), control_change(2, 74, 9)],
    "mono, then poly elsewhere": [control_change(0, 126, 1), control_change(1, 126, 1), control_change(1, 127, 0)],
    "a reset in between": [control_change(0, 7, 3), program_change(2, 9), XG_ON, control_change(1, 7, 5)],
    "master volume": [
        GM_ON, system_exclusive(b"\x7f\x7f\x04\x01\x00\x30"), system_exclusive(b"\x7f\x7f\x04\x01\x00\x20"),
    ],
    "a key's tuning": [system_exclusive(b"\x7f\x7f\x08\x02\x00\x01\x3c\x3c\x20\x00")],
    "controllers that are reset": [
        *[control_change(0, number, 9) for number in (1, 7, 11, 65, 74)], *selected(0, 0, (6, 7)),
        control_change(0, RESET_CONTROLLERS, 0), control_change(0, 6, 9),
    ],
}  # fmt: skip


@pytest.mark.parametrize("messages", CASES.values(), ids=CASES.keys())
def test_the_channels_are_the_same(messages: list[bytes]) -> None:
    assert state(*remembered(*messages)) == state(*messages)
    assert remembered(*remembered(*messages)) == remembered(*messages), "and it can be done again"


def test_the_channels_are_the_same_after_anything() -> None:
    rng = np.random.default_rng(5)
    numbers = [number for number in range(120) if number not in (64, 66, 67, 96, 97, 100, 101, 98, 99, *range(20, 29))]
    numbers = [number for number in numbers if not 102 <= number <= 106]
    messages = []
    for _ in range(3000):
        channel, value = int(rng.integers(16)), int(rng.integers(128))
        kind = rng.random()
        if kind < 0.7:
            messages.append(control_change(channel, int(rng.choice(numbers)), value))
        elif kind < 0.9:
            messages.append(program_change(channel, value))
        else:
            messages += selected(channel, int(rng.integers(6)), (6, value))
    assert state(*remembered(*messages)) == state(*messages)
    assert len(remembered(*messages)) < 16 * (len(numbers) + 40)


def test_what_hands_let_go_is_not_remembered() -> None:
    gone = [note_on(0, 60, 100), pitch_bend(0, 500), b"\xd0\x40", b"\xa0\x3c\x40", control_change(0, ALL_SOUND_OFF, 0)]
    assert remembered(*gone, *(control_change(0, pedal, 127) for pedal in (64, 66, 67)), b"\xfe", b"\x90", b"") == ()


def test_panic_resets_controllers_and_paths_chosen_on_the_screen_go_before_those_of_messages() -> None:
    memory = ChannelMemory()
    for data in (
        control_change(0, 1, 99),
        control_change(0, 7, 50),
        control_change(0, 26, 2),
        control_change(5, 27, 3),
    ):
        memory.follow(data)
    memory.reset_controllers()
    memory.forget_paths()
    assert memory.messages() == (control_change(0, 7, 50),)


def test_no_flood_fills_the_memory() -> None:
    memory = ChannelMemory()
    for index in range(20_000):
        memory.follow(system_exclusive(bytes((0x41, 0x10, 0x42, 0x12, index % 128, index // 128 % 128, 3, 4, 5))))
        for data in selected(0, index % 3, (96, 0)):
            memory.follow(data)
    assert len(memory.messages()) <= MOST_EXCLUSIVE + 3 * (MOST_STEPS + 2) + 4
    assert memory.changes >= 40_000
