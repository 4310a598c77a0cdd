"""From ticks to seconds: tempo maps and SMPTE time."""

from bisect import bisect_right
from fractions import Fraction
from operator import itemgetter
from typing import Final, Protocol

from ...errors import MidiFileError

DEFAULT_TEMPO_US: Final = 500_000
_US_PER_S: Final = 1_000_000
# 29 stands for the 29.97 frames per second of colour television.
_SMPTE_FPS: Final = {24: Fraction(24), 25: Fraction(25), 29: Fraction(30000, 1001), 30: Fraction(30)}


class Clock(Protocol):
    """Turns ticks into seconds."""

    def seconds(self, tick: int) -> float:
        """Return the time in seconds of a tick >= 0 counted from the start."""
        ...


class TempoMap:
    """Metrical time: ticks are a fraction of a quarter note, whose length changes along the song.

    Parameters
    ----------
    ticks_per_quarter : int
        At least 1.
    tempos : list of (int, int)
        (tick, microseconds per quarter note) in any order; of several at one tick the last one holds. The
        tempo is 500,000 us until the first.
    """

    def __init__(self, ticks_per_quarter: int, tempos: list[tuple[int, int]]) -> None:
        self._divisor = ticks_per_quarter * _US_PER_S
        self._ticks = [0]
        self._tempos_us = [DEFAULT_TEMPO_US]
        # Summed up as integers (us * ticks per quarter), so that thousands of changes add no rounding.
        self._starts = [0]
        for tick, tempo_us in sorted(tempos, key=itemgetter(0)):
            self._starts.append(self._starts[-1] + (tick - self._ticks[-1]) * self._tempos_us[-1])
            self._ticks.append(tick)
            self._tempos_us.append(tempo_us)

    def seconds(self, tick: int) -> float:
        """Return the time in seconds of a tick >= 0 counted from the start."""
        index = bisect_right(self._ticks, tick) - 1
        return (self._starts[index] + (tick - self._ticks[index]) * self._tempos_us[index]) / self._divisor


class SmpteTime:
    """Absolute time: ticks are a fraction of a film frame and tempo has no say.

    Parameters
    ----------
    ticks_per_s : Fraction
        Frames per second times ticks per frame.
    """

    def __init__(self, ticks_per_s: Fraction) -> None:
        self._ticks_per_s = ticks_per_s

    def seconds(self, tick: int) -> float:
        """Return the time in seconds of a tick >= 0 counted from the start."""
        return tick * self._ticks_per_s.denominator / self._ticks_per_s.numerator


def is_known_rate(division: int) -> bool:
    """Tell whether a division counts in quarter notes, or in frames of a rate that films and televisions have."""
    return division >= 0 or _frames_per_s(division) in _SMPTE_FPS


def make_clock(division: int, tempos: list[tuple[int, int]]) -> Clock:
    """Return the clock for a file's division field (signed 16 bits) and its tempo changes.

    A frame rate that SMPTE does not know is taken literally.

    Raises
    ------
    MidiFileError
        If the division gives no ticks at all.
    """
    if division > 0:
        return TempoMap(division, tempos)
    if division == 0:
        raise MidiFileError("the division is 0 ticks per quarter note, expected at least 1")
    fps, ticks_per_frame = _frames_per_s(division), division & 0xFF
    if ticks_per_frame == 0:
        raise MidiFileError(f"the SMPTE division is {fps} frames/s x 0 ticks, expected 1..255 ticks")
    return SmpteTime(_SMPTE_FPS.get(fps, Fraction(fps)) * ticks_per_frame)


def _frames_per_s(division: int) -> int:
    return -(division >> 8)
