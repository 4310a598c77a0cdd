"""Which of the ports of a MIDI file each event is for: the names and numbers of its tracks, counted through.

Tracks name their port by meta events that are not in the standard but widespread: 21 with a number, or 09 with a name.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..messages import NUM_CHANNELS, SYSTEM_EXCLUSIVE
from ..state.interpreter import MAX_PORTS
from .track import Port, Track


class SongPorts:
    """The ports that channel messages of a song are sent to, numbered from 0: first those with numbers, then names.

    Parameters
    ----------
    tracks : iterable of Track

    Attributes
    ----------
    count : int
        How many there are, 1..16. Further ones share these, in turn.
    warnings : list of str
        Whether ports were laid together.
    """

    def __init__(self, tracks: Iterable[Track]) -> None:
        used = dict.fromkeys(port for track in tracks for _, data, port in track.events if data[0] < SYSTEM_EXCLUSIVE)
        names = [port for port in used if isinstance(port, str)]
        numbers = {port for port in used if isinstance(port, int)}
        # Tracks that say nothing are on the first port: with one name in a file, that is the one.
        self._unnamed: Port = names[0] if names and not numbers else 0
        if None in used and self._unnamed == 0:
            numbers.add(0)
        known: list[Port] = [*sorted(numbers), *names]
        self.count = min(max(len(known), 1), MAX_PORTS)
        self._places = {port: place % MAX_PORTS for place, port in enumerate(known)}
        self.warnings = []
        if len(known) > MAX_PORTS:
            self.warnings.append(
                f"{len(known)} MIDI ports of {NUM_CHANNELS} channels, expected at most {MAX_PORTS}: more share them"
            )

    def of(self, data: bytes, port: Port) -> Iterable[int]:
        """Return the places of the ports that a message is for: all, for a system message that names none."""
        if data[0] >= SYSTEM_EXCLUSIVE and port not in self._places:
            return range(self.count)
        return (self._places[self._unnamed if port is None else port],)
