"""How many notes may begin: what nobody could hear apart is left out before anything is grown for it.

The rules look at nothing but the notes and their samples, so they do not depend on blocks, workers or the sound.
"""

from __future__ import annotations

from collections import deque

CROWD_S = 0.05
"""In this time as many notes may begin as there are voices, and `LEAST_STARTS` at least."""
LEAST_STARTS = 64
MAX_UNISON = 4
"""Strokes of one key of a channel at the very same sample that are played: the next would only be louder."""


class Crowd:
    """Admits notes, or leaves them out.

    Parameters
    ----------
    max_voices : int
        Notes that may sound at once.
    sample_rate : int
        Samples in a second.

    Attributes
    ----------
    num_left_out : int
        Notes that were not admitted so far.
    """

    def __init__(self, max_voices: int, sample_rate: int) -> None:
        self.num_left_out = 0
        self._length = round(CROWD_S * sample_rate)
        self._starts: deque[int] = deque(maxlen=max(max_voices, LEAST_STARTS))  # samples of the latest notes
        self._sample = -1
        self._strokes: dict[tuple[int, int], int] = {}  # at `_sample`, by channel and key

    def admits(self, sample: int, channel: int, key: int) -> bool:
        """Tell whether a note may begin at `sample`, and count it; samples must not decrease."""
        if sample != self._sample:
            self._sample = sample
            self._strokes.clear()
        strokes = self._strokes.get((channel, key), 0)
        is_full = len(self._starts) == self._starts.maxlen and sample - self._starts[0] < self._length
        if is_full or strokes == MAX_UNISON:
            self.num_left_out += 1
            return False
        self._strokes[channel, key] = strokes + 1
        self._starts.append(sample)
        return True
