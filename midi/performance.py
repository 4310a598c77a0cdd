"""`Performance`: MIDI messages in, what a synthesizer must do out.

A message is looked up in a table by its kind, a control change in a second table by its number; the entries
are small methods. Wider musical rules (MPE zones, mono mode, portamento) belong in front of `HeldNotes` or
beside `Channel.pitch_offset`, not in these tables.
"""

from collections.abc import Callable
from typing import Final

from .channel import PEDAL_DOWN, Channel
from .commands import Command, NoteCut, NoteRelease, NoteStart
from .held_notes import HeldNotes
from .messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    BEND_CENTRE,
    CHANNEL_PRESSURE,
    CONTROL_CHANGE,
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
from .system_exclusive import is_reset, master_volume_of

_FIRST_MODE_MESSAGE: Final = 120
_MAX_14_BIT: Final = 0x3FFF


class Performance:
    """The state of 16 MIDI channels and the notes that sound on them.

    The number of notes is not limited: which voice to steal is the engine's business. Not safe to share
    between threads.

    Attributes
    ----------
    channels : tuple of Channel
        Continuous state, one per MIDI channel.
    master_gain : float
        Linear gain 0..1 of the universal master volume SysEx, the same curve as CC 7. `Channel.gain` does not
        contain it.
    """

    def __init__(self) -> None:
        self.channels = tuple(Channel(index) for index in range(NUM_CHANNELS))
        self.master_gain = 1.0
        self._held = tuple(HeldNotes() for _ in range(NUM_CHANNELS))
        self._last_note_id = 0

    @property
    def num_held_notes(self) -> int:
        """Number of notes started and not yet released or cut."""
        return sum(map(len, self._held))

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
            return self._system_exclusive(data)
        if data[0] == SYSTEM_RESET:
            return [*self.reset()]
        handler = _HANDLERS.get(data[0] & 0xF0)
        return handler(self, data[0] & 0x0F, data[1], data[-1]) if handler else []

    def all_notes_off(self) -> list[NoteRelease]:
        """Release every note on every channel, pedals or not; controllers and pedals stay as they are."""
        return [release for held in self._held for release in held.release_all()]

    def reset(self) -> list[NoteRelease]:
        """Release every note and return everything but the note ids to the state at power-up."""
        releases = self.all_notes_off()
        for channel in self.channels:
            channel.reset()
        self._lift_pedals()
        self.master_gain = 1.0
        return releases

    def panic(self) -> list[NoteCut]:
        """Cut every note and reset the controllers, so that nothing sounds, sticks or stays bent."""
        cuts = [cut for held in self._held for cut in held.cut_all()]
        for channel in self.channels:
            channel.reset_controllers()
        self._lift_pedals()
        return cuts

    def _lift_pedals(self) -> None:
        """Lift the pedals of channels that hold no notes, so there is nothing to release."""
        for held in self._held:
            held.set_sustain(False)
            held.set_sostenuto(False)

    def _system_exclusive(self, data: bytes) -> list[Command]:
        if is_reset(data):
            return [*self.reset()]
        volume = master_volume_of(data)
        if volume is not None:
            self.master_gain = (volume / _MAX_14_BIT) ** 2
        return []

    def _note_on(self, index: int, key: int, velocity: int) -> list[Command]:
        if velocity == 0:
            return self._note_off(index, key, DEFAULT_RELEASE_VELOCITY)
        channel = self.channels[index]
        channel.key_pressure.pop(key, None)
        self._last_note_id += 1
        self._held[index].press_key(key, self._last_note_id)
        return [NoteStart(self._last_note_id, index, key, velocity, channel.is_soft_pedal_down)]

    def _note_off(self, index: int, key: int, velocity: int) -> list[Command]:
        return [*self._held[index].lift_key(key, velocity)]

    def _poly_pressure(self, index: int, key: int, value: int) -> list[Command]:
        self.channels[index].key_pressure[key] = value / 127
        return []

    def _channel_pressure(self, index: int, value: int, _value: int) -> list[Command]:
        self.channels[index].pressure = value / 127
        return []

    def _program_change(self, index: int, program: int, _program: int) -> list[Command]:
        self.channels[index].change_program(program)
        return []

    def _pitch_bend(self, index: int, lsb: int, msb: int) -> list[Command]:
        self.channels[index].bend = (msb << 7 | lsb) - BEND_CENTRE
        return []

    def _control_change(self, index: int, controller: int, value: int) -> list[Command]:
        if controller < _FIRST_MODE_MESSAGE:
            self.channels[index].control(controller, value)
        action = _CONTROLLER_ACTIONS.get(controller)
        return action(self, index, value) if action else []

    def _sustain(self, index: int, value: int) -> list[Command]:
        return [*self._held[index].set_sustain(value >= PEDAL_DOWN)]

    def _sostenuto(self, index: int, value: int) -> list[Command]:
        return [*self._held[index].set_sostenuto(value >= PEDAL_DOWN)]

    def _all_sound_off(self, index: int, _value: int) -> list[Command]:
        return [*self._held[index].cut_all()]

    def _reset_controllers(self, index: int, _value: int) -> list[Command]:
        self.channels[index].reset_controllers()
        return [*self._held[index].set_sustain(False), *self._held[index].set_sostenuto(False)]

    def _all_notes_off(self, index: int, _value: int) -> list[Command]:
        return [*self._held[index].lift_all_keys()]


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
    **dict.fromkeys((ALL_NOTES_OFF, OMNI_OFF, OMNI_ON, MONO_ON, POLY_ON), Performance._all_notes_off),
}
