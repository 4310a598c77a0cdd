"""`SoundModule`: the messages of one MIDI port in, what a synthesizer must do out.

A message is looked up in a table by its kind, a control change in a second table by its number; the entries
are small methods. What keys, pedals, mono mode and portamento make of notes is in `ChannelKeys`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..commands import (
    ChannelsCut,
    Command,
    ControlsChange,
    KeyPressure,
    NoteCut,
    NoteRelease,
    PathChange,
    ProgramChange,
    TuningChange,
)
from ..messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    BEND_CENTRE,
    CHANNEL_PRESSURE,
    CONTROL_CHANGE,
    DATA_DECREMENT,
    DATA_ENTRY_LSB,
    DATA_ENTRY_MSB,
    DATA_INCREMENT,
    DEFAULT_RELEASE_VELOCITY,
    MONO_ON,
    NOTE_OFF,
    NOTE_ON,
    NUM_CHANNELS,
    OMNI_OFF,
    OMNI_ON,
    PITCH_BEND,
    POLY_ON,
    POLY_PRESSURE,
    PROGRAM_CHANGE,
    RESET_CONTROLLERS,
    SOSTENUTO,
    SUSTAIN,
    SYSTEM_EXCLUSIVE,
    SYSTEM_RESET,
    is_complete,
)
from ..spec.addresses import Setting
from ..spec.growth_controllers import OWN_CONTROLLERS
from ..spec.mpe import NOT_FOR_MEMBERS, MpeZones
from ..spec.path_controllers import DECODER, REPRESENTATION
from ..spec.sysex import settings_of
from ..spec.tuning_standard import Tunings
from .channel import PEDAL_DOWN, Channel
from .expression import Expression, expression_of
from .keys import ChannelKeys
from .part_settings import PART_SETTINGS
from .system import RESETS, System
from .zone_settings import parameter_was_set

_FIRST_MODE_MESSAGE: Final = 120
_ENTRIES: Final = (DATA_ENTRY_MSB, DATA_ENTRY_LSB, DATA_INCREMENT, DATA_DECREMENT)
"""May change what holds for other channels: the size of an MPE zone, and the bend range of its members."""


class SoundModule:
    """The state of the 16 MIDI channels of a port and the notes that sound on them.

    Each channel is a part of the module, which may be told to listen to another channel.

    Parameters
    ----------
    first_channel : int
        Number of its first channel: 0, 16 for the module of a second port, and so on.
    next_id : callable
        Gives a new note id, larger than all before.
    obeys_growth : bool
        Whether controllers that MIDI leaves undefined move the growth.

    Attributes
    ----------
    channels : tuple of Channel
        Continuous state, one per MIDI channel.
    parts : tuple of Part
        Their notes.
    next_module : SoundModule or None
        That of the next port, which messages to this one can reach by address.
    system : System
        What holds for all channels.
    tunings : Tunings
        Of keys and scales.
    listeners : list of tuple of int
        The parts that hear each MIDI channel.
    zones : Zones
        Of MPE.
    lent_drums : set of int
        Drum channels that are members of a zone.
    """

    def __init__(self, first_channel: int, next_id: Callable[[], int], obeys_growth: bool) -> None:
        self.channels = tuple(Channel(first_channel + index) for index in range(NUM_CHANNELS))
        self.system = System()
        self.next_module: SoundModule | None = None
        self.obeys_growth_at_first = self._obeys_growth = obeys_growth
        self.parts = tuple(ChannelKeys(channel, next_id) for channel in self.channels)
        self._reset_arrangement()

    def _reset_arrangement(self) -> None:
        """Let every part listen to its own channel, without zones, in equal temperament."""
        self.tunings = Tunings()
        self.zones = MpeZones()
        self.lent_drums: set[int] = set()
        self.listeners: list[tuple[int, ...]] = [(index,) for index in range(NUM_CHANNELS)]

    @property
    def num_held_notes(self) -> int:
        """Number of notes started and not yet released or cut."""
        return sum(len(part.held) for part in self.parts)

    def obey_growth(self, obeys: bool) -> None:
        """Let controllers that MIDI leaves undefined move the growth from now on, and after resets, or not."""
        self.obeys_growth_at_first = self._obeys_growth = obeys

    def expression(self, index: int) -> Expression:
        """Return how a part sounds now."""
        master = self.zones.master_of(index)
        return expression_of(self.channels[index], None if master is None else self.channels[master], self.system)

    def led_by(self, index: int) -> tuple[int, ...]:
        """Return the parts that a message to a MIDI channel reaches: those that listen to it, and MPE members."""
        listeners = self.listeners[index]
        return (*listeners, *(member for part in listeners for member in self.zones.members(part)))

    def key_tuning(self, index: int, key: int) -> float:
        """Return semitones that scales and the MIDI Tuning Standard add to a key of a part; drums have none."""
        channel = self.channels[index]
        return 0.0 if channel.is_drums else self.tunings.offset(index, channel.parameters.tuning_program, key)

    def handle(self, data: bytes) -> list[Command]:
        """Take one complete MIDI message and return what to do, in order.

        Malformed and unknown messages do nothing: a port may deliver anything.
        """
        if not is_complete(data):
            return []
        if data[0] == SYSTEM_EXCLUSIVE:
            return [self._all_controls_change(), *self._system_exclusive(data[1:-1])]
        if data[0] == SYSTEM_RESET:
            return [self._all_controls_change(), *self.reset()]
        kind = data[0] & 0xF0
        handler = _HANDLERS.get(kind)
        if handler is None:
            return []
        commands: list[Command] = []
        for part in self.listeners[data[0] & 0x0F]:
            commands += self._hear(handler, part, kind, data)
        return [*self._changes(kind, data), *commands]

    def _changes(self, kind: int, data: bytes) -> list[Command]:
        """Return what a channel message changes of what sounds already, but for the notes that it starts or ends."""
        if kind in (NOTE_ON, NOTE_OFF):
            return []
        if kind == CONTROL_CHANGE and data[1] in _ENTRIES:
            return [self._all_controls_change()]
        reached = tuple(self.channels[index].index for index in self.led_by(data[0] & 0x0F))
        if kind == POLY_PRESSURE:
            return [KeyPressure(reached, data[1])]
        changes: list[Command] = [ControlsChange(reached)]
        if kind == PROGRAM_CHANGE:
            changes.append(ProgramChange(reached))
        if kind == CONTROL_CHANGE and data[1] == ALL_SOUND_OFF:
            changes.append(ChannelsCut(reached))
        return changes

    def _all_controls_change(self) -> ControlsChange:
        """Return that the controls of all channels may change, of those too that messages reach by address."""
        modules = (self,) if self.next_module is None else (self, self.next_module)
        return ControlsChange(tuple(channel.index for module in modules for channel in module.channels))

    def _hear(self, handler: _Handler, index: int, kind: int, data: bytes) -> list[Command]:
        """Let a part and the members of its zone take a channel message."""
        first, last = data[1], data[-1]
        if kind == CONTROL_CHANGE:
            channel = self.channels[index]
            first, last = channel.parameters.meant(first, last, channel.controllers)
            if first in OWN_CONTROLLERS and not self._obeys_growth:
                return []
        commands = handler(self, index, first, last)
        if kind == PROGRAM_CHANGE or (kind == CONTROL_CHANGE and first not in NOT_FOR_MEMBERS):
            for member in self.zones.members(index):
                commands += handler(self, member, first, last)
        return commands

    def all_notes_off(self) -> list[NoteRelease]:
        """Release every note on every channel, pedals or not; controllers and pedals stay as they are."""
        return [release for part in self.parts for release in part.release_all()]

    def reset(self) -> list[NoteRelease]:
        """Release every note and return everything but the note ids to the state at power-up."""
        releases = self.all_notes_off()
        for part in self.parts:
            part.channel.reset()
            part.lift_pedals()
            part.forget()
        self.system.reset()
        self._obeys_growth = self.obeys_growth_at_first
        self._reset_arrangement()
        return releases

    def panic(self) -> list[NoteCut]:
        """Cut every note and reset the controllers, so that nothing sounds, sticks or stays bent."""
        cuts = [cut for part in self.parts for cut in part.cut_all()]
        for part in self.parts:
            part.channel.reset_controllers()
            part.lift_pedals()
        return cuts

    def _system_exclusive(self, payload: bytes) -> list[Command]:
        settings = settings_of(payload)
        if not settings:
            return [TuningChange()] if self.tunings.receive(payload) else []
        commands: list[Command] = []
        for setting in settings:
            commands += self._set(setting)
        return [*dict.fromkeys(commands)]  # a message can tune each note of a scale

    def _set(self, setting: Setting) -> list[Command]:
        """Do what one setting of a SysEx message says."""
        name, part, number, value = setting
        if name in RESETS:
            return self._switch_on(name) if value == 0 else []
        if part is not None and part >= NUM_CHANNELS:
            there = self.next_module
            return [] if there is None else PART_SETTINGS[name](there, part - NUM_CHANNELS, number, value)
        if part is not None:
            return PART_SETTINGS[name](self, part, number, value)
        if name == "growth controllers":
            self._obeys_growth = value > 0
        else:
            self.system.set(name, value)
        return []

    def _switch_on(self, standard: str) -> list[Command]:
        releases = self.reset()
        self.system.standard = standard
        return [*releases]

    def _note_on(self, index: int, key: int, velocity: int) -> list[Command]:
        if velocity == 0:
            return self._note_off(index, key, DEFAULT_RELEASE_VELOCITY)
        return self.parts[index].press(key, velocity)

    def _note_off(self, index: int, key: int, velocity: int) -> list[Command]:
        return self.parts[index].lift(key, velocity)

    def _poly_pressure(self, index: int, key: int, value: int) -> list[Command]:
        self.channels[index].key_pressure[key] = value / 127
        return []

    def _channel_pressure(self, index: int, value: int, _value: int) -> list[Command]:
        self.channels[index].press(value)
        return []

    def _program_change(self, index: int, program: int, _program: int) -> list[Command]:
        self.channels[index].change_program(program, self.system.standard)
        return []

    def _pitch_bend(self, index: int, lsb: int, msb: int) -> list[Command]:
        self.channels[index].bend = (msb << 7 | lsb) - BEND_CENTRE
        return []

    def control_change(self, index: int, controller: int, value: int) -> list[Command]:
        """Let a part take a control change."""
        if controller < _FIRST_MODE_MESSAGE:
            parameter = self.channels[index].control(controller, value)
            if parameter is not None:
                return parameter_was_set(self, index, parameter)
        action = _CONTROLLER_ACTIONS.get(controller)
        return action(self, index, value) if action else []

    def _sustain(self, index: int, value: int) -> list[Command]:
        return [*self.parts[index].held.set_sustain(value >= PEDAL_DOWN)]

    def _sostenuto(self, index: int, value: int) -> list[Command]:
        return [*self.parts[index].held.set_sostenuto(value >= PEDAL_DOWN)]

    def _all_sound_off(self, index: int, _value: int) -> list[Command]:
        return [*self.parts[index].cut_all()]

    def reset_controllers(self, index: int, _value: int = 0) -> list[Command]:
        """Let a part reset its controllers, and lift its pedals."""
        self.channels[index].reset_controllers()
        return self.parts[index].lift_pedals()

    def _all_notes_off(self, index: int, _value: int) -> list[Command]:
        return self.parts[index].lift_all()

    def _mono(self, index: int, _value: int) -> list[Command]:
        return self.parts[index].set_mono(True)

    def _poly(self, index: int, _value: int) -> list[Command]:
        return self.parts[index].set_mono(False)

    def _change_path(self, index: int, _value: int) -> list[Command]:
        return [PathChange(self.channels[index].index)]


_Handler = Callable[[SoundModule, int, int, int], list[Command]]

_HANDLERS: Final[dict[int, _Handler]] = {
    NOTE_OFF: SoundModule._note_off,
    NOTE_ON: SoundModule._note_on,
    POLY_PRESSURE: SoundModule._poly_pressure,
    CONTROL_CHANGE: SoundModule.control_change,
    PROGRAM_CHANGE: SoundModule._program_change,
    CHANNEL_PRESSURE: SoundModule._channel_pressure,
    PITCH_BEND: SoundModule._pitch_bend,
}

# The omni, mono and poly messages turn all notes off as well (MIDI 1.0, "Channel Mode Messages").
_CONTROLLER_ACTIONS: Final[dict[int, Callable[[SoundModule, int, int], list[Command]]]] = {
    SUSTAIN: SoundModule._sustain,
    SOSTENUTO: SoundModule._sostenuto,
    ALL_SOUND_OFF: SoundModule._all_sound_off,
    RESET_CONTROLLERS: SoundModule.reset_controllers,
    **dict.fromkeys((ALL_NOTES_OFF, OMNI_OFF, OMNI_ON), SoundModule._all_notes_off),
    MONO_ON: SoundModule._mono,
    POLY_ON: SoundModule._poly,
    **dict.fromkeys((REPRESENTATION, DECODER), SoundModule._change_path),
}
