"""The effects of all buses: they run only while something is sent to them or rings on."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from .chorus import Chorus
from .fades import Fades
from .reverb import Reverb

NUM_SENDS = 2
"""Reverb and chorus, in this order."""


class Effect(Protocol):
    """Something that takes a mono send and gives a stereo return."""

    tail_samples: int

    def process(self, send: FloatArray, start: int) -> FloatArray:
        """Return float32 (2, N) of a send (N,) from absolute sample `start` on."""
        ...

    def clear(self) -> None:
        """Be silent, as at the beginning."""
        ...


class SendReturn:
    """An effect that sleeps while it has nothing to do.

    Attributes
    ----------
    rings_until : int
        First absolute sample from which it is silent unless something more is sent.
    """

    def __init__(self, effect: Effect) -> None:
        self._effect = effect
        self.rings_until = 0

    def process(self, send: FloatArray, start: int, out: FloatArray) -> None:
        """Add to `out` (2, N) what comes back of a send (N,) that begins at absolute sample `start`."""
        position, stop = start, start + len(send)
        while position < stop:
            heard = position + np.flatnonzero(send[position - start :])
            if position >= self.rings_until:
                if not heard.size:
                    return
                position = int(heard[0])
                self.rings_until = position + 1
            self._prolong(heard)
            end = min(stop, self.rings_until)
            part = slice(position - start, end - start)
            out[:, part] += self._effect.process(send[part], position)
            if end == self.rings_until:
                self._effect.clear()
            position = end

    def close(self, start: int, fade: FloatArray) -> FloatArray:
        """Be silent from absolute sample `start` on; return what fades out instead, float32 (2, N) for a fade (N,)."""
        out = np.zeros((2, len(fade)), np.float32)
        if start < self.rings_until:
            self.process(np.zeros_like(fade), start, out)
            self._effect.clear()
            self.rings_until = start
        return out * fade

    def _prolong(self, heard: NDArray[np.int64]) -> None:
        """Let the tail begin again after the last of the samples that is reached before the tail has ended."""
        if heard.size and heard[0] < self.rings_until:
            tail = self._effect.tail_samples
            gaps = np.flatnonzero(np.diff(heard) > tail) if heard[-1] - heard[0] > tail else heard[:0]
            last = int(heard[gaps[0]] if gaps.size else heard[-1])
            self.rings_until = max(self.rings_until, last + 1 + tail)


class Rack:
    """Reverb and chorus of every bus.

    Parameters
    ----------
    sample_rate : int
        Hz.
    compiled : bool
        See `Reverb`.

    Notes
    -----
    A bus has effects of its own, made when it first sends to them.
    """

    def __init__(self, sample_rate: int, compiled: bool = False) -> None:
        self._rate, self._compiled = sample_rate, compiled
        self._effects: dict[tuple[int, int], SendReturn] = {}
        self._fading = Fades()

    @property
    def rings_until(self) -> int:
        """First absolute sample from which all is silent unless something more is sent."""
        ends = [effect.rings_until for effect in self._effects.values()]
        return max(*ends, self._fading.until, 0)

    def process(self, sends: FloatArray, start: int, out: FloatArray) -> None:
        """Add what comes back to the buses.

        Parameters
        ----------
        sends : float32 (num_buses, NUM_SENDS, N)
        start : absolute sample of the first column
        out : float32 (2 * num_buses, N)
        """
        for bus, index in zip(*np.nonzero(sends.any(axis=2)), strict=True):
            if (bus, index) not in self._effects:
                made: Effect = Chorus(self._rate) if index else Reverb(self._rate, self._compiled)
                self._effects[int(bus), int(index)] = SendReturn(made)
        for (bus, index), effect in self._effects.items():
            effect.process(sends[bus, index], start, out[2 * bus : 2 * bus + 2])
        self._fading.mix(start, start + out.shape[1], lambda bus: out[2 * bus : 2 * bus + 2])

    def close(self, start: int, fade: FloatArray) -> None:
        """Let everything fade out from absolute sample `start` on."""
        for (bus, _), effect in self._effects.items():
            if effect.rings_until > start:
                self._fading.add(start, bus, effect.close(start, fade))
