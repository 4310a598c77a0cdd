"""Controls of the growth itself: its speed, which cells live, and what is erased. Without them nothing is computed.

Letters: V voices, R growth rounds, K steps in a hop, F cells, C channels, N bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...midi.spec.growth_controllers import ALIVE_ABOVE
from ..arrays import FloatArray
from ..hashing import mix
from ..models.interfaces import Grown
from ..spectra.spec import AudioSpec
from ..spectra.stft import bins_among_bands
from .channel import GROWTH, WILD, Control

LEVEL, ALPHA = 0, 4
"""Channels of the grid that hold mel level and life."""
RELEASED_VIGOUR = 0.25
"""The slowest that a released note grows, so that one whose growth stands still can be let go."""
LIVELIEST = 0.98
"""Cells with this share of a note's highest alpha live under any threshold: a note thins out, but does not go."""
SPARED_SHARE = 0.25
"""Where damage would leave fewer living cells than this share of all, the loudest and its neighbours are spared."""


@dataclass(frozen=True, slots=True, eq=False)
class GrowthMasks:
    """What is asked of the growth of V voices in R rounds.

    Attributes
    ----------
    vigour : float32 (R, V), 0..1, what the updates of all cells are multiplied by
    fire : float64 (R, V), share of the fire rate
    life : float32 (R, V), alpha above which cells live
    damage : float64 (R, V), shares of the grid erased since the notes' onsets, and before
    before : float64 (V,), the same one round earlier
    released : bool (R, V)
    """

    vigour: FloatArray
    fire: NDArray[np.float64]
    life: FloatArray
    damage: NDArray[np.float64]
    before: NDArray[np.float64]
    released: NDArray[np.bool_]

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Whether the growth of a held note is so slow or sparse that silence need not be the end, (R, V)."""
        slow = (self.vigour < 1.0) | (self.fire < 1.0) | (self.life > np.float32(ALIVE_ABOVE))
        return slow & ~self.released

    def fire_share(self, index: int, active: int) -> NDArray[np.float64] | None:
        """Return the shares of the fire rate of the first `active` voices in a round, None where all are whole."""
        share = self.fire[index, :active]
        return None if (share == 1.0).all() else share

    def tempered(self, mask: FloatArray, index: int) -> FloatArray:
        """Return a fire mask (V, K, F) with the vigour of round `index`."""
        vigour = self.vigour[index, : len(mask)]
        return mask if (vigour == 1.0).all() else mask * vigour[:, None, None]

    def erased(self, index: int, num_cells: int) -> NDArray[np.int64]:
        """Return how many cells each voice loses before round `index`, (V,); slow damage adds up to whole cells."""
        earlier = self.damage[index - 1] if index else self.before
        # The smallest fraction makes up for sums that fall short of a whole cell by a rounding error.
        whole = [np.floor(share * num_cells + 1e-6).astype(np.int64) for share in (self.damage[index], earlier)]
        return np.asarray(whole[0] - whole[1])


def masks_of(
    before: NDArray[np.float64],
    is_new: NDArray[np.bool_],
    controls: NDArray[np.float64],
    is_released: NDArray[np.bool_],
) -> GrowthMasks | None:
    """Return what controls (R, V, K) ask of the growth, None if that is nothing.

    Parameters
    ----------
    before : (V,), shares of the grids that were erased at the last hop
    is_new : (V,), whether that hop is the first
    is_released : (R, V)
    """
    if (controls[..., GROWTH] == WILD).all():
        return None
    vigour = np.minimum(controls[..., Control.GROWTH], 1.0)
    damage = controls[..., Control.DAMAGE]
    return GrowthMasks(
        vigour=np.where(is_released, np.maximum(vigour, RELEASED_VIGOUR), vigour).astype(np.float32),
        fire=controls[..., Control.FIRE],
        life=controls[..., Control.LIFE].astype(np.float32),
        damage=damage,
        before=np.where(is_new, damage[0], before),
        released=is_released,
    )


def damage_grid(
    grid: FloatArray, erased: NDArray[np.int64], seeds: NDArray[np.uint64], frames: NDArray[np.int64]
) -> None:
    """Erase neighbouring living cells of grids (V, F, C), in place; where is up to each note's seed and frame.

    Parameters
    ----------
    erased : (V,), how many cells
    seeds, frames : (V,)
    """
    for row in np.flatnonzero(erased > 0):
        living = np.flatnonzero(_vitality(grid[row : row + 1])[0] > ALIVE_ABOVE)
        count = min(int(erased[row]), len(living))
        chance = int(mix(int(seeds[row]) ^ (int(frames[row]) + 1) << 20)[0])
        first = chance % (len(living) - count + 1)
        taken = living[first : first + count]
        if len(living) - count < SPARED_SHARE * grid.shape[1]:
            taken = taken[np.abs(taken - grid[row, :, LEVEL].argmax()) > 1]
        grid[row, taken] = 0.0


def cull(grown: Grown, life: FloatArray, spec: AudioSpec) -> Grown:
    """Return what grew without the cells whose neighbourhood's alpha is not above `life` (V,): silent in all fields.

    Bands are cells, those of several fields one after the other. Bins beyond them lie between cells and fall with those
    around them, as they are read. What is neither falls in the next hop, when it is read out of the grid.
    """
    rows = np.flatnonzero(life > np.float32(ALIVE_ABOVE))
    if not rows.size:
        return grown
    alpha = _vitality(grown.grid[rows])
    threshold = np.minimum(life[rows], LIVELIEST * alpha.max(axis=1))
    alive = (alpha > threshold[:, None]).astype(np.float32)
    grown.grid[rows] *= alive[..., None]
    first = 0
    for values in grown.fields.values():
        last = first + values.shape[-1]
        if last <= alive.shape[1]:
            values[rows, 0] *= alive[:, first:last]
            first = last
        elif values.shape[-1] == spec.num_bins:
            low, share = bins_among_bands(spec)
            values[rows, 0] *= alive[:, low] + share * (alive[:, low + 1] - alive[:, low])
    return grown


def _vitality(grid: FloatArray) -> FloatArray:
    """Return the highest alpha (V, F) of each cell of grids (V, F, C) and its two neighbours; 1 where there is none."""
    if grid.shape[2] <= ALPHA:
        return np.ones(grid.shape[:2], np.float32)
    alpha = grid[..., ALPHA]
    highest = alpha.copy()
    np.maximum(highest[:, 1:], alpha[:, :-1], out=highest[:, 1:])
    np.maximum(highest[:, :-1], alpha[:, 1:], out=highest[:, :-1])
    return highest
