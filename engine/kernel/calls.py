"""What calls of the kernel are told and tell, in arrays that are used again; see hop.h."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from operator import attrgetter
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..cache import BoundedCache
from ..modulation.channel import Control
from ..voices.progress import COLUMNS
from ..voices.voice import Voice
from .library import NUM_FACTS, Call, address

DRIFTS, TENDED, BROKEN, DEAD = 1, 2, 4, 8
UNHEARD, PARTIALS, RESONANCES = 0, 1, 2
OF_VOICE = (
    "onset", "release", "pitch", "release_speed", "tilt_db", "patch.pitched", "patch.inharmonicity", "patch.motion.row",
    "patch.motion.pace", "patch.modes", "release_rate",
)  # fmt: skip
OF_PROGRESS = ("num_frames", "planted_pitch", "age_lead_s", "release_lead_s")
FACTS = (*OF_VOICE, *OF_PROGRESS)
"""Of a voice and of its progress, in the order of hop.h; whether it morphs follows, and what the kernel makes of it."""
NUM_FRAMES, AGE_LEAD, RELEASE_LEAD, MORPHS = 11, 13, 14, 15
NUM_CONTROLS, NUM_JOB, CORNERS = len(Control), 5, 4
KEPT_VIEWS = 64
_of_voice = attrgetter(*OF_VOICE)
_of_progress = [COLUMNS.index(name) for name in OF_PROGRESS]


def tell_facts(facts: NDArray[np.float64], voices: Sequence[Voice], progress: NDArray[np.float64]) -> None:
    """Write into facts (V, NUM_FACTS) what is known of voices, with the rows (V, 8) of their `Progress`."""
    facts[:, :NUM_FRAMES] = [_of_voice(voice) for voice in voices]
    facts[:, NUM_FRAMES:MORPHS] = progress[:, _of_progress]


class CallBuffers:
    """Arrays that every call uses again, large enough for the largest so far.

    Parameters
    ----------
    pointing : Call, optional
        Points at them.
    """

    def __init__(self, pointing: Call | None = None) -> None:
        self._capacity, self._pointing = 0, pointing
        self._arrays: dict[str, np.ndarray] = {}
        self._views: BoundedCache[tuple[int, int], Views] = BoundedCache(KEPT_VIEWS)

    def fit(self, voices: int, rounds: int) -> Views:
        """Return the arrays with room for so many voices and rounds."""
        found = self._views.get((voices, rounds))
        if found is not None:
            return found
        if voices * rounds > self._capacity:
            self._capacity = 2 * voices * rounds
            self._views.clear()
            for name, (kind, _, width) in _ITEMS.items():
                self._arrays[name] = np.zeros(self._capacity * width, kind)
                if self._pointing is not None:
                    setattr(self._pointing, name, address(self._arrays[name]))
        shapes = {"v": (voices,), "rv": (rounds, voices), "vr": (voices, rounds)}
        views = []
        for name, (_, axes, width) in _ITEMS.items():
            shape = (*shapes[axes], width) if width > 1 else shapes[axes]
            views.append(self._arrays[name][: prod(shape)].reshape(shape))
        return self._views.keep((voices, rounds), Views(*views))


class Views(NamedTuple):
    """Arrays of a call; see hop.h."""

    jobs: NDArray[np.int64]
    seeds: NDArray[np.uint64]
    facts: NDArray[np.float64]
    controls: NDArray[np.float64]
    pitch: NDArray[np.float64]
    planted: NDArray[np.float64]
    f0_hz: NDArray[np.float64]
    age_s: FloatArray
    release_age_s: FloatArray
    peaks: FloatArray
    alive: NDArray[np.int64]
    broken: NDArray[np.int64]


@dataclass(eq=False)
class HopCall:
    """Hops of V voices in R rounds, as whoever computes them is told; see `Call` of hop.h.

    Attributes
    ----------
    views : Views
    found : what was found, flags
    first, last : the rounds to do now
    audio : float32 (V, R * hop), of no size where nothing is heard
    mask, life, journey, corners : as in `Call`, or None
    """

    views: Views
    found: int = 0
    first: int = 0
    last: int = 0
    audio: FloatArray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    mask: FloatArray | None = None
    life: FloatArray | None = None
    journey: NDArray[np.float64] | None = None
    corners: NDArray[np.float64] | None = None


class Hops(Protocol):
    """What computes the hops of a call, with the state of all slots."""

    name: str

    def call(self, voices: int, rounds: int) -> HopCall:
        """Return a call with room for so many voices and rounds; it is the one before, used again."""
        ...

    def plant(self, genes: Mapping[str, FloatArray], versions: NDArray[np.int64]) -> None:
        """Say where the genomes of all slots are, (S, ...) by name, and their versions; see `SlotState`."""
        ...

    def release(self) -> None:
        """Bring the grids up to date where the genomes are: somebody else reads or writes them."""
        ...

    def prepare(self, call: HopCall) -> None:
        """Read clocks and pitches of a call's rounds."""
        ...

    def run(self, call: HopCall) -> None:
        """Grow and sound the rounds from `first` to `last`."""
        ...


_ITEMS: dict[str, tuple[type[np.generic], str, int]] = {
    "jobs": (np.int64, "v", NUM_JOB), "seeds": (np.uint64, "v", 1), "facts": (np.float64, "v", NUM_FACTS),
    "controls": (np.float64, "rv", NUM_CONTROLS), "pitch": (np.float64, "rv", 1), "planted": (np.float64, "rv", 1),
    "f0_hz": (np.float64, "rv", 1), "age_s": (np.float32, "rv", 1), "release_age_s": (np.float32, "rv", 1),
    "peaks": (np.float32, "vr", 1), "alive": (np.int64, "rv", 1), "broken": (np.int64, "v", 1),
}  # fmt: skip
"""The kind of each of `Views`, its axes (voices and rounds) and how many numbers there are for each."""
