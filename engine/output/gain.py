"""Between the synth and the file: a gain that is known, or one that brings a song to a loudness."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ...errors import AudioFileError
from ..arrays import FloatArray
from ..mix.limiter import Limiter
from .sinks import Sink, Stem

SCRATCH_FRAMES = 65536
"""Frames that are read back at once."""


class Amplifier:
    """Passes audio on with a gain.

    Parameters
    ----------
    sink : Sink
        Takes the result.
    gain_db : float
        0 changes no bit.
    limits_at : int, optional
        The sample rate: what the gain would bring over full scale is limited. None: nothing is.

    Attributes
    ----------
    peak : float
        Largest absolute value passed on so far.
    """

    def __init__(self, sink: Sink, gain_db: float, limits_at: int | None = None) -> None:
        self.peak = 0.0
        self._sink = sink
        self._factor = np.float32(10.0 ** (gain_db / 20.0))
        self._is_neutral = gain_db == 0.0
        self._limiter = Limiter(limits_at) if limits_at is not None and gain_db > 0.0 else None
        self._lead_in = 0 if self._limiter is None else self._limiter.look_ahead_frames

    def write(self, block: FloatArray) -> None:
        """Take a block, float32 (N, 2)."""
        louder = block if self._is_neutral else block * self._factor
        if self._limiter is not None:
            louder = self._limiter.process(louder.T)[:, self._lead_in :].T
            self._lead_in = max(self._lead_in - len(block), 0)
        self._pass_on(louder)

    def finish(self) -> None:
        """Pass on what is still held back; nothing may be written afterwards."""
        if self._limiter is not None:
            rest = np.zeros((2, self._limiter.look_ahead_frames), np.float32)
            self._pass_on(self._limiter.process(rest)[:, self._lead_in :].T)

    def _pass_on(self, block: FloatArray) -> None:
        if len(block):
            self.peak = max(self.peak, float(np.abs(block).max()))
            self._sink.write(block)


@contextmanager
def amplified(
    mix: Sink, stems: Mapping[Stem, Sink], gain_db: float, rate: int
) -> Iterator[tuple[Amplifier, dict[Stem, Sink]]]:
    """Give sinks with a gain before those given; stems are not limited."""
    louder = Amplifier(mix, gain_db, limits_at=rate)
    yield louder, {stem: Amplifier(sink, gain_db) for stem, sink in stems.items()}
    louder.finish()


class Scratch:
    """Keeps audio until its loudness is known, in a temporary file without a name: nothing is left of it.

    A context manager.

    Parameters
    ----------
    folder : path or None
        Where there is room for it, 8 bytes for a frame; None is the system's folder for such files.
    """

    def __init__(self, folder: Path | None) -> None:
        try:
            self._file = tempfile.TemporaryFile(dir=folder, prefix=".", suffix=".part")  # noqa: SIM115
        except OSError as error:
            raise AudioFileError(
                f"cannot write into {str(folder or tempfile.gettempdir())!r}: {error.strerror}"
            ) from error

    def write(self, block: FloatArray) -> None:
        """Append a block, float32 (N, 2)."""
        try:
            self._file.write(block.astype(np.float32, copy=False).tobytes())
        except OSError as error:
            raise AudioFileError(f"cannot keep the sound until its loudness is known: {error.strerror}") from error

    def blocks(self) -> Iterator[FloatArray]:
        """Give all that was written, in blocks."""
        self._file.seek(0)
        while data := self._file.read(8 * SCRATCH_FRAMES):
            yield np.frombuffer(data, np.float32).reshape(-1, 2)

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def gain_to(target_lufs: float, measured_lufs: float) -> float:
    """Return the gain in dB from one loudness to another; 0 if nothing could be measured."""
    return target_lufs - measured_lufs if math.isfinite(measured_lufs) else 0.0
