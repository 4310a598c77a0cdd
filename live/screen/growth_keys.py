"""Growth on the screen: its values, and the keys that move them.

What a key asks for goes out as system exclusive messages to all channels, so that it acts whether or not the growth
controllers were asked for, and so that a recording holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...midi.messages import NUM_CHANNELS
from ...midi.spec.growth_controllers import (
    ALIVE_ABOVE,
    DAMAGE,
    FIRE_RATE,
    GROWTH_RATE,
    LIFE_THRESHOLD,
    MAX_GROWTH_RATE,
    MIN_FIRE_RATE,
    MORPH_PROGRAMS,
    MORPH_X,
    NEUTRAL,
    growth_message,
    growth_values,
)
from ..protocol import GrowthStatus, LiveStatus

STEP: Final = 127 / 16
"""How far a key moves a controller."""
DAMAGED_SHARE: Final = 0.25
_TOP: Final = 127.0


@dataclass(frozen=True)
class GrowthRow:
    """A line of the panel.

    Attributes
    ----------
    keys : what moves it, for people
    share : the value as a share of its range, None where it has none
    value : the value for people
    """

    keys: str
    label: str
    share: Callable[[LiveStatus], float] | None
    value: Callable[[LiveStatus], str]


def _morph_text(status: LiveStatus) -> str:
    corner = status.growth.corners[0]
    return f"{status.growth.morph[0]:.0%} {corner}" if corner else ", chooses"


ROWS: Final = (
    GrowthRow(
        "1 2", "Rate", lambda status: status.growth.rate / MAX_GROWTH_RATE, lambda status: f"{status.growth.rate:.2f}"
    ),
    GrowthRow(
        "3 4", "Fire rate", lambda status: status.growth.fire_rate, lambda status: f"{status.growth.fire_rate:.0%}"
    ),
    GrowthRow(
        "5 6",
        "Threshold",
        lambda status: status.growth.life_threshold - ALIVE_ABOVE,
        lambda status: f"{status.growth.life_threshold:.2f}",
    ),
    GrowthRow("8 9", "Morph", lambda status: status.growth.morph[0], _morph_text),
    GrowthRow("7", "Damage", None, lambda status: f"{DAMAGED_SHARE:.0%}   0 all neutral"),
    GrowthRow("-", "By CC", None, lambda status: "on (20-28, 102-106)" if status.growth_cc else "off"),
)
MOVES: Final = {
    "1": (GROWTH_RATE, -1), "2": (GROWTH_RATE, 1),
    "3": (FIRE_RATE, -1), "4": (FIRE_RATE, 1),
    "5": (LIFE_THRESHOLD, -1), "6": (LIFE_THRESHOLD, 1),
    "8": (MORPH_X, -1), "9": (MORPH_X, 1),
}  # fmt: skip
"""Key to controller and direction."""


def moved(growth: GrowthStatus, key: str) -> list[bytes]:
    """Return the messages by which a key of `MOVES` moves its value."""
    controller, direction = MOVES[key]
    value = _values(growth)[controller] + direction * STEP
    return _to_all(controller, min(max(value, 0.0), _TOP))


def damage() -> list[bytes]:
    """Return the messages that damage what sounds."""
    return _to_all(DAMAGE, _TOP * DAMAGED_SHARE)


def neutral() -> list[bytes]:
    """Return the messages that let everything grow as it was learned."""
    return [
        data for controller, value in NEUTRAL.items() if controller != DAMAGE for data in _to_all(controller, value)
    ]


def morph_into(program: int) -> list[bytes]:
    """Return the messages that put a program at the right end of the pad of timbres, for notes to come."""
    return _to_all(MORPH_PROGRAMS[0], program)


def _values(growth: GrowthStatus) -> dict[int, float]:
    """Return the controllers' values 0..127 that stand for a status."""
    return dict(
        growth_values(
            growth.rate,
            max(growth.fire_rate, MIN_FIRE_RATE),
            min(growth.life_threshold, ALIVE_ABOVE + 1.0),
            growth.morph,
        )
    )


def _to_all(controller: int, value: float) -> list[bytes]:
    return [growth_message(channel, controller, value) for channel in range(NUM_CHANNELS)]
