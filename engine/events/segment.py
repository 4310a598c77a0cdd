"""A stretch of time that is grown at once, before it is mixed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..arrays import FloatArray
from ..mix.fades import Fades
from ..voices.voice import Voice


@dataclass(slots=True, eq=False)
class Stretch:
    """Some time that is grown at once: first the voices that sound in it, then what they sound like.

    Attributes
    ----------
    mono : float32 (channels, N or more), what the voices of each channel sum to, where any sounds
    spans : for each channel that sounds, from which sample to which each of its voices does
    """

    start: int
    stop: int
    voices: list[Voice]
    mono: FloatArray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    spans: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def fill(self, buffer: FloatArray, fading: Fades) -> None:
        """Take from the voices, and from what fades out, what sounds in this time; the room is kept."""
        self.mono = buffer
        for channel in {voice.channel for voice in self.voices} | fading.targets:
            buffer[channel, : self.stop - self.start] = 0.0
            self.spans[channel] = []
        for channel in fading.targets:
            self.spans[channel].append((self.start, fading.until))
        fading.mix(self.start, self.stop, lambda channel: buffer[channel, : self.stop - self.start])
        channels = list(buffer[:, : self.stop - self.start])  # once, not for every voice
        for voice in self.voices:
            first, audio = voice.take_audio(self.start, self.stop)
            begin = first - self.start
            channels[voice.channel][begin : begin + len(audio)] += audio
            self.spans[voice.channel].append((first, first + len(audio)))

    def sounding(self, start: int, stop: int) -> set[int]:
        """Return the channels of which anything sounds in start..stop."""
        return {
            channel
            for channel, spans in self.spans.items()
            if any(first < stop and last > start for first, last in spans)
        }

    def fade_out(self, sample: int, fade: FloatArray) -> None:
        """Let all that sounds after a sample fade out, and then be silent."""
        for channel, spans in self.spans.items():
            rest = self.mono[channel, max(sample - self.start, 0) : self.stop - self.start]
            shape = fade[max(self.start - sample, 0) :][: len(rest)]
            rest[: len(shape)] *= shape
            rest[len(shape) :] = 0.0
            self.spans[channel] = [(first, min(last, sample + len(fade))) for first, last in spans]

    def sounds_after(self, sample: int) -> bool:
        """Tell whether anything sounds after a sample."""
        return bool(self.sounding(sample, self.stop))
