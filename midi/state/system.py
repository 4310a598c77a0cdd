"""What holds for all channels of a sound module alike: master volume, balance, tuning and effects."""

from __future__ import annotations

from typing import Final

RESETS: Final = ("gm", "gm2", "gs", "xg")
"""Standards whose "system on" brings back the state at power-up."""


class System:
    """What holds for all channels.

    Attributes
    ----------
    gain : float
        Linear gain 0..1 of the master volume, the same curve as CC 7.
    balance : float
        -1..1, left to right.
    fine_tuning, coarse_tuning : float
        Semitones.
    reverb, chorus : float
        Linear gain 0..2 of what the channels send to the effects.
    standard : str
        The standard that was switched on last, one of `RESETS`: banks mean what it means by them. "" at power-up.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Return to the state at power-up."""
        self.gain = self.reverb = self.chorus = 1.0
        self.balance = self.fine_tuning = self.coarse_tuning = 0.0
        self.standard = ""

    @property
    def tuning(self) -> float:
        """Semitones to add to every key that has a pitch."""
        return self.fine_tuning + self.coarse_tuning

    def set(self, name: str, value: float) -> bool:
        """Set something by the name that messages have for it; return whether it belongs here.

        Universal messages, GS and XG set the same things: the last one holds.
        """
        attribute = _ATTRIBUTES.get(name)
        if attribute is not None:
            setattr(self, attribute, value)
        return attribute is not None


_ATTRIBUTES: Final = {
    "volume": "gain",
    "balance": "balance",
    "fine tuning": "fine_tuning",
    "coarse tuning": "coarse_tuning",
    "reverb": "reverb",
    "chorus": "chorus",
}
