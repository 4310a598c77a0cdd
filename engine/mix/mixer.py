"""From voices to stereo: volume, panorama and what goes to the effects, all gliding, on one bus or one per channel."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, pi, sin

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...midi.messages import NUM_CHANNELS
from ...midi.state.expression import Expression
from ..arrays import FloatArray
from .rack import NUM_SENDS

MIX_GAIN = 1.0
"""Linear gain that brings typical songs to peaks of -6..-3 dBFS before the limiter."""
GLIDE_S = 0.005


def pan_gains(pan: float) -> tuple[float, float]:
    """Return the gains of the left and right audio channel for a position -1..1; their power is always 1."""
    angle = (pan + 1.0) * pi / 4.0
    return cos(angle), sin(angle)


def level_vector(expression: Expression) -> tuple[float, ...]:
    """Return the gains of the left, the right, the reverb and the chorus; sends follow the volume, not the panorama."""
    left, right = pan_gains(expression.pan)
    gain = MIX_GAIN * expression.gain
    return (
        gain * left * min(1.0, 1.0 - expression.balance),
        gain * right * min(1.0, 1.0 + expression.balance),
        gain * expression.reverb_send,
        gain * expression.chorus_send,
    )


class GainRamp:
    """A few levels that move linearly to each new target within a fixed number of samples.

    Parameters
    ----------
    levels : (K,)
        Where they start.
    length : int
        Samples from one target to the next.
    """

    def __init__(self, levels: ArrayLike, length: int) -> None:
        self._ramp = np.arange(length) / length
        self._length = length
        self._pending: list[tuple[int, NDArray[np.float64]]] = []
        self.jump(levels)

    def jump(self, levels: ArrayLike) -> None:
        """Be at `levels` at once, whatever was under way."""
        self._pending.clear()
        self._target = np.array(levels, np.float64)
        self._origin = self._target
        self._since = -self._length

    def move(self, sample: int, levels: ArrayLike) -> None:
        """Start towards `levels` at `sample`, which must not precede an earlier move."""
        self._pending.append((sample, np.array(levels, np.float64)))

    def curve(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return float32 (K, stop - start), or (K, 1) where nothing moves; time must only go forward."""
        due = self._take_due(stop)
        if not due and start - self._since >= self._length:
            return self._target[:, None].astype(np.float32)
        out = np.empty((self._target.size, stop - start), np.float32)
        position = start
        for sample, levels in due:
            self._fill(out[:, position - start : sample - start], position)
            self._turn(sample, levels)
            position = sample
        self._fill(out[:, position - start :], position)
        return out

    def skip(self, stop: int) -> None:
        """Take note of the moves before `stop` without computing a curve."""
        for sample, levels in self._take_due(stop):
            self._turn(sample, levels)

    def _take_due(self, stop: int) -> list[tuple[int, NDArray[np.float64]]]:
        """Return the moves before `stop` and forget them."""
        if not self._pending or self._pending[0][0] >= stop:
            return []
        due = [move for move in self._pending if move[0] < stop]
        del self._pending[: len(due)]
        return due

    def _turn(self, sample: int, levels: NDArray[np.float64]) -> None:
        done = sample - self._since
        if done < self._length:
            self._origin = self._origin + (self._target - self._origin) * self._ramp[done]
        else:
            self._origin = self._target
        self._target, self._since = levels, sample

    def _fill(self, out: NDArray[np.float32], position: int) -> None:
        done = position - self._since
        moving = min(max(self._length - done, 0), out.shape[1])
        if moving:
            change = self._target - self._origin
            out[:, :moving] = self._origin[:, None] + change[:, None] * self._ramp[done : done + moving]
        out[:, moving:] = self._target[:, None]


class Mixer:
    """Mixes mono channels to stereo buses, and their sends, at the internal rate.

    Parameters
    ----------
    sample_rate : int
    stems : bool
        Whether each MIDI channel has its own bus instead of one for all.
    num_channels : int
        MIDI channels of all ports.
    """

    def __init__(self, sample_rate: int, stems: bool, num_channels: int = NUM_CHANNELS) -> None:
        length = max(1, round(GLIDE_S * sample_rate))
        silent = (0.0,) * (2 + NUM_SENDS)
        self._glides = [GainRamp(silent, length) for _ in range(num_channels)]
        self._levels = [silent] * num_channels
        self._has_played = [False] * num_channels
        self._stems = stems
        self.num_buses = num_channels if stems else 1

    def set_level(self, channel: int, sample: int, levels: tuple[float, ...]) -> None:
        """Let a channel glide to the gains of `level_vector` from `sample` on; before its first note it jumps."""
        if levels == self._levels[channel]:
            return
        self._levels[channel] = levels
        if self._has_played[channel]:
            self._glides[channel].move(sample, levels)
        else:
            self._glides[channel].jump(levels)

    def note_started(self, channel: int) -> None:
        """Tell that a channel sounds from now on, so that its level must no longer jump."""
        self._has_played[channel] = True

    def mix(self, mono: FloatArray, sounding: Iterable[int], start: int, out: FloatArray, sends: FloatArray) -> None:
        """Add the sounding channels to the buses and to what these send.

        Parameters
        ----------
        mono : float32 (channels, N), what each channel's voices sum to
        sounding : the channels that are not silent
        start : absolute sample of the first column
        out : float32 (2 * num_buses, N): left and right of each bus
        sends : float32 (num_buses, NUM_SENDS, N)
        """
        audible = set(sounding)
        for channel, glide in enumerate(self._glides):
            if channel not in audible:
                glide.skip(start + mono.shape[1])
                continue
            bus = channel if self._stems else 0
            curve = glide.curve(start, start + mono.shape[1])
            out[2 * bus : 2 * bus + 2] += mono[channel] * curve[:2]
            for index in range(NUM_SENDS):
                send = curve[2 + index]
                if len(send) > 1 or send[0]:  # mostly a single number, and mostly 0
                    sends[bus, index] += mono[channel] * send
