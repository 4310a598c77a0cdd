"""What holds for all MIDI channels alike: master volume, balance and tuning."""

from collections.abc import Callable
from typing import Final

from .messages import BEND_CENTRE
from .system_exclusive import Exclusive

_MAX_14_BIT: Final = 0x3FFF


class System:
    """What holds for all channels.

    Attributes
    ----------
    gain : float
        Linear gain 0..1 of the universal master volume SysEx, the same curve as CC 7.
    balance : float
        -1..1, left to right.
    fine_tuning, coarse_tuning : float
        Semitones.
    is_xg : bool
        Whether banks mean what Yamaha XG means by them.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Return to the state at power-up."""
        self.gain = 1.0
        self.balance = self.fine_tuning = self.coarse_tuning = 0.0
        self.is_xg = False

    @property
    def tuning(self) -> float:
        """Semitones to add to every key that has a pitch."""
        return self.fine_tuning + self.coarse_tuning

    def receive(self, message: Exclusive) -> bool:
        """Take a SysEx message; return whether it was one of those that change something here."""
        action = _ACTIONS.get(message.kind)
        if action is not None:
            action(self, message)
        return action is not None

    def _set_gain(self, message: Exclusive) -> None:
        self.gain = (message.value_14_bit / _MAX_14_BIT) ** 2

    def _set_balance(self, message: Exclusive) -> None:
        self.balance = max((message.value_14_bit - BEND_CENTRE) / (BEND_CENTRE - 1), -1.0)

    def _set_fine_tuning(self, message: Exclusive) -> None:
        self.fine_tuning = (message.value_14_bit - BEND_CENTRE) / BEND_CENTRE

    def _set_coarse_tuning(self, message: Exclusive) -> None:
        self.coarse_tuning = float(message.values[1] - 64)


_ACTIONS: Final[dict[str, Callable[[System, Exclusive], None]]] = {
    "volume": System._set_gain,
    "balance": System._set_balance,
    "fine tuning": System._set_fine_tuning,
    "coarse tuning": System._set_coarse_tuning,
}
