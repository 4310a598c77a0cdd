"""Values of controllers at power-up, and after "reset all controllers"."""

from typing import Final

from ..messages import (
    EXPRESSION,
    MODULATION,
    NRPN_LSB,
    NRPN_MSB,
    PAN,
    PORTAMENTO,
    REVERB_SEND,
    RPN_LSB,
    RPN_MSB,
    SOFT_PEDAL,
    SOSTENUTO,
    SUSTAIN,
    VOLUME,
)

CENTRED: Final = 64

# Power-up values (General MIDI 2); every other controller starts at 0.
POWER_UP: Final = {
    VOLUME: 100,
    8: CENTRED,  # balance
    PAN: CENTRED,
    EXPRESSION: 127,
    **dict.fromkeys(range(70, 80), CENTRED),  # sound controllers
    REVERB_SEND: 40,
    **dict.fromkeys((NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB), 127),
}
# What "reset all controllers" touches (MIDI RP-015). Volume, pan, bank, program, effect sends, sound
# controllers and the tuning stay.
RESETTABLE: Final = {
    MODULATION: 0,
    MODULATION + 32: 0,
    EXPRESSION: 127,
    EXPRESSION + 32: 0,
    SUSTAIN: 0,
    PORTAMENTO: 0,
    SOSTENUTO: 0,
    SOFT_PEDAL: 0,
    **dict.fromkeys((NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB), 127),
}
