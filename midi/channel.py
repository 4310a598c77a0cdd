"""The continuous state of one MIDI channel: what an engine reads at any moment, between note commands."""

from typing import Final

from .messages import (
    BANK_LSB,
    BANK_MSB,
    BEND_CENTRE,
    DRUM_CHANNEL,
    EXPRESSION,
    MODULATION,
    NRPN_LSB,
    NRPN_MSB,
    PAN,
    PORTAMENTO,
    RPN_LSB,
    RPN_MSB,
    SOFT_PEDAL,
    SOSTENUTO,
    SUSTAIN,
    VOLUME,
)
from .parameters import RegisteredParameters

PEDAL_DOWN: Final = 64

_NUM_CONTROLLERS: Final = 128
_CENTRED: Final = 64
# Power-up values (General MIDI 2); every other controller starts at 0.
_POWER_UP: Final = {
    VOLUME: 100,
    8: _CENTRED,  # balance
    PAN: _CENTRED,
    EXPRESSION: 127,
    **dict.fromkeys(range(70, 80), _CENTRED),  # sound controllers
    91: 40,  # reverb send
    **dict.fromkeys((NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB), 127),
}
# What "reset all controllers" touches (MIDI RP-015). Volume, pan, bank, program, effect sends, sound
# controllers and the tuning stay.
_RESETTABLE: Final = {
    MODULATION: 0,
    EXPRESSION: 127,
    SUSTAIN: 0,
    PORTAMENTO: 0,
    SOSTENUTO: 0,
    SOFT_PEDAL: 0,
    **dict.fromkeys((NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB), 127),
}


class Channel:
    """Continuous state of one MIDI channel.

    Attributes
    ----------
    index : int
        MIDI channel, 0..15.
    controllers : list of int
        The last value of each controller as received, 128 values 0..127; e.g. `controllers[91]` is the reverb
        send. The channel mode messages 120..127 leave no trace here.
    bend : int
        Pitch bend, -8192..8191.
    program : int
        Program, 0..127.
    bank : int
        Bank in force, 14 bits (MSB * 128 + LSB): the one selected when the program last changed.
    pressure : float
        Channel pressure, 0..1.
    key_pressure : dict of int to float
        Pressure 0..1 of the keys that sent any since they were struck.
    parameters : RegisteredParameters
        Bend range and tuning.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.reset()

    def reset(self) -> None:
        """Return to the state at power-up."""
        self.controllers = [_POWER_UP.get(number, 0) for number in range(_NUM_CONTROLLERS)]
        self.parameters = RegisteredParameters()
        self.program = 0
        self.bank = 0
        self._reset_gestures()

    def reset_controllers(self) -> None:
        """Reset what "reset all controllers" (CC 121) resets, as MIDI RP-015 has it."""
        for number, value in _RESETTABLE.items():
            self.controllers[number] = value
        self.parameters.deselect()
        self._reset_gestures()

    def _reset_gestures(self) -> None:
        self.bend = 0
        self.pressure = 0.0
        self.key_pressure: dict[int, float] = {}

    @property
    def is_drums(self) -> bool:
        """Whether keys name drums instead of pitches."""
        return self.index == DRUM_CHANNEL

    @property
    def gain(self) -> float:
        """Linear gain 0..1 of volume (CC 7) times expression (CC 11).

        General MIDI level 1 asks for 40 log10(value / 127) dB of each.
        """
        return (self.controllers[VOLUME] * self.controllers[EXPRESSION] / 127**2) ** 2

    @property
    def pan(self) -> float:
        """Position from -1 (left) through 0 to 1 (right).

        General MIDI 2 makes both 0 and 1 hard left, so that 64 is the exact middle.
        """
        return (max(self.controllers[PAN], 1) - _CENTRED) / 63

    @property
    def modulation(self) -> float:
        """Modulation wheel (CC 1), 0..1."""
        return self.controllers[MODULATION] / 127

    @property
    def is_soft_pedal_down(self) -> bool:
        """Whether the soft pedal (CC 67) is down; each `NoteStart` carries it too."""
        return self.controllers[SOFT_PEDAL] >= PEDAL_DOWN

    @property
    def pitch_offset(self) -> float:
        """Semitones to add to every key: bend within its range, plus fine and coarse tuning."""
        return self.bend / BEND_CENTRE * self.parameters.bend_range + self.parameters.tuning

    def control(self, controller: int, value: int) -> None:
        """Store a controller's value and act on those that address registered parameters."""
        self.controllers[controller] = value
        self.parameters.control(controller, value)

    def change_program(self, program: int) -> None:
        """Change the program and let the bank selected by CC 0 and CC 32 take effect."""
        self.program = program
        self.bank = self.controllers[BANK_MSB] << 7 | self.controllers[BANK_LSB]
