"""`PolyphonyGovernor`: fewer voices before the sound breaks up, more again when there is time."""

from __future__ import annotations

from typing import Final

HIGH_LOAD: Final = 0.85
BUSY_LOAD: Final = 0.75
LOW_LOAD: Final = 0.65
STEP_DOWN: Final = 0.8
STEP_UP: Final = 1.25
PATIENCE_DOWN_S: Final = 0.3
PATIENCE_UP_S: Final = 3.0
MIN_VOICES: Final = 4
LOAD_TIME_S: Final = 0.3
"""Over which the load is averaged."""
MOST_OF_ONE_S: Final = 0.03
"""What one block may count for at most, in seconds: standing still once does not mean too many voices."""


class LoadMeter:
    """Averages which share of real time the producing of blocks takes.

    Attributes
    ----------
    load : float
        Share, averaged over `LOAD_TIME_S`. A single block adds a tenth at most, however long it took, unless blocks are
        longer than `MOST_OF_ONE_S` themselves.

    Notes
    -----
    Thread: producer.
    """

    def __init__(self) -> None:
        self.load = 0.0

    def observe(self, spent_s: float, block_s: float) -> float:
        """Learn how long one block of so many seconds took; return the load."""
        share = min(spent_s, max(MOST_OF_ONE_S, 2.0 * block_s)) / block_s
        self.load += min(block_s / LOAD_TIME_S, 1.0) * (share - self.load)
        return self.load


class PolyphonyGovernor:
    """Says how many voices may sound.

    Parameters
    ----------
    max_voices : int
        What it never exceeds.

    Attributes
    ----------
    limit : int
        What may sound now.

    Notes
    -----
    Thread: producer.
    """

    def __init__(self, max_voices: int) -> None:
        self.limit = self._max_voices = max_voices
        self._underruns = 0
        self._changed_s = self._calm_since_s = 0.0

    def observe(self, now_s: float, load: float, underruns: int, voices: int) -> int | None:
        """Learn how it goes, and return a new limit of voices, or None if the present one may stay.

        Parameters
        ----------
        load : share of real time that producing takes, averaged over a moment
        underruns : counted so far
        voices : that sound now
        """
        has_broken = underruns > self._underruns and load > BUSY_LOAD
        self._underruns = underruns
        if load > LOW_LOAD:
            self._calm_since_s = now_s
        if (load > HIGH_LOAD or has_broken) and now_s - self._changed_s > PATIENCE_DOWN_S:
            return self._set(min(self.limit, max(round(voices * STEP_DOWN), MIN_VOICES)), now_s)
        if self.limit < self._max_voices and now_s - max(self._calm_since_s, self._changed_s) > PATIENCE_UP_S:
            return self._set(min(round(self.limit * STEP_UP) + 1, self._max_voices), now_s)
        return None

    def _set(self, limit: int, now_s: float) -> int | None:
        if limit == self.limit:
            return None
        self.limit, self._changed_s = limit, now_s
        return limit
