"""`ChannelMemory`: what the messages so far have set that stays, to bring another engine to the same state."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from ...midi.messages import (
    ALL_NOTES_OFF,
    ALL_SOUND_OFF,
    BANK_LSB,
    BANK_MSB,
    CONTROL_CHANGE,
    DATA_DECREMENT,
    DATA_ENTRY_LSB,
    DATA_ENTRY_MSB,
    DATA_INCREMENT,
    EXPRESSION,
    MODULATION,
    NRPN_LSB,
    NRPN_MSB,
    NUM_CHANNELS,
    OMNI_OFF,
    OMNI_ON,
    PORTAMENTO,
    PROGRAM_CHANGE,
    RESET_CONTROLLERS,
    RPN_LSB,
    RPN_MPE,
    RPN_MSB,
    SOFT_PEDAL,
    SOSTENUTO,
    SUSTAIN,
    SYSTEM_EXCLUSIVE,
    SYSTEM_RESET,
    control_change,
    is_complete,
)
from ...midi.spec import path_controllers
from ...midi.spec.growth_controllers import SYSEX_ID
from ...midi.spec.sysex import settings_of
from ...midi.state.system import RESETS

MOST_EXCLUSIVE: Final = 512
"""System exclusive messages that are remembered: tunings and parameters of a whole set-up."""
MOST_STEPS: Final = 64
_ADDRESS_BYTES: Final = 8
_OUR_ADDRESS_BYTES: Final = 3 + len(SYSEX_ID)  # with channel and controller
_SPRINGS_BACK: Final = frozenset((SUSTAIN, SOSTENUTO, SOFT_PEDAL))
"""Pedals are not remembered: one that came up meanwhile would stay down for ever."""
_MOMENTS: Final = frozenset((ALL_SOUND_OFF, ALL_NOTES_OFF, OMNI_OFF, OMNI_ON))
_RESET: Final = (MODULATION, MODULATION + 32, EXPRESSION, EXPRESSION + 32, PORTAMENTO)
_RESET_SELECTION: Final = (NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB)
_NULL: Final = 127
"""Selects no parameter."""
_DATA: Final = (DATA_ENTRY_MSB, DATA_ENTRY_LSB, DATA_INCREMENT, DATA_DECREMENT)

Entry = tuple[bytes, ...]


class ChannelMemory:
    """Follows messages and knows which few of them lead to the same programs, controllers, parameters and tunings.

    Notes, pedals, wheels and pressure are left out: they belong to hands that have moved on.

    Attributes
    ----------
    changes : int
        How often something was set.

    Notes
    -----
    Thread: `follow` and what changes it belong to the producer; `messages` may be asked by any.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._exclusive: dict[Hashable, Entry] = {}
        self._programs: dict[Hashable, Entry] = {}
        self._parameters: dict[Hashable, Entry] = {}
        self._controllers: dict[Hashable, Entry] = {}
        self._kinds = (self._exclusive, self._programs, self._parameters, self._controllers)

    def messages(self) -> tuple[bytes, ...]:
        """Return the messages that bring a synth at power-up to this state, in order."""
        # Copying a dictionary's values is one step for other threads.
        exclusive, programs, parameters, controllers = (list(kind.values()) for kind in self._kinds)
        channels = sorted({entry[-1][0] & 0x0F for entry in parameters})
        nothing = [tuple(control_change(one, number, _NULL) for number in (RPN_MSB, RPN_LSB)) for one in channels]
        return tuple(data for entry in (*exclusive, *programs, *parameters, *nothing, *controllers) for data in entry)

    def follow(self, data: bytes) -> None:
        """Take a message as the synth gets it; malformed ones do nothing."""
        if not is_complete(data):
            return
        kind = data[0] & 0xF0
        if data[0] == SYSTEM_RESET:
            self._clear()
        elif data[0] == SYSTEM_EXCLUSIVE:
            self._follow_exclusive(data)
        elif kind == PROGRAM_CHANGE:
            banks = (self._controllers.get((data[0] & 0x0F, number), ()) for number in (BANK_MSB, BANK_LSB))
            self._keep(self._programs, data[0] & 0x0F, (*(one for bank in banks for one in bank), data))
        elif kind == CONTROL_CHANGE and data[1] not in _SPRINGS_BACK and data[1] not in _MOMENTS:
            self._follow_control(data[0] & 0x0F, data)

    def reset_controllers(self) -> None:
        """Forget what "reset all controllers" resets, on all channels."""
        for channel in range(NUM_CHANNELS):
            self._reset_controllers(channel)

    def forget_programs(self) -> None:
        """Forget which programs messages have asked for: the player has chosen since."""
        self._programs.clear()
        self.changes += 1

    def forget_paths(self) -> None:
        """Forget which representations and decoders messages have chosen: the player has chosen since."""
        for channel in range(NUM_CHANNELS):
            for number in (path_controllers.REPRESENTATION, path_controllers.DECODER):
                self._controllers.pop((channel, number), None)
        self.changes += 1

    def _follow_exclusive(self, data: bytes) -> None:
        if any(setting.name in RESETS and setting.value == 0 for setting in settings_of(data[1:-1])):
            self._clear()
        is_ours = data[1 : 1 + len(SYSEX_ID)] == bytes(SYSEX_ID)
        self._keep(self._exclusive, data[: _OUR_ADDRESS_BYTES if is_ours else _ADDRESS_BYTES], (data,))
        while len(self._exclusive) > MOST_EXCLUSIVE:
            del self._exclusive[next(iter(self._exclusive))]

    def _follow_control(self, channel: int, data: bytes) -> None:
        number = data[1]
        if number == RESET_CONTROLLERS:
            self._reset_controllers(channel)
        elif number in _DATA:
            self._follow_parameter(channel, data)
        elif number in _RESET_SELECTION and data[2] == _NULL:
            self._deselect(channel)
        else:
            mode = number if number < RESET_CONTROLLERS else RESET_CONTROLLERS  # mono or poly
            self._keep(self._controllers, (channel, mode), (data,))

    def _follow_parameter(self, channel: int, data: bytes) -> None:
        """Keep a parameter's value with what selects the parameter."""
        selected = [(key, entry) for key, entry in self._controllers.items() if self._selects(channel, key)]
        selection = tuple(entry[0] for _, entry in selected[-2:])
        if not selection:
            return
        key = (channel, selection, data[1])
        steps = self._parameters.get(key, ())[len(selection) :] if data[1] in (DATA_INCREMENT, DATA_DECREMENT) else ()
        self._keep(self._parameters, key, (*selection, *steps, data)[: len(selection) + MOST_STEPS])
        if {one[1:] for one in selection} == {bytes((RPN_MSB, 0)), bytes((RPN_LSB, RPN_MPE))}:
            self._reset_controllers(channel)  # as making a zone does

    @staticmethod
    def _selects(channel: int, key: Hashable) -> bool:
        return any(key == (channel, number) for number in _RESET_SELECTION)

    def _reset_controllers(self, channel: int) -> None:
        for number in _RESET:
            self._controllers.pop((channel, number), None)
        self._deselect(channel)

    def _deselect(self, channel: int) -> None:
        for number in _RESET_SELECTION:
            self._controllers.pop((channel, number), None)
        self.changes += 1

    def _clear(self) -> None:
        for kind in self._kinds:
            kind.clear()
        self.changes += 1

    def _keep(self, kind: dict[Hashable, Entry], key: Hashable, entry: Entry) -> None:
        """Keep an entry as the newest."""
        kind.pop(key, None)
        kind[key] = entry
        self.changes += 1
