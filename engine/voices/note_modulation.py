"""What happens to one voice alone while it sounds: glides between keys, retuning and the pressure of its key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .automation import StepTimeline


@dataclass(frozen=True, slots=True)
class PitchGlide:
    """A straight line in semitones: from `origin` at sample `start` to `target`, `length` samples later."""

    start: int
    origin: float
    target: float
    length: int

    def at(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return semitones at samples from `start` on."""
        done = np.minimum((samples - self.start) / max(self.length, 1), 1.0)
        return self.origin + (self.target - self.origin) * done


class NoteModulation:
    """Own controls of a voice over time, on top of those of its channel."""

    def __init__(self) -> None:
        self._glides: list[PitchGlide] = []
        self._tuning = StepTimeline(0.0)
        self._pressure = StepTimeline(0.0)

    @property
    def tuning(self) -> float:
        """Semitones of the latest tuning off the one the voice began with."""
        return self._tuning.latest

    def glide(self, sample: int, target: float, length: int, origin: float | None = None) -> None:
        """Glide to `target` semitones off the pitch of the voice, from `origin`, or from wherever it is then."""
        if origin is None:
            origin = float(self._glided(np.array([sample]))[0])
        self._glides.append(PitchGlide(sample, origin, target, length))

    def retune(self, sample: int, semitones: float) -> None:
        """Jump to another tuning, in semitones off the one the voice began with."""
        self._tuning.set(sample, semitones)

    def press(self, sample: int, pressure: float) -> None:
        """Take the pressure of the key, 0..1."""
        self._pressure.set(sample, pressure)

    def pitch_at(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return semitones (R,) to add at samples (R,)."""
        return self._glided(samples) + self._tuning.at(samples)

    def pressure_at(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the pressure 0..1 of the key (R,) at samples (R,)."""
        return self._pressure.at(samples)

    def forget(self, sample: int) -> None:
        """Drop what no sample from `sample` on will ask for."""
        self._tuning.forget()
        self._pressure.forget()
        while len(self._glides) > 1 and self._glides[1].start <= sample:
            del self._glides[0]

    def _glided(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        semitones = np.zeros(samples.shape)
        for glide in self._glides:
            now = samples >= glide.start
            semitones[now] = glide.at(samples[now])
        return semitones
