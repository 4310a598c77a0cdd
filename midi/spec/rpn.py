"""Parameters of a MIDI channel that data entry sets: registered ones, and those that mean a controller."""

from collections.abc import Callable, Sequence
from typing import Final

from ..messages import (
    ATTACK_TIME,
    BEND_CENTRE,
    BRIGHTNESS,
    DATA_DECREMENT,
    DATA_ENTRY_LSB,
    DATA_ENTRY_MSB,
    DATA_INCREMENT,
    DECAY_TIME,
    NRPN_LSB,
    NRPN_MSB,
    RELEASE_TIME,
    RPN_BEND_RANGE,
    RPN_COARSE_TUNING,
    RPN_FINE_TUNING,
    RPN_LSB,
    RPN_MODULATION_RANGE,
    RPN_MPE,
    RPN_MSB,
    RPN_NULL,
    RPN_TUNING_BANK,
    RPN_TUNING_PROGRAM,
    TIMBRE,
    VIBRATO_DELAY,
    VIBRATO_DEPTH,
    VIBRATO_RATE,
)

NRPN_CONTROLLERS: Final = {
    1 << 7 | 0x08: VIBRATO_RATE,
    1 << 7 | 0x09: VIBRATO_DEPTH,
    1 << 7 | 0x0A: VIBRATO_DELAY,
    1 << 7 | 0x20: BRIGHTNESS,
    1 << 7 | 0x21: TIMBRE,
    1 << 7 | 0x63: ATTACK_TIME,
    1 << 7 | 0x64: DECAY_TIME,
    1 << 7 | 0x66: RELEASE_TIME,
}
"""Non-registered parameters of Roland GS and Yamaha XG, and the controllers that mean the same."""

_DEFAULTS: Final = {
    RPN_BEND_RANGE: 2 << 7,
    RPN_FINE_TUNING: BEND_CENTRE,
    RPN_COARSE_TUNING: 64 << 7,
    RPN_TUNING_PROGRAM: 0,
    RPN_TUNING_BANK: 0,
    RPN_MODULATION_RANGE: 64,  # half a semitone
    RPN_MPE: 0,
}
_ENTRIES: Final = frozenset((DATA_ENTRY_MSB, DATA_ENTRY_LSB, DATA_INCREMENT, DATA_DECREMENT))
# What data entry does to a controller that an NRPN means: 0 sets it, others step.
_ENTRY_STEPS: Final = {DATA_ENTRY_MSB: 0, DATA_INCREMENT: 1, DATA_DECREMENT: -1}
_MAX_14_BIT: Final = 0x3FFF
_MSB_ONLY: Final = (RPN_COARSE_TUNING, RPN_TUNING_PROGRAM, RPN_TUNING_BANK, RPN_MPE)
_MAX_BEND_RANGE_CENTS: Final = 127 * 100 + 99


class RegisteredParameters:
    """The values of the known RPNs and which parameter data entry addresses.

    Values are the 14 bits of data entry (MSB * 128 + LSB). Data entry is ignored while an unknown NRPN, an unknown
    RPN or the null RPN is selected.
    """

    def __init__(self) -> None:
        self._values = dict(_DEFAULTS)
        self._selected = self._unregistered = RPN_NULL
        self._is_registered = True
        self._forget_bytes()

    @property
    def bend_range(self) -> float:
        """Pitch bend range in semitones, either way."""
        value = self._values[RPN_BEND_RANGE]
        return (value >> 7) + (value & 0x7F) / 100

    @property
    def tuning(self) -> float:
        """Coarse and fine tuning together, in semitones (-65..64)."""
        fine = (self._values[RPN_FINE_TUNING] - BEND_CENTRE) / BEND_CENTRE
        return (self._values[RPN_COARSE_TUNING] >> 7) - 64 + fine

    @property
    def modulation_range(self) -> float:
        """Depth of full modulation in semitones, either way; the LSB counts 1/128."""
        return self._values[RPN_MODULATION_RANGE] / 128

    @property
    def tuning_program(self) -> tuple[int, int]:
        """Bank and program of the MIDI Tuning Standard that tune the keys."""
        return self._values[RPN_TUNING_BANK] >> 7, self._values[RPN_TUNING_PROGRAM] >> 7

    @property
    def num_members(self) -> int:
        """Member channels 0..15 that the latest MPE configuration message asks for."""
        return min(self._values[RPN_MPE] >> 7, 15)

    def meant(self, controller: int, value: int, controllers: Sequence[int]) -> tuple[int, int]:
        """Return controller and value that a control change means: data entry to an NRPN may be another controller.

        `controllers` are the values that the channel's controllers have.
        """
        target = None if self._is_registered else NRPN_CONTROLLERS.get(self._unregistered)
        if target is None or controller not in _ENTRY_STEPS:
            return controller, value
        step = _ENTRY_STEPS[controller]
        return target, value if step == 0 else min(max(controllers[target] + step, 0), 127)

    def control(self, controller: int, value: int) -> int | None:
        """Take controllers 6, 38 and 96..101; return the registered parameter that was set, if one was."""
        action = _ACTIONS.get(controller)
        if action is None:
            return None
        action(self, value)
        is_set = controller in _ENTRIES and self._is_registered and self._selected in self._values
        has_no_lsb = controller == DATA_ENTRY_LSB and self._selected in _MSB_ONLY
        return self._selected if is_set and not has_no_lsb else None

    def value(self, parameter: int) -> int:
        """Return the 14 bits of a known RPN."""
        return self._values[parameter]

    def set(self, parameter: int, value: int) -> None:
        """Set the 14 bits of a known RPN, whatever is selected."""
        self._values[parameter] = value

    def deselect(self) -> None:
        """Select the null parameter, so that data entry does nothing."""
        self._selected = self._unregistered = RPN_NULL
        self._is_registered = True
        self._forget_bytes()

    def _forget_bytes(self) -> None:
        """Let data entry begin anew, with either byte."""
        self._is_fresh = True
        self._leading_lsb: int | None = None  # of a sender that gives the LSB before the MSB

    def _select_msb(self, msb: int) -> None:
        self._selected = msb << 7 | self._selected & 0x7F
        self._is_registered = True
        self._forget_bytes()

    def _select_lsb(self, lsb: int) -> None:
        self._selected = self._selected & ~0x7F | lsb
        self._is_registered = True
        self._forget_bytes()

    def _select_unregistered_msb(self, msb: int) -> None:
        self._unregistered = msb << 7 | self._unregistered & 0x7F
        self._is_registered = False
        self._forget_bytes()

    def _select_unregistered_lsb(self, lsb: int) -> None:
        self._unregistered = self._unregistered & ~0x7F | lsb
        self._is_registered = False
        self._forget_bytes()

    def _enter_msb(self, msb: int) -> None:
        # An MSB alone sets the LSB to 0 (MIDI 1.0, "Control Change"), unless the sender gives the LSB first.
        lsb = self._leading_lsb or 0
        self._is_fresh = False
        self._update(lambda _: msb << 7 | lsb)

    def _enter_lsb(self, lsb: int) -> None:
        if self._is_fresh or self._leading_lsb is not None:
            self._leading_lsb = lsb
        self._is_fresh = False
        self._update(lambda value: value & ~0x7F | lsb)

    def _increment(self, _value: int) -> None:
        self._update(lambda value: _stepped(self._selected, value, 1))

    def _decrement(self, _value: int) -> None:
        self._update(lambda value: _stepped(self._selected, value, -1))

    def _update(self, change: Callable[[int], int]) -> None:
        if self._is_registered and self._selected in self._values:
            self._values[self._selected] = change(self._values[self._selected])


def _stepped(parameter: int, value: int, direction: int) -> int:
    """Return a value one step up or down (MIDI RP-018: cents, LSB or semitones by parameter)."""
    if parameter == RPN_BEND_RANGE:
        cents = (value >> 7) * 100 + min(value & 0x7F, 99) + direction
        semitones, cents = divmod(min(max(cents, 0), _MAX_BEND_RANGE_CENTS), 100)
        return semitones << 7 | cents
    step = 128 if parameter in _MSB_ONLY else 1
    stepped = value + direction * step
    return stepped if 0 <= stepped <= _MAX_14_BIT else value


_ACTIONS: Final[dict[int, Callable[[RegisteredParameters, int], None]]] = {
    DATA_ENTRY_MSB: RegisteredParameters._enter_msb,
    DATA_ENTRY_LSB: RegisteredParameters._enter_lsb,
    DATA_INCREMENT: RegisteredParameters._increment,
    DATA_DECREMENT: RegisteredParameters._decrement,
    NRPN_LSB: RegisteredParameters._select_unregistered_lsb,
    NRPN_MSB: RegisteredParameters._select_unregistered_msb,
    RPN_LSB: RegisteredParameters._select_lsb,
    RPN_MSB: RegisteredParameters._select_msb,
}
