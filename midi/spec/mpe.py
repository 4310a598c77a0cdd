"""MPE zones: which MIDI channels carry one note each, and which channel leads them (MIDI Polyphonic Expression 1.0)."""

from typing import Final

from ..messages import (
    BRIGHTNESS,
    DATA_DECREMENT,
    DATA_ENTRY_LSB,
    DATA_ENTRY_MSB,
    DATA_INCREMENT,
    MONO_ON,
    NRPN_LSB,
    NRPN_MSB,
    NUM_CHANNELS,
    OMNI_OFF,
    OMNI_ON,
    POLY_ON,
    RPN_LSB,
    RPN_MSB,
)

LOWER_MASTER: Final = 0
UPPER_MASTER: Final = NUM_CHANNELS - 1
MEMBER_BEND_RANGE: Final = 48 << 7
MASTER_BEND_RANGE: Final = 2 << 7
_BETWEEN: Final = NUM_CHANNELS - 2  # channels that the two zones can share out

# On an MPE master these stay its own: what they say is added to what the members say, or is no business of theirs.
NOT_FOR_MEMBERS: Final = frozenset(
    (
        BRIGHTNESS,
        *(DATA_ENTRY_MSB, DATA_ENTRY_LSB, DATA_INCREMENT, DATA_DECREMENT),
        *(NRPN_LSB, NRPN_MSB, RPN_LSB, RPN_MSB),
        *(OMNI_OFF, OMNI_ON, MONO_ON, POLY_ON),
    )
)


class MpeZones:
    """The lower zone counts its members up from channel 0, the upper one down from 15; at first there is none."""

    def __init__(self) -> None:
        self._sizes = {LOWER_MASTER: 0, UPPER_MASTER: 0}

    def configure(self, master: int, num_members: int) -> None:
        """Make a zone of a size 0..15, 0 to remove it; the other one gives way."""
        other = LOWER_MASTER + UPPER_MASTER - master
        self._sizes[master] = num_members
        room = _BETWEEN - num_members if num_members else NUM_CHANNELS
        self._sizes[other] = max(min(self._sizes[other], room), 0)

    def members(self, master: int) -> range:
        """Return the member channels of a zone by its master; of any other channel none."""
        size = self._sizes.get(master, 0)
        return range(1, 1 + size) if master == LOWER_MASTER else range(UPPER_MASTER - size, UPPER_MASTER if size else 0)

    def master_of(self, channel: int) -> int | None:
        """Return the master of a member channel, None of any other."""
        return next((master for master in self._sizes if channel in self.members(master)), None)
