"""The clocks that a growing note goes by: how old it is, and how long ago it was released.

Controls make them run faster or slower. Letters: V voices, R rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from .channel import Control

ATTACK_S = 0.1
"""For how long after the onset attack time sets the speed of the age clock; decay time does so afterwards."""
FADE_FLOOR_DB = -48.0
HELD: Final = np.float32(-1.0)
"""What the clock of the release reads until then."""


@dataclass(frozen=True, slots=True, eq=False)
class EnvelopeClocks:
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


Pace = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Controls (R, V, K), how far the clocks of age and of release are ahead (V,), and the speed of the latter (V,)."""


def read_clocks(
    frames: NDArray[np.int64],
    hop_start: NDArray[np.int64],
    held: NDArray[np.float64],
    pace: Pace | None,
    hop: int,
    rate: int,
) -> EnvelopeClocks:
    """Read the clocks of V voices in R rounds.

    Parameters
    ----------
    frames, hop_start : (R, V), frames to grow, and samples since the onset at which the hops begin that they are for
    held : (V,), samples from onset to release
    pace : what makes the clocks run fast or slow, None if they all go by time and always did
    hop, rate : samples in a hop and in a second
    """
    # A note sounds for one hop at least: its release is latched until then.
    released = np.maximum(held, hop)
    since = np.where(hop_start >= released, (hop_start - released) / rate, -1.0)
    age = frames * (hop / rate)
    if pace is None:
        none = np.zeros(frames.shape)
        return EnvelopeClocks(age.astype(np.float32), since.astype(np.float32), none, none)
    controls, age_lead, release_lead, release_speed = pace
    is_attack = hop_start < ATTACK_S * rate
    # Leads, not sums of steps: at normal speed they are exactly zero.
    age_speed = np.where(is_attack, controls[..., Control.ATTACK], controls[..., Control.DECAY])
    gain = (age_speed * controls[..., Control.GROWTH] - 1.0) * (hop / rate)
    age_lead = age_lead + np.cumsum(gain, axis=0)
    speed = controls[..., Control.RELEASE] * release_speed
    release_lead = release_lead + np.cumsum((speed - 1.0) * np.clip(since, 0.0, hop / rate), axis=0)
    # Leads of a successor are reckoned back from its note, perhaps to before its beginning, which models do not know.
    return EnvelopeClocks(
        age_s=np.maximum(age + (age_lead - gain), 0.0).astype(np.float32),
        release_age_s=np.where(since >= 0.0, np.maximum(since + release_lead, 0.0), -1.0).astype(np.float32),
        age_lead_s=age_lead,
        release_lead_s=release_lead,
    )


def fade_in_db(time_s: NDArray[np.float64], length_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gain in dB, any shape, at a time since the onset of a note that fades in over `length_s`."""
    share = np.where(length_s > 0.0, time_s / np.maximum(length_s, 1e-9), 1.0)
    amplitude = np.clip(share, 10.0 ** (FADE_FLOOR_DB / 20.0), 1.0)
    return np.asarray(20.0 * np.log10(amplitude))
