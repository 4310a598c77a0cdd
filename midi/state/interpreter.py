"""`Interpreter`: MIDI messages in, what a synthesizer must do out, for every port that a song plays on."""

from __future__ import annotations

from itertools import count, pairwise

from ..commands import Command, NoteCut, NoteRelease
from ..messages import NUM_CHANNELS, check_range
from .expression import Expression
from .module import SoundModule
from .system import System

MAX_PORTS = 16


class Interpreter:
    """The state of the MIDI channels of all ports and the notes that sound on them.

    A port is a sound module of its own, with 16 channels, resets, tunings and zones: a message to one port says
    nothing to another, save that GS and XG can address the parts of the next one. Channels are numbered through,
    those of a second port from 16 on. The number of notes is not limited: which voice to steal is the engine's
    business. Not safe to share between threads.

    Parameters
    ----------
    num_ports : int
        1..16.
    obeys_growth : bool
        Whether controllers that MIDI leaves undefined move the growth, see `midi.spec.growth_controllers`.

    Attributes
    ----------
    channels : tuple of Channel
        Continuous state, one per MIDI channel. `expression` says what they come to.
    """

    def __init__(self, num_ports: int = 1, obeys_growth: bool = False) -> None:
        check_range("num_ports", num_ports, 1, MAX_PORTS)
        next_id = count(1).__next__
        self._modules = tuple(SoundModule(NUM_CHANNELS * port, next_id, obeys_growth) for port in range(num_ports))
        for module, following in pairwise(self._modules):
            module.next_module = following
        self.channels = tuple(channel for module in self._modules for channel in module.channels)

    @property
    def num_ports(self) -> int:
        """Number of ports."""
        return len(self._modules)

    @property
    def system(self) -> System:
        """What holds for all channels of the first port."""
        return self._modules[0].system

    @property
    def num_held_notes(self) -> int:
        """Number of notes started and not yet released or cut."""
        return sum(module.num_held_notes for module in self._modules)

    @property
    def obeys_growth(self) -> bool:
        """Whether controllers that MIDI leaves undefined move the growth after a reset."""
        return self._modules[0].obeys_growth_at_first

    def obey_growth(self, obeys: bool) -> None:
        """Let controllers that MIDI leaves undefined move the growth from now on, or not; what was set stays set."""
        for module in self._modules:
            module.obey_growth(obeys)

    def expression(self, index: int) -> Expression:
        """Return how a channel sounds now."""
        port, channel = divmod(index, NUM_CHANNELS)
        return self._modules[port].expression(channel)

    def led_by(self, index: int) -> tuple[int, ...]:
        """Return the channels that a message to a channel reaches: itself as a rule, and its MPE members."""
        port, channel = divmod(index, NUM_CHANNELS)
        return tuple(NUM_CHANNELS * port + one for one in self._modules[port].led_by(channel))

    def key_tuning(self, index: int, key: int) -> float:
        """Return semitones that scales and the MIDI Tuning Standard add to a key of a channel; drums have none."""
        port, channel = divmod(index, NUM_CHANNELS)
        return self._modules[port].key_tuning(channel, key)

    def handle(self, data: bytes, port: int = 0) -> list[Command]:
        """Take one complete MIDI message and return what to do, in order.

        Malformed and unknown messages do nothing: a port may deliver anything.

        Parameters
        ----------
        data : bytes
            Status byte and all data bytes.
        port : int
            The port that it is sent to, 0 for the first.
        """
        return self._modules[port].handle(data)

    def all_notes_off(self) -> list[NoteRelease]:
        """Release every note on every channel, pedals or not; controllers and pedals stay as they are."""
        return [release for module in self._modules for release in module.all_notes_off()]

    def reset(self) -> list[NoteRelease]:
        """Release every note and return everything but the note ids to the state at power-up."""
        return [release for module in self._modules for release in module.reset()]

    def panic(self) -> list[NoteCut]:
        """Cut every note and reset the controllers, so that nothing sounds, sticks or stays bent."""
        return [cut for module in self._modules for cut in module.panic()]
