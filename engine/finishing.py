"""From what was grown to what is heard: slow courses of levels set right, and spectra brought to the key that sounds.

A key that was never recorded is grown as the recorded key that lends it its sound, and transposed, as samplers
transpose samples. Letters: V voices, T frames, S slots, N bins or bands, P partials.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .decoders.base import Fields
from .motions import MotionTable
from .seed import partial_hz
from .spec import AudioSpec
from .spectral import FloatArray, between, bins_among_bands, transposed_bins, transposed_field_bands

LINEAR, BANDS = "linear", "mel"
LOBE_BINS = 2.5
"""From the centre of a partial to where it is only noise that counts, which it begins to a bin before."""
HEARD_LEVEL = 0.2
"""Levels below are set right the less, the lower they are: silence stays silent."""


class Finisher:
    """Finishes fields, with the places of partials kept by slot.

    Parameters
    ----------
    spec : AudioSpec
    motions : MotionTable
    num_slots : int
    """

    def __init__(self, spec: AudioSpec, motions: MotionTable, num_slots: int) -> None:
        self._spec, self._motions = spec, motions
        self._near = np.zeros((num_slots, spec.num_bins), np.intp)
        self._tonal = np.zeros((num_slots, spec.num_bins), np.float32)
        self._placed = np.full((num_slots, 2), -1.0)

    def finish(
        self,
        slots: NDArray[np.intp],
        fields: Fields,
        retouch: FloatArray | None,
        semitones: NDArray[np.float64],
        grown_hz: NDArray[np.float64],
        inharmonicity: NDArray[np.float64],
    ) -> Fields:
        """Return finished fields; levels that are set right are so in place.

        Parameters
        ----------
        slots : (V,)
        fields : by name, float32 (V, T, 2, N)
        retouch : float32 (V, T, P + bands) of `RetouchTable.read`, or None
        semitones : (V, T), from the keys that the fields were grown for to those that sound
        grown_hz : (V, T), where the partials of finished fields lie; 0 where unpitched
        inharmonicity : (V,)
        """
        ratio = 2.0 ** (semitones / 12.0)
        finished = dict(fields)
        if retouch is not None and self._motions.retouched_field in fields:
            level = finished[self._motions.retouched_field][:, :, 0]
            if self._motions.retouched_bands:
                correction = self._on_bins(slots, retouch, grown_hz / ratio, inharmonicity, level.shape[2])
            else:  # the field itself begins with levels of partials
                correction = retouch.copy()
                level = level[..., : correction.shape[2]]
            correction *= np.minimum(level * np.float32(1.0 / HEARD_LEVEL), 1.0)
            level += correction
            np.maximum(level, 0.0, out=level)
        for row in np.flatnonzero((ratio != 1.0).any(1)):
            for part in _equal_parts(ratio[row]):
                for name, pair in finished.items():
                    pair[row, part] = transposed_field(name, pair[row, part], self._spec, float(ratio[row, part.start]))
        return finished

    def _on_bins(
        self,
        slots: NDArray[np.intp],
        retouch: FloatArray,
        hz: NDArray[np.float64],
        inharmonicity: NDArray[np.float64],
        width: int,
    ) -> FloatArray:
        """Return corrections (V, T, N) of bins or bands of those of partials and bands."""
        partials = self._motions.retouched_partials
        bands = retouch[..., partials:]
        if not partials:
            return bands.copy() if bands.shape[2] == width else between(bands, *bins_among_bands(self._spec))
        noise = between(bands, *bins_among_bands(self._spec))
        steady = hz[:, 0]
        if (hz == steady[:, None]).all():
            near, tonal = self._places(slots, steady, inharmonicity)
            tone = np.take_along_axis(retouch, near[:, None], 2)
            tone -= noise
            tone *= tonal[:, None]
            tone += noise
            return tone
        for frame in range(hz.shape[1]):
            near, tonal = self._places(slots, hz[:, frame], inharmonicity)
            here = noise[:, frame]
            here += tonal * (np.take_along_axis(retouch[:, frame], near, 1) - here)
        return noise

    def _places(
        self, slots: NDArray[np.intp], hz: NDArray[np.float64], inharmonicity: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], FloatArray]:
        """Return the partial nearest to each bin, and how much the bin is its own, each (V, N)."""
        wanted = np.stack([hz, inharmonicity], 1)
        for index in np.flatnonzero((self._placed[slots] != wanted).any(1)):
            slot = slots[index]
            self._near[slot], self._tonal[slot] = partial_places(
                self._spec, float(hz[index]), float(inharmonicity[index]), self._motions.retouched_partials
            )
            self._placed[slot] = wanted[index]
        return self._near[slots], self._tonal[slots]


def _equal_parts(values: NDArray[np.float64]) -> list[slice]:
    """Return the stretches of (T,) in which values stay as they are."""
    if len(values) == 1:
        return [slice(0, 1)]
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


@lru_cache(maxsize=256)
def partial_places(
    spec: AudioSpec, f0_hz: float, inharmonicity: float, partials: int
) -> tuple[NDArray[np.intp], FloatArray]:
    """Return the partial (0 is the first) nearest to each bin and how much the bin is its own, 0..1, each (N,)."""
    bins = np.arange(spec.num_bins, dtype=np.float64)
    if f0_hz <= 0.0:
        return np.zeros(spec.num_bins, np.intp), np.zeros(spec.num_bins, np.float32)
    at = partial_hz(f0_hz, inharmonicity, partials) * spec.n_fft / spec.sample_rate
    near = np.searchsorted(0.5 * (at[1:] + at[:-1]), bins)
    own = np.clip(LOBE_BINS - np.abs(bins - at[near]), 0.0, 1.0)
    return near.astype(np.intp), own.astype(np.float32)


def transposed_field(name: str, pair: FloatArray, spec: AudioSpec, ratio: float) -> FloatArray:
    """Return a field's frames (T, 2, N) transposed by a frequency ratio; what is no spectrum stays as it is."""
    if name == LINEAR:
        return between(pair, *transposed_bins(spec, ratio))
    if name.startswith(BANDS):
        return between(pair, *transposed_field_bands(spec, pair.shape[2], ratio))
    return pair
