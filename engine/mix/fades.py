"""Sound that fades out beside all else, once its voice or effect is gone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import FloatArray


class Fades:
    """Pieces of sound that are still to come, each with its first absolute sample and where it goes."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, int, FloatArray]] = []

    def __bool__(self) -> bool:
        """Tell whether anything is still to come."""
        return bool(self._pieces)

    @property
    def targets(self) -> set[int]:
        """Where the pieces go."""
        return {target for _, target, _ in self._pieces}

    @property
    def until(self) -> int:
        """First absolute sample from which nothing is to come."""
        return max((sample + audio.shape[-1] for sample, _, audio in self._pieces), default=0)

    def add(self, sample: int, target: int, audio: FloatArray) -> None:
        """Let audio (..., N) sound from absolute sample `sample` on."""
        self._pieces.append((sample, target, audio))

    def mix(self, start: int, stop: int, buffer: Callable[[int], FloatArray]) -> None:
        """Add what sounds in start..stop to the room (..., stop - start) of each target."""
        later_pieces = []
        for sample, target, audio in self._pieces:
            now, later = np.split(audio, [stop - sample], axis=-1)
            first = sample - start
            buffer(target)[..., first : first + now.shape[-1]] += now
            if later.shape[-1]:
                later_pieces.append((stop, target, later))
        self._pieces = later_pieces
