"""`Rest`: silence that lies ready while nothing sounds, and is taken back when something is about to."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..audio.device import Output
from ..audio.output_devices import NUM_CHANNELS
from ..recording.recorder import Recorder

READY_S: Final = 0.5
"""So much silence lies in the ring at most,"""
STEP_S: Final = 0.2
"""and so often it is filled up."""
MAX_READY_FRAMES: Final = 24576
"""Three quarters of the smallest ring."""


class Rest:
    """Writes silence far ahead; latency stays what it is, since all but the next blocks is taken back in time.

    Parameters
    ----------
    output : Output
    recorder : Recorder or None
        Is given the silence that was heard.

    Notes
    -----
    Thread: producer.
    """

    def __init__(self, output: Output, recorder: Recorder | None) -> None:
        self._output, self._recorder = output, recorder
        block = output.block_size
        ready = min(round(READY_S * output.sample_rate), MAX_READY_FRAMES) // block * block
        self.is_possible = ready >= 4 * block
        self._ready = ready
        self.step_frames = max(min(round(STEP_S * output.sample_rate), ready // 2) // block, 1) * block
        self._silence = np.zeros((ready, NUM_CHANNELS), np.float32)
        self._begin = self._recorded = 0

    def record_with(self, recorder: Recorder | None) -> None:
        """Give the silence from here on to a recorder, or to none; not while resting."""
        self._recorder = recorder

    def begin(self) -> None:
        """Begin to rest."""
        self._begin = self._recorded = self._output.frames_written

    def fill_up(self) -> None:
        """Write as much silence as is missing."""
        output = self._output
        missing = (self._ready - output.frames_ahead) // output.block_size * output.block_size
        if missing > 0:
            output.write(self._silence[:missing])
        self._record(output.frames_written - self._ready)

    def end(self, frames_kept: int) -> int:
        """Take back all silence but the next frames; return how many frames of it were written in all."""
        self._output.take_back(frames_kept)
        self._record(self._output.frames_written)
        return self._output.frames_written - self._begin

    def _record(self, until: int) -> None:
        """Record the silence up to a frame that will not be taken back."""
        while self._recorder is not None and self._recorded < until:
            count = min(until - self._recorded, self._ready)
            self._recorder.block(self._silence[:count])
            self._recorded += count
