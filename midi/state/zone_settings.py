"""What registered parameters do beyond their own channel: MPE zones, and the bend range of their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..commands import Command
from ..messages import RPN_BEND_RANGE, RPN_MPE
from ..spec.mpe import LOWER_MASTER, MASTER_BEND_RANGE, MEMBER_BEND_RANGE, UPPER_MASTER
from .channel import Channel

if TYPE_CHECKING:
    from .module import SoundModule


def parameter_was_set(module: SoundModule, index: int, parameter: int) -> list[Command]:
    """Do what follows from a registered parameter of a part that has been set."""
    if parameter == RPN_MPE and index in (LOWER_MASTER, UPPER_MASTER):
        return _configure_zone(module, index)
    master = module.zones.master_of(index)
    if parameter == RPN_BEND_RANGE and master is not None:
        # One for all: the range sent to a member holds for the zone (MPE 1.0, section 2.5).
        for member in module.zones.members(master):
            module.channels[member].parameters.set(parameter, module.channels[index].parameters.value(parameter))
    return []


def _configure_zone(module: SoundModule, master: int) -> list[Command]:
    """Make or remove a zone; the notes of its channels end and their controllers are reset."""
    before = module.zones.members(master)
    module.zones.configure(master, module.channels[master].parameters.num_members)
    members = module.zones.members(master)
    commands: list[Command] = []
    for index in sorted({master, *before, *members}):
        commands += module.parts[index].release_all()
        commands += module.reset_controllers(index)
        bend_range = MEMBER_BEND_RANGE if index in members else MASTER_BEND_RANGE
        module.channels[index].parameters.set(RPN_BEND_RANGE, bend_range)
    for index in members:
        _join(module, index, module.channels[master])
    _give_back(module)
    return commands


def _join(module: SoundModule, index: int, master: Channel) -> None:
    """Let a member play what its master does, drums or not."""
    channel = module.channels[index]
    if channel.is_drums and not master.is_drums:
        module.lent_drums.add(index)
    channel.program, channel.bank, channel.is_drums = master.program, master.bank, master.is_drums


def _give_back(module: SoundModule) -> None:
    """Make drum channels that are in no zone any more what they were."""
    for index in [index for index in module.lent_drums if module.zones.master_of(index) is None]:
        module.lent_drums.remove(index)
        module.channels[index].is_drums = True
