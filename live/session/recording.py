"""`LiveRecording`: the takes of a session, one after another, begun and ended while it plays."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

from ...errors import TncaError
from ..producer.producer import Producer
from ..protocol import TakeParts, TakeTold
from ..recording.recorder import Recorder
from ..recording.take import finish_left_behind

SWAP_S: Final = 2.0
"""How long the producer may take to let go of a take that has ended."""


class LiveRecording:
    """Begins takes and completes them.

    Parameters
    ----------
    sample_rate : int
        Hz.
    notice : callable
        Takes lines for people.

    Attributes
    ----------
    told : deque of TakeTold
        What the control process must know of takes, oldest first.

    Notes
    -----
    Thread: control.
    """

    def __init__(self, sample_rate: int, notice: Callable[[str], None]) -> None:
        self.recorder: Recorder | None = None
        self.told: deque[TakeTold] = deque()
        self._rate, self._notice = sample_rate, notice
        self._began_s = 0.0
        self._finishing: list[threading.Thread] = []

    @property
    def path(self) -> str:
        """Of the take that is recorded, "" if none is."""
        return "" if self.recorder is None else str(self.recorder.path)

    @property
    def length_s(self) -> float:
        """Of the take that is recorded, so far."""
        return 0.0 if self.recorder is None else monotonic() - self._began_s

    def open(self, path: Path, takes: Sequence[TakeParts] = ()) -> None:
        """Open the first take, or go on with one that another process began.

        Takes of killed processes that were left in the folder are completed.

        Raises
        ------
        TncaError
            If no file can be written there.
        """
        if not takes:
            for rescued in finish_left_behind(path.parent):
                self._notice(f"a recording that had broken off is in {rescued} now")
        self.recorder = Recorder(path, self._rate, self._notice, takes)
        self._began_s = monotonic()

    def begin(self, path: Path, player: Producer, prepare: Callable[[], None]) -> None:
        """Begin a take while playing, if none is recorded; `prepare` records what brings a synth to this state."""
        if self.recorder is not None:
            return
        try:
            self.open(path)
        except TncaError as error:
            self.told.append(TakeTold(None))
            self._notice(str(error))
            return
        recorder = self.recorder

        def swap() -> None:
            player.record_with(recorder)
            prepare()

        player.do(swap)
        assert recorder is not None
        self.told.append(TakeTold(recorder.parts))

    def end(self, player: Producer) -> None:
        """Complete the take that is recorded, aside: playing goes on."""
        recorder, self.recorder = self.recorder, None
        if recorder is None:
            return
        has_let_go = threading.Event()

        def swap() -> None:
            player.record_with(None)
            has_let_go.set()

        def finish() -> None:
            has_let_go.wait(SWAP_S)
            try:
                recorder.close()
                line = f"recorded in {recorder.path} and {recorder.midi_path}"
            except TncaError as error:
                line = str(error)
            self.told.append(TakeTold(None))
            self._notice(line)

        player.do(swap)
        thread = threading.Thread(target=finish, name="take", daemon=True)
        self._finishing.append(thread)
        thread.start()

    def close(self) -> None:
        """Complete what is recorded.

        Raises
        ------
        TncaError
            If not all of the last take could be stored.
        """
        for thread in self._finishing:
            thread.join()
        if self.recorder is not None:
            self.recorder.close()

    def suspend(self) -> TakeParts | None:
        """Leave the take for a later process to go on with; return its files."""
        for thread in self._finishing:
            thread.join()
        return None if self.recorder is None else self.recorder.suspend()

    def abandon(self, has_begun_before: bool) -> None:
        """Leave nothing behind, but what processes before this one have recorded."""
        if self.recorder is None:
            return
        if not has_begun_before:
            self.recorder.discard()
            return
        with suppress(TncaError):
            self.recorder.close()
