"""From what was grown to what is heard: slow courses of levels set right, and spectra brought to the key that sounds.

A key that was never recorded is grown as the recorded key that lends it its sound, and transposed, as samplers
transpose samples. Letters: V voices, T frames, N bins or bands, P partials, C rows of corrections, R courses of each.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..cache import BoundedCache
from ..spectra.fields import Fields
from ..spectra.pitch import partial_hz
from ..spectra.spec import AudioSpec
from ..spectra.stft import bins_among_bands
from ..spectra.transpose import between, read_at, sources, transposed_field
from .correction import Corrections, total_level
from .motions import MotionTable

LOBE_BINS = 2.5
"""From the centre of a partial to where it is only noise that counts, which it begins to a bin before."""
HEARD_LEVEL = 0.2
"""Levels below are set right the less, the lower they are, so that silence stays silent; or, where it is known how
loud the whole spectrum was when the correction was measured, they are moved by how much louder it is now."""
FAINT_LEVEL = 0.2
"""What is lower once it is set right that way, -92 dB, sinks into silence, which it reaches at half of that."""
TILE_FRAMES = 24
"""Frames of voices that are transposed together: what that takes stays in the processor's cache."""
KEPT_GROUPS = 4
"""Groups of voices whose shapes lie side by side, a few blocks' worth; one of 64 voices takes 1 MB."""
KEPT_SHAPES = 512
"""Shapes of corrections that are kept for pitches where they were read before: 8 MB of them."""


class KeyApplier:
    """Finishes fields; all paths that grow alike share one, for it remembers much.

    Thread: any.

    Parameters
    ----------
    spec : AudioSpec
    motions : MotionTable
    """

    def __init__(self, spec: AudioSpec, motions: MotionTable) -> None:
        self._spec, self._motions = spec, motions
        self._shapes: BoundedCache[tuple[int, float, float, int], FloatArray] = BoundedCache(KEPT_SHAPES)
        self._groups: BoundedCache[tuple[bytes, bytes, bytes, int], FloatArray] = BoundedCache(KEPT_GROUPS)

    def finish(
        self,
        fields: Fields,
        corrections: Corrections | None,
        semitones: NDArray[np.float64],
        grown_hz: NDArray[np.float64],
        inharmonicity: NDArray[np.float64],
    ) -> Fields:
        """Return finished fields; levels that are set right are so in place.

        Parameters
        ----------
        fields : by name, float32 (V, T, 2, N)
        corrections : of the V voices at the T frames, or None
        semitones : (V, T), from the keys that the fields were grown for to those that sound
        grown_hz : (V, T), where the partials of finished fields lie; 0 where unpitched
        inharmonicity : (V,)
        """
        ratio = 2.0 ** (semitones / 12.0)
        finished = dict(fields)
        if corrections is not None and self._motions.corrected_field in fields:
            level = finished[self._motions.corrected_field][:, :, 0]
            if not self._motions.corrected_bands:  # the field itself begins with levels of partials
                level = level[..., : self._motions.corrected_partials]
            correction = self._correction(corrections, grown_hz / ratio, inharmonicity, level.shape[2])
            _set_right(level, correction, corrections.totals.swapaxes(0, 1), self._spec)
        is_moved, is_steady = (ratio != 1.0).any(1), (ratio == ratio[:, :1]).all(1)
        for name, pair in finished.items():
            self._transpose(name, pair, ratio[:, 0], np.flatnonzero(is_moved & is_steady))
            for row in np.flatnonzero(is_moved & ~is_steady):
                for part in _equal_parts(ratio[row]):
                    pair[row, part] = transposed_field(name, pair[row, part], self._spec, float(ratio[row, part.start]))
        return finished

    def _transpose(self, name: str, pair: FloatArray, ratio: NDArray[np.float64], rows: NDArray[np.intp]) -> None:
        """Transpose some voices of a field (V, T, 2, N) in place, each by its ratio (V,)."""
        at_once = max(TILE_FRAMES // pair.shape[1], 1)
        for start in range(0, len(rows), at_once):
            some = rows[start : start + at_once]
            places = [sources(name, self._spec, pair.shape[3], one) for one in ratio[some].tolist()]
            known = [place for place in places if place is not None]
            if known:
                pair[some] = read_at(name, pair[some], known, self._spec)

    def _correction(
        self, corrections: Corrections, hz: NDArray[np.float64], stretch: NDArray[np.float64], width: int
    ) -> FloatArray:
        """Return what is added to levels (V, T, width) whose partials lie at `hz` (V, T) with inharmonicity (V,)."""
        if not (self._motions.corrected_partials and self._motions.corrected_bands):
            hz = np.zeros_like(hz)  # shapes that are the same at every pitch
        rows, courses = corrections.rows, corrections.courses.swapaxes(0, 1)
        if rows.shape[1] == 1 and (hz == hz[:, :1]).all():
            shapes = self._shapes_of(rows[:, 0], hz[:, 0], stretch, width)
            corrected: FloatArray = np.matmul(courses, shapes[:, None])[:, :, 0]
            return corrected
        total = np.zeros((*hz.shape, width), np.float32)
        for voice, (corners, own_stretch) in enumerate(zip(rows.tolist(), stretch.tolist(), strict=True)):
            for part in _equal_parts(hz[voice]):
                own_hz = float(hz[voice, part.start])
                for corner, row in enumerate(corners):
                    shape = self.shape(row, own_hz, own_stretch, width)
                    # A product for each frame, so that it is the same among any.
                    total[voice, part] += np.matmul(courses[voice, part, corner, None], shape)[:, 0]
        return total

    def _shapes_of(
        self, rows: NDArray[np.intp], hz: NDArray[np.float64], stretch: NDArray[np.float64], width: int
    ) -> FloatArray:
        """Return what `_shape` does for each of V voices, (V, R, width)."""
        known = (rows.tobytes(), hz.tobytes(), stretch.tobytes(), width)
        group = self._groups.get(known)
        if group is None:
            facts = zip(rows.tolist(), hz.tolist(), stretch.tolist(), strict=True)
            group = self._groups.keep(known, np.concatenate([self.shape(*one, width)[None] for one in facts]))
        return group

    def shape(self, row: int, hz: float, stretch: float, width: int) -> FloatArray:
        """Return how strongly each of `width` values of a field follows the courses of a row, (R, width)."""
        known = (row, hz, stretch, width)
        shape = self._shapes.get(known)
        if shape is None:
            shape = self._shapes.keep(known, self._spread(self._motions.correction_shapes[row], hz, stretch, width))
        return shape

    def _spread(self, shapes: FloatArray, hz: float, stretch: float, width: int) -> FloatArray:
        """Spread shapes over partials and bands (R, P + bands) over a field."""
        partials = self._motions.corrected_partials
        if shapes.shape[1] == width:
            return shapes
        noise = between(shapes[:, partials:], *bins_among_bands(self._spec))
        if not partials:
            return noise
        near, own = partial_places(self._spec, hz, stretch, partials)
        return noise + own * (shapes[:, near] - noise)


def _set_right(level: FloatArray, correction: FloatArray, totals: FloatArray, spec: AudioSpec) -> None:
    """Add corrections (V, T, N) to levels, in place; both change.

    Parameters
    ----------
    totals : (V, T, 2), as in `Corrections`
    """
    quiet = 1.0 - np.minimum(level * np.float32(1.0 / HEARD_LEVEL), 1.0)  # 1 in silence, 0 from `HEARD_LEVEL` on
    known = totals[..., :1]
    if not known.any():
        correction *= 1.0 - quiet
        level += correction
        np.maximum(level, 0.0, out=level)
        return
    # Where nothing is known the correction fades with the level; where it is, silence lies as far below the whole
    # spectrum as it did when the correction was measured. On a pad of timbres both are mixed.
    softer = np.minimum(known * total_level(level, spec)[..., None] - totals[..., 1:], 0.0)
    level += correction * (1.0 - quiet * (1.0 - known)) + quiet * softer
    np.maximum(level, 0.0, out=level)
    faint = 1.0 - np.clip(level * np.float32(2.0 / FAINT_LEVEL) - 1.0, 0.0, 1.0)
    level *= 1.0 - known * faint


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
