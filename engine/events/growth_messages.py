"""Controls of the growth itself from Python; each is a message, so that files and ports can say the same."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ...midi.messages import NUM_CHANNELS, Encodable
from ...midi.spec.growth_controllers import DAMAGE, MORPH_PROGRAMS, growth_message, growth_values


class GrowthControls(ABC):
    """What a synth does to growth, told by messages that it sends itself. Thread: as `Synth`."""

    @abstractmethod
    def send(
        self, data: bytes | bytearray | memoryview | Encodable, at_frame: int | None = None, port: int = 0
    ) -> None:
        """Queue a complete MIDI message."""

    def set_growth(
        self,
        channel: int,
        *,
        growth_rate: float | None = None,
        fire_rate: float | None = None,
        life_threshold: float | None = None,
        morph: tuple[float, float] | None = None,
        at_frame: int | None = None,
    ) -> None:
        """Set how notes of a MIDI channel grow (0..15, of a second port 16..31); what is None stays as it is.

        Parameters
        ----------
        growth_rate : 0 (stands still) to 4, neutral at 1
        fire_rate : probability that a cell updates, 1/64..1, neutral at 1
        life_threshold : neighbourhood alpha above which cells live, 0.1 (neutral) to 1.1
        morph : place on the pad of timbres, x and y 0..1
        at_frame : when, as `send` has it

        Raises
        ------
        UsageError
            If a value is out of range.
        """
        for controller, value in growth_values(growth_rate, fire_rate, life_threshold, morph):
            self._set_growth(channel, controller, value, at_frame)

    def damage(self, channel: int, share: float = 0.25, at_frame: int | None = None) -> None:
        """Erase a share 0..1 of the cells of what sounds on a MIDI channel; it heals."""
        self._set_growth(channel, DAMAGE, 127.0 * share, at_frame)

    def set_morph(self, channel: int, right: int | None, upper: int | None = None, far: int | None = None) -> None:
        """Choose programs in the corners of a channel's pad of timbres, for notes to come; None stays as it is."""
        for controller, program in zip(MORPH_PROGRAMS, (right, upper, far), strict=True):
            if program is not None:
                self._set_growth(channel, controller, program, None)

    def _set_growth(self, channel: int, controller: int, value: float, at_frame: int | None) -> None:
        port, index = divmod(channel, NUM_CHANNELS)
        self.send(growth_message(index, controller, value), at_frame, port)
