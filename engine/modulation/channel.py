"""Continuous controls of sounding notes: what each MIDI channel asks of its voices, over time.

Letters: V voices, R rounds, C channels, K controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ...midi.spec.growth_controllers import ALIVE_ABOVE
from ...midi.state.expression import Expression
from ..decoders.base import SECOND_SHARE
from ..voices.automation import StepTimeline
from ..voices.voice import Voice


class Control(IntEnum):
    """Columns of a control vector; `NEUTRAL` has the values that change nothing."""

    PITCH = 0  # semitones added to every key
    VIBRATO = 1  # depth in semitones either way
    TILT = 2  # dB per octave above the fundamental
    RESONANCE = 3  # dB at the top of a bell over the lower partials
    ATTACK = 4  # speed of the age clock in the first moments
    FADE_IN = 5  # seconds
    DECAY = 6  # speed of the age clock afterwards
    RELEASE = 7  # speed of the release clock
    GROWTH = 8  # speed of the growth and of the age clock
    FIRE = 9  # share of the fire rate
    LIFE = 10  # neighbourhood alpha above which cells live
    DAMAGE = 11  # shares of the grid erased so far
    MORPH_X = 12  # place on the pad of timbres, 0..1
    MORPH_Y = 13
    BLEND = 14  # share of the second part in an ensemble of decoders


NEUTRAL = (0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, ALIVE_ABOVE, 0.0, 0.0, 0.0, SECOND_SHARE)
COLOUR_AND_PACE = slice(Control.VIBRATO, Control.GROWTH)
GROWTH = slice(Control.GROWTH, Control.MORPH_X)
MORPH = slice(Control.MORPH_X, Control.MORPH_Y + 1)
REST, WILD = np.array(NEUTRAL[COLOUR_AND_PACE]), np.array(NEUTRAL[GROWTH])
"""Neutral controls of colour and pace, and of growth that nobody tends."""
PRESSURE_TILT_DB = 2.0
"""dB per octave that full pressure adds to the brightness."""
PRESSURE_VIBRATO = 0.5
"""Depth in semitones of the vibrato of full pressure."""

BRIGHTER_DB, DARKER_DB = 3.0, 9.0
"""dB per octave of the brightest and of the darkest setting."""
RESONANCE_DB = 12.0
OCTAVES_OF_TIME = 2.0
"""Attack, decay and release take up to this many doublings longer, or shorter."""
MAX_FADE_IN_S = 2.0


def control_vector(expression: Expression) -> tuple[float, ...]:
    """Return the K controls that a channel's expression comes to; a neutral one gives exactly `NEUTRAL`."""
    bright = expression.brightness
    return (
        expression.pitch,
        expression.vibrato + PRESSURE_VIBRATO * expression.pressure,
        bright * (BRIGHTER_DB if bright > 0.0 else DARKER_DB) + PRESSURE_TILT_DB * expression.pressure,
        RESONANCE_DB * expression.timbre,
        2.0 ** (-OCTAVES_OF_TIME * expression.attack_time),
        MAX_FADE_IN_S * max(expression.attack_time, 0.0) ** 2,
        2.0 ** (-OCTAVES_OF_TIME * expression.decay_time),
        2.0 ** (-OCTAVES_OF_TIME * expression.release_time) * expression.release_speed,
        expression.growth_rate,
        expression.fire_rate,
        expression.life_threshold,
        expression.damage,
        expression.morph_x,
        expression.morph_y,
        expression.blend,
    )


class ChannelControls:
    """The control vectors of all MIDI channels over time, with what single voices add to them."""

    def __init__(self, num_channels: int) -> None:
        self._timelines = [StepTimeline(NEUTRAL) for _ in range(num_channels)]
        self._latest = np.tile(np.array(NEUTRAL), (num_channels, 1))
        self._moving: set[int] = set()

    def set(self, channel: int, sample: int, values: tuple[float, ...]) -> None:
        """Let a channel's controls jump to K values at `sample`."""
        timeline = self._timelines[channel]
        if timeline.set(sample, values):
            self._latest[channel] = values
            self._moving.add(channel)

    def read(
        self, voices: Sequence[Voice], samples: NDArray[np.int64], controls: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Write what is asked of V voices at R samples each, (R, V), into controls (R, V, K), and return these."""
        channels = np.array([voice.channel for voice in voices])
        self._latest.take(channels, axis=0, out=controls[0], mode="clip")
        if len(controls) > 1:
            controls[1:] = controls[0]
        for channel in self._moving:
            rows = np.flatnonzero(channels == channel)
            if rows.size:
                controls[:, rows] = self._timelines[channel].at(samples[:, rows])
        for row, voice in enumerate(voices):
            if voice.modulation is not None:
                pressure = voice.modulation.pressure_at(samples[:, row])
                controls[:, row, Control.PITCH] += voice.modulation.pitch_at(samples[:, row])
                controls[:, row, Control.VIBRATO] += PRESSURE_VIBRATO * pressure
                controls[:, row, Control.TILT] += PRESSURE_TILT_DB * pressure
        return controls

    def now(self, voices: Sequence[Voice], sample: int) -> NDArray[np.float64]:
        """Return what is asked of V voices at a sample, float64 (V, K)."""
        shape = 1, len(voices)
        return self.read(voices, np.full(shape, sample), np.empty((*shape, len(Control))))[0]

    def forget(self) -> None:
        """Drop all jumps but the latest of each channel, before which nobody will ask again."""
        for channel in self._moving:
            self._timelines[channel].forget()
        self._moving.clear()
