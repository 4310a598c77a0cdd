"""`tnca-synth devices`: MIDI inputs, audio outputs, and what is missing for playing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from ..errors import DeviceError
from .output import errors_aside, print_json, print_table

if TYPE_CHECKING:
    from ..live.audio.output_devices import OutputDevice

SEQUENCER: Final = "/dev/snd/seq"
NO_MIDI_INPUT: Final = (
    "no MIDI input: plug a keyboard in, or let a program connect to the port that `tnca-synth --midi-in` makes; "
    "without either, play on the computer's keyboard"
)
NO_JACK: Final = (
    "no JACK server runs: not needed, but it gives the lowest latency (jackd, or PipeWire with pipewire-jack)"
)
NO_SEQUENCER: Final = (
    "no permission for MIDI: join the group that owns /dev/snd/seq (on Debian: sudo adduser $USER audio)"
)
NO_REAL_TIME: Final = (
    "no permission for real-time priority, so sound may break up under load: allow rtprio in /etc/security/limits.d "
    "(docs/live.md shows how)"
)


@dataclass(frozen=True)
class MidiInput:
    """A MIDI input, as `--midi-in` takes it."""

    number: int
    name: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `devices`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """List what there is, and hint at what is missing."""
    hints: list[str] = []
    with errors_aside():  # audio libraries print about every system that they do not find
        midi_system, inputs = _midi_inputs(hints)
        outputs = _audio_outputs(hints)
    if not may_run_in_real_time():
        hints.append(NO_REAL_TIME)
    if arguments.json:
        print_json(
            {
                "midi_system": midi_system,
                "midi_inputs": [asdict(one) for one in inputs],
                "audio_outputs": [_as_json(one) for one in outputs],
                "core": core_in_words(),
                "hints": hints,
            }
        )
        return 0
    _print(midi_system, inputs, outputs, hints)
    return 0


def core_in_words() -> str:
    """Return what grows notes here: the kernel and the instructions it uses, or what does without it."""
    from ..engine.kernel.cores import AUTO, wanted_core
    from ..engine.kernel.library import best_instructions

    core = wanted_core(AUTO, by_the_hop=True)
    return (
        f"kernel ({best_instructions()})" if core == "kernel" else f"{core} (the kernel was not built or is not wanted)"
    )


def may_run_in_real_time() -> bool:
    """Try whether this thread may have real-time priority, for a moment; True where systems know no such question."""
    if sys.platform != "linux":
        return True
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, policy, parameters)
    return True


def _midi_inputs(hints: list[str]) -> tuple[str | None, list[MidiInput]]:
    from ..midi.ports.backends import list_inputs

    if os.path.exists(SEQUENCER) and not os.access(SEQUENCER, os.R_OK | os.W_OK):
        hints.append(NO_SEQUENCER)
    try:
        system, names = list_inputs()
    except DeviceError as error:
        hints.append(str(error))
        return None, []
    if not names:
        hints.append(NO_MIDI_INPUT)
    return system, [MidiInput(number, name) for number, name in names]


def _audio_outputs(hints: list[str]) -> list[OutputDevice]:
    from ..live.audio.device import list_outputs
    from ..live.audio.output_devices import NO_OUTPUT

    try:
        outputs = list_outputs()
    except DeviceError as error:
        hints.append(str(error))
        return []
    if not outputs:
        hints.append(NO_OUTPUT)
    elif sys.platform == "linux" and not any("jack" in one.host_api.lower() for one in outputs):
        hints.append(NO_JACK)
    return outputs


def _as_json(output: OutputDevice) -> dict[str, object]:
    return {
        "number": output.index,
        "name": output.name,
        "host_api": output.host_api,
        "sample_rate": output.sample_rate,
        "channels": output.num_channels,
        "is_default": output.is_default,
    }


def _print(
    midi_system: str | None, inputs: Sequence[MidiInput], outputs: Sequence[OutputDevice], hints: Sequence[str]
) -> None:
    print(f"MIDI inputs ({midi_system})" if midi_system else "MIDI inputs")
    print_table(("NUMBER", "NAME"), [(str(one.number), one.name) for one in inputs] or [("-", "none")])
    print("\nAudio outputs")
    rows = [
        (
            str(one.index),
            one.name,
            one.host_api,
            f"{one.sample_rate} Hz",
            str(one.num_channels),
            "default" if one.is_default else "",
        )
        for one in outputs
    ]
    print_table(("NUMBER", "NAME", "HOST API", "RATE", "CHANNELS", ""), rows or [("-", "none", "", "", "", "")])
    print(f"\nNotes are grown by: {core_in_words()}")
    for index, hint in enumerate(hints):
        print(f"{'' if index else chr(10)}hint: {hint}")
