"""WAV into a pipe: nothing is sought, so the header is written before the length is known."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

import numpy as np

from ...errors import AudioFileError
from ..arrays import FloatArray
from .sample_formats import Quantiser, sample_format

UNKNOWN_LENGTH: Final = 0xFFFFFFFF
"""What readers take for: until the end."""
_PCM, _FLOAT = 1, 3


class WavStream:
    """Streams audio as WAV into a binary file object that only has `write`; it is not closed.

    Parameters
    ----------
    stream : binary file
    sample_rate : int
        In Hz.
    bit_depth : str
        See `choices.BIT_DEPTHS`.
    seed : int
        Of the dither.
    num_channels : int
        Audio channels.

    Raises
    ------
    AudioFileError
        If the stream takes nothing, now or in `write`. A `BrokenPipeError` is passed on.
    """

    def __init__(
        self, stream: BinaryIO, sample_rate: int, *, bit_depth: str = "24", seed: int = 0, num_channels: int = 2
    ) -> None:
        self._stream = stream
        self._kind = sample_format(bit_depth)
        self._quantise = Quantiser(self._kind, seed)
        self._put(_header(sample_rate, num_channels, self._kind.num_bytes, not self._kind.levels))

    def write(self, block: FloatArray) -> None:
        """Append a block, float32 (N, num_channels), full scale 1; what lies beyond is clipped."""
        samples = self._quantise(block)
        if samples.dtype == np.float32:
            self._put(samples.astype("<f4").tobytes())
            return
        num_bytes = self._kind.num_bytes
        whole = np.ascontiguousarray(samples.astype("<i4")).view(np.uint8).reshape(-1, 4)
        self._put(whole[:, 4 - num_bytes :].tobytes())

    def close(self) -> None:
        """Hand over all that was written."""
        self._put(b"")

    def _put(self, data: bytes) -> None:
        try:
            self._stream.write(data)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise AudioFileError(f"cannot write the sound to the stream: {error}") from error


def _header(sample_rate: int, num_channels: int, num_bytes: int, is_float: bool) -> bytes:
    frame = num_channels * num_bytes
    layout = (_FLOAT if is_float else _PCM, num_channels, sample_rate, sample_rate * frame, frame, 8 * num_bytes)
    return b"".join(
        (
            struct.pack("<4sI4s", b"RIFF", UNKNOWN_LENGTH, b"WAVE"),
            struct.pack("<4sIHHIIHH", b"fmt ", 16, *layout),
            struct.pack("<4sI", b"data", UNKNOWN_LENGTH),
        )
    )
