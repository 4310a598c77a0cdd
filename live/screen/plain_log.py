"""Live play told in plain lines, for terminals without a screen, pipes and service logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from ..protocol import LiveStatus

LATE_BLOCKS_EVERY_S: Final = 5.0


class PlainLog:
    """Writes a line whenever something has changed that a player wants to know.

    Parameters
    ----------
    write : callable
        Takes one line without its end.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._known = LiveStatus()
        self._late_told_s = 0.0

    def start(self, status: LiveStatus) -> None:
        """Tell what is played where, and how late it sounds."""
        self._known = replace(status, notices=(), underruns=0, xruns=0)
        ports = ", ".join(status.midi_ports) or "no MIDI port yet"
        self._write(f"playing {sound(status)} from {ports} on {output(status)}, latency {status.latency_ms:.1f} ms")
        self.update(status, 0.0)

    def update(self, status: LiveStatus, now_s: float) -> None:
        """Tell what is new since the last call; `now_s` is the time played."""
        known = self._known
        for line in new_lines(known.notices, status.notices):
            self._write(line)
        if sound(status) != sound(known):
            self._write(f"now playing {sound(status)}")
        self._known = replace(status, underruns=known.underruns, xruns=known.xruns)
        late = (status.underruns, status.xruns)
        if late != (known.underruns, known.xruns) and now_s >= self._late_told_s:
            self._write(f"the sound broke up: {lateness(status)} so far")
            self._known = status
            self._late_told_s = now_s + LATE_BLOCKS_EVERY_S

    def finish(self, status: LiveStatus, played_s: float) -> None:
        """Tell what is left to tell, and how it went."""
        for line in new_lines(self._known.notices, status.notices):
            self._write(line)
        self._write(f"played for {duration(played_s)}, {lateness(status)}")


def sound(status: LiveStatus) -> str:
    """Return what plays, for people."""
    locked = ", locked" if status.is_locked else ""
    return f"{status.instrument or 'what the program asks for'}{locked} ({status.representation}, {status.decoder})"


def output(status: LiveStatus) -> str:
    """Return where it sounds, for people."""
    return f"{status.audio_device}, {status.sample_rate:,} Hz, blocks of {status.block_size}"


def lateness(status: LiveStatus) -> str:
    """Return how often the sound broke up, for people."""
    return f"{_count(status.underruns, 'underrun')}, {_count(status.xruns, 'xrun')}"


def duration(time_s: float) -> str:
    """Return a time for people, as in 61:05 min."""
    minutes, seconds = divmod(round(time_s), 60)
    return f"{minutes}:{seconds:02d} min"


def new_lines(known: Sequence[str], newest: Sequence[str]) -> Sequence[str]:
    """Return the lines of `newest` that came after those of `known`, both being the last few lines of one story."""
    for start in range(len(known) + 1):
        overlap = known[start:]
        if list(newest[: len(overlap)]) == list(overlap):
            return newest[len(overlap) :]
    raise AssertionError("an empty overlap always fits")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
