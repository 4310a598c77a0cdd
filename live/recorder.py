"""`Recorder`: what is played, as sound and as MIDI, written by a thread of its own."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import SimpleQueue

from ..engine.audiofile import MAX_WAV_BYTES, AudioWriter
from ..engine.spectral import FloatArray
from ..errors import TncaError, UsageError
from ..midi.writer import write_midi_file
from .realtime import demote_thread

_BYTES_PER_FRAME = 6
_SPARE_BYTES = 2**16


class Recorder:
    """Writes blocks to a WAV or FLAC file, and the messages to a MIDI file of the same name beside it.

    Both appear when `close` has succeeded, complete, or not at all. A WAV file that is full (4 GiB) ends the
    recording there.

    Parameters
    ----------
    path : Path
        Of the sound, ending in .wav or .flac.
    sample_rate : int
        Hz.

    Raises
    ------
    TncaError
        If no file can be written there.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        if path.suffix.lower() == ".mid":
            raise UsageError(
                f"--record takes the name of a sound file, got {str(path)!r}; the MIDI is written beside it"
            )
        self.path, self.midi_path = path, path.with_suffix(".mid")
        self._rate = sample_rate
        self._writer = AudioWriter(path, sample_rate)
        self._blocks: SimpleQueue[FloatArray | None] = SimpleQueue()
        self._messages: list[tuple[int, bytes]] = []
        self._error: TncaError | None = None
        self._is_full = self._is_closed = False
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    def block(self, block: FloatArray) -> None:
        """Append a block, float32 (N, 2), which the caller leaves alone from now on. Thread: producer; never waits."""
        self._blocks.put(block)

    def message(self, frame: int, data: bytes) -> None:
        """Note that a message plays at a frame of the recording. Thread: producer; never waits."""
        self._messages.append((max(frame, 0), data))

    def close(self) -> None:
        """Complete both files; a second call does nothing.

        Raises
        ------
        TncaError
            If they could not be written; nothing is left of either then.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._blocks.put(None)
        self._thread.join()
        if self._error is not None:
            self._writer.discard()
            raise self._error
        try:
            write_midi_file(self.midi_path, self._messages, self._rate)
        except TncaError:
            self._writer.discard()
            raise
        try:
            self._writer.close()
        except BaseException:
            self.midi_path.unlink(missing_ok=True)
            raise

    def discard(self) -> None:
        """Give up: leave nothing behind."""
        self._is_closed = True
        self._blocks.put(None)
        self._thread.join()
        self._writer.discard()

    def _write(self) -> None:
        demote_thread()
        while (block := self._blocks.get()) is not None:
            self._append(block)

    def _append(self, block: FloatArray) -> None:
        if self._error is not None or self._is_full:
            return
        size = (self._writer.num_frames + len(block)) * _BYTES_PER_FRAME + _SPARE_BYTES
        if self.path.suffix.lower() == ".wav" and size > MAX_WAV_BYTES:
            self._is_full = True
            return
        try:
            self._writer.write(block)
        except TncaError as error:
            self._error = error
