"""From voices to stereo: channel volume, panorama and master volume, each gliding, on one bus or one per channel."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, pi, sin

from ..midi.messages import NUM_CHANNELS
from .spectral import FloatArray
from .timeline import Glide

MIX_GAIN = 1.0
"""Linear gain that brings typical songs to peaks of -6..-3 dBFS before the limiter."""
GLIDE_S = 0.005


def pan_gains(pan: float) -> tuple[float, float]:
    """Return the gains of the left and right audio channel for a position -1..1; their power is always 1."""
    angle = (pan + 1.0) * pi / 4.0
    return cos(angle), sin(angle)


class Mixer:
    """Mixes 16 mono channels to stereo buses at the internal rate.

    Parameters
    ----------
    sample_rate : int
    stems : bool
        Whether each MIDI channel has its own bus instead of one for all.
    """

    def __init__(self, sample_rate: int, stems: bool) -> None:
        length = max(1, round(GLIDE_S * sample_rate))
        self._glides = [Glide((0.0, 0.0), length) for _ in range(NUM_CHANNELS)]
        self._levels = [(0.0, 0.0)] * NUM_CHANNELS
        self._has_played = [False] * NUM_CHANNELS
        self._stems = stems
        self.num_signals = 2 * NUM_CHANNELS if stems else 2

    def set_level(self, channel: int, sample: int, gain: float, pan: float) -> None:
        """Let a channel glide to a linear gain and a position from `sample` on; before its first note it jumps."""
        left, right = pan_gains(pan)
        levels = (MIX_GAIN * gain * left, MIX_GAIN * gain * right)
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

    def mix(self, mono: FloatArray, sounding: Iterable[int], start: int, out: FloatArray) -> None:
        """Add the sounding channels to the buses.

        Parameters
        ----------
        mono : float32 (16, N), what each channel's voices sum to
        sounding : the channels that are not silent
        start : absolute sample of the first column
        out : float32 (num_signals, N): left and right of each bus
        """
        audible = set(sounding)
        for channel, glide in enumerate(self._glides):
            if channel in audible:
                bus = 2 * channel if self._stems else 0
                out[bus : bus + 2] += mono[channel] * glide.curve(start, start + mono.shape[1])
            else:
                glide.skip()
