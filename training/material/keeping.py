"""Notes kept in memory within bounds, however many and however long they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ..measure.recording import Recording
from .material import Finding

LONGEST_S: Final = 15.0
"""What a note is cut to: by then a model has heard how it goes on."""
SHORTEST_S: Final = 3.0
MOST_S: Final = 1800.0
"""Of all notes together: 160 MB at 22,050 Hz."""
SHRINKING: Final = 0.7


class Keeper:
    """Collects recordings; all of them are cut shorter when they are too many.

    Parameters
    ----------
    sample_rate : int
        Of the recordings, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.recordings: list[Recording] = []
        self.findings: list[Finding] = []
        self._rate = sample_rate
        self._limit_s = LONGEST_S
        self._samples = 0

    def add(self, recording: Recording) -> None:
        """Keep a note; a long one is cut, and named."""
        length_s = len(recording.audio) / self._rate
        kept = self._cut(recording)
        if recording.hold_s > LONGEST_S:
            reason = f"long: held {recording.hold_s:.0f} of {length_s:.0f} s, the first {LONGEST_S:g} s are taken"
            self.findings.append(Finding(recording.origin, reason, is_refused=False))
        self.recordings.append(kept)
        self._samples += len(kept.audio)
        while self._samples > MOST_S * self._rate and self._limit_s > SHORTEST_S:
            self._limit_s = max(SHORTEST_S, self._limit_s * SHRINKING)
            self.recordings = [self._cut(one) for one in self.recordings]
            self._samples = sum(len(one.audio) for one in self.recordings)

    def _cut(self, recording: Recording) -> Recording:
        most = int(self._limit_s * self._rate)
        if len(recording.audio) <= most:
            return recording
        return replace(recording, audio=recording.audio[:most].copy(), hold_s=min(recording.hold_s, most / self._rate))
