"""What takes sound block by block, and small parts to put before it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..arrays import FloatArray

Stem = tuple[int, ...]
"""The MIDI channels whose sound a stem sums, 0..15, of a second port 16..31."""


class Sink(Protocol):
    """What takes audio block by block, such as an `AudioWriter`."""

    def write(self, block: FloatArray) -> None:
        """Append a block, float32 (N, 2)."""
        ...


class MemorySink:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self._blocks: list[FloatArray] = []

    def write(self, block: FloatArray) -> None:
        """Take a block, float32 (N, 2)."""
        self._blocks.append(np.array(block))

    @property
    def audio(self) -> FloatArray:
        """All of it, float32 (N, 2)."""
        return np.concatenate([np.zeros((0, 2), np.float32), *self._blocks])


class RestSink:
    """Passes on what comes after the frames that it has passed on already, when a rendering begins again."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._num_done = self._position = 0

    def write(self, block: FloatArray) -> None:
        """Take a block, float32 (N, 2)."""
        new = block[max(self._num_done - self._position, 0) :]
        self._position += len(block)
        if len(new):
            self._sink.write(new)
            self._num_done = self._position

    def begin_again(self) -> None:
        """Take note that the next block is the first one again."""
        self._position = 0


class Both:
    """Writes to two sinks."""

    def __init__(self, one: Sink, other: Sink) -> None:
        self._sinks = (one, other)

    def write(self, block: FloatArray) -> None:
        """Take a block, float32 (N, 2)."""
        for sink in self._sinks:
            sink.write(block)
