"""What stays as it is while the same voices grow: where they are read, by voice and for a group of voices.

Letters: V voices, N bins, F cells, P places that noise is read at, B bundles of 16 partials, X places of all voices, M
motions that a voice blends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray
from ...cache import BoundedCache
from ...decoders.harmonic import TONALITY_RANGE_DB
from ...decoders.parts.noise import NoiseBank
from ...decoders.parts.oscillators import BUNDLE, Comb
from ...keys.apply import KeyApplier
from ...keys.motions import MotionTable
from ...spectra.pitch import MAX_PARTIALS, partial_ratios
from ...spectra.spec import AudioSpec
from ...spectra.tone import PIVOT_HZ, RESONANCE_OCTAVES, frequencies_hz, resonance_hz
from ...spectra.transpose import LOBE_DIP_DB, transposed_bins
from ..weights import Weights
from .hop import DECIBEL, RATES
from .matrices import spans_of, ways_of

BUNDLES: Final = MAX_PARTIALS // BUNDLE
KEPT_PLACES: Final = 512
_LOBE: Final = np.arange(-1, 3)
"""Bins of a main lobe, from the one below its centre on."""


class GraphModel(NamedTuple):
    """What the graph of a hop needs of a growth model."""

    weights: Weights
    spec: AudioSpec
    motions: MotionTable
    finisher: KeyApplier


class Sounding(NamedTuple):
    """What a voice is sounded by.

    Attributes
    ----------
    grown_hz : where the partials of what is heard lie; 0 for no pitch
    ratio : how much higher it sounds than it is grown
    stretch : inharmonicity B
    mode_row : of the table of motions, with its partials beside the series
    is_pitched : whether tonal bins are partials, not noise
    """

    grown_hz: float
    ratio: float
    stretch: float
    mode_row: int
    is_pitched: bool


class Places(NamedTuple):
    """Where a voice is read: first the lower bins of all partials, then the upper ones, then those of the noise.

    Attributes
    ----------
    sources : int64 (2, places), the bins below and above in the fields before transposition
    shares, dips, marks, falls, above, bells : float32 (places,); see `HopGraph`
    partials, gains, ratios : (MAX_PARTIALS,), bins, what turns power into amplitude squared, and over the fundamental
    bundles : that are audible, at least one
    """

    sources: NDArray[np.int64]
    shares: FloatArray
    dips: FloatArray
    marks: FloatArray
    falls: FloatArray
    above: FloatArray
    bells: FloatArray
    partials: FloatArray
    gains: FloatArray
    ratios: NDArray[np.float64]
    bundles: int


class PlaceFinder:
    """Finds the places of voices, and keeps the last ones.

    Parameters
    ----------
    model : GraphModel
    sounds : whether voices are sounded; else all bins are read
    """

    def __init__(self, model: GraphModel, sounds: bool) -> None:
        spec = self._spec = model.spec
        self._motions, self._sounds = model.motions, sounds
        self._comb = Comb(spec, 1)
        bins = np.arange(spec.num_bins)
        self.read = bins[NoiseBank(spec).bins] if sounds else bins
        self._octaves = np.log2(np.maximum(frequencies_hz(spec, spec.num_bins), 1.0)).astype(np.float32)
        self._kept: BoundedCache[Sounding, Places] = BoundedCache(KEPT_PLACES)

    def places(self, one: Sounding) -> Places:
        """Return the places of a voice."""
        found = self._kept.get(one)
        return self._kept.keep(one, self._find(one)) if found is None else found

    def _find(self, one: Sounding) -> Places:
        spec, modes = self._spec, self._motions.tables.modes[one.mode_row + 1]
        hz, stretch = np.array([[one.grown_hz]]), np.array([one.stretch])
        comb = self._comb.places(np.zeros(1, np.intp), hz, stretch, modes[None] if modes.any() else None)
        bins, gains = np.zeros((2, MAX_PARTIALS), np.intp), np.zeros(MAX_PARTIALS, np.float32)
        partials = np.full(MAX_PARTIALS, np.inf, np.float32)
        count = comb.bin.shape[2]
        bins[:, :count], gains[:count], partials[:count] = comb.around[0, 0], comb.gain[0, 0], comb.bin[0, 0]
        at = np.concatenate([*(bins if self._sounds else ()), self.read])
        source, share = transposed_bins(spec, one.ratio)
        marks = np.zeros(spec.num_bins, np.float32)
        marks[self._lobes(one.grown_hz, modes)] = 1.0
        fall = np.full(len(at), -TONALITY_RANGE_DB * DECIBEL, np.float32)
        fall[len(at) - len(self.read) :] *= one.is_pitched
        low, octaves, shares = source[at], self._octaves[at], share[at]
        distance = (octaves - np.log2(resonance_hz(np.array(one.grown_hz)))) / RESONANCE_OCTAVES
        return Places(
            sources=np.stack([low, low + 1]),
            shares=shares,
            dips=shares * (1.0 - shares) * np.float32(LOBE_DIP_DB / spec.level_scale_db),
            marks=marks[at],
            falls=fall,
            above=np.maximum(octaves - np.log2(max(one.grown_hz, PIVOT_HZ)), 0.0).astype(np.float32),
            bells=np.exp(-0.5 * distance * distance).astype(np.float32),
            partials=partials,
            gains=gains,
            ratios=partial_ratios(stretch, modes[None], MAX_PARTIALS)[0],
            bundles=-(-count // BUNDLE),
        )

    def _lobes(self, hz: float, modes: FloatArray) -> NDArray[np.intp]:
        """Return the bins of partials beside the series."""
        centres = np.floor(hz * modes[modes > 0.0] * (self._spec.n_fft / self._spec.sample_rate)).astype(np.intp)
        return np.clip(centres[:, None] + _LOBE, 0, self._spec.num_bins - 1).ravel()


class Group(NamedTuple):
    """What V voices that grow together are, as inputs of the graph.

    Attributes
    ----------
    inputs : by name
    slots : (V,)
    owner : (B,), the voice of each bundle
    bundle : (B,), which of its bundles it is
    of_place : (X,), the voice of each place
    num_tonal : how many places are those of partials
    bundles, audible : (V,), how many bundles voices have, and those of them that are heard
    """

    inputs: dict[str, np.ndarray]
    slots: NDArray[np.int64]
    owner: NDArray[np.intp]
    bundle: NDArray[np.intp]
    of_place: NDArray[np.intp]
    num_tonal: int
    bundles: NDArray[np.intp]
    audible: NDArray[np.intp]


class GroupMaker:
    """Puts together what voices are that grow together.

    Parameters
    ----------
    model, sounds : see `PlaceFinder`
    """

    def __init__(self, model: GraphModel, sounds: bool) -> None:
        self._spec, self._motions, self._finisher, self._sounds = model.spec, model.motions, model.finisher, sounds
        self._finder = PlaceFinder(model, sounds)
        self._spans = [span.bins for span in spans_of(model.spec)]
        self._ways = ways_of(model.spec.hop_length)

    def make(
        self,
        slots: NDArray[np.int64],
        genes: Mapping[str, FloatArray],
        soundings: Sequence[Sounding],
        motion_rows: NDArray[np.int64],
        correction_rows: NDArray[np.int64],
        sounding_bundles: NDArray[np.intp],
    ) -> Group:
        """Return the group of V voices.

        Parameters
        ----------
        genes : of all slots
        motion_rows, correction_rows : (V, M)
        sounding_bundles : (V,), how many bundles sounded at the last hop
        """
        places = [self._finder.places(one) for one in soundings]
        audible = np.array([one.bundles if self._sounds else 0 for one in places])
        counts = np.maximum(audible, sounding_bundles) if self._sounds else audible
        inputs = self._genes(slots, genes, motion_rows)
        shapes = [
            np.concatenate([self._finisher.shape(row, one.grown_hz / one.ratio, one.stretch, self._spec.num_bins)
                            for row in rows])
            for rows, one in zip(correction_rows.tolist(), soundings, strict=True)
        ] if self._motions.correction_table is not None else []  # fmt: skip
        if shapes:
            inputs["correction_shapes"] = np.stack(shapes)
        owner = np.repeat(np.arange(len(slots)), counts)
        bundle = np.concatenate([np.arange(count) for count in counts.tolist()]).astype(np.intp)
        order, of_place = self._order(counts.tolist())
        each = dict(zip(Places._fields, zip(*places, strict=True), strict=True))
        for name in ("shares", "dips", "marks", "falls", "above", "bells"):
            inputs[name] = np.concatenate(each[name])[order]
        inputs["sources"] = self._sources(np.concatenate(each["sources"], 1)[:, order], of_place, len(slots))
        num_tonal = 2 * BUNDLE * len(owner)
        if self._sounds:
            self._add_partials(inputs, each, owner, bundle)
            magnitudes = len(self._finder.read) * np.arange(len(slots))[:, None]
            inputs["ways"] = (self._ways + magnitudes).ravel().astype(np.int32)
            inputs["sizes"] = np.array([num_tonal, len(order) - num_tonal])
        return Group(inputs, slots, owner, bundle, of_place, num_tonal, counts, audible)

    def _genes(
        self, slots: NDArray[np.int64], genes: Mapping[str, FloatArray], motion_rows: NDArray[np.int64]
    ) -> dict[str, np.ndarray]:
        rates = np.ones((len(slots), RATES, self._spec.num_mels), np.float32)
        rates[:, :4] = genes["rates"][slots]
        inputs = {"cell": genes["cell"][slots], "rates": rates}
        for index, bins in enumerate(self._spans):
            inputs[f"bin_{index}"] = genes["bin"][slots, bins]
        shapes = self._motions.tables.swell_shapes[motion_rows]
        inputs["swell_shapes"] = shapes.reshape(len(slots), -1, self._spec.num_mels)
        return inputs

    def _order(self, counts: list[int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return which places of voices one after the other are read, and the voice of each."""
        noise = len(self._finder.read)
        width = noise + (2 * MAX_PARTIALS if self._sounds else 0)
        firsts = [width * index for index in range(len(counts))]
        sides = (0, MAX_PARTIALS) if self._sounds else ()
        parts = [
            np.arange(first + side, first + side + BUNDLE * count)
            for side in sides
            for first, count in zip(firsts, counts, strict=True)
        ]
        parts += [np.arange(first + width - noise, first + width) for first in firsts]
        order = np.concatenate(parts)
        return order, order // width

    def _sources(self, sources: NDArray[np.int64], of_place: NDArray[np.intp], voices: int) -> NDArray[np.int32]:
        """Return where levels and tonalities below and above places lie among those of all voices."""
        bins = self._spec.num_bins
        levels = sources + bins * of_place
        return np.stack([levels, levels + bins * voices], 1).ravel().astype(np.int32)

    @staticmethod
    def _add_partials(
        inputs: dict[str, np.ndarray],
        each: Mapping[str, Sequence[np.ndarray]],
        owner: NDArray[np.intp],
        bundle: NDArray[np.intp],
    ) -> None:
        def of(name: str) -> np.ndarray:
            return np.stack(each[name]).reshape(-1, BUNDLES, 1, 1, BUNDLE)[owner, bundle]

        inputs["partials"], inputs["partial_gains"] = of("partials"), of("gains")
        inputs["ratios"] = of("ratios")
        inputs["float_ratios"] = inputs["ratios"].astype(np.float32)
        inputs["owners"] = (np.arange(len(each["gains"]) + 1)[:, None] == owner).astype(np.float32)
