"""`Recorder`: what is played, as sound and as MIDI, written by a thread of its own."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from ...engine.arrays import FloatArray
from ...engine.output.audiofile import MAX_WAV_BYTES, AudioWriter, mend, sound_blocks
from ...errors import AudioFileError, TncaError, UsageError
from ...midi.files.writer import write_midi_file
from ..audio.realtime import demote_thread
from ..protocol import TakeParts
from .take import SUFFIX, Journal, finish_parts, free_name, messages_before, read_journal

RESERVE_BYTES: Final = 2**20
"""What is left free on the disk: room to complete both files."""
LOOK_EVERY_BYTES: Final = 2**17
"""How much is written between two looks at the free space."""
_BYTES_PER_FRAME: Final = 6
_SPARE_BYTES: Final = 2**16

Message = tuple[int, bytes]


class Recorder:
    """Writes blocks to a WAV or FLAC file, and the messages to a MIDI file of the same name beside it.

    Both appear when `close` is called. What cannot be stored, because the disk or the WAV file (4 GiB) is full, is said
    at once, and what was stored until then is kept.

    Parameters
    ----------
    path : Path
        Of the sound, ending in .wav or .flac.
    sample_rate : int
        Hz.
    notice : callable
        Takes lines for people; called in the recorder's thread.
    continues : sequence of TakeParts
        What processes before this one have left of the take, oldest first: it goes on from there.

    Attributes
    ----------
    parts : TakeParts
        The files while they are written.

    Raises
    ------
    TncaError
        If no file can be written there.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        notice: Callable[[str], None] = lambda line: None,
        continues: Sequence[TakeParts] = (),
    ) -> None:
        self.path, self.midi_path = path, path.with_suffix(".mid")
        self._check_place()
        self._rate, self._notice = sample_rate, notice
        self._writer = AudioWriter(path, sample_rate)
        self.parts = TakeParts(self._writer.part, self._writer.part.with_suffix(SUFFIX))
        self._journal = self._open_journal()
        self._items: SimpleQueue[FloatArray | Message | None] = SimpleQueue()
        self._first = 0  # frame of the take at which this process began
        self._looked_at = 0  # bytes written when the free space was last looked at
        self._stopped = ""  # why nothing is stored any more
        self._kept: TakeParts | None = None  # parts of before that could not be copied
        self._is_closed = False
        self._thread = threading.Thread(target=self._write, args=(tuple(continues),), name="recorder", daemon=True)
        self._thread.start()

    def block(self, block: FloatArray) -> None:
        """Append a block, float32 (N, 2), which the caller leaves alone from now on. Thread: producer; never waits."""
        self._items.put(block)

    def message(self, frame: int, data: bytes) -> None:
        """Note that a message plays at a frame, counted from the first block. Thread: producer; never waits."""
        self._items.put((max(frame, 0), data))

    def close(self) -> None:
        """Complete both files; a second call does nothing.

        Raises
        ------
        TncaError
            If not all was stored; what could be is kept in either file.
        """
        if self._is_closed:
            return
        self._end_thread()
        faults = [self._stopped] * bool(self._stopped)
        for complete in (self._complete_midi, self._complete_sound):  # the sound last: until then the parts are whole
            try:
                complete()
            except TncaError as error:
                faults.append(str(error))
        self._drop_journal()
        if faults:
            raise AudioFileError("; ".join(faults))

    def suspend(self) -> TakeParts | None:
        """Stop, and leave the parts for a later process to go on with; return them, None if that cannot be."""
        if self._is_closed:
            return None
        self._end_thread()
        if self._kept is not None:
            self._writer.discard()
            self._drop_journal()
            return self._kept
        self._writer.leave()
        self._journal.close()
        return self.parts

    def discard(self) -> None:
        """Give up: leave nothing behind."""
        self._end_thread()
        self._writer.discard()
        self._drop_journal()

    def _check_place(self) -> None:
        if self.path.suffix.lower() == ".mid":
            raise UsageError(
                f"--record takes the name of a sound file, got {str(self.path)!r}; the MIDI is written beside it"
            )
        if self.midi_path.is_dir() or (self.midi_path.exists() and not os.access(self.midi_path, os.W_OK)):
            raise AudioFileError(
                f"cannot write {str(self.midi_path)!r}: something that may not be overwritten is there"
            )
        with suppress(OSError):
            free = shutil.disk_usage(self.path.parent).free
            if free < RESERVE_BYTES:
                raise AudioFileError(f"cannot record to {str(self.path)!r}: the disk is full ({free // 1024} kB left)")

    def _open_journal(self) -> Journal:
        try:
            return Journal(self.parts.journal, self.path, self._rate)
        except OSError as error:
            self._writer.discard()
            raise AudioFileError(f"cannot write {str(self.parts.journal)!r}: {error.strerror or error}") from error

    def _end_thread(self) -> None:
        self._is_closed = True
        self._items.put(None)
        self._thread.join()

    def _complete_sound(self) -> None:
        if self._kept is not None:
            self._writer.discard()
            finish_parts(self._kept, self.path)
            return
        wanted = self._writer.num_frames
        stored = self._writer.keep()
        if stored < wanted and not self._stopped:  # a full disk can show as late as here
            raise AudioFileError(
                f"only {stored} of {wanted} frames were stored in {str(self.path)!r}; is the disk full?"
            )

    def _complete_midi(self) -> None:
        if self._kept is not None:
            return
        try:
            messages = read_journal(self.parts.journal)[1]
        except (OSError, ValueError) as error:
            raise AudioFileError(f"cannot write {str(self.midi_path)!r}: its messages are lost ({error})") from error
        try:
            write_midi_file(self.midi_path, messages, self._rate)
        except TncaError as error:
            self._drop_journal()  # its room may be what lacks
            other = free_name(self.path).with_suffix(".mid")
            write_midi_file(other, messages, self._rate)
            raise AudioFileError(f"{error}; the MIDI is in {str(other)!r}") from error

    def _drop_journal(self) -> None:
        self._journal.close()
        with suppress(OSError):
            self.parts.journal.unlink(missing_ok=True)

    def _write(self, continues: tuple[TakeParts, ...]) -> None:
        demote_thread()
        if continues:
            self._guarded(lambda: self._go_on(continues))
        while (item := self._items.get()) is not None:
            if not self._stopped:
                self._guarded(lambda item=item: self._store(item))  # type: ignore[misc]

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do something that may fail; if it does, store nothing more and say so."""
        try:
            work()
        except TncaError as error:
            self._stop(str(error))
        except OSError as error:
            self._stop(f"cannot write {str(self.path)!r}: {error.strerror or error}")

    def _stop(self, reason: str) -> None:
        seconds = self._writer.num_frames / self._rate
        self._stopped = f"the recording ended after {seconds:.1f} s: {reason}"
        self._notice(f"{self._stopped}; what was recorded is kept")

    def _store(self, item: FloatArray | Message) -> None:
        if isinstance(item, tuple):
            self._journal.append(self._first + item[0], item[1])
            return
        size = (self._writer.num_frames + len(item)) * _BYTES_PER_FRAME + _SPARE_BYTES
        if self.path.suffix.lower() == ".wav" and size > MAX_WAV_BYTES:
            raise AudioFileError(f"{str(self.path)!r} is full: a WAV file holds 4 GiB")
        if size - self._looked_at >= LOOK_EVERY_BYTES:
            self._looked_at = size
            if shutil.disk_usage(self.path.parent).free < RESERVE_BYTES:
                raise AudioFileError(f"cannot write {str(self.path)!r}: the disk is full")
        self._writer.write(item)

    def _go_on(self, continues: tuple[TakeParts, ...]) -> None:
        """Begin with what was recorded before."""
        before = next((parts for parts in continues if parts.exist), None)
        if before is None:
            self._notice("what was recorded before is lost: its files are gone")
            return
        try:
            self._take_over(before)
        except (TncaError, OSError, ValueError) as error:
            self._kept = before
            raise AudioFileError(f"cannot go on with the recording: {error}") from error
        for parts in continues:
            parts.remove()

    def _take_over(self, before: TakeParts) -> None:
        num_frames = mend(before.sound)
        facts, messages = messages_before(before.journal, num_frames)
        if facts["sample_rate"] != self._rate:
            other = free_name(self.path)
            finish_parts(before, other)
            self._notice(f"the output has another sample rate now: what was recorded before is in {other}")
            return
        for block in sound_blocks(before.sound):
            self._writer.write(block)
        self._first = self._writer.num_frames
        for frame, data in messages:
            self._journal.append(frame, data)
