"""Buffers of two growing axes, used again and again. Letters: V voices, R growth rounds."""

from __future__ import annotations

import numpy as np

from .spectral import FloatArray


class Rooms:
    """A buffer for the frames of each field."""

    def __init__(self) -> None:
        self._rooms: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        """Return a field's buffer, (V or more, R or more, ...)."""
        return self._rooms[name]

    def room(self, name: str, shape: tuple[int, ...], frame_shape: tuple[int, ...]) -> FloatArray:
        """Return the buffer of a field with room for (V, R) frames; what is in it stays."""
        room = self._rooms.get(name)
        if room is None or room.shape[0] < shape[0] or room.shape[1] < shape[1]:
            old = np.zeros((0, 0, *frame_shape), np.float32) if room is None else room
            size = (max(shape[0], old.shape[0]), max(shape[1], old.shape[1]))
            room = self._rooms[name] = np.zeros((*size, *frame_shape), np.float32)
            room[: old.shape[0], : old.shape[1]] = old
        return room
