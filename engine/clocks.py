"""The clocks that a growing note goes by: how old it is, and how long ago it was released.

Controls make them run faster or slower. Letters: V voices, R rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .controls import Control
from .spectral import FloatArray
from .voices import Voice

ATTACK_S = 0.1
"""For how long after the onset attack time sets the speed of the age clock; decay time does so afterwards."""
FADE_FLOOR_DB = -48.0


@dataclass(frozen=True, slots=True, eq=False)
class Clocks:
    """Readings at every round, with how far they are ahead of time after it.

    Attributes
    ----------
    age_s : float32 (R, V)
    release_age_s : float32 (R, V), -1 while held
    age_lead_s, release_lead_s : float64 (R, V)
    """

    age_s: FloatArray
    release_age_s: FloatArray
    age_lead_s: NDArray[np.float64]
    release_lead_s: NDArray[np.float64]


def read_clocks(
    voices: Sequence[Voice],
    frames: NDArray[np.int64],
    hop_start: NDArray[np.int64],
    controls: NDArray[np.float64],
    hop: int,
    rate: int,
) -> Clocks:
    """Read the clocks of V voices in R rounds.

    Parameters
    ----------
    frames, hop_start : (R, V), frames to grow, and samples since the onset at which the hops begin that they are for
    controls : (R, V, K)
    hop, rate : samples in a hop and in a second
    """
    onset = np.array([voice.onset for voice in voices])
    # A note sounds for one hop at least: its release is latched until then.
    released = np.maximum(np.array([voice.release for voice in voices]) - onset, hop)
    since = np.where(hop_start >= released, (hop_start - released) / rate, -1.0)
    in_attack = hop_start < ATTACK_S * rate
    speed = np.where(in_attack, controls[..., Control.ATTACK], controls[..., Control.DECAY])
    # Leads, not sums of steps: at normal speed they are exactly zero.
    age_gain = np.cumsum((speed - 1.0) * (hop / rate), axis=0)
    lead = np.array([voice.age_lead_s for voice in voices]) + age_gain
    before = lead - (speed - 1.0) * (hop / rate)
    release_speed = controls[..., Control.RELEASE] * np.array([voice.release_speed for voice in voices])
    passed = np.clip(since, 0.0, hop / rate)
    release_lead = np.array([voice.release_lead_s for voice in voices]) + np.cumsum(
        (release_speed - 1.0) * passed, axis=0
    )
    return Clocks(
        age_s=(frames * (hop / rate) + before).astype(np.float32),
        release_age_s=np.where(since >= 0.0, since + release_lead, -1.0).astype(np.float32),
        age_lead_s=lead,
        release_lead_s=release_lead,
    )


def fade_in_db(time_s: NDArray[np.float64], length_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gain in dB, any shape, at a time since the onset of a note that fades in over `length_s`."""
    share = np.where(length_s > 0.0, time_s / np.maximum(length_s, 1e-9), 1.0)
    amplitude = np.clip(share, 10.0 ** (FADE_FLOOR_DB / 20.0), 1.0)
    return np.asarray(20.0 * np.log10(amplitude))
