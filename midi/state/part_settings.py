"""What SysEx messages can set of a part of a sound module: GS, XG, and our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..commands import Command, TuningChange
from ..messages import NUM_CHANNELS
from ..spec.growth_controllers import DAMAGE
from ..spec.path_controllers import DECODER, REPRESENTATION
from .zone_settings import parameter_was_set

if TYPE_CHECKING:
    from .module import SoundModule

Setter = Callable[["SoundModule", int, int, float], list[Command]]
"""From module, part, number and value to what to do; see `midi.spec.addresses.Setting`."""


def _control(module: SoundModule, index: int, controller: int, value: float) -> list[Command]:
    return module.control_change(index, controller, int(value))


def _parameter(module: SoundModule, index: int, parameter: int, value: float) -> list[Command]:
    module.channels[index].parameters.set(parameter, int(value))
    return parameter_was_set(module, index, parameter)


def _program(module: SoundModule, index: int, _number: int, program: float) -> list[Command]:
    module.channels[index].change_program(int(program), module.system.standard)
    return []


def _scale(module: SoundModule, index: int, note: int, semitones: float) -> list[Command]:
    module.tunings.tune_note(index, note, semitones)
    return [TuningChange()]


def _key_shift(module: SoundModule, index: int, _number: int, semitones: float) -> list[Command]:
    module.channels[index].key_shift = semitones
    return []


def _detuning(module: SoundModule, index: int, _number: int, semitones: float) -> list[Command]:
    module.channels[index].detuning = semitones
    return []


def _lowest_key(module: SoundModule, index: int, _number: int, key: float) -> list[Command]:
    channel = module.channels[index]
    channel.keys = range(int(key), channel.keys.stop)
    return []


def _highest_key(module: SoundModule, index: int, _number: int, key: float) -> list[Command]:
    channel = module.channels[index]
    channel.keys = range(channel.keys.start, int(key) + 1)
    return []


def _rhythm(module: SoundModule, index: int, _number: int, mode: float) -> list[Command]:
    """Make a part drums or melodic."""
    module.channels[index].is_drums = mode > 0
    return []


def _poly(module: SoundModule, index: int, _number: int, is_poly: float) -> list[Command]:
    return module.parts[index].set_mono(is_poly == 0)


def _receive(module: SoundModule, index: int, _number: int, channel: float) -> list[Command]:
    """Let a part listen to a MIDI channel, or with a number above 15 to none; its keys come up."""
    listeners = [tuple(part for part in parts if part != index) for parts in module.listeners]
    if channel < NUM_CHANNELS:
        listeners[int(channel)] = tuple(sorted((*listeners[int(channel)], index)))
    module.listeners = listeners
    return module.parts[index].lift_all()


def _growth(module: SoundModule, index: int, controller: int, value: float) -> list[Command]:
    """Set a controller of ours with 14 bits; damage is done anew by each message."""
    commands: list[Command] = []
    for one in module.led_by(index):
        channel = module.channels[one]
        if controller == DAMAGE:
            channel.growth.strike(value)
        elif controller in (REPRESENTATION, DECODER):
            commands += module.control_change(one, controller, int(value))
        else:
            channel.set_growth(controller, value)
    return commands


PART_SETTINGS: Final[dict[str, Setter]] = {
    "control": _control,
    "parameter": _parameter,
    "program": _program,
    "scale": _scale,
    "key shift": _key_shift,
    "detune": _detuning,
    "lowest key": _lowest_key,
    "highest key": _highest_key,
    "rhythm": _rhythm,
    "poly": _poly,
    "receive": _receive,
    "growth": _growth,
}
"""By the name of the setting."""
