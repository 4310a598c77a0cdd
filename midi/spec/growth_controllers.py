"""What a MIDI channel asks of the growth of its notes, by controllers that MIDI leaves undefined.

Others use these controllers for ends of their own, so they act only where they were asked for; SysEx always does.
"""

from math import log
from typing import Final

from ...errors import UsageError
from ..messages import ENSEMBLE_BLEND, NUM_CHANNELS, check_range, system_exclusive
from .path_controllers import DECODER, REPRESENTATION

GROWTH_RATE: Final = 20
FIRE_RATE: Final = 21
LIFE_THRESHOLD: Final = 22
DAMAGE: Final = 23
SLIDE_TARGET: Final = 24
PRESSURE_TARGET: Final = 25
MORPH_X: Final = 102
MORPH_Y: Final = 103
MORPH_PROGRAMS: Final = (104, 105, 106)
"""Programs at the ends of the pad: right (x), upper (y), and both."""

NEUTRAL: Final = {GROWTH_RATE: 64.0, FIRE_RATE: 127.0, LIFE_THRESHOLD: 0.0, DAMAGE: 0.0, MORPH_X: 0.0, MORPH_Y: 0.0}
TARGETS: Final = (None, GROWTH_RATE, FIRE_RATE, LIFE_THRESHOLD, DAMAGE, MORPH_X, MORPH_Y)
"""What a dimension of MPE can move, by the value of CC 24 or CC 25; others mean none."""
SYSEX_ID: Final = (0x7D, 0x54, 0x4E)
"""Before channel, controller, LSB and MSB: the same controllers with 14 bits (7D is for non-commercial use)."""
SWITCH: Final = 0x7F
"""In the place of the channel: 1 lets the controllers themselves act, on all channels, and 0 does not."""
CONTROLLERS: Final = frozenset((*NEUTRAL, SLIDE_TARGET, PRESSURE_TARGET, *MORPH_PROGRAMS))
OWN_CONTROLLERS: Final = CONTROLLERS | {REPRESENTATION, DECODER, ENSEMBLE_BLEND}
"""All controllers with a meaning of our own: CC 20 to 28 and 102 to 106."""

MIN_FIRE_RATE: Final = 1.0 / 64.0
MAX_GROWTH_RATE: Final = 4.0
ALIVE_ABOVE: Final = 0.1
"""The life threshold that notes are trained with."""


def growth_message(channel: int, controller: int, value: float) -> bytes:
    """Build a SysEx message that sets a controller of ours to 0..127.99, in steps of 1/128.

    Raises
    ------
    ValueError
        If a value is out of range.
    """
    check_range("channel", channel, 0, NUM_CHANNELS - 1)
    if controller not in OWN_CONTROLLERS:
        raise ValueError(f"controller must be one of {sorted(OWN_CONTROLLERS)}, got {controller}")
    number = check_range("value", round(value * 128), 0, 0x3FFF)
    return system_exclusive(bytes((*SYSEX_ID, channel, controller, number & 0x7F, number >> 7)))


def growth_switch(obeys: bool) -> bytes:
    """Build the SysEx message that lets the controllers of `OWN_CONTROLLERS` act, or not."""
    return system_exclusive(bytes((*SYSEX_ID, SWITCH, obeys)))


def growth_values(
    rate: float | None, fire_rate: float | None, life_threshold: float | None, morph: tuple[float, float] | None
) -> list[tuple[int, float]]:
    """Return controllers and the values 0..127 that stand for quantities; None is left out.

    Raises
    ------
    UsageError
        If a quantity is out of range.
    """
    wanted: list[tuple[int, float]] = []
    if rate is not None:
        _check("growth rate", rate, 0.0, MAX_GROWTH_RATE)
        wanted.append((GROWTH_RATE, 64.0 * rate**0.5 if rate <= 1.0 else 64.0 + 63.0 * log(rate, MAX_GROWTH_RATE)))
    if fire_rate is not None:
        wanted.append((FIRE_RATE, 127.0 * _check("fire rate", fire_rate, MIN_FIRE_RATE, 1.0)))
    if life_threshold is not None:
        above = _check("life threshold", life_threshold, ALIVE_ABOVE, ALIVE_ABOVE + 1.0) - ALIVE_ABOVE
        wanted.append((LIFE_THRESHOLD, 127.0 * (1.0 - (1.0 - min(above, 1.0)) ** 0.5)))
    for controller, place in zip((MORPH_X, MORPH_Y), morph or (), strict=False):
        wanted.append((controller, 127.0 * _check("place on the pad", place, 0.0, 1.0)))
    return wanted


def _check(name: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise UsageError(f"the {name} must be in {low:g}..{high:g}, got {value}")
    return value


class GrowthSettings:
    """Growth controllers of one MIDI channel.

    Attributes
    ----------
    programs : list of int or None
        What the channel's own instrument morphs into, see `MORPH_PROGRAMS`; None where nothing was chosen.
    damage : float
        All rises of the damage controller so far, in shares of the grid: what a note has suffered is how far this
        went on since.
    """

    def __init__(self) -> None:
        self.damage = 0.0
        self.reset()

    def reset(self) -> None:
        """Return to the state at power-up; damage done is not undone."""
        self.programs: list[int | None] = [None] * len(MORPH_PROGRAMS)
        self.slide_target: int | None = None
        self.pressure_target: int | None = None
        self.reset_modulation()

    def reset_modulation(self) -> None:
        """Return to neutral; programs and targets stay."""
        self._values = dict(NEUTRAL)

    def control(self, controller: int, value: float) -> None:
        """Take a controller's value 0..127; others than `CONTROLLERS` do nothing."""
        if controller in self._values:
            if controller == DAMAGE:
                self.damage += max(value - self._values[DAMAGE], 0.0) / 127.0
            self._values[controller] = min(value, 127.0)
        elif controller in MORPH_PROGRAMS:
            self.programs[MORPH_PROGRAMS.index(controller)] = int(value)
        elif controller == SLIDE_TARGET:
            self.slide_target = _target(value)
        elif controller == PRESSURE_TARGET:
            self.pressure_target = _target(value)

    def strike(self, value: float) -> None:
        """Do damage of 0..127, whatever was done before."""
        self.damage += value / 127.0

    def press(self, value: int) -> None:
        """Let pressure 0..127 move its target away from neutral, to 0 if that is 64 or 127."""
        if self.pressure_target is not None:
            neutral = NEUTRAL[self.pressure_target]
            self.control(self.pressure_target, neutral * (1.0 - value / 127.0) if neutral else float(value))

    @property
    def rate(self) -> float:
        """How fast notes grow: 0 stands still, 1 at 64, 4 at 127."""
        value = self._values[GROWTH_RATE]
        return (value / 64.0) ** 2 if value <= 64.0 else MAX_GROWTH_RATE ** ((value - 64.0) / 63.0)

    @property
    def fire_rate(self) -> float:
        """Probability that a cell updates, 1/64..1; 1 at 127."""
        return max(self._values[FIRE_RATE] / 127.0, MIN_FIRE_RATE)

    @property
    def life_threshold(self) -> float:
        """Neighbourhood alpha above which cells live, 0.1..1.1; finer towards the top, where living cells are."""
        spared = 1.0 - self._values[LIFE_THRESHOLD] / 127.0
        return ALIVE_ABOVE + (1.0 - spared * spared)

    @property
    def morph(self) -> tuple[float, float]:
        """Place on the pad, x and y 0..1; (0, 0) is the channel's own instrument."""
        return self._values[MORPH_X] / 127.0, self._values[MORPH_Y] / 127.0


def _target(value: float) -> int | None:
    return TARGETS[int(value)] if 0 <= value < len(TARGETS) else None
