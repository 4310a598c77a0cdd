"""`OutputClock`: which output frame a moment of the system's clock belongs to; `Watch`: when a device is lost."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_S: Final = 0.25
BUCKETS: Final = 5
STALL_S: Final = 1.0
"""A device that has taken nothing for so long is lost."""
LONG_S: Final = 0.5


class Watch:
    """Tells when a device has been watched for `STALL_S` in vain.

    Who has not looked for long cannot tell: then it was this process that stood still.
    """

    def __init__(self, now_s: float) -> None:
        self._looked_s, self._gives_up_s = now_s, now_s + STALL_S

    def is_in_vain(self, now_s: float) -> bool:
        """Look, and tell whether to give up."""
        if now_s > self._looked_s + LONG_S:
            self._gives_up_s = now_s + STALL_S
        self._looked_s = now_s
        return now_s > self._gives_up_s


class OutputClock:
    """Maps moments to output frames, smoothly, from observations that come late by a little.

    Whoever sees at `now_s` that frames up to `taken` were taken knows that the callback which took the last block began
    before. The earliest of these moments over the last `WINDOW_S` therefore lies on the device's own time line, however
    unpunctual the observer is; the window lets the line follow a device whose clock differs from the system's, or that
    lost time. Where it lost much (it stood still, or the ring ran dry), the line starts anew at once.

    Parameters
    ----------
    sample_rate : int
        Frames per second, nominally.
    block_size : int
        Frames per callback.

    Notes
    -----
    Thread: producer.
    """

    def __init__(self, sample_rate: int, block_size: int) -> None:
        self._rate, self._block = sample_rate, block_size
        self._lines: deque[tuple[float, float]] = deque()  # (begin of a bucket, latest line seen in it)
        self._line = 0.0  # frame at system time 0
        self._seen = -1

    @property
    def is_set(self) -> bool:
        """Whether anything has been observed."""
        return bool(self._lines)

    def observe(self, now_s: float, taken: int) -> None:
        """Learn that at `now_s` the frames up to `taken` had been taken."""
        if not taken:
            return
        line = taken - self._block - now_s * self._rate
        if self._lines and self.frame_at(now_s) > taken + self._block // 2:
            self._lines.clear()  # the device lost time
        if taken == self._seen and self._lines:
            return
        self._seen = taken
        if not self._lines or now_s - self._lines[-1][0] > WINDOW_S / BUCKETS:
            self._lines.append((now_s, line))
            if len(self._lines) > BUCKETS:
                self._lines.popleft()
        elif line > self._lines[-1][1]:
            self._lines[-1] = (self._lines[-1][0], line)
        self._line = max(one for _, one in self._lines)

    def frame_at(self, time_s: float) -> int:
        """Return the frame whose callback began, or will begin, at a moment; between callbacks it goes on evenly."""
        return round(self._line + time_s * self._rate)

    def time_of(self, frame: int) -> float:
        """Return the moment of a frame, seconds."""
        return (frame - self._line) / self._rate
