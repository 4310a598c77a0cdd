"""What the graph is told anew in each hop, and where phases come to.

Letters: V voices, T rounds, B bundles of 16 partials, S slots.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....midi.spec.growth_controllers import ALIVE_ABOVE
from ...arrays import FloatArray
from ...decoders.harmonic import onset_coverage
from ...decoders.parts.noise import noise_spectra
from ...decoders.parts.oscillators import BUNDLE
from ...hashing import mix
from ...spectra.pitch import pitch_to_hz
from ...spectra.spec import AudioSpec
from ..calls import HopCall
from ..weights import Weights
from .hop import DECIBEL, NEVER, RATES, Wanted
from .matrices import split_of
from .readings import LOOKAHEAD, Readings, planted_in
from .tables import BUNDLES, Group

STARTS = 3
"""Column of a job, beside those of `readings`."""
CYCLES, HZ, FRAME = range(3)
"""Columns of phases: of the fundamental, cycles since the onset and its frequency; frames that were sounded."""


class SoundState:
    """What voices that are sounded leave for their next hop, by slot.

    Parameters
    ----------
    spec : AudioSpec
    num_slots : S

    Attributes
    ----------
    amplitude : float32 (S, 8, 16), of partials
    tail : float32 (S, P, Q), of the noise, in the graph's order
    phases : float64 (S, 3)
    noise_row : int64 (S,), of the first frame's noise
    bundles : int64 (S,), that are audible
    """

    def __init__(self, spec: AudioSpec, num_slots: int) -> None:
        self.amplitude = np.zeros((num_slots, BUNDLES, BUNDLE), np.float32)
        self.tail = np.zeros((num_slots, *split_of(spec.hop_length)), np.float32)
        self.phases = np.zeros((num_slots, 3))
        self.noise_row, self.bundles = np.zeros((2, num_slots), np.int64)
        self.num_noise_rows = len(noise_spectra(2 * spec.hop_length))

    def begin(self, slots: NDArray[np.int64], seeds: NDArray[np.uint64], f0_hz: NDArray[np.float64]) -> None:
        """Let voices begin in slots (V,)."""
        self.amplitude[slots], self.tail[slots], self.phases[slots], self.bundles[slots] = 0.0, 0.0, 0.0, 0
        self.phases[slots, HZ] = f0_hz
        self.noise_row[slots] = mix(seeds) % np.uint64(self.num_noise_rows)


class Teller:
    """Works out what the graph is told.

    Parameters
    ----------
    spec, weights : of the growth model
    state : SoundState
    """

    def __init__(self, spec: AudioSpec, weights: Weights, state: SoundState) -> None:
        self._spec, self._state = spec, state
        self._clock_rates = weights.clock_rates
        amplitude, power = onset_coverage(spec)
        self._onset = -0.5 * np.log(np.stack([amplitude, power])).astype(np.float32)  # of partials, and of noise
        self._floor = np.float32(spec.floor_db * DECIBEL)

    def tell(
        self, call: HopCall, readings: Readings, rows: NDArray[np.intp], rounds: slice, wanted: Wanted, group: Group
    ) -> dict[str, np.ndarray]:
        """Return inputs (T, ...) of some rounds of readings by name, for some voices of a call that are a group."""
        told: dict[str, np.ndarray] = {
            "times": self._times(readings.growth_age_s[rounds, rows], readings.growth_release_s[rounds, rows]),
            "swell_codes": readings.codes[rounds, rows, None],
        }
        if readings.courses is not None:
            assert readings.totals is not None
            told["correction_courses"] = readings.courses[rounds, rows, None]
            told["correction_totals"] = readings.totals[rounds, rows, None]
        if wanted.tended:
            told |= _tended(call, rows, rounds)
        if wanted.coloured:
            assert readings.colour is not None
            scaled = readings.colour[:, rounds, rows] / np.float32(self._spec.level_scale_db)
            for name, values in zip(("tilts", "resonances", "gains"), scaled, strict=True):
                told[name] = values[:, group.of_place]
        return told

    def _times(self, age_s: FloatArray, release_age_s: FloatArray) -> FloatArray:
        """Return what the rows of `rates` are multiplied by, (T, V, RATES, 1)."""
        since_s = np.maximum(release_age_s, 0.0)
        times = np.empty((*age_s.shape, RATES, 1), np.float32)
        times[..., :2, 0], times[..., 2:4, 0] = age_s[..., None], since_s[..., None]
        rates = self._clock_rates
        times[..., 4:-1, 0] = age_s[..., None] * rates[:, 0] + since_s[..., None] * rates[:, 1]
        times[..., -1, 0] = np.where(release_age_s >= 0.0, 0.0, NEVER)
        return times

    def phases(
        self, call: HopCall, readings: Readings, rows: NDArray[np.intp], rounds: slice, group: Group
    ) -> tuple[dict[str, np.ndarray], NDArray[np.float64]]:
        """Return inputs (T, ...) that say where partials and noise are, and the phases (T, V, 3) after each round.

        One hop after the other gives the same phases as many at once.
        """
        state, slots, spec, owner = self._state, group.slots, self._spec, group.owner
        hz = readings.f0_hz[rounds, rows]
        index = np.arange(rounds.start, rounds.stop)[:, None]
        before = np.concatenate([state.phases[slots, HZ][None], hz[:-1]])
        step = 0.5 * (before + hz) / spec.sample_rate
        turns = step * spec.hop_length * (index >= ahead_of(call.views.jobs[rows]))
        cycles = np.add.accumulate(np.concatenate([state.phases[slots, CYCLES][None], turns]))
        frames = state.phases[slots, FRAME].astype(np.int64) + index - rounds.start
        grown_hz = pitch_to_hz(planted_in(call, readings)[rounds, rows])
        limits = (spec.num_bins - 2.0) * grown_hz / np.maximum(hz, 1e-9)
        told: dict[str, np.ndarray] = {
            "cycles": cycles[:-1, owner, None, None, None],
            "steps": step[:, owner, None, None, None],
            "limits": limits[:, owner, None, None, None],
            "noise_rows": (state.noise_row[slots] + frames) % state.num_noise_rows,
            "floors": self._floors(frames, group),
        }
        return told, np.stack([cycles[1:], hz, frames + 1.0], 2)

    def _floors(self, frames: NDArray[np.int64], group: Group) -> FloatArray:
        """Return level 0 as an exponent, (T, X) or (T, 1): more while windows reach before onsets."""
        last = self._onset.shape[1] - 1
        if frames.min() >= last:
            return np.broadcast_to(self._floor, (len(frames), 1))
        known = np.minimum(frames, last)[:, group.of_place]
        is_noise = np.arange(known.shape[1]) >= group.num_tonal
        return self._floor + np.where(is_noise, self._onset[1][known], self._onset[0][known])


def _tended(call: HopCall, rows: NDArray[np.intp], rounds: slice) -> dict[str, np.ndarray]:
    """Return what is told of growth that is tended."""
    shape = (rounds.stop - rounds.start, len(rows), 1, 1)
    mask = np.ones(shape, np.float32) if call.mask is None else call.mask[rounds, rows, None]
    life = np.full(shape, ALIVE_ABOVE, np.float32) if call.life is None else call.life[rounds, rows, None, None]
    return {"mask": mask, "life": life, "spared": life <= np.float32(ALIVE_ABOVE)}


def ahead_of(jobs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many frames voices begin with that are not heard, (V,)."""
    return np.where(jobs[:, STARTS] != 0, jobs[:, LOOKAHEAD], 0)
