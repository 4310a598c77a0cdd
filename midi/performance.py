"""`Performance`: MIDI messages in, what a synthesizer must do out.

A message is looked up in a table by its kind, a control change in a second table by its number; the entries
are small methods. What keys, pedals, mono mode and portamento make of notes is in `Part`.
"""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Final

from .channel import PEDAL_DOWN, Channel
from .commands import Command, NoteCut, NoteRelease, PathChange
from .expression import Expression, expression_of
from .growth import DAMAGE
from .messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    BEND_CENTRE,
    BRIGHTNESS,
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
    NRPN_LSB,
    NRPN_MSB,
    NUM_CHANNELS,
    OMNI_OFF,
    OMNI_ON,
    PITCH_BEND,
    POLY_ON,
    POLY_PRESSURE,
    PROGRAM_CHANGE,
    RESET_CONTROLLERS,
    RPN_BEND_RANGE,
    RPN_LSB,
    RPN_MPE,
    RPN_MSB,
    SOSTENUTO,
    SUSTAIN,
    SYSTEM_EXCLUSIVE,
    SYSTEM_RESET,
    is_complete,
)
from .part import Part
from .paths import DECODER, REPRESENTATION
from .system import System
from .system_exclusive import Exclusive, gs_part_channel, recognise
from .tuning import Tunings
from .zones import LOWER_MASTER, MASTER_BEND_RANGE, MEMBER_BEND_RANGE, UPPER_MASTER, Zones

_FIRST_MODE_MESSAGE: Final = 120
# On an MPE master these stay its own: what they say is added to what the members say, or is no business of theirs.
_NOT_FOR_MEMBERS: Final = frozenset(
    (
        BRIGHTNESS,
        *(DATA_ENTRY_MSB, DATA_ENTRY_LSB, DATA_INCREMENT, DATA_DECREMENT),
        *(NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB),
        *(OMNI_OFF, OMNI_ON, MONO_ON, POLY_ON),
    )
)


class Performance:
    """The state of 16 MIDI channels and the notes that sound on them.

    The number of notes is not limited: which voice to steal is the engine's business. Not safe to share
    between threads.

    Attributes
    ----------
    channels : tuple of Channel
        Continuous state, one per MIDI channel. `expression` says what they come to.
    system : System
        What holds for all channels.
    tuning_changes : int
        How often a tuning message has asked notes that sound to follow.
    """

    def __init__(self) -> None:
        self.channels = tuple(Channel(index) for index in range(NUM_CHANNELS))
        self.system = System()
        self.tuning_changes = 0
        self._tunings = Tunings()
        self._zones = Zones()
        ids = count(1)
        self._parts = tuple(Part(channel, ids.__next__) for channel in self.channels)

    @property
    def num_held_notes(self) -> int:
        """Number of notes started and not yet released or cut."""
        return sum(len(part.held) for part in self._parts)

    @property
    def master_gain(self) -> float:
        """Linear gain 0..1 of the universal master volume SysEx; `Channel.gain` does not contain it."""
        return self.system.gain

    def expression(self, index: int) -> Expression:
        """Return how a channel sounds now."""
        master = self._zones.master_of(index)
        return expression_of(self.channels[index], None if master is None else self.channels[master], self.system)

    def led_by(self, index: int) -> tuple[int, ...]:
        """Return the channels whose expression depends on a channel's state: itself, and its MPE members."""
        return (index, *self._zones.members(index))

    def key_tuning(self, index: int, key: int) -> float:
        """Return semitones that the MIDI Tuning Standard adds to a key of a channel; drums have none."""
        channel = self.channels[index]
        return 0.0 if channel.is_drums else self._tunings.offset(index, channel.parameters.tuning_program, key)

    def handle(self, data: bytes) -> list[Command]:
        """Take one complete MIDI message and return what to do, in order.

        Malformed and unknown messages do nothing: a port may deliver anything.

        Parameters
        ----------
        data : bytes
            Status byte and all data bytes.
        """
        if not is_complete(data):
            return []
        if data[0] == SYSTEM_EXCLUSIVE:
            return self._system_exclusive(data[1:-1])
        if data[0] == SYSTEM_RESET:
            return [*self.reset()]
        kind, index = data[0] & 0xF0, data[0] & 0x0F
        handler = _HANDLERS.get(kind)
        if handler is None:
            return []
        commands = handler(self, index, data[1], data[-1])
        if kind == PROGRAM_CHANGE or (kind == CONTROL_CHANGE and data[1] not in _NOT_FOR_MEMBERS):
            for member in self._zones.members(index):
                commands += handler(self, member, data[1], data[-1])
        return commands

    def all_notes_off(self) -> list[NoteRelease]:
        """Release every note on every channel, pedals or not; controllers and pedals stay as they are."""
        return [release for part in self._parts for release in part.release_all()]

    def reset(self) -> list[NoteRelease]:
        """Release every note and return everything but the note ids to the state at power-up."""
        releases = self.all_notes_off()
        for part in self._parts:
            part.channel.reset()
            part.lift_pedals()
            part.forget()
        self.system.reset()
        self._tunings = Tunings()
        self._zones = Zones()
        return releases

    def panic(self) -> list[NoteCut]:
        """Cut every note and reset the controllers, so that nothing sounds, sticks or stays bent."""
        cuts = [cut for part in self._parts for cut in part.cut_all()]
        for part in self._parts:
            part.channel.reset_controllers()
            part.lift_pedals()
        return cuts

    def _system_exclusive(self, payload: bytes) -> list[Command]:
        message = recognise(payload)
        if message is None:
            self.tuning_changes += self._tunings.receive(payload)
            return []
        if message.is_reset:
            releases = self.reset()
            self.system.is_xg = message.kind == "xg"
            return [*releases]
        if message.kind == "growth":
            self._set_growth(*message.values)
        elif not self.system.receive(message):
            self._set_rhythm(message)
        return []

    def _set_growth(self, index: int, controller: int, lsb: int, msb: int) -> None:
        """Set a growth controller with 14 bits; damage is done anew by each message."""
        for one in self.led_by(index) if index < NUM_CHANNELS else ():
            growth = self.channels[one].growth
            take = growth.strike if controller == DAMAGE else partial(growth.control, controller)
            take(msb + lsb / 128)

    def _set_rhythm(self, message: Exclusive) -> None:
        """Make a channel a drum channel or a melodic one, as Roland GS and Yamaha XG have it."""
        part, mode = message.values
        index = gs_part_channel(part) if message.kind == "gs rhythm part" else part
        if index is not None and index < NUM_CHANNELS:
            self.channels[index].is_drums = mode > 0

    def _note_on(self, index: int, key: int, velocity: int) -> list[Command]:
        if velocity == 0:
            return self._note_off(index, key, DEFAULT_RELEASE_VELOCITY)
        return self._parts[index].press(key, velocity)

    def _note_off(self, index: int, key: int, velocity: int) -> list[Command]:
        return self._parts[index].lift(key, velocity)

    def _poly_pressure(self, index: int, key: int, value: int) -> list[Command]:
        self.channels[index].key_pressure[key] = value / 127
        return []

    def _channel_pressure(self, index: int, value: int, _value: int) -> list[Command]:
        self.channels[index].press(value)
        return []

    def _program_change(self, index: int, program: int, _program: int) -> list[Command]:
        self.channels[index].change_program(program, self.system.is_xg)
        return []

    def _pitch_bend(self, index: int, lsb: int, msb: int) -> list[Command]:
        self.channels[index].bend = (msb << 7 | lsb) - BEND_CENTRE
        return []

    def _control_change(self, index: int, controller: int, value: int) -> list[Command]:
        if controller < _FIRST_MODE_MESSAGE:
            parameter = self.channels[index].control(controller, value)
            if parameter is not None:
                return self._parameter_set(index, parameter)
        action = _CONTROLLER_ACTIONS.get(controller)
        return action(self, index, value) if action else []

    def _parameter_set(self, index: int, parameter: int) -> list[Command]:
        if parameter == RPN_MPE and index in (LOWER_MASTER, UPPER_MASTER):
            return self._configure_zone(index)
        master = self._zones.master_of(index)
        if parameter == RPN_BEND_RANGE and master is not None:
            # One for all: the range sent to a member holds for the zone (MPE 1.0, section 2.5).
            for member in self._zones.members(master):
                self.channels[member].parameters.set(parameter, self.channels[index].parameters.value(parameter))
        return []

    def _configure_zone(self, master: int) -> list[Command]:
        """Make or remove a zone; the notes of its channels end and their controllers are reset."""
        before = self._zones.members(master)
        self._zones.configure(master, self.channels[master].parameters.num_members)
        members = self._zones.members(master)
        commands: list[Command] = []
        for index in sorted({master, *before, *members}):
            commands += self._parts[index].release_all()
            commands += self._reset_controllers(index, 0)
            bend_range = MEMBER_BEND_RANGE if index in members else MASTER_BEND_RANGE
            self.channels[index].parameters.set(RPN_BEND_RANGE, bend_range)
        return commands

    def _sustain(self, index: int, value: int) -> list[Command]:
        return [*self._parts[index].held.set_sustain(value >= PEDAL_DOWN)]

    def _sostenuto(self, index: int, value: int) -> list[Command]:
        return [*self._parts[index].held.set_sostenuto(value >= PEDAL_DOWN)]

    def _all_sound_off(self, index: int, _value: int) -> list[Command]:
        return [*self._parts[index].cut_all()]

    def _reset_controllers(self, index: int, _value: int) -> list[Command]:
        self.channels[index].reset_controllers()
        return self._parts[index].lift_pedals()

    def _all_notes_off(self, index: int, _value: int) -> list[Command]:
        return self._parts[index].lift_all()

    def _mono(self, index: int, _value: int) -> list[Command]:
        return self._parts[index].set_mono(True)

    def _poly(self, index: int, _value: int) -> list[Command]:
        return self._parts[index].set_mono(False)

    def _change_path(self, index: int, _value: int) -> list[Command]:
        return [PathChange(index)]


_HANDLERS: Final[dict[int, Callable[[Performance, int, int, int], list[Command]]]] = {
    NOTE_OFF: Performance._note_off,
    NOTE_ON: Performance._note_on,
    POLY_PRESSURE: Performance._poly_pressure,
    CONTROL_CHANGE: Performance._control_change,
    PROGRAM_CHANGE: Performance._program_change,
    CHANNEL_PRESSURE: Performance._channel_pressure,
    PITCH_BEND: Performance._pitch_bend,
}

# The omni, mono and poly messages turn all notes off as well (MIDI 1.0, "Channel Mode Messages").
_CONTROLLER_ACTIONS: Final[dict[int, Callable[[Performance, int, int], list[Command]]]] = {
    SUSTAIN: Performance._sustain,
    SOSTENUTO: Performance._sostenuto,
    ALL_SOUND_OFF: Performance._all_sound_off,
    RESET_CONTROLLERS: Performance._reset_controllers,
    **dict.fromkeys((ALL_NOTES_OFF, OMNI_OFF, OMNI_ON), Performance._all_notes_off),
    MONO_ON: Performance._mono,
    POLY_ON: Performance._poly,
    **dict.fromkeys((REPRESENTATION, DECODER), Performance._change_path),
}
