"""Which recordings the recorded keys are of, and which of their motions are enough to move them all.

A sample serves several keys, so their motions are one, transposed: at another pace and on other bands. What a
synthesiser's slow oscillator does to a sample keeps its pace on all keys. Letters: K keys, M motions, N codes,
R courses, F bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.keys.stored.motion_arrays import code_places
from ...engine.keys.stored.table import MAX_PACE
from ...engine.spectra.spec import AudioSpec
from ...engine.spectra.transpose import transposed

SAME_TAKE = 0.3
"""Likeness of two neighbours' motions from which they are of one recording: its keys have 0.4 to 0.9, others 0.05."""
WELL_TOLD = 0.3
"""Share of the power of a key's motion that another key's may miss and still do for it."""
SWAY_WEIGHT = 0.1
"""How much the pitch counts beside all bands together."""


@dataclass(frozen=True, eq=False)
class Measured:
    """One note's motion before it is coded.

    Attributes
    ----------
    sway : float32 (N,), semitones
    courses, shapes : float32 (N, R) and (R, F); their product is how far levels are off the smooth course
    loop : codes at the end that repeat; 0 for none
    loudness : float32 (F,), how much each band counts
    """

    sway: FloatArray
    courses: FloatArray
    shapes: FloatArray
    loop: float
    loudness: FloatArray

    @property
    def detail(self) -> FloatArray:
        """Levels off the smooth course, (N, F)."""
        return self.courses @ self.shapes


class Shared(NamedTuple):
    """Which motions are kept: source (M,), the keys they are of; and for each key its motion (K,) and pace (K,)."""

    source: NDArray[np.int64]
    motion: NDArray[np.int64]
    pace: FloatArray


def correlation(one: FloatArray, other: FloatArray) -> float:
    """Return the normalised correlation, -1..1."""
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum() / norm) if norm > 1e-9 else 0.0


def number_takes(owners: list[tuple[str, int]], measured: list[Measured], spec: AudioSpec) -> NDArray[np.int64]:
    """Return the recording of each (timbre, key) in rising order, int64 (K,): those of one move alike side by side."""
    borders = [
        name != other or _alike(low, high, later - key, spec) < SAME_TAKE
        for (name, key), (other, later), low, high in zip(owners, owners[1:], measured, measured[1:], strict=False)
    ]
    return np.cumsum([0, *borders]).astype(np.int64)


def _alike(low: Measured, high: Measured, semitones: int, spec: AudioSpec) -> float:
    """Likeness of two keys' details while both last, the lower one's transposed up to the higher key."""
    ratio = 2.0 ** (semitones / 12.0)
    detail, other = transposed(low.detail, spec, ratio), high.detail
    at = np.arange(len(other)) * ratio
    at = at[at < len(detail) - 1]
    return correlation(_between_codes(detail, at.astype(np.intp), at % 1.0), other[: len(at)])


def _between_codes(codes: FloatArray, low: NDArray[np.intp], mix: NDArray[np.float64]) -> FloatArray:
    step: FloatArray = codes[np.minimum(low + 1, len(codes) - 1)] - codes[low]
    return codes[low] + mix[:, None].astype(np.float32) * step


def share(
    owners: list[tuple[str, int]], measured: list[Measured], spec: AudioSpec, lends: NDArray[np.bool_] | None = None
) -> Shared:
    """Choose few motions of each timbre that tell those of all its keys.

    Only keys that `lends` (K,) names are chosen, where it is given; others take what tells theirs best.
    """
    lends = np.ones(len(owners), bool) if lends is None else lends
    timbres = [name for name, _ in owners]
    source: list[int] = []
    motion, pace = np.zeros(len(owners), np.int64), np.ones(len(owners), np.float32)
    for first in [row for row, name in enumerate(timbres) if row == 0 or name != timbres[row - 1]]:
        rows = range(first, first + timbres.count(timbres[first]))
        missed, paces = _missed([owners[row][1] for row in rows], [measured[row] for row in rows], spec)
        chosen = _cover(missed, lends[first : rows.stop])
        nearest = missed[chosen].argmin(0)
        motion[first : rows.stop] = len(source) + nearest
        pace[first : rows.stop] = paces[np.array(chosen)[nearest], np.arange(len(rows))]
        source += [first + one for one in chosen]
    return Shared(np.array(source, np.int64), motion, pace)


def _missed(
    keys: list[int], measured: list[Measured], spec: AudioSpec
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each key's motion (rows) misses of each one's (columns), (K, K), and the paces it has there."""
    missed, paces = np.zeros((len(keys), len(keys))), np.ones((len(keys), len(keys)))
    heard = [_Heard(one) for one in measured]
    for row, column in zip(*np.nonzero(~np.eye(len(keys), dtype=bool)), strict=True):
        ratio = 2.0 ** ((keys[column] - keys[row]) / 12.0)
        missed[row, column], paces[row, column] = heard[column].missed_by(heard[row], ratio, spec)
    return missed, paces


class _Heard:
    """A motion as it counts, codes times shapes: what is loud, and a little of the pitch."""

    def __init__(self, own: Measured) -> None:
        self._own = own
        self._codes = np.concatenate([own.sway[:, None], own.courses], 1)
        self._shapes = self._weighted(own.shapes)
        self._power = _sum(self._codes, self._codes, self._shapes @ self._shapes.T)

    def missed_by(self, other: _Heard, ratio: float, spec: AudioSpec) -> tuple[float, float]:
        """Return the share of the power that another key's motion misses, transposed by a ratio, and its best pace."""
        shapes = self._weighted(transposed(other._own.shapes, spec, ratio))
        of_both, of_other = shapes @ self._shapes.T, shapes @ shapes.T
        missed = []
        for pace in (min(ratio, MAX_PACE), 1.0):
            codes = other._read(len(self._codes), pace)
            power = self._power - 2.0 * _sum(codes, self._codes, of_both) + _sum(codes, codes, of_other)
            missed.append((power / max(self._power, 1e-9), pace))
        return min(missed, key=itemgetter(0))

    def _read(self, count: int, pace: float) -> FloatArray:
        """Return the first codes as they are at a pace, (count, 1 + R)."""
        last = np.array([len(self._codes) - 1.0])
        low, mix = code_places(np.arange(count, dtype=np.float64)[:, None] * pace, last, np.array([self._own.loop]))
        return _between_codes(self._codes, low[:, 0], mix[:, 0])

    def _weighted(self, shapes: FloatArray) -> FloatArray:
        """Return the shape of the sway, which is no band's, and then those of the courses, (1 + R, 1 + F)."""
        weighted = np.zeros((len(shapes) + 1, shapes.shape[1] + 1), np.float32)
        weighted[0, 0] = SWAY_WEIGHT * np.sqrt(shapes.shape[1])
        weighted[1:, 1:] = shapes * self._own.loudness
        return weighted


def _sum(codes: FloatArray, others: FloatArray, shapes: FloatArray) -> float:
    """Return the sum of the products of two motions, from their codes and the products of their shapes."""
    return float(((codes.T @ others) * shapes).sum())


def _cover(missed: NDArray[np.float64], lends: NDArray[np.bool_]) -> list[int]:
    """Choose keys that lend, one that tells most of them well after another, until all of them are told well."""
    told = missed <= WELL_TOLD
    left = lends.copy()
    chosen = []
    while left.any():
        score = (told & left).sum(1) - np.minimum(missed, 1.0)[:, left].mean(1)
        chosen.append(int(np.where(lends, score, -np.inf).argmax()))
        left &= ~told[chosen[-1]]
    return sorted(chosen)
